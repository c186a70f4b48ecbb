// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection to the server, kept open between calls. By libcurl.
//
// Life: one per thread that speaks. Threads: ask() by its owner; abort() by any, it ends a call that waits. Redirects
// are not followed: the token goes to the server that was named and nowhere else.

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

struct Endpoint {
    std::string url; ///< without a slash at its end
    std::string token;
};

struct Answer {
    int status = 0;          ///< 0: none, see `error`
    std::string body, error; ///< error: in words, of libcurl
    bool aborted = false;
    std::chrono::milliseconds retry_after{0};

    bool ok() const { return status >= 200 && status < 300; }
    /// The same call may be answered otherwise later: nobody there, a server that is busy or just starts, a proxy.
    bool worth_repeating() const { return status == 0 || status == 408 || status == 429 || status >= 500; }
    bool not_let_in() const { return status == 401 || status == 403; }
    /// What a person is told: the words of a problem, or what went wrong on the way.
    std::string words() const;
};

class Connection {
public:
    explicit Connection(const Endpoint& endpoint);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// @param path  below the endpoint's url. @param body  empty: none.
    /// @param once  libcurl sends a call again when a kept connection ends before the answer begins. That is right for
    ///              what may be said twice; a claim may not: what the first one brought would be forgotten.
    Answer ask(const char* method, const std::string& path, std::string_view body, std::chrono::milliseconds timeout,
               bool once = false);
    /// Ends the call that waits now, or the next one; until rearm().
    void abort();
    void rearm() { aborted_ = false; }
    /// The next call opens a new connection.
    void reconnect() { fresh_ = true; }

private:
    struct Handles;
    const Endpoint& endpoint_;
    std::unique_ptr<Handles> handles_;
    std::atomic<bool> aborted_{false};
    bool fresh_ = false;
};

/// How long to wait before asking again: 0.1 s, doubling to 5 s, spread so that many workers do not come at once.
class Backoff {
public:
    std::chrono::milliseconds next(const Answer& answer);
    void reset() { wait_ = first; }

private:
    static constexpr std::chrono::milliseconds first{100}, last{5'000};
    std::chrono::milliseconds wait_ = first;
};

/// A share from 0 to 1 that differs from call to call and thread to thread.
double jitter();

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
