// SPDX-License-Identifier: Apache-2.0
// freshet-floor: what an answer costs at the least. One thread, one epoll, and to each request the same bytes.
//
// It looks for the empty line that ends a head and for nothing else: no method, no path, no header is read. So it is
// the floor that servers are compared with, and, given an answer that may be cached, the origin behind the caching
// peers. Life: until SIGTERM. Always holds: a connection that has more to send than the kernel takes is dropped, not
// queued.

#include <array>
#include <CLI/CLI.hpp>
#include <cstring>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <unordered_map>

namespace {

constexpr std::size_t buffer_bytes = 4 << 10;
constexpr std::size_t events_max = 128;

struct Peer {
    std::array<char, buffer_bytes> in;
    std::size_t filled = 0;
};

int must(int result, std::string_view what)
{
    if (result < 0) throw std::runtime_error{fmt::format("{}: {}", what, std::strerror(errno))};
    return result;
}

int listen_on(std::uint16_t port)
{
    const int listener = must(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    must(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), fmt::format("port {}", port));
    must(::listen(listener, 1024), "listen");
    return listener;
}

/// False: the peer left, or does not take what it asked for.
bool serve(int socket, Peer& peer, std::string_view answer)
{
    const ssize_t got = ::recv(socket, peer.in.data() + peer.filled, peer.in.size() - peer.filled, 0);
    if (got <= 0) return got < 0 && errno == EAGAIN;
    peer.filled += static_cast<std::size_t>(got);
    std::string_view unread{peer.in.data(), peer.filled};
    while (true) {
        const void* end = ::memmem(unread.data(), unread.size(), "\r\n\r\n", 4);
        if (end == nullptr) break;
        if (::send(socket, answer.data(), answer.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(answer.size()))
            return false;
        unread.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(end) - unread.data()) + 4);
    }
    std::memmove(peer.in.data(), unread.data(), unread.size());
    peer.filled = unread.size();
    return peer.filled < peer.in.size();
}

[[noreturn]] void run(int listener, std::string_view answer)
{
    const int epoll = must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1");
    const auto watch = [&](int socket) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.fd = socket;
        must(::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event), "epoll_ctl");
    };
    watch(listener);
    std::unordered_map<int, Peer> peers;
    std::array<epoll_event, events_max> events;
    while (true) {
        const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
        for (int i = 0; i < count; ++i) {
            const int socket = events[static_cast<std::size_t>(i)].data.fd;
            if (socket == listener) {
                const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (accepted < 0) continue;
                const int on = 1;
                ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                peers.try_emplace(accepted);
                watch(accepted);
            } else if (!serve(socket, peers.at(socket), answer)) {
                peers.erase(socket);
                ::close(socket);
            }
        }
    }
}

} // namespace

int main(int argc, char** argv)
{
    CLI::App app{"Answers every request with the same bytes."};
    std::uint16_t port = 0;
    std::string file;
    app.add_option("--port", port, "On 127.0.0.1")->required();
    app.add_option("--answer", file, "File that holds the whole answer: head, empty line, body")
        ->required()
        ->check(CLI::ExistingFile);
    CLI11_PARSE(app, argc, argv);
    try {
        std::ifstream in{file, std::ios::binary};
        const std::string answer{std::istreambuf_iterator<char>{in}, {}};
        run(listen_on(port), answer);
    } catch (const std::exception& error) {
        fmt::print(stderr, "freshet-floor: {}\n", error.what());
        return 1;
    }
}
