// SPDX-License-Identifier: Apache-2.0
#pragma once
// Foreign bytes on their way to text: what kind of thing they are, and in which characters.
//
// Pure functions; any thread, any bytes. The charset conversion is libxml2's.

#include "runners/shape/shape.hpp"

#include <string>
#include <string_view>

namespace freshet {

std::string_view without_space_around(std::string_view text);
/// Bytes that are no UTF-8 become U+FFFD.
std::string with_valid_utf8(std::string_view text);
/// The offset of the first byte that is no UTF-8; npos when there is none.
std::size_t find_invalid_utf8(std::string_view text);
/// Removes the incomplete character that cutting may have left at the end.
void drop_cut_character(std::string& text);

/// "text/csv; charset=windows-1255" taken apart; both parts in lower case.
struct ContentType {
    std::string type;
    std::string charset;
};
ContentType parse_content_type(std::string_view header);

/// Decides the format: what was declared, else what the content type says, else what the bytes look like. Never
/// auto_detect. Refuses wrong_type, with the first characters of the input, when the bytes are plainly something else.
ShapeResult<InputFormat> format_of(const ShapeOrder& order);

/// The 1-based line that holds `offset`.
std::size_t line_of(std::string_view text, std::size_t offset);

/// The order's input as UTF-8 without a byte order mark, for every format but html and xml (whose parser knows of
/// charsets itself). `strict` refuses bad_input where a byte is no character, otherwise it becomes U+FFFD.
ShapeResult<std::string> to_utf8(std::string input, std::string_view charset, bool strict);

} // namespace freshet
