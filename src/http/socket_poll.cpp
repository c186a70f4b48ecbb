// SPDX-License-Identifier: Apache-2.0
#include "http/socket_poll.hpp"

#include "base/failure.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace freshet::http {

namespace {

int make_epoll()
{
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll < 0)
        throw Failure{fmt::format("no epoll for a loop: {}; raise the limit of open files", std::strerror(errno))};
    return epoll;
}

} // namespace

SocketPoll::SocketPoll(boost::asio::io_context& io) : epoll_{io, make_epoll()} {}

bool SocketPoll::add(PolledSocket& owner, int socket, std::uint32_t events)
{
    epoll_event event{};
    event.events = events;
    event.data.ptr = &owner;
    return ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_ADD, socket, &event) == 0;
}

void SocketPoll::change(PolledSocket& owner, int socket, std::uint32_t events)
{
    epoll_event event{};
    event.events = events;
    event.data.ptr = &owner;
    ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_MOD, socket, &event);
}

void SocketPoll::remove(PolledSocket& owner, int socket)
{
    epoll_event ignored{};
    ::epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, socket, &ignored);
    for (epoll_event& event : ahead_)
        if (event.data.ptr == &owner) event.data.ptr = nullptr;
}

void SocketPoll::wait()
{
    epoll_.async_wait(boost::asio::posix::descriptor_base::wait_read, [this](const boost::system::error_code& error) {
        if (error) return;
        turn();
        wait();
    });
}

void SocketPoll::turn()
{
    // One look each time, so that timers and what other threads post get their
    // turn between two.
    const int count = ::epoll_wait(epoll_.native_handle(), events_.data(), static_cast<int>(events_.size()), 0);
    ahead_ = std::span{events_}.first(static_cast<std::size_t>(std::max(count, 0)));
    while (!ahead_.empty()) {
        const epoll_event event = ahead_.front();
        ahead_ = ahead_.subspan(1);
        if (event.data.ptr != nullptr) static_cast<PolledSocket*>(event.data.ptr)->on_ready(event.events);
    }
}

} // namespace freshet::http
