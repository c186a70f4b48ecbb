// SPDX-License-Identifier: Apache-2.0
#include "bench/jobs/http.hpp"

#include "bench/http/answer_reader.hpp"

#include <arpa/inet.h>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>

namespace freshet::bench {

namespace {

[[noreturn]] void fail(std::string_view what)
{
    throw std::runtime_error{fmt::format("{}: {}", what, std::strerror(errno))};
}

} // namespace

Http::Http(int port, std::string token) : token_{std::move(token)}
{
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_ < 0) fail("no socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        ::close(socket_);
        fail(fmt::format("nobody listens on port {}", port));
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

Http::~Http()
{
    ::close(socket_);
}

std::string Http::ask(std::string_view method, std::string_view path, std::string_view body)
{
    request_.clear();
    fmt::format_to(std::back_inserter(request_),
                   "{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\nPrefer: return=minimal\r\n"
                   "Content-Type: application/json\r\n"
                   "Content-Length: {}\r\n\r\n{}",
                   method, path, token_, body.size(), body);
    for (std::string_view left = request_; !left.empty();) {
        const ssize_t sent = ::send(socket_, left.data(), left.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) fail("the request could not be sent");
        left.remove_prefix(static_cast<std::size_t>(sent));
    }
    for (;;) {
        const Answer answer = bytes_.empty() ? Answer{} : read_answer(bytes_);
        if (answer.bytes != 0) {
            std::string content = bytes_.substr(answer.bytes - answer.body_bytes, answer.body_bytes);
            bytes_.erase(0, answer.bytes);
            if (answer.status < 200 || answer.status >= 300)
                throw std::runtime_error{
                    fmt::format("{} {} was answered {}: {}", method, path, answer.status, content)};
            return content;
        }
        char part[64 << 10];
        const ssize_t got = ::recv(socket_, part, sizeof part, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) fail("no answer");
        if (got == 0) throw std::runtime_error{fmt::format("{} {}: the connection ended", method, path)};
        bytes_.append(part, static_cast<std::size_t>(got));
    }
}

} // namespace freshet::bench
