// SPDX-License-Identifier: Apache-2.0
#include "runners/sql/flight_stop.hpp"

#include <cerrno>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace freshet {

FlightStop::FlightStop() : fd_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)} {}

FlightStop::~FlightStop()
{
    if (fd_ >= 0) ::close(fd_);
}

void FlightStop::set(StopReason reason)
{
    StopReason expected = StopReason::none;
    if (reason_.compare_exchange_strong(expected, reason)) ::eventfd_write(fd_, 1);
}

bool FlightStop::wait(Millis length) const
{
    pollfd watched{fd_, POLLIN, 0};
    ::poll(&watched, 1, static_cast<int>(length.count()));
    return static_cast<bool>(*this);
}

bool FlightStop::wait_for(int socket, short events) const
{
    for (;;) {
        pollfd watched[] = {{fd_, POLLIN, 0}, {socket, events, 0}};
        const int ready = ::poll(watched, 2, -1);
        if (*this) return false;
        // An error of poll() itself is left to the library that reads the socket.
        if (ready > 0 || errno != EINTR) return true;
    }
}

} // namespace freshet
