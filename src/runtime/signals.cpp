// SPDX-License-Identifier: Apache-2.0
#include "runtime/signals.hpp"

#include "base/failure.hpp"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <sys/signalfd.h>

namespace freshet {

Signals::Signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&ours, number);
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    fd_ = Descriptor{signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (!fd_) throw Failure{std::string{"cannot listen for signals: "} + std::strerror(errno)};
}

std::optional<int> Signals::take()
{
    signalfd_siginfo info{};
    if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
    return static_cast<int>(info.ssi_signo);
}

} // namespace freshet
