// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server that answers what the test says, over real sockets that stay open.
//
// Life: listens from construction to destruction; a thread per connection. `handler` is called for one request at a
// time. Threads: requests() from any.

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace freshet::outside {

struct Asked {
    std::string method, path, body;
};
struct Scripted {
    int status = 200;
    std::string body = "{}";
    bool drop = false; ///< closes without an answer
};

class ScriptedServer {
public:
    using Handler = std::function<Scripted(const Asked&)>;
    explicit ScriptedServer(Handler handler) : handler_{std::move(handler)}
    {
        thread_ = std::thread{[this] { accept_all(); }};
    }
    ~ScriptedServer()
    {
        over_ = true;
        {
            // accept() returns for a last visitor.
            boost::asio::io_context io;
            tcp::socket visitor{io};
            boost::system::error_code ignored;
            visitor.connect(acceptor_.local_endpoint(), ignored);
        }
        thread_.join();
        {
            const std::lock_guard lock{mutex_};
            for (tcp::socket& socket : sockets_) {
                boost::system::error_code ignored;
                socket.shutdown(tcp::socket::shutdown_both, ignored);
            }
        }
        for (std::thread& thread : threads_) thread.join();
    }
    ScriptedServer(const ScriptedServer&) = delete;
    ScriptedServer& operator=(const ScriptedServer&) = delete;

    std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
    std::vector<Asked> requests(const std::string& path = {}) const
    {
        const std::lock_guard lock{mutex_};
        std::vector<Asked> found;
        for (const Asked& asked : requests_)
            if (path.empty() || asked.path == path) found.push_back(asked);
        return found;
    }

private:
    using tcp = boost::asio::ip::tcp;
    void accept_all()
    {
        for (;;) {
            boost::system::error_code error;
            tcp::socket socket = acceptor_.accept(error);
            if (over_ || error) return;
            const std::lock_guard lock{mutex_};
            tcp::socket& kept = sockets_.emplace_back(std::move(socket));
            threads_.emplace_back([this, &kept] { converse(kept); });
        }
    }

    void converse(tcp::socket& socket)
    {
        namespace http = boost::beast::http;
        boost::beast::flat_buffer buffer;
        boost::system::error_code error;
        for (;;) {
            http::request_parser<http::string_body> parser;
            parser.body_limit(100U << 20);
            http::read(socket, buffer, parser, error);
            if (error) return;
            const auto& request = parser.get();
            Scripted scripted;
            {
                const Asked asked{std::string{request.method_string()}, std::string{request.target()}, request.body()};
                const std::lock_guard one{handler_mutex_};
                {
                    const std::lock_guard lock{mutex_};
                    requests_.push_back(asked);
                }
                scripted = handler_(asked);
            }
            if (scripted.drop) {
                socket.shutdown(tcp::socket::shutdown_both, error);
                return;
            }
            http::response<http::string_body> response{static_cast<http::status>(scripted.status), 11};
            response.body() = scripted.body;
            response.prepare_payload();
            http::write(socket, response, error);
            if (error) return;
        }
    }

    Handler handler_;
    boost::asio::io_context io_;
    tcp::acceptor acceptor_{io_, {boost::asio::ip::address_v4::loopback(), 0}};
    std::atomic<bool> over_{false};
    std::mutex handler_mutex_;
    mutable std::mutex mutex_; ///< guards what follows
    std::vector<Asked> requests_;
    std::list<tcp::socket> sockets_;
    std::list<std::thread> threads_;
    std::thread thread_;
};

} // namespace freshet::outside
