// SPDX-License-Identifier: Apache-2.0
#pragma once
// Many keep-alive connections on one thread: what a test needs where a thread and a libcurl handle per client would
// measure the test instead of the server.
//
//   Load load{server.url(), 64};
//   load.run([&](int connection, const LoadAnswer* last) -> std::optional<LoadRequest> { ... });
//
// Each connection asks, reads the whole answer, and asks again until it is given nothing to ask. Threads: one.

#include "base/time.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::outside {

using SteadyInstant = std::chrono::steady_clock::time_point;
using Micros = std::chrono::microseconds;

struct LoadRequest {
    std::string method = "GET";
    std::string path;
    std::vector<std::pair<std::string, std::string>> headers;
    Millis pause{0};                    ///< before it is sent
    std::function<void()> as_sent = {}; ///< called when the pause is over, just before it is sent
};

struct LoadAnswer {
    int status = 0; ///< 0: the connection broke; it is opened anew for the next request
    std::string freshet;
    std::string body;
    std::string location;
    SteadyInstant asked_at, answered_at;
    Micros took() const { return std::chrono::duration_cast<Micros>(answered_at - asked_at); }
    /// A member of the `Freshet` header; empty or 0 if absent.
    std::string member(std::string_view name) const;
    std::int64_t number(std::string_view name) const { return std::stoll("0" + member(name)); }
};

class Load {
public:
    /// What a connection asks next, given its last answer (null at first); nothing: it is done.
    using Next = std::function<std::optional<LoadRequest>(int connection, const LoadAnswer* last)>;

    Load(const std::string& url, int connections);
    /// Returns when every connection is done.
    void run(const Next& next);

private:
    boost::asio::io_context io_;
    boost::asio::ip::tcp::endpoint server_;
    std::vector<boost::asio::ip::tcp::socket> sockets_;
};

/// The value that a share of the sorted values is not above; 0 of none.
Micros percentile(std::vector<Micros> values, double share);

/// True when FRESHET_TEST_LONG=1 asks for the full lengths.
bool long_run();

} // namespace freshet::outside
