// SPDX-License-Identifier: Apache-2.0
#pragma once
// FRESHET_ASSERT stays on in release: a broken invariant ends the process, leases run out, the work is taken up again.

namespace freshet {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

} // namespace freshet

#define FRESHET_ASSERT(expression)                                                                                     \
    (static_cast<bool>(expression) ? void(0) : ::freshet::assertion_failed(#expression, __FILE__, __LINE__))
