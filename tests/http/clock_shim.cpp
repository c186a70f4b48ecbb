// SPDX-License-Identifier: Apache-2.0
// Loaded before a program (LD_PRELOAD), it moves the program's wall clock by what a file says: eight bytes,
// nanoseconds, changed by the test while the program runs (clock_step.hpp). The steady clocks stay what they are.

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

constexpr std::int64_t second = 1'000'000'000;

// Mapped at the first use: the program may ask for the time before our own constructors ran.
const std::atomic<std::int64_t>* offset()
{
    static const std::atomic<std::int64_t>* const mapped = []() -> const std::atomic<std::int64_t>* {
        const char* file = std::getenv("FRESHET_TEST_CLOCK");
        const int fd = file == nullptr ? -1 : ::open(file, O_RDONLY | O_CLOEXEC);
        void* at = fd < 0 ? MAP_FAILED : ::mmap(nullptr, sizeof(std::int64_t), PROT_READ, MAP_SHARED, fd, 0);
        if (fd >= 0) ::close(fd);
        return at == MAP_FAILED ? nullptr : static_cast<const std::atomic<std::int64_t>*>(at);
    }();
    return mapped;
}

int moved_time(clockid_t clock, timespec* time)
{
    const long result = ::syscall(SYS_clock_gettime, clock, time);
    if (result != 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE) || offset() == nullptr)
        return static_cast<int>(result);
    const std::int64_t moved = time->tv_sec * second + time->tv_nsec + offset()->load();
    time->tv_sec = moved / second;
    time->tv_nsec = moved % second;
    return 0;
}

} // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept
{
    return moved_time(clock, time);
}

int gettimeofday(timeval* time, void*) noexcept
{
    timespec now{};
    moved_time(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t* into) noexcept
{
    timespec now{};
    moved_time(CLOCK_REALTIME, &now);
    if (into != nullptr) *into = now.tv_sec;
    return now.tv_sec;
}

} // extern "C"
