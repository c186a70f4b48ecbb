// SPDX-License-Identifier: Apache-2.0
#pragma once
// The control interface: GET /_control lists the sites, GET /_control/{site} shows one, PUT /_control/{site} merges
// fields into it. A PUT that has anything wrong with it changes nothing.

#include "answer.hpp"
#include "state.hpp"

namespace upstream {

Answer answer_control(World& world, const Ask& ask);

} // namespace upstream
