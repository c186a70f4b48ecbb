// SPDX-License-Identifier: Apache-2.0
#include "cli/child_lines.hpp"

#include "cli/json.hpp"

namespace freshet::cli {

namespace {

constexpr std::string_view marker = "::progress ";
constexpr std::size_t last_bytes_max = 2'000;

} // namespace

void ChildLines::from_stderr(std::string_view bytes)
{
    words_.feed(bytes, [this](std::string_view line) { word_line(line); });
}

void ChildLines::from_progress(std::string_view bytes)
{
    lines_.feed(bytes, [this](std::string_view line) { progress_line(line); });
}

void ChildLines::finish()
{
    words_.finish([this](std::string_view line) { word_line(line); });
    lines_.finish([this](std::string_view line) { progress_line(line); });
}

void ChildLines::word_line(std::string_view line)
{
    if (line.starts_with(marker)) return progress_line(line.substr(marker.size()));
    if (!line.empty()) last_ = line.substr(0, last_bytes_max);
    heard_.word(line);
}

void ChildLines::progress_line(std::string_view line)
{
    if (const auto checkpoint = json_member(line, "checkpoint")) heard_.checkpoint(*checkpoint);
    const auto next = parse_progress(line, progress_);
    if (!next || *next == progress_) return;
    progress_ = *next;
    heard_.progress(progress_);
}

} // namespace freshet::cli
