// SPDX-License-Identifier: Apache-2.0
#include "utf8.hpp"

#include <algorithm>
#include <simdjson.h>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

namespace {

/// Bytes of the valid character that `text` begins with; 0: none.
std::size_t character_size(std::string_view text)
{
    for (std::size_t size = 1; size <= 4 && size <= text.size(); ++size)
        if (simdjson::validate_utf8(text.data(), size)) return size;
    return 0;
}

} // namespace

std::string valid_utf8(std::string_view text)
{
    if (simdjson::validate_utf8(text.data(), text.size())) return std::string{text};
    std::string clean;
    while (!text.empty()) {
        const std::size_t size = character_size(text);
        clean += size == 0 ? std::string_view{"\xEF\xBF\xBD"} : text.substr(0, size);
        text.remove_prefix(size == 0 ? 1 : size);
    }
    return clean;
}

std::string valid_utf8(std::string_view text, std::size_t bytes_max)
{
    std::string clean = valid_utf8(text.substr(0, bytes_max + 4));
    std::size_t size = std::min(clean.size(), bytes_max);
    while (size > 0 && size < clean.size() && (static_cast<unsigned char>(clean[size]) & 0xc0) == 0x80) --size;
    clean.resize(size);
    return clean;
}

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
