// SPDX-License-Identifier: Apache-2.0
#pragma once
// Sizes as people read them.

#include <cstdint>
#include <string>

namespace freshet {

/// "8 MiB", "300 KiB" where it is a whole number of them, else "1234 bytes".
std::string shown_bytes(std::int64_t bytes);

} // namespace freshet
