// SPDX-License-Identifier: Apache-2.0
#include "bench/jobs/starts.hpp"

#include "bench/http/histogram.hpp"
#include "bench/jobs/http.hpp"

#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <freshet/worker.hpp>
#include <fstream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <vector>

namespace freshet::bench {

namespace {

using SteadyClock = std::chrono::steady_clock;
using Instant = SteadyClock::time_point;

constexpr std::size_t file_bytes = 4 << 20; ///< as large as the server lets its log grow before it begins anew
constexpr std::chrono::seconds start_wait_max{30};

std::uint64_t nanoseconds(SteadyClock::duration length)
{
    return static_cast<std::uint64_t>(std::chrono::nanoseconds{length}.count());
}

/// What a process wrote to files so far; sockets are not counted.
std::int64_t bytes_written(pid_t process)
{
    std::ifstream in{fmt::format("/proc/{}/io", process)};
    std::string name;
    for (std::int64_t value = 0; in >> name >> value;)
        if (name == "wchar:") return value;
    throw std::runtime_error{fmt::format("what process {} wrote cannot be read", process)};
}

/// Calls `act` at an even rate and records how long it says that it took.
template <class Act>
void at_rate(const StartOptions& options, Histogram& took, Act act)
{
    const auto gap = std::chrono::nanoseconds{1'000'000'000 / options.rate};
    const int times = static_cast<int>(options.seconds * options.rate);
    Instant next = SteadyClock::now() + gap;
    for (int i = 0; i < times; ++i, next += gap) {
        std::this_thread::sleep_until(next);
        took.record(nanoseconds(act()));
    }
}

/// Written over and over, like a log that is copied away and begun anew: its blocks are there already.
class BareFile {
public:
    BareFile(const std::string& folder, std::size_t bytes) : path_{folder + "/bare"}, bytes_(bytes, 'x')
    {
        file_ = ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const std::vector<char> all(file_bytes, 'y');
        if (file_ < 0 || ::pwrite(file_, all.data(), all.size(), 0) != static_cast<ssize_t>(all.size()) ||
            ::fsync(file_) != 0)
            throw std::runtime_error{fmt::format("{} cannot be written: {}", path_, std::strerror(errno))};
    }
    ~BareFile()
    {
        ::close(file_);
        ::unlink(path_.c_str());
    }
    BareFile(const BareFile&) = delete;
    BareFile& operator=(const BareFile&) = delete;

    SteadyClock::duration write()
    {
        const Instant begin = SteadyClock::now();
        if (at_ + bytes_.size() > file_bytes) at_ = 0;
        if (::pwrite(file_, bytes_.data(), bytes_.size(), static_cast<off_t>(at_)) !=
                static_cast<ssize_t>(bytes_.size()) ||
            ::fdatasync(file_) != 0)
            throw std::runtime_error{fmt::format("{} cannot be written: {}", path_, std::strerror(errno))};
        at_ += bytes_.size();
        return SteadyClock::now() - begin;
    }

private:
    std::string path_, bytes_;
    std::size_t at_ = 0;
    int file_ = -1;
};

/// Where the handler leaves the instant in which it began.
class Started {
public:
    void tell()
    {
        const Instant now = SteadyClock::now();
        {
            const std::lock_guard lock{mutex_};
            at_ = now;
        }
        told_.notify_one();
    }
    Instant take()
    {
        std::unique_lock lock{mutex_};
        if (!told_.wait_for(lock, start_wait_max, [this] { return at_.has_value(); }))
            throw std::runtime_error{"a job did not start within 30 s"};
        const Instant at = *at_;
        at_.reset();
        return at;
    }

private:
    std::mutex mutex_;
    std::condition_variable told_;
    std::optional<Instant> at_;
};

std::string quantiles(const Histogram& took)
{
    const auto us = [](std::uint64_t nanos) { return static_cast<double>(nanos) / 1e3; };
    return fmt::format("{{\"p50_us\":{:.1f},\"p99_us\":{:.1f},\"max_us\":{:.1f},\"samples\":{}}}",
                       us(took.quantile(0.5)), us(took.quantile(0.99)), us(took.max()), took.total());
}

} // namespace

void measure_starts(const StartOptions& options, const std::string& token)
{
    Started started;
    Worker worker{{.url = fmt::format("http://127.0.0.1:{}", options.port),
                   .token = token,
                   .id = "starts",
                   .slots = 4,
                   .signals = false}};
    worker.task(options.queue, [&](Job&) { started.tell(); });
    std::thread working{[&] { worker.run(); }};
    struct Ender {
        Worker& worker;
        std::thread& thread;
        ~Ender()
        {
            worker.stop();
            thread.join();
        }
    } const ender{worker, working};

    Http http{options.port, token};
    const std::string body = fmt::format("{{\"queue\":\"{}\",\"input\":{{\"n\":1}}}}", options.queue);
    const auto ask = [&] {
        const Instant begin = SteadyClock::now();
        http.ask("POST", "/v1/jobs", body);
        return started.take() - begin;
    };
    // The first turn warms up, and tells how many bytes a commit has.
    Histogram warm;
    ask();
    const std::int64_t before = bytes_written(options.server);
    at_rate(options, warm, ask);
    const auto bytes = static_cast<std::size_t>(bytes_written(options.server) - before) / warm.total() / 2;

    BareFile file{options.folder, bytes};
    Histogram bare, starts;
    for (int turn = 0; turn < options.turns; ++turn) {
        at_rate(options, bare, [&] { return file.write(); });
        at_rate(options, starts, ask);
    }
    fmt::print("{{\"rate\":{},\"bytes\":{},\"bare\":{},\"starts\":{}}}\n", options.rate, bytes, quantiles(bare),
               quantiles(starts));
}

} // namespace freshet::bench
