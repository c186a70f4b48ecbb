// SPDX-License-Identifier: Apache-2.0
#pragma once
// The process in which foreign data meets jq and libxml2: `freshet child`.
//
// Life: started by ShapeChild with one socket and no environment; shapes order after order; ends when the socket does,
// when its parent does (also while jq runs), or when an order takes more than it may.
// What holds in it: no environment, no descriptor but the socket and /dev/null, none can be opened (RLIMIT_NOFILE 0),
// no file can grow, no core is written, no privilege can be gained, memory and processor time are bounded per order.
// Threads: one, the caller's. It changes the whole process: call it from main() and return what it returns.

namespace freshet {

/// The descriptor on which a child is given its socket.
inline constexpr int shape_child_fd = 3;

/// Exit codes that the server reads.
inline constexpr int child_exit_out_of_memory = 77;
inline constexpr int child_exit_bad_frame = 78;

/// Serves orders from `fd` until it is closed. Does not return while the parent wants it; the result is an exit code.
int run_shape_child(int fd);

} // namespace freshet
