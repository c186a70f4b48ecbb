// SPDX-License-Identifier: Apache-2.0
#pragma once
// A server for tests that does exactly what a test says, byte by byte, also what no decent server does.
//
// One thread accepts, one per connection serves. The handler gets each request as it was received and the peer to
// answer; it may keep silent (Peer::wait_until_gone()). The destructor cuts all connections, so no handler can hold it
// up. Threads: handlers run on the server's threads; requests() and connections() from any.

#include <arpa/inet.h>
#include <atomic>
#include <functional>
#include <list>
#include <mutex>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace freshet::test {

class Peer {
public:
    explicit Peer(int fd) : fd_{fd} {}
    int fd() const { return fd_; }

    /// False once the other side is gone.
    bool send(std::string_view bytes) const
    {
        while (!bytes.empty()) {
            const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return true;
    }

    /// Head and body (by Content-Length) of the next request; empty when there is none.
    std::string receive()
    {
        std::size_t end = 0;
        while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
            if (!more()) return {};
        end += 4;
        std::size_t body = 0;
        if (const auto at = buffer_.find("Content-Length: "); at < end) body = std::stoul(buffer_.substr(at + 16));
        while (buffer_.size() < end + body)
            if (!more()) return {};
        std::string request = buffer_.substr(0, end + body);
        buffer_.erase(0, end + body);
        return request;
    }

    void wait_until_gone()
    {
        while (more()) buffer_.clear();
    }
    void close() { open_ = false; }
    bool is_open() const { return open_; }

private:
    bool more()
    {
        char bytes[4096];
        const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
        if (got <= 0) return false;
        buffer_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }

    int fd_;
    bool open_ = true;
    std::string buffer_;
};

class TestServer {
public:
    using Handler = std::function<void(Peer&, const std::string& request)>;
    using RawHandler = std::function<void(Peer&)>;

    explicit TestServer(Handler handler)
        : TestServer{RawHandler{[this, handler = std::move(handler)](Peer& peer) {
              while (peer.is_open()) {
                  const std::string request = peer.receive();
                  if (request.empty()) return;
                  {
                      const std::lock_guard lock{mutex_};
                      requests_.push_back(request);
                  }
                  handler(peer, request);
              }
          }}}
    {
    }

    explicit TestServer(RawHandler handler) : handler_{std::move(handler)}
    {
        listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::listen(listener_, 512);
        socklen_t size = sizeof address;
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        acceptor_ = std::thread{[this] { accept_all(); }};
    }

    ~TestServer()
    {
        ::shutdown(listener_, SHUT_RDWR);
        acceptor_.join();
        {
            const std::lock_guard lock{mutex_};
            for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
        }
        for (std::thread& thread : threads_) thread.join();
        ::close(listener_);
    }
    TestServer(const TestServer&) = delete;
    TestServer& operator=(const TestServer&) = delete;

    int port() const { return port_; }
    std::string url(std::string_view path = "/") const
    {
        return "http://127.0.0.1:" + std::to_string(port_) + std::string{path};
    }
    int connections() const { return connections_; }
    std::vector<std::string> requests() const
    {
        const std::lock_guard lock{mutex_};
        return requests_;
    }

private:
    void accept_all()
    {
        for (;;) {
            const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
            if (fd < 0) return;
            ++connections_;
            const std::lock_guard lock{mutex_};
            open_.push_back(fd);
            threads_.emplace_back([this, fd] {
                Peer peer{fd};
                handler_(peer);
                const std::lock_guard closing{mutex_};
                open_.remove(fd);
                ::close(fd);
            });
        }
    }

    RawHandler handler_;
    int listener_ = -1;
    int port_ = 0;
    std::atomic<int> connections_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_; // guarded by mutex_
    std::list<int> open_;               // guarded by mutex_
    std::list<std::thread> threads_;    // the acceptor's until it is joined
    std::thread acceptor_;
};

/// A whole answer with Content-Length.
inline std::string answer(std::string_view status, std::string_view body,
                          std::string_view fields = "Content-Type: application/json\r\n")
{
    std::string text = "HTTP/1.1 ";
    (text += status) += "\r\n";
    (text += fields) += "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n";
    return text += body;
}

/// "/a?b" of "GET /a?b HTTP/1.1".
inline std::string target_of(const std::string& request)
{
    const auto from = request.find(' ') + 1;
    return request.substr(from, request.find(' ', from) - from);
}

inline bool has(const std::string& text, std::string_view part)
{
    return text.find(part) != std::string::npos;
}

} // namespace freshet::test
