// SPDX-License-Identifier: Apache-2.0
#pragma once
// Links that sign a browser in, once: printed by a person's terminal, opened by the same person's browser.
//
// Kept in memory, by hash, for 15 minutes or until used: a restart forgets them, and `freshet console` makes another.
// Threads: any.

#include "http/exchange.hpp"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace freshet::http {

inline constexpr Millis sign_in_link_lives = 15min;
inline constexpr std::size_t sign_in_links_max = 1'000;

class SignInLinks {
public:
    /// Keeps the link that `hash` is of; the oldest goes when there are too many.
    void put(std::string hash, Caller maker, WallTime now);
    /// Who had it made. Nobody gets it a second time.
    std::optional<Caller> take(const std::string& hash, WallTime now);

private:
    struct Link {
        Caller maker;
        WallTime made_at;
    };
    std::mutex mutex_; ///< guards links_
    std::map<std::string, Link, std::less<>> links_;
};

} // namespace freshet::http
