// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.hpp"

#include <fmt/format.h>

namespace freshet {

std::string shown_bytes(std::int64_t bytes)
{
    if (bytes >= 1 << 20 && bytes % (1 << 20) == 0) return fmt::format("{} MiB", bytes >> 20);
    if (bytes >= 1 << 10 && bytes % (1 << 10) == 0) return fmt::format("{} KiB", bytes >> 10);
    return fmt::format("{} bytes", bytes);
}

} // namespace freshet
