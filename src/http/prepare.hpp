// SPDX-License-Identifier: Apache-2.0
#pragma once
// The prepared path: a plain GET of a cached key, answered with a head that was built within this second.
// Threads: the loop's. Always holds: what is prepared says exactly what the general path would say (one function makes
// the headers of both), and is built anew when the view, the definitions, the second or the state changes.

#include "http/cache.hpp"
#include "http/loop_core.hpp"

namespace freshet::http {

/// What is written: head and body (null for HEAD and 304).
struct ReadyAnswer {
    const std::shared_ptr<const std::string>* head = nullptr;
    const std::string* body = nullptr;
    const std::shared_ptr<const std::string>* coded_body = nullptr; ///< set if `body` is a coding
    bool not_modified = false;
};

struct PlainRead {
    std::string_view accept_encoding, if_none_match;
    bool is_public = false;
    bool head_only = false;
};

/// nullopt: this key needs the general path (no data, removed, to be waited for).
/// Starts what a read starts: a refresh of a stale key, the making of a coding, the touch that keeps a schedule alive.
std::optional<ReadyAnswer> ready_answer(LoopCore& core, CacheEntry& entry, const PlainRead& read);

} // namespace freshet::http
