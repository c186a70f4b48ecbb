// SPDX-License-Identifier: Apache-2.0
#pragma once
// A claim that waits for work: the long poll of a remote worker, from its offer to the engine to its one answer.
//
// Life: until it is answered with jobs, or with none when its time is used up, its token has ended or the server stops.
// What the engine hands out to one whose connection is gone goes back at once. Threads: the loop's.

#include "engine/requests.hpp"
#include "http/core.hpp"
#include "http/exchange.hpp"

namespace freshet::http {

/// Offers the claim to the engine and answers the exchange in the end. A wait of nothing: what is there now.
void open_claim(Core& core, const ExchangePtr& exchange, ClaimWork claim, Millis wait);

} // namespace freshet::http
