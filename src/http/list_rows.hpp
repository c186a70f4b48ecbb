// SPDX-License-Identifier: Apache-2.0
#pragma once
// Rows of the lists that streams tell as a whole, as the status routes show them. Threads: the loop's.

#include "http/core.hpp"
#include "http/streams/host.hpp"

#include <functional>
#include <memory>
#include <string>

namespace freshet::http {

/// Null when the store failed; else by name, and no loop shows less than what was read.
using RowsThen = std::function<void(std::shared_ptr<const streams::Rows>)>;

void queue_rows(Core& core, const std::string& tenant, RowsThen then);                   ///< queues.cpp
void schedule_rows(Core& core, const std::string& tenant, RowsThen then);                ///< schedules.cpp
std::shared_ptr<const streams::Rows> worker_rows(Core& core, const std::string& tenant); ///< workers.cpp

/// Reads the disk for rows and tells them when all that was on it is applied here.
void read_rows(Core& core, const std::string& tenant, std::function<void(Reads&)> work,
               std::function<streams::Rows()> rows, RowsThen then);

} // namespace freshet::http
