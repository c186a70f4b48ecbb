// SPDX-License-Identifier: Apache-2.0
#pragma once
// CPU time of a server: user and system time of a process and of all its descendants (workers of nginx, Varnish's
// child, freshet's pools and children), all threads counted, from the kernel's own clock of each process.

#include <chrono>
#include <sys/types.h>

namespace freshet::bench {

/// @throws std::runtime_error when there is no such process.
std::chrono::nanoseconds cpu_of_tree(pid_t root);

} // namespace freshet::bench
