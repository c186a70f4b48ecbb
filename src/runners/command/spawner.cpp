// SPDX-License-Identifier: Apache-2.0
#include "runners/command/spawner.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

namespace freshet {

namespace {

bool make_pipe(Descriptor& reader, Descriptor& writer)
{
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    reader = Descriptor{ends[0]};
    writer = Descriptor{ends[1]};
    // Only our end: the program's stdout must block, as every program expects.
    return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

bool make_socket(Descriptor& ours, Descriptor& theirs)
{
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
    ours = Descriptor{ends[0]};
    theirs = Descriptor{ends[1]};
    return ::fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0;
}

} // namespace

int make_pipes(RunPipes& pipes)
{
    RunPipes made;
    if (!make_socket(made.control, made.child[control_fd]) || !make_pipe(made.out, made.child[stdout_fd]) ||
        !make_pipe(made.err, made.child[stderr_fd]) || !make_pipe(made.progress, made.child[progress_fd]))
        return errno;
    pipes = std::move(made);
    return 0;
}

int Spawner::start()
{
    Descriptor ours, theirs;
    if (!make_socket(ours, theirs)) return errno;

    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&files, theirs.get(), spawner_socket);
    posix_spawn_file_actions_addclosefrom_np(&files, spawner_socket + 1);

    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t all, none;
    ::sigfillset(&all);
    ::sigemptyset(&none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setsigmask(&attributes, &none);
    // Its own group: Ctrl-C at the terminal is for the server, which then ends its flights in order.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);

    std::vector<char*> argv{program_.data()};
    for (std::string& argument : arguments_) argv.push_back(argument.data());
    argv.push_back(nullptr);
    char* envp[] = {nullptr};
    pid_t pid = 0;
    // glibc clears the close-on-exec mark also where the descriptor is 3 already.
    const int error = posix_spawn(&pid, program_.c_str(), &files, &attributes, argv.data(), envp);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    if (error != 0) return error;
    socket_ = std::move(ours);
    pid_ = pid;
    return 0;
}

int Spawner::send(const std::array<Descriptor, warden_fds>& fds)
{
    char byte = 1;
    iovec data{&byte, 1};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * warden_fds)] = {};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * warden_fds);
    int numbers[warden_fds];
    std::ranges::transform(fds, numbers, &Descriptor::get);
    std::memcpy(CMSG_DATA(header), numbers, sizeof numbers);
    return ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) == 1 ? 0 : errno;
}

void Spawner::stop()
{
    if (pid_ <= 0) return;
    socket_.close();
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
    pid_ = 0;
}

void Spawner::end()
{
    socket_.close();
    for (int i = 0; i < 1500 && pid_ > 0; ++i) {
        if (::waitpid(pid_, nullptr, WNOHANG) == pid_)
            pid_ = 0;
        else
            ::usleep(1000);
    }
    stop();
}

} // namespace freshet
