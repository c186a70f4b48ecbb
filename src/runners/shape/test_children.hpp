// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: the processes that this one has, as /proc lists them, so that a test can say that none is left.

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <sys/types.h>
#include <unistd.h>
#include <vector>

namespace freshet::test {

/// Children of this process that are not reaped, zombies among them.
inline std::vector<pid_t> children()
{
    std::vector<pid_t> found;
    for (const auto& task : std::filesystem::directory_iterator{"/proc/self/task"}) {
        std::ifstream file{task.path() / "children"};
        found.insert(found.end(), std::istream_iterator<pid_t>{file}, {});
    }
    return found;
}

inline std::ptrdiff_t open_descriptors()
{
    const std::filesystem::directory_iterator all{"/proc/self/fd"};
    return std::distance(begin(all), end(all));
}

/// This program's own file: /proc/self/exe would be another one's once it is started by a shell.
inline std::string own_executable()
{
    return std::filesystem::read_symlink("/proc/self/exe").string();
}

} // namespace freshet::test
