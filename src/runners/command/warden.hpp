// SPDX-License-Identifier: Apache-2.0
#pragma once
// The child's side of commands: one warm, small, single-threaded process (the spawner: `freshet child command`), which
// forks a warden per run, which forks and watches the command.
//
//   server ──spawner socket──▶ spawner ──fork──▶ warden ──fork, exec──▶ command and whatever it starts
//      └────────────────────── control socket ──────┘
//
// Why: the server has many threads and a large memory, so it must not fork; and only a parent that is a subreaper can
// end a whole tree. Whatever a command starts, however it detaches (setsid, double fork), becomes the warden's child
// once its own parents are gone, and a warden reports the end only when it has no child left.
// Life of a warden: reads one WardenOrder, runs it, on terminate_word sends SIGTERM to the group and SIGKILL to all
// that is left after `grace_ms`, sends one WardenReport, exits. When the control socket closes (the server ended, also
// by kill -9) everything under it is killed at once. The spawner exits when its own socket closes and its wardens are
// gone. Not covered: processes that another service starts for the command (systemd-run, at, docker), setuid programs
// that the server may not signal, and a warden that is itself killed (the command then dies by PR_SET_PDEATHSIG, what
// it had started may live on). Threads: none. What crosses the sockets is private to one build of one binary.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct WardenOrder {
    std::vector<std::string> arguments, environment; ///< as for execve; no entry contains a NUL
    std::string directory;
    std::uint64_t memory_max = 0; ///< bytes of address space
    std::uint32_t grace_ms = 0;   ///< between SIGTERM and SIGKILL
};

/// What kept the command from starting.
enum class WardenStep : std::uint8_t { none, fork, directory, exec };

struct WardenReport {
    WardenStep failed = WardenStep::none;
    std::int32_t error = 0;  ///< errno of that step
    std::int32_t status = 0; ///< as waitpid() gives it
    std::int32_t strays = 0; ///< processes that could not be ended within a second
};

std::string encode(const WardenOrder& order);
/// nullopt if it is not what encode() makes.
std::optional<WardenOrder> decode_order(std::string_view bytes);

/// An encoded order must fit one packet of the control socket.
inline constexpr std::size_t warden_order_bytes_max = 160 << 10;
inline constexpr char terminate_word = 'T';
/// Order of the descriptors in the one message that makes the spawner fork a warden.
enum WardenFd : std::uint8_t { control_fd, stdout_fd, stderr_fd, progress_fd, warden_fds };
inline constexpr int spawner_socket = 3; ///< where the spawner finds its socket

/// The spawner's main(): returns the exit code once the server is gone. Call it with nothing else set up.
int run_command_child();

/// One run. In a process of its own, without other threads; the descriptors are taken over.
int run_warden(const std::array<int, warden_fds>& fds);

} // namespace freshet
