// SPDX-License-Identifier: Apache-2.0
#pragma once
// One shaping child as its server sees it: a process and the other end of its socket.
//
// Life: start() -> exchange() again and again -> destroyed, which kills the process and waits for it: there is never a
// zombie. After an exchange that was not answered the child is good for nothing more (`spent`).
// Threads: one, and the same for start() and the rest: the child dies with the thread that started it (PDEATHSIG is a
// thread's, not a process').

#include "base/time.hpp"
#include "runners/shape/frame.hpp"

#include <memory>
#include <string>
#include <sys/types.h>

namespace freshet {

class ShapeChild {
public:
    /// Starts `executable child`. Refuses crashed when it cannot.
    static ShapeResult<std::unique_ptr<ShapeChild>> start(const std::string& executable);
    ~ShapeChild();
    ShapeChild(const ShapeChild&) = delete;
    ShapeChild& operator=(const ShapeChild&) = delete;

    /// Sends an order and waits for its answer.
    ///
    /// @param until    steady time after which it is timed_out.
    /// @param wake_fd  becomes readable when nobody wants the answer any more: cancelled.
    ShapeResult<Shaped> exchange(const ShapeRequest& request, SteadyTime until, int wake_fd);

    /// Whether another order may be given.
    bool spent() const { return spent_; }
    /// Whether the process is there; of one that waits for orders.
    bool alive() const;
    int orders() const { return orders_; }
    pid_t pid() const { return pid_; }

private:
    enum class Ready : std::uint8_t { yes, late, woken };

    ShapeChild(pid_t pid, int fd) : pid_{pid}, fd_{fd} {}
    Ready wait(short events, SteadyTime until, int wake_fd) const;
    ShapeResult<void> send_frame(std::string_view frame, SteadyTime until, int wake_fd, Millis run_max);
    ShapeResult<void> receive(char* into, std::size_t size, SteadyTime until, int wake_fd, Millis run_max);
    ShapeError why_it_ended(const ShapeLimits& limits);
    int kill_and_reap();

    pid_t pid_;
    int fd_;
    int orders_ = 0;
    bool spent_ = false;
};

} // namespace freshet
