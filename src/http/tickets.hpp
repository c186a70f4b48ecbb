// SPDX-License-Identifier: Apache-2.0
#pragma once
// Tickets for streams: what a browser's EventSource, which can send no Authorization, puts into the URL instead of a
// token. And how many streams each tenant has open.
//
// A ticket opens one stream within 30 s of its making. After that it only reopens that stream (the same topics, with
// the cursor that EventSource sends by itself), as long as its token lives; a stream that it opened before ends. URLs
// get into logs: what leaks there is worth one stream of what its topics say, and nothing else.
// Kept in memory, by hash: a restart forgets them, and a page asks for a new one. Threads: any.

#include "http/exchange.hpp"

#include <cstdint>
#include <expected>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

namespace freshet::http {

inline constexpr Millis ticket_opens_within = 30s;
inline constexpr std::size_t tickets_per_token_max = 1'000, tickets_max = 50'000;

class StreamTickets {
public:
    /// Keeps the ticket that `hash` is of. False: there is no room. A token's oldest goes for its thousand-and-first.
    bool put(std::string hash, Caller caller, WallTime now);

    /// What a ticket lets in: the caller that had it made, and the number by which its earlier stream is ended.
    struct Opened {
        Caller caller;
        std::uint64_t number = 0;
    };
    enum class Refusal : std::uint8_t { unknown, late, other_topics };
    /// @param topics  as the query names them, in order. @param resumes  the request brings a cursor.
    std::expected<Opened, Refusal> open(const std::string& hash, std::string_view topics, bool resumes, WallTime now);

private:
    struct Ticket {
        std::string hash;
        Caller caller;
        std::uint64_t number;
        WallTime made_at;
        std::optional<std::string> topics; ///< of the stream that it opened
    };
    using List = std::list<Ticket>; ///< least lately used first

    std::mutex mutex_; ///< guards all below
    std::uint64_t last_ = 0;
    std::map<std::string, List, std::less<>> by_token_;
    std::unordered_map<std::string, List::iterator> by_hash_;
};

/// Streams and polls that are open, by tenant and over all loops.
class StreamSlots {
public:
    /// A slot that is given back when it goes; null: the tenant has `most` already. @param most  0: no limit
    std::shared_ptr<void> take(const std::string& tenant, std::int64_t most);

private:
    struct Counts {
        std::mutex mutex;
        std::map<std::string, std::int64_t, std::less<>> open; ///< guarded by mutex
    };
    std::shared_ptr<Counts> counts_ = std::make_shared<Counts>();
};

} // namespace freshet::http
