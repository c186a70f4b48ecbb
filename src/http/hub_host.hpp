// SPDX-License-Identifier: Apache-2.0
#pragma once
// The hub of a loop's streams, and how it sits on the loop's core. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/streams/hub.hpp"

#include <memory>

namespace freshet::http {

/// The hub of this loop; made when it is first asked for, and told every notice and the stop from then on.
streams::Hub& hub_of(Core& core);

/// A hub that may be gone when a connection ends after its loop: null then.
std::weak_ptr<streams::Hub> weak_hub_of(Core& core);

/// By what right the caller's stream or poll is open; it ends when its token does. One of the tenant's limits.streams
/// is taken. nullopt: all are in use.
std::optional<streams::Grant> grant_of(Core& core, const Caller& caller);
/// Ends the stream that the same ticket opened before, on whichever loop it is. @param number  of this loop's new one
void end_earlier_stream(Core& core, std::uint64_t ticket, std::uint64_t number);

/// Names of this loop's streams begin with it; the loop can be read from a name.
std::string stream_prefix(const Services& services, int loop);
/// The name of the stream with that number on this loop, as hello tells it.
std::string stream_name(Core& core, std::uint64_t number);
/// The loop that a stream's name names; nullopt for names of other processes.
std::optional<int> loop_of_stream(const Services& services, std::string_view name);

} // namespace freshet::http
