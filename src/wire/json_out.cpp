// SPDX-License-Identifier: Apache-2.0
#include "wire/json_out.hpp"

#include <simdjson.h>

namespace freshet {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";

// Length of the valid character that `text` begins with; 0 if it begins with none.
std::size_t character_length(std::string_view text)
{
    for (std::size_t length = 1; length <= 4 && length <= text.size(); ++length)
        if (simdjson::validate_utf8(text.data(), length)) return length;
    return 0;
}

std::string repaired(std::string_view text)
{
    std::string out;
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        out += length == 0 ? replacement : text.substr(0, length);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return out;
}

// Printable ASCII without what JSON escapes: names, ids, instants, most words.
bool is_plain(std::string_view text)
{
    bool plain = true;
    for (const char c : text) plain &= c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
    return plain;
}

rapidjson::SizeType length_of(std::string_view text)
{
    return static_cast<rapidjson::SizeType>(text.size());
}

} // namespace

void JsonOut::key(std::string_view name)
{
    if (is_plain(name)) return writer_.quoted(name);
    writer_.Key(name.data(), length_of(name));
}

void JsonOut::text(std::string_view value)
{
    if (is_plain(value)) return writer_.quoted(value);
    if (simdjson::validate_utf8(value.data(), value.size())) {
        writer_.String(value.empty() ? "" : value.data(), length_of(value));
        return;
    }
    const std::string good = repaired(value);
    writer_.String(good.data(), length_of(good));
}

} // namespace freshet
