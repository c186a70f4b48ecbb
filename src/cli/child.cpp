// SPDX-License-Identifier: Apache-2.0
#include "cli/child.hpp"

#include "base/descriptor.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace freshet::cli {

namespace {

constexpr Millis look_again{50}; ///< where the kernel gives no descriptor for a process

struct Pipe {
    Descriptor read, write;
};

/// Ours does not block, the child's does.
std::optional<Pipe> make_pipe(bool child_reads)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return std::nullopt;
    fcntl(ends[child_reads ? 1 : 0], F_SETFL, O_NONBLOCK);
    return Pipe{Descriptor{ends[0]}, Descriptor{ends[1]}};
}

std::vector<char*> pointers(const std::vector<std::string>& texts)
{
    std::vector<char*> list;
    for (const std::string& text : texts) list.push_back(const_cast<char*>(text.c_str()));
    list.push_back(nullptr);
    return list;
}

class Child {
public:
    Child(const ChildOrder& order, std::stop_token stop) : order_{order}, stop_{std::move(stop)} {}

    ChildEnd run()
    {
        if (!start()) return std::move(end_);
        const std::stop_callback on_stop{stop_, [this] {
                                             const std::uint64_t one = 1;
                                             [[maybe_unused]] const auto written = write(wake_.get(), &one, sizeof one);
                                         }};
        while (!gone_) step();
        drain(output_, [this](std::string_view bytes) { take_output(bytes); });
        drain(words_, order_.on_words);
        drain(progress_, order_.on_progress);
        return std::move(end_);
    }

private:
    bool start()
    {
        auto in = make_pipe(true), out = make_pipe(false), err = make_pipe(false), progress = make_pipe(false);
        wake_ = Descriptor{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
        if (!in || !out || !err || !progress || wake_.get() < 0) return not_started(errno);

        posix_spawn_file_actions_t files;
        posix_spawn_file_actions_init(&files);
        // fd 3 last: until then it may be one of the pipes.
        posix_spawn_file_actions_adddup2(&files, in->read.get(), 0);
        posix_spawn_file_actions_adddup2(&files, out->write.get(), 1);
        posix_spawn_file_actions_adddup2(&files, err->write.get(), 2);
        posix_spawn_file_actions_adddup2(&files, progress->write.get(), 3);
        posix_spawn_file_actions_addclosefrom_np(&files, 4);
        posix_spawnattr_t attributes;
        posix_spawnattr_init(&attributes);
        sigset_t all, none;
        sigfillset(&all);
        sigemptyset(&none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setpgroup(&attributes, 0); // a group of its own: one signal reaches all it starts
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
        const auto arguments = pointers(order_.command), environment = pointers(order_.environment);
        const int error = posix_spawnp(&pid_, arguments[0], &files, &attributes, arguments.data(), environment.data());
        posix_spawnattr_destroy(&attributes);
        posix_spawn_file_actions_destroy(&files);
        if (error != 0) return not_started(error);

        input_ = std::move(in->write);
        output_ = std::move(out->read);
        words_ = std::move(err->read);
        progress_ = std::move(progress->read);
        if (order_.input.empty()) input_ = Descriptor{};
        process_ = Descriptor{static_cast<int>(syscall(SYS_pidfd_open, pid_, 0))};
        return true;
    }

    bool not_started(int error)
    {
        end_.start_error = std::strerror(error);
        return false;
    }

    void step()
    {
        // A negative descriptor is left out by poll.
        std::array<pollfd, 6> on{pollfd{input_.get(), POLLOUT, 0}, pollfd{output_.get(), POLLIN, 0},
                                 pollfd{words_.get(), POLLIN, 0},  pollfd{progress_.get(), POLLIN, 0},
                                 pollfd{wake_.get(), POLLIN, 0},   pollfd{process_.get(), POLLIN, 0}};
        const bool impatient = process_.get() < 0 || stop_sent_;
        poll(on.data(), on.size(), impatient ? static_cast<int>(look_again.count()) : -1);
        if (on[0].revents != 0) feed();
        if (on[1].revents != 0) listen(output_, [this](std::string_view bytes) { take_output(bytes); });
        if (on[2].revents != 0) listen(words_, order_.on_words);
        if (on[3].revents != 0) listen(progress_, order_.on_progress);
        if (on[4].revents != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] const auto heard = read(wake_.get(), &count, sizeof count);
            end_.stopped = true;
            ask_to_end();
        }
        if (stop_sent_ && !killed_ && std::chrono::steady_clock::now() >= *stop_sent_ + order_.kill_after) {
            kill(-pid_, SIGKILL);
            killed_ = true;
        }
        reap();
    }

    void ask_to_end()
    {
        if (stop_sent_) return;
        stop_sent_ = std::chrono::steady_clock::now();
        kill(-pid_, SIGTERM);
    }

    void feed()
    {
        const std::string_view left = std::string_view{order_.input}.substr(fed_);
        const ssize_t count = write(input_.get(), left.data(), left.size());
        if (count > 0) fed_ += static_cast<std::size_t>(count);
        // A program need not read its input to the end.
        const bool over = fed_ == order_.input.size() || (count < 0 && errno != EAGAIN && errno != EINTR);
        if (over) input_ = Descriptor{};
    }

    template <class Take>
    void listen(Descriptor& from, const Take& take)
    {
        char bytes[64 << 10];
        const ssize_t count = read(from.get(), bytes, sizeof bytes);
        if (count > 0)
            take(std::string_view{bytes, static_cast<std::size_t>(count)});
        else if (count == 0 || (errno != EAGAIN && errno != EINTR))
            from = Descriptor{};
    }

    /// What is in the pipe now; who still holds its other end does not count.
    template <class Take>
    void drain(Descriptor& from, const Take& take)
    {
        char bytes[64 << 10];
        while (from.get() >= 0) {
            const ssize_t count = read(from.get(), bytes, sizeof bytes);
            if (count <= 0) return;
            take(std::string_view{bytes, static_cast<std::size_t>(count)});
        }
    }

    void take_output(std::string_view bytes)
    {
        if (end_.output.size() + bytes.size() > ChildEnd::output_bytes_max) {
            end_.output_too_large = true;
            ask_to_end();
            return;
        }
        end_.output += bytes;
    }

    void reap()
    {
        siginfo_t info{};
        if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0) return;
        gone_ = true;
        // What the program left running in its group is no work of this job any more. Its number is still its own.
        kill(-pid_, SIGKILL);
        int status = 0;
        while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
        }
        if (WIFEXITED(status))
            end_.exit_code = WEXITSTATUS(status);
        else
            end_.signal = WTERMSIG(status);
    }

    const ChildOrder& order_;
    std::stop_token stop_;
    ChildEnd end_;
    pid_t pid_ = -1;
    Descriptor input_, output_, words_, progress_, wake_, process_;
    std::size_t fed_ = 0;
    std::optional<std::chrono::steady_clock::time_point> stop_sent_;
    bool killed_ = false, gone_ = false;
};

} // namespace

ChildEnd run_child(const ChildOrder& order, std::stop_token stop)
{
    return Child{order, std::move(stop)}.run();
}

} // namespace freshet::cli
