// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which sockets of one loop have bytes, or room for bytes: one epoll of the connections, watched by the loop's reactor.
//
// Asio's own reads go by edges, so that it must ask the kernel once more after each request whether anything is left,
// and takes an operation through its queues for each. Here levels are told: a socket that has more is told of again,
// and one system call finds all that are ready (figures in docs/benchmarks.md). Life: the loop's; begin() once its
// thread runs. Threads: the loop's. Always holds: after remove() a socket is not told of any more, also if it was found
// ready in the same turn.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <span>
#include <sys/epoll.h>

namespace freshet::http {

class PolledSocket {
public:
    virtual ~PolledSocket() = default;
    /// @param events  as epoll tells them; a hang-up or an error is told whatever was watched for.
    virtual void on_ready(std::uint32_t events) = 0;
};

class SocketPoll {
public:
    /// @throws Failure when the kernel gives no epoll.
    explicit SocketPoll(boost::asio::io_context& io);
    SocketPoll(const SocketPoll&) = delete;
    SocketPoll& operator=(const SocketPoll&) = delete;

    void begin() { wait(); }
    /// False: the kernel watches no more sockets.
    bool add(PolledSocket& owner, int socket, std::uint32_t events);
    void change(PolledSocket& owner, int socket, std::uint32_t events);
    void remove(PolledSocket& owner, int socket);

private:
    void wait();
    void turn();

    boost::asio::posix::stream_descriptor epoll_;
    std::array<epoll_event, 128> events_{};
    std::span<epoll_event> ahead_; ///< of this turn, not yet told
};

} // namespace freshet::http
