// SPDX-License-Identifier: Apache-2.0
#pragma once
// A file descriptor that is closed with its owner. One owner, any thread.

#include <unistd.h>
#include <utility>

namespace freshet {

class Descriptor {
public:
    Descriptor() = default;
    explicit Descriptor(int fd) : fd_{fd} {}
    Descriptor(Descriptor&& other) noexcept : fd_{std::exchange(other.fd_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept
    {
        std::swap(fd_, other.fd_);
        other.close();
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }
    /// Gives it away: who takes it closes it.
    int release() { return std::exchange(fd_, -1); }
    void close()
    {
        if (fd_ >= 0) ::close(std::exchange(fd_, -1));
    }

private:
    int fd_ = -1;
};

} // namespace freshet
