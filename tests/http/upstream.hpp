// SPDX-License-Identifier: Apache-2.0
#pragma once
// A source that does what a test says: an HTTP server on loopback, in this process.
//
// What a page says is taken when a request arrives, also when the answer leaves later: a source that was read before a
// change answers with what was there before. Nothing needs a sleep: hold() keeps answers back until release(), and
// await_requests() returns once so many have arrived.
// Threads: all calls from any; one thread per connection. The destructor cuts what is open.

#include "base/time.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace freshet::outside {

/// What an answer does beside what it says.
enum class Fault {
    none,
    reset,     ///< the connection is closed before any answer
    cut,       ///< half of the body, then the connection is closed
    endless,   ///< the body announces `endless_bytes` and goes on until the reader has enough
    hang_head, ///< nothing is sent until the reader leaves
    hang_body, ///< the head and half of the body are sent, then nothing until the reader leaves
};
inline constexpr std::uint64_t endless_bytes = 10'000'000'000;

struct Page {
    std::string body = "[]";
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string etag; ///< sent; a request that names it gets 304
    Millis delay{0};  ///< before the answer
    Fault fault = Fault::none;
    std::string content_type = "application/json";
};

struct Request {
    std::string method, target;
    std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
    std::string body;
    std::string header(std::string_view name) const;
};

class Upstream {
public:
    Upstream();
    ~Upstream();
    Upstream(const Upstream&) = delete;
    Upstream& operator=(const Upstream&) = delete;

    /// "http://127.0.0.1:PORT".
    std::string url() const;

    /// Answers of `path` (without its query) from now on; 404 where nothing was set.
    void set(const std::string& path, Page page);
    void set(const std::string& path, std::string body) { set(path, Page{.body = std::move(body)}); }

    /// What the paths that were not set answer. It is asked when a request arrives, on the connection's thread.
    void set_others(std::function<Page(const Request&)> page);

    /// Requests that arrive from now on are answered only after release().
    void hold(const std::string& path);
    void release(const std::string& path);

    std::size_t requests(const std::string& path) const;
    std::vector<Request> seen(const std::string& path) const;
    /// True once `count` requests of the path have arrived since the start; false when `within` is over first.
    bool await_requests(const std::string& path, std::size_t count, Millis within = Millis{10'000});
    /// When the last byte of the path's latest answer was handed over.
    std::chrono::steady_clock::time_point answered_at(const std::string& path) const;

private:
    void accept();
    void serve(boost::asio::ip::tcp::socket& socket);
    static void answer(boost::asio::ip::tcp::socket& socket, const Page& page, const Request& request, bool keep_alive);

    struct Connection {
        boost::asio::ip::tcp::socket socket;
        std::thread thread;
    };

    boost::asio::io_context io_;
    boost::asio::ip::tcp::acceptor acceptor_;

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::condition_variable changed_;
    std::map<std::string, Page> pages_;
    std::map<std::string, bool> held_;
    std::map<std::string, std::vector<Request>> seen_;
    std::map<std::string, std::chrono::steady_clock::time_point> answered_at_;
    std::function<Page(const Request&)> others_;
    std::list<Connection> connections_;
    bool stopping_ = false;

    std::thread acceptor_thread_;
};

} // namespace freshet::outside
