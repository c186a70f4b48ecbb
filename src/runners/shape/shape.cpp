// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/shape.hpp"

#include "runners/shape/json_check.hpp"
#include "runners/shape/text_input.hpp"

#include <array>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr std::array<std::string_view, 14> code_words{
    "bad_input", "wrong_type", "bad_program",   "program_failed", "no_result", "many_results", "number_too_large",
    "too_large", "timed_out",  "out_of_memory", "crashed",        "cancelled", "busy",         "stopped"};

// Foreign words end up in logs, receipts and terminals: nothing in them may move a cursor or start a new line.
std::string on_one_line(std::string_view text, std::size_t bytes_max)
{
    std::string line;
    bool space_before = true;
    // Twice the bound is enough to look at, unless it is nearly all space.
    for (const char c : with_valid_utf8(text.substr(0, 2 * bytes_max))) {
        const bool space = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
        if (space && space_before) continue;
        line += space ? ' ' : c;
        space_before = space;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    if (line.size() <= bytes_max) return line;
    line.resize(bytes_max);
    drop_cut_character(line);
    return line + "…";
}

} // namespace

std::string_view to_text(ShapeErrorCode code)
{
    return code_words.at(static_cast<std::size_t>(code));
}

std::unexpected<ShapeError> shape_error(ShapeErrorCode code, std::string_view message)
{
    return std::unexpected(ShapeError{code, on_one_line(message, ShapeError::message_bytes_max - 4)});
}

std::string quoted_start(std::string_view text)
{
    constexpr std::size_t bytes_max = 60;
    return fmt::format("\"{}\"", on_one_line(text, bytes_max));
}

ShapeResult<std::string> concat_pages(const std::vector<std::string>& pages)
{
    JsonListWriter list;
    for (std::size_t i = 0; i < pages.size(); ++i) {
        const std::string_view page = without_space_around(pages[i]);
        if (page.size() < 2 || page.front() != '[' || page.back() != ']')
            return shape_error(ShapeErrorCode::bad_input,
                               fmt::format("page {} is not a list but {}", i + 1, quoted_start(page)));
        const std::string_view elements = without_space_around(page.substr(1, page.size() - 2));
        if (!elements.empty()) list.add_valid(elements);
    }
    return std::move(list).take();
}

} // namespace freshet
