// SPDX-License-Identifier: Apache-2.0
#pragma once
// The wall clock of servers that are started while it lives, moved at will while they run: as an administrator or a
// broken time service would. Not in a build with sanitizers, whose runtime has to be loaded first.

#include "base/time.hpp"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <unistd.h>

namespace freshet::outside {

class ClockStep {
public:
    ClockStep()
    {
        std::string name = (std::filesystem::temp_directory_path() / "freshet-clock-XXXXXX").string();
        const int fd = ::mkstemp(name.data());
        if (fd < 0 || ::ftruncate(fd, sizeof(std::int64_t)) != 0) throw std::runtime_error{"no file for the clock"};
        void* at = ::mmap(nullptr, sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ::close(fd);
        if (at == MAP_FAILED) throw std::runtime_error{"no memory for the clock"};
        offset_ = static_cast<std::atomic<std::int64_t>*>(at);
        file_ = name;
        ::setenv("FRESHET_TEST_CLOCK", name.c_str(), 1);
        ::setenv("LD_PRELOAD", FRESHET_CLOCK_SHIM, 1);
    }
    ~ClockStep()
    {
        ::unsetenv("LD_PRELOAD");
        ::unsetenv("FRESHET_TEST_CLOCK");
        ::munmap(offset_, sizeof(std::int64_t));
        std::filesystem::remove(file_);
    }
    ClockStep(const ClockStep&) = delete;
    ClockStep& operator=(const ClockStep&) = delete;

    /// From now on the servers' wall clock is so far from the machine's.
    void set(Millis off) { offset_->store(off.count() * 1'000'000); }

private:
    std::atomic<std::int64_t>* offset_ = nullptr;
    std::filesystem::path file_;
};

} // namespace freshet::outside
