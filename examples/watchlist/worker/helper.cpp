// SPDX-License-Identifier: Apache-2.0
#include "helper.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

namespace watchlist {

namespace {

constexpr std::size_t page_bytes_max = 32U << 20;
constexpr int look_whether_to_stop_ms = 200;

/// Both ends are closed in children, but for what is handed to them by name.
struct Pipe {
    int read = -1, write = -1;
    Pipe()
    {
        std::array<int, 2> ends{};
        if (pipe2(ends.data(), O_CLOEXEC) != 0) throw freshet::Retryable("No pipe for the browser helper", "helper");
        read = ends[0];
        write = ends[1];
    }
    ~Pipe()
    {
        shut(read);
        shut(write);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    static void shut(int& end)
    {
        if (end >= 0) close(end);
        end = -1;
    }
};

/// A process group, ended with its last user.
struct Group {
    pid_t leader = 0;
    int status = 0;
    ~Group()
    {
        if (leader > 0) end();
    }
    Group() = default;
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    void end()
    {
        kill(-leader, SIGKILL);
        while (waitpid(leader, &status, 0) < 0 && errno == EINTR) {
        }
        leader = 0;
    }
};

void start(Group& group, const std::string& command, Pipe& in, Pipe& out, Pipe& complaints)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&files, in.read, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&files, out.write, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, complaints.write, STDERR_FILENO);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::string shell = "sh", flag = "-c", text = command;
    const std::array<char*, 4> arguments{shell.data(), flag.data(), text.data(), nullptr};
    const int error = posix_spawn(&group.leader, "/bin/sh", &files, &attributes, arguments.data(), environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
    if (error != 0) {
        group.leader = 0;
        throw freshet::Retryable("The browser helper could not be started", "helper");
    }
    Pipe::shut(in.read);
    Pipe::shut(out.write);
    Pipe::shut(complaints.write);
}

/// False at its end.
bool take(int& from, std::string& to)
{
    std::array<char, 64 * 1024> buffer{};
    const ssize_t count = read(from, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return true;
    if (count <= 0) {
        Pipe::shut(from);
        return false;
    }
    to.append(buffer.data(), static_cast<std::size_t>(count));
    if (to.size() > page_bytes_max) throw freshet::Retryable("The browser helper prints without an end", "helper");
    return true;
}

std::string last_line(std::string text)
{
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
    return text.substr(text.rfind('\n') == std::string::npos ? 0 : text.rfind('\n') + 1).substr(0, 300);
}

} // namespace

Opened open_page(freshet::Job& job, const std::string& program, const std::string& url)
{
    Pipe in, out, complaints; // the write end of `in` is held to the end: the helper ends with us
    Group group;
    start(group, program + " '" + url + "'", in, out, complaints);
    Opened opened;
    std::string said;
    while (out.read >= 0 || complaints.read >= 0) {
        job.check();
        std::array<pollfd, 2> ends{{{out.read, POLLIN, 0}, {complaints.read, POLLIN, 0}}};
        if (poll(ends.data(), ends.size(), look_whether_to_stop_ms) <= 0) continue;
        if (ends[0].revents != 0) take(out.read, opened.html);
        if (ends[1].revents != 0) take(complaints.read, said);
    }
    while (waitpid(group.leader, &group.status, 0) < 0 && errno == EINTR) {
    }
    kill(-group.leader, SIGKILL); // what it left behind
    group.leader = 0;
    opened.code = WIFEXITED(group.status) ? WEXITSTATUS(group.status) : 128 + WTERMSIG(group.status);
    opened.said = last_line(said);
    return opened;
}

} // namespace watchlist
