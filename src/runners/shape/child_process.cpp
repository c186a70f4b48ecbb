// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/child_process.hpp"

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "runners/shape/child.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <optional>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace freshet {

namespace {

// posix_spawn's two argument blocks, freed in any case.
struct SpawnPlan {
    posix_spawn_file_actions_t files{};
    posix_spawnattr_t attributes{};
    SpawnPlan()
    {
        posix_spawn_file_actions_init(&files);
        posix_spawnattr_init(&attributes);
    }
    ~SpawnPlan()
    {
        posix_spawn_file_actions_destroy(&files);
        posix_spawnattr_destroy(&attributes);
    }
    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;
};

ShapeError late(Millis run_max)
{
    return {ShapeErrorCode::timed_out, fmt::format("shaping took longer than {}", to_text(run_max))};
}
ShapeError given_up()
{
    return {ShapeErrorCode::cancelled, "cancelled while it was shaped"};
}

} // namespace

ShapeResult<std::unique_ptr<ShapeChild>> ShapeChild::start(const std::string& executable)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return shape_error(ShapeErrorCode::crashed,
                           fmt::format("no socket for a shaping child: {}", std::strerror(errno)));
    fcntl(pair[0], F_SETFL, fcntl(pair[0], F_GETFL) | O_NONBLOCK);

    SpawnPlan plan;
    // First the socket, which may stand on any number; onto its own number dup2 takes the close-on-exec mark away.
    posix_spawn_file_actions_adddup2(&plan.files, pair[1], shape_child_fd);
    for (int standard = 0; standard < 3; ++standard)
        posix_spawn_file_actions_addopen(&plan.files, standard, "/dev/null", O_RDWR, 0);
    posix_spawn_file_actions_addclosefrom_np(&plan.files, shape_child_fd + 1);
    // A group of its own: a Ctrl-C at the terminal is for the server, which then ends its children in order.
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&plan.attributes, &none);
    posix_spawnattr_setsigdefault(&plan.attributes, &all);
    posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);

    std::string name = executable, command = "child";
    char* arguments[] = {name.data(), command.data(), nullptr};
    char* environment[] = {nullptr};
    pid_t pid = 0;
    const int error = posix_spawn(&pid, executable.c_str(), &plan.files, &plan.attributes, arguments, environment);
    close(pair[1]);
    if (error != 0) {
        close(pair[0]);
        return shape_error(ShapeErrorCode::crashed,
                           fmt::format("cannot start a shaping child from {}: {}", executable, std::strerror(error)));
    }
    return std::unique_ptr<ShapeChild>{new ShapeChild{pid, pair[0]}};
}

ShapeChild::~ShapeChild()
{
    kill_and_reap();
    close(fd_);
}

int ShapeChild::kill_and_reap()
{
    if (pid_ == 0) return 0;
    kill(pid_, SIGKILL);
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
    return status;
}

bool ShapeChild::alive() const
{
    pollfd socket{fd_, POLLIN, 0};
    // A child says nothing unasked: anything to read is its end, or a breach of the protocol.
    return poll(&socket, 1, 0) == 0;
}

ShapeChild::Ready ShapeChild::wait(short events, SteadyTime until, int wake_fd) const
{
    const SystemClock clock;
    for (;;) {
        const Millis left = until - clock.steady();
        if (left <= 0ms) return Ready::late;
        pollfd both[2] = {{fd_, events, 0}, {wake_fd, POLLIN, 0}};
        // Rounded up by one, or the last millisecond is polled again and again.
        const int count = poll(both, 2, static_cast<int>(std::min<std::int64_t>(left.count() + 1, 60'000)));
        if (count < 0 && errno != EINTR) return Ready::woken;
        if (count <= 0) continue;
        if (both[1].revents != 0) return Ready::woken;
        return Ready::yes;
    }
}

ShapeResult<void> ShapeChild::send_frame(std::string_view frame, SteadyTime until, int wake_fd, Millis run_max)
{
    while (!frame.empty()) {
        const ssize_t sent = send(fd_, frame.data(), frame.size(), MSG_NOSIGNAL);
        if (sent > 0) {
            frame.remove_prefix(static_cast<std::size_t>(sent));
            continue;
        }
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0 && errno != EAGAIN) return std::unexpected(ShapeError{ShapeErrorCode::crashed, {}});
        const Ready ready = wait(POLLOUT, until, wake_fd);
        if (ready != Ready::yes) return std::unexpected(ready == Ready::late ? late(run_max) : given_up());
    }
    return {};
}

ShapeResult<void> ShapeChild::receive(char* into, std::size_t size, SteadyTime until, int wake_fd, Millis run_max)
{
    while (size > 0) {
        const ssize_t got = recv(fd_, into, size, 0);
        if (got > 0) {
            into += got;
            size -= static_cast<std::size_t>(got);
            continue;
        }
        if (got < 0 && errno == EINTR) continue;
        if (got == 0 || errno != EAGAIN) return std::unexpected(ShapeError{ShapeErrorCode::crashed, {}});
        const Ready ready = wait(POLLIN, until, wake_fd);
        if (ready != Ready::yes) return std::unexpected(ready == Ready::late ? late(run_max) : given_up());
    }
    return {};
}

// The socket ended on its own; what the process left says why. A child that closed its socket and lives on is killed.
ShapeError ShapeChild::why_it_ended(const ShapeLimits& limits)
{
    // Its descriptors close before it can be reaped: a moment's patience, then the kill would hide the reason.
    siginfo_t info{};
    for (int i = 0; i < 200; ++i) {
        info = {};
        if (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_)
            break;
        poll(nullptr, 0, 1);
    }
    const int status = kill_and_reap();
    if (WIFEXITED(status) && WEXITSTATUS(status) == child_exit_out_of_memory)
        return {ShapeErrorCode::out_of_memory,
                fmt::format("shaping needs more than {} MiB of memory", limits.memory_bytes_max >> 20)};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return late(limits.run_max);
    if (WIFSIGNALED(status))
        return {ShapeErrorCode::crashed, fmt::format("the shaping child died of signal {} ({})", WTERMSIG(status),
                                                     sigabbrev_np(WTERMSIG(status)))};
    return {ShapeErrorCode::crashed, fmt::format("the shaping child ended with exit code {}", WEXITSTATUS(status))};
}

ShapeResult<Shaped> ShapeChild::exchange(const ShapeRequest& request, SteadyTime until, int wake_fd)
{
    FRESHET_ASSERT(!spent_);
    // Set until the answer is whole: whatever goes wrong on the way, the socket is out of step.
    spent_ = true;
    ++orders_;
    const auto failed = [&](ShapeError error) {
        return std::unexpected(error.code == ShapeErrorCode::crashed ? why_it_ended(request.limits) : std::move(error));
    };
    if (const auto sent = send_frame(encode(request), until, wake_fd, request.limits.run_max); !sent)
        return failed(sent.error());
    char head[frame_head_bytes];
    if (const auto got = receive(head, sizeof head, until, wake_fd, request.limits.run_max); !got)
        return failed(got.error());
    if (payload_bytes(head) > frame_bytes_max(request.limits))
        return shape_error(ShapeErrorCode::crashed, "the shaping child broke the protocol");
    std::string payload(payload_bytes(head), '\0');
    if (const auto got = receive(payload.data(), payload.size(), until, wake_fd, request.limits.run_max); !got)
        return failed(got.error());
    std::optional<ShapeReply> reply = decode_reply(std::move(payload));
    if (!reply) return shape_error(ShapeErrorCode::crashed, "the shaping child broke the protocol");
    spent_ = reply->worn;
    return std::move(reply->result);
}

} // namespace freshet
