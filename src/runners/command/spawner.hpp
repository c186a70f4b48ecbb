// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's side of the spawner process (warden.hpp): starts it when it is first needed and again when it was lost,
// and hands it the descriptors of each run.
//
// Threads: one, the command runner's. Never blocks but for posix_spawn() of our own binary, once.
// Always holds: no descriptor of the server but the four of a run reaches the child; after stop() there is no spawner
// and no zombie of it.

#include "base/descriptor.hpp"
#include "runners/command/warden.hpp"

#include <array>
#include <string>
#include <sys/types.h>
#include <vector>

namespace freshet {

/// Both ends of a run: what the server keeps and what the child gets.
struct RunPipes {
    Descriptor control, out, err, progress;   ///< the server's, non-blocking
    std::array<Descriptor, warden_fds> child; ///< the child's, closed here once they are sent
};

/// @return 0, or the errno that kept a pipe from being made; nothing is open then.
int make_pipes(RunPipes& pipes);

class Spawner {
public:
    /// @param program  this binary; @param arguments  what makes it call run_command_child().
    Spawner(std::string program, std::vector<std::string> arguments)
        : program_{std::move(program)}, arguments_{std::move(arguments)}
    {
    }
    ~Spawner() { stop(); }
    Spawner(const Spawner&) = delete;
    Spawner& operator=(const Spawner&) = delete;

    /// @return 0 once it runs, or an errno.
    int start();
    bool running() const { return pid_ > 0; }
    /// Readable when the spawner is gone, writable when it can take more; -1 while there is none.
    int socket() const { return socket_.get(); }
    /// @return 0 when sent; EAGAIN: later; else it is gone.
    int send(const std::array<Descriptor, warden_fds>& fds);
    /// Kills and reaps it at once. Runs that are under way are not touched.
    void stop();
    /// Ends it in order: it goes when its wardens are gone, so that none is left to another parent; after 1.5 s,
    /// stop(). For the end of the runner, when the runs' control sockets are closed.
    void end();

private:
    std::string program_;
    std::vector<std::string> arguments_;
    Descriptor socket_;
    pid_t pid_ = 0;
};

} // namespace freshet
