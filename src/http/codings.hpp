// SPDX-License-Identifier: Apache-2.0
#pragma once
// A body in a coding, made once per version and shared by every core (Body::coded).
// Threads: encode() on a pool thread; the others on any. Always holds: what is in `coded` never changes again.

#include "http/negotiate.hpp"
#include "model/snapshot.hpp"

#include <memory>
#include <string>
#include <string_view>

namespace freshet::http {

/// Below this a coding saves less than its header costs.
inline constexpr std::size_t coded_bytes_min = 512;

/// Compresses at the level that suits a body which is made once and read often. Empty when it does not get smaller.
/// @throws Failure when the library refuses.
std::string encode(std::string_view bytes, Coding coding);

/// The body in that coding if it was made already; null for identity, when it is not yet made, or did not get smaller.
std::shared_ptr<const std::string> coded(const Body& body, Coding coding);

/// True for exactly one caller per body and coding: the one that has to make it.
bool begin_coding(const Body& body, Coding coding);
/// Makes it and puts it in place.
void make_coding(const Body& body, Coding coding);

/// What a reader gets now, and what should be made for the next one.
struct Choice {
    Coding serve = Coding::identity;
    Coding make = Coding::identity;           ///< identity: nothing
    std::shared_ptr<const std::string> bytes; ///< null: the body's own
};
Choice choose_coding(const Body& body, const AcceptedCodings& accepted);

} // namespace freshet::http
