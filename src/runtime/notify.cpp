// SPDX-License-Identifier: Apache-2.0
#include "runtime/notify.hpp"

#include "base/descriptor.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/un.h>

namespace freshet {

bool notify_manager(std::string_view state)
{
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr) return false;
    const std::string_view name{path};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (name.size() < 2 || name.size() >= sizeof address.sun_path || (name[0] != '/' && name[0] != '@')) return false;
    std::ranges::copy(name, address.sun_path);
    if (name[0] == '@') address.sun_path[0] = '\0'; // an abstract socket, whose length counts
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());

    const Descriptor fd{::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    return fd && ::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL,
                          reinterpret_cast<const sockaddr*>(&address), size) == static_cast<ssize_t>(state.size());
}

} // namespace freshet
