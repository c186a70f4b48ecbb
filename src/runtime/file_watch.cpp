// SPDX-License-Identifier: Apache-2.0
#include "runtime/file_watch.hpp"

#include <array>
#include <sys/inotify.h>

namespace freshet {

FileWatch::FileWatch(const std::filesystem::path& file)
{
    Descriptor made{inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
    const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
    constexpr auto saved = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE;
    if (made && inotify_add_watch(made.get(), folder.c_str(), saved) >= 0) fd_ = std::move(made);
}

bool FileWatch::changed()
{
    alignas(inotify_event) std::array<char, 4096> events;
    bool any = false;
    // An overflow of the kernel's queue is an event, too, so nothing is missed by not reading what they say.
    while (fd_ && ::read(fd_.get(), events.data(), events.size()) > 0) any = true;
    return any;
}

} // namespace freshet
