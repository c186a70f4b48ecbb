// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/lock_file.hpp"

#include "store/store.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <string>
#include <sys/file.h>
#include <unistd.h>

namespace freshet::sqlite {

namespace {

/// What the holder wrote: its process id. For words only.
std::string holder(int fd)
{
    std::array<char, 24> text{};
    const ssize_t size = pread(fd, text.data(), text.size() - 1, 0);
    std::string words{text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
    words.erase(words.find_last_not_of("\n ") + 1);
    return words.empty() ? "unknown" : words;
}

} // namespace

LockFile::LockFile(const std::filesystem::path& path) : fd_{open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)}
{
    if (fd_ < 0)
        throw StoreFailure{
            fmt::format("cannot open {}: {}. Check that data_dir exists and that this user may write in it.",
                        path.string(), std::strerror(errno))};
    if (flock(fd_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        const std::string words =
            error == EWOULDBLOCK
                ? fmt::format(
                      "another freshet (process {}) serves {}: stop it, or give this one a data_dir of its own.",
                      holder(fd_), path.parent_path().string())
                : fmt::format("cannot lock {}: {}. data_dir must be on a disk that knows flock.", path.string(),
                              std::strerror(error));
        close(fd_);
        throw StoreFailure{words};
    }
    // The lock is what counts; the id only helps a person, so a failure to write it is none.
    const std::string id = std::to_string(getpid()) + "\n";
    if (ftruncate(fd_, 0) == 0) (void)!pwrite(fd_, id.data(), id.size(), 0);
}

LockFile::~LockFile()
{
    close(fd_);
}

} // namespace freshet::sqlite
