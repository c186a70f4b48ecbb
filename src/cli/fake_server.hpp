// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server for tests: real sockets on loopback, answers from the test. One connection at a time, one request each.
//
// Life: listens from construction to destruction; its thread calls `handler` for each request in the order in which
// they come. The test reads `requests()` when its command has ended.

#include <algorithm>
#include <arpa/inet.h>
#include <atomic>
#include <fmt/format.h>
#include <functional>
#include <mutex>
#include <netinet/in.h>
#include <string>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace freshet::cli {

struct FakeRequest {
    std::string method, path, head, body;
    /// Empty if absent. @param name  in lower case.
    std::string header(const std::string& name) const
    {
        const auto at = head.find("\r\n" + name + ": ");
        if (at == std::string::npos) return {};
        const auto begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
};

struct FakeAnswer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    bool drop = false; ///< closes without an answer
};

class FakeServer {
public:
    explicit FakeServer(std::function<FakeAnswer(const FakeRequest&)> handler) : handler_{std::move(handler)}
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        const bool listens = bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                             listen(listener_, 16) == 0 &&
                             getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0;
        if (!listens) std::abort();
        url_ = fmt::format("http://127.0.0.1:{}", ntohs(address.sin_port));
        thread_ = std::thread{[this] { serve(); }};
    }
    ~FakeServer()
    {
        shutdown(listener_, SHUT_RDWR); // accept() then fails
        thread_.join();
        close(listener_);
    }
    FakeServer(const FakeServer&) = delete;
    FakeServer& operator=(const FakeServer&) = delete;

    const std::string& url() const { return url_; }
    std::vector<FakeRequest> requests() const
    {
        const std::scoped_lock lock{mutex_};
        return requests_;
    }

private:
    void serve()
    {
        for (;;) {
            const int peer = accept(listener_, nullptr, nullptr);
            if (peer < 0) return;
            if (const FakeRequest request = read(peer); !request.method.empty()) {
                {
                    const std::scoped_lock lock{mutex_};
                    requests_.push_back(request);
                }
                write(peer, handler_(request));
            }
            close(peer);
        }
    }

    static FakeRequest read(int peer)
    {
        FakeRequest request;
        char bytes[4096];
        while (!request.head.contains("\r\n\r\n")) {
            const ssize_t count = recv(peer, bytes, sizeof bytes, 0);
            if (count <= 0) return request;
            request.head.append(bytes, static_cast<std::size_t>(count));
        }
        const auto first = request.head.find(' '), second = request.head.find(' ', first + 1);
        request.method = request.head.substr(0, first);
        request.path = request.head.substr(first + 1, second - first - 1);
        // Names of headers in lower case; values as they came.
        const auto end = request.head.find("\r\n\r\n") + 4;
        request.body = request.head.substr(end);
        request.head.resize(end);
        bool name = false;
        for (std::size_t i = request.head.find("\r\n"); i < request.head.size(); ++i) {
            if (request.head[i] == '\n')
                name = true;
            else if (request.head[i] == ':')
                name = false;
            else if (name && request.head[i] >= 'A' && request.head[i] <= 'Z')
                request.head[i] = static_cast<char>(request.head[i] + 32);
        }
        const std::string length = request.header("content-length");
        const std::size_t size = length.empty() ? 0 : std::stoul(length);
        while (request.body.size() < size) {
            const ssize_t count = recv(peer, bytes, sizeof bytes, 0);
            if (count <= 0) break;
            request.body.append(bytes, static_cast<std::size_t>(count));
        }
        return request;
    }

    static void write(int peer, const FakeAnswer& answer)
    {
        if (answer.drop) return;
        std::string out = fmt::format("HTTP/1.1 {} X\r\nConnection: close\r\n", answer.status);
        for (const auto& [name, value] : answer.headers) out += name + ": " + value + "\r\n";
        out += "\r\n" + answer.body;
        for (std::size_t sent = 0; sent < out.size();) {
            const ssize_t count = send(peer, out.data() + sent, out.size() - sent, MSG_NOSIGNAL);
            if (count <= 0) return;
            sent += static_cast<std::size_t>(count);
        }
    }

    std::function<FakeAnswer(const FakeRequest&)> handler_;
    int listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    std::string url_;
    mutable std::mutex mutex_;
    std::vector<FakeRequest> requests_; ///< guarded by mutex_
    std::thread thread_;
};

} // namespace freshet::cli
