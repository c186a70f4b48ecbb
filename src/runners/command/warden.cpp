// SPDX-License-Identifier: Apache-2.0
#include "runners/command/warden.hpp"

#include "base/descriptor.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <linux/close_range.h>
#include <optional>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace freshet {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct StartFailure {
    WardenStep step;
    int error;
};

// --- the command itself, between fork and exec; one thread, so anything may be called ---

std::vector<char*> pointers(std::vector<std::string>& texts)
{
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
}

// As execvpe(), but with PATH of the command's own environment and without its fallback to a shell.
int exec_program(WardenOrder& order)
{
    const std::vector<char*> argv = pointers(order.arguments), envp = pointers(order.environment);
    const std::string program = order.arguments.front();
    if (program.find('/') != std::string::npos) {
        ::execve(program.c_str(), argv.data(), envp.data());
        return errno;
    }
    std::string path;
    for (const std::string& entry : order.environment)
        if (entry.starts_with("PATH=")) path = entry.substr(5);
    int error = ENOENT;
    for (std::size_t at = 0; at <= path.size();) {
        const std::size_t end = std::min(path.find(':', at), path.size());
        // An empty entry would mean the working directory: nobody wants that by accident.
        if (end > at) {
            ::execve((path.substr(at, end - at) + '/' + program).c_str(), argv.data(), envp.data());
            if (errno != ENOENT && errno != ENOTDIR) error = errno;
        }
        at = end + 1;
    }
    return error;
}

void limit(int resource, rlim_t value)
{
    rlimit present{};
    ::getrlimit(static_cast<__rlimit_resource>(resource), &present);
    const rlim_t most = present.rlim_max == RLIM_INFINITY ? value : std::min(value, present.rlim_max);
    const rlimit bound{most, most};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &bound);
}

[[noreturn]] void be_the_command(WardenOrder& order, const std::array<int, warden_fds>& fds, int failures, pid_t warden)
{
    const auto fail = [&](WardenStep step, int error) {
        const StartFailure failure{step, error};
        [[maybe_unused]] const auto written = ::write(failures, &failure, sizeof failure);
        ::_exit(127);
    };
    // A session of its own is a group of its own without a terminal: nothing can stop and ask for a password.
    ::setsid();
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != warden) ::_exit(127);
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);

    // Out of the way first: the descriptors given may be among 0 to 3 themselves.
    constexpr int above = 10;
    const int sources[] = {::open("/dev/null", O_RDONLY | O_CLOEXEC), fds[stdout_fd], fds[stderr_fd], fds[progress_fd]};
    int moved[4];
    for (int i = 0; i < 4; ++i) moved[i] = ::fcntl(sources[i], F_DUPFD_CLOEXEC, above);
    failures = ::fcntl(failures, F_DUPFD_CLOEXEC, above);
    for (int i = 0; i < 4; ++i)
        if (moved[i] < 0 || ::dup2(moved[i], i) < 0) fail(WardenStep::fork, errno);
    ::syscall(SYS_close_range, 4U, ~0U, CLOSE_RANGE_CLOEXEC);

    limit(RLIMIT_CORE, 0);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0) files.rlim_cur = std::min<rlim_t>(1024, files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &files);
    if (!order.directory.empty() && ::chdir(order.directory.c_str()) != 0) fail(WardenStep::directory, errno);
    if (order.memory_max > 0) limit(RLIMIT_AS, order.memory_max);
    fail(WardenStep::exec, exec_program(order));
    ::_exit(127);
}

// --- what the warden knows of the tree below it ---

std::optional<pid_t> parent_of(const char* pid)
{
    std::ifstream stat{std::string{"/proc/"} + pid + "/stat"};
    std::string text;
    std::getline(stat, text, '\0');
    // The name may contain anything, also ") R 1": the last parenthesis ends it.
    const auto name_end = text.rfind(')');
    if (name_end == std::string::npos || name_end + 4 >= text.size()) return std::nullopt;
    return static_cast<pid_t>(std::strtol(text.c_str() + name_end + 4, nullptr, 10));
}

std::vector<pid_t> children_by_scan()
{
    std::vector<pid_t> children;
    DIR* proc = ::opendir("/proc");
    if (proc == nullptr) return children;
    const pid_t self = ::getpid();
    while (const dirent* entry = ::readdir(proc)) {
        if (*entry->d_name < '1' || *entry->d_name > '9') continue;
        if (parent_of(entry->d_name) == self)
            children.push_back(static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10)));
    }
    ::closedir(proc);
    return children;
}

/// Direct children, zombies included.
std::vector<pid_t> children()
{
    // One file where the kernel has it (CONFIG_PROC_CHILDREN, as Debian's has).
    const std::string self = std::to_string(::getpid());
    std::ifstream file{"/proc/" + self + "/task/" + self + "/children"};
    if (!file) return children_by_scan();
    std::vector<pid_t> out;
    for (pid_t pid = 0; file >> pid;) out.push_back(pid);
    return out;
}

class Tree {
public:
    explicit Tree(pid_t leader) : leader_{leader} {}

    /// Reaps what has ended, but never the leader: while it is unreaped its group's number belongs to nobody else.
    /// @return true when nothing but the ended leader is left.
    bool nothing_left()
    {
        int others = 0;
        for (const pid_t child : children()) {
            if (child == leader_) continue;
            if (::waitpid(child, nullptr, WNOHANG) == 0) ++others;
        }
        return others == 0 && leader_ended();
    }
    bool leader_ended() const
    {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(leader_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
               info.si_pid == leader_;
    }
    /// Before the leader has made its group there is only the leader.
    void signal_group(int number) const
    {
        if (::kill(-leader_, number) != 0) ::kill(leader_, number);
    }

    /// Kills everything and reaps it. Children of what is killed become ours and are killed in the next round; the
    /// list may miss one that moves while it is read, waitpid() does not.
    /// @return how many are still there after a second.
    int end_all(int& status) const
    {
        const auto until = Clock::now() + 1s;
        signal_group(SIGKILL);
        for (;;) {
            const std::vector<pid_t> left = children();
            for (const pid_t child : left) ::kill(child, SIGKILL);
            int ended_as = 0;
            pid_t ended = 0;
            while ((ended = ::waitpid(-1, &ended_as, WNOHANG)) > 0)
                if (ended == leader_) status = ended_as;
            if (ended < 0 && errno == ECHILD) return 0;
            if (Clock::now() > until) return std::max(1, static_cast<int>(left.size()));
            ::usleep(500);
        }
    }

private:
    pid_t leader_;
};

void report(int control, const WardenReport& what)
{
    ::send(control, &what, sizeof what, MSG_NOSIGNAL);
}

std::optional<WardenOrder> read_order(int control)
{
    std::string bytes(warden_order_bytes_max, '\0');
    ssize_t size = -1;
    do size = ::recv(control, bytes.data(), bytes.size(), 0);
    while (size < 0 && errno == EINTR);
    if (size <= 0) return std::nullopt;
    return decode_order(std::string_view{bytes}.substr(0, static_cast<std::size_t>(size)));
}

class Warden {
public:
    Warden(Descriptor control, Descriptor failures, Descriptor signals, pid_t leader, Clock::duration grace)
        : control_{std::move(control)}, failures_{std::move(failures)}, signals_{std::move(signals)}, tree_{leader},
          grace_{grace}
    {
    }

    int run()
    {
        while (step()) {
        }
        if (!server_gone_) read_start_failure();
        result_.strays = tree_.end_all(result_.status);
        if (!server_gone_) report(control_.get(), result_);
        return 0;
    }

private:
    /// @return false once everything is to be ended.
    bool step()
    {
        pollfd watched[] = {{control_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}};
        int wait = -1;
        if (kill_at_)
            wait = static_cast<int>(std::max<std::int64_t>(
                0, std::chrono::ceil<std::chrono::milliseconds>(*kill_at_ - Clock::now()).count()));
        ::poll(watched, 2, wait);
        signalfd_siginfo ignored;
        if (watched[1].revents != 0)
            while (::read(signals_.get(), &ignored, sizeof ignored) > 0) {
            }
        if (watched[0].revents != 0 && !obey()) return false;
        // Stopping gives the whole group its grace; a command that ends by itself leaves nothing it may go on with.
        if (kill_at_) return !tree_.nothing_left() && Clock::now() < *kill_at_;
        return !tree_.leader_ended();
    }

    bool obey()
    {
        char word = 0;
        const ssize_t size = ::recv(control_.get(), &word, 1, MSG_DONTWAIT);
        if (size < 0) return errno == EAGAIN || errno == EINTR;
        if (size == 0) {
            server_gone_ = true;
            return false;
        }
        if (word == terminate_word && !kill_at_) {
            kill_at_ = Clock::now() + grace_;
            tree_.signal_group(SIGTERM);
            tree_.signal_group(SIGCONT); // a stopped process would not hear it
        }
        return true;
    }

    void read_start_failure()
    {
        StartFailure failure{};
        if (::read(failures_.get(), &failure, sizeof failure) != sizeof failure) return;
        result_.failed = failure.step;
        result_.error = failure.error;
    }

    Descriptor control_, failures_, signals_;
    Tree tree_;
    Clock::duration grace_;
    std::optional<Clock::time_point> kill_at_;
    bool server_gone_ = false;
    WardenReport result_;
};

std::optional<std::array<int, warden_fds>> receive_fds(int socket, bool& closed)
{
    char byte = 0;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * warden_fds)];
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    closed = size == 0 || (size < 0 && errno != EINTR);
    if (size <= 0) return std::nullopt;
    const cmsghdr* header = CMSG_FIRSTHDR(&message);
    if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int) * warden_fds))
        return std::nullopt; // descriptors ran out here; the server sees the control socket close
    std::array<int, warden_fds> fds{};
    std::copy_n(CMSG_DATA(header), sizeof fds, reinterpret_cast<unsigned char*>(fds.data()));
    return fds;
}

} // namespace

int run_warden(const std::array<int, warden_fds>& fds)
{
    Descriptor control{fds[control_fd]}, out{fds[stdout_fd]}, err{fds[stderr_fd]}, progress{fds[progress_fd]};
    ::prctl(PR_SET_NAME, "freshet-warden");
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    auto order = read_order(control.get());
    if (!order) return 1;

    ::signal(SIGCHLD, SIG_DFL);
    sigset_t child;
    ::sigemptyset(&child);
    ::sigaddset(&child, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &child, nullptr);
    Descriptor signals{::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK)};
    int ends[2] = {-1, -1};
    const bool ready = signals && ::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0;
    Descriptor failures{ends[0]}, failures_in{ends[1]};
    const pid_t self = ::getpid();
    const pid_t leader = ready ? ::fork() : -1;
    if (leader < 0) {
        report(control.get(), {WardenStep::fork, errno, 0, 0});
        return 1;
    }
    if (leader == 0) be_the_command(*order, fds, failures_in.get(), self);
    failures_in.close();
    out.close();
    err.close();
    progress.close();
    return Warden{std::move(control), std::move(failures), std::move(signals), leader,
                  std::chrono::milliseconds{order->grace_ms}}
        .run();
}

int run_command_child()
{
    ::prctl(PR_SET_NAME, "freshet-spawner");
    ::signal(SIGCHLD, SIG_IGN); // wardens that end leave no zombie
    // It ends with the server and not before: wardens must outlive a signal that is sent to everyone.
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE}) ::signal(number, SIG_IGN);
    for (bool closed = false; !closed;) {
        const auto fds = receive_fds(spawner_socket, closed);
        if (!fds) continue;
        const pid_t warden = ::fork();
        if (warden == 0) {
            ::close(spawner_socket);
            ::_exit(run_warden(*fds));
        }
        if (warden < 0) report((*fds)[control_fd], {WardenStep::fork, errno, 0, 0});
        for (const int fd : *fds) ::close(fd);
    }
    // Nobody else would reap the wardens that are still at it; their sockets are closed too, so this is soon over.
    while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
    }
    return 0;
}

} // namespace freshet
