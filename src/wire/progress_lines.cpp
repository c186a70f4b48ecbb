// SPDX-License-Identifier: Apache-2.0
#include "wire/progress_lines.hpp"

#include <algorithm>
#include <charconv>
#include <simdjson.h>

namespace freshet {

namespace {

namespace dom = simdjson::dom;

constexpr std::string_view marker = "::progress ";
constexpr std::size_t text_bytes_max = 200;
constexpr std::int64_t count_max = 1LL << 53; // what every reader of JSON keeps exact

// `text` is valid UTF-8; what is cut off begins with a whole character.
std::string short_text(std::string_view text)
{
    std::size_t size = std::min(text.size(), text_bytes_max);
    const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xc0) == 0x80; };
    while (size > 0 && size < text.size() && continues(size)) --size;
    std::string out{text.substr(0, size)};
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    return out;
}

std::optional<std::int64_t> count_in(dom::element element)
{
    std::int64_t whole = 0;
    double real = 0;
    if (element.get(whole) == simdjson::SUCCESS) {
        if (whole >= 0 && whole <= count_max) return whole;
    } else if (element.get(real) == simdjson::SUCCESS && real >= 0 && real <= static_cast<double>(count_max)) {
        return static_cast<std::int64_t>(real);
    }
    return std::nullopt;
}

std::optional<std::int64_t> count_of(dom::object object, std::string_view name)
{
    dom::element element;
    if (object[name].get(element) != simdjson::SUCCESS) return std::nullopt;
    return count_in(element);
}

std::optional<std::string> text_of(dom::object object, std::string_view name)
{
    std::string_view text;
    if (object[name].get(text) != simdjson::SUCCESS) return std::nullopt;
    return short_text(text);
}

std::optional<Progress> parse_object(std::string_view line, const Progress& before)
{
    dom::parser parser;
    dom::object object;
    if (parser.parse(line.data(), line.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
    Progress next;
    next.attempt = before.attempt;
    next.phase = text_of(object, "phase").value_or(before.phase);
    const auto index = count_of(object, "phase_index");
    next.phase_index = index                        ? static_cast<int>(std::min<std::int64_t>(*index, 1000))
                       : next.phase != before.phase ? before.phase_index + 1
                                                    : before.phase_index;
    const bool same_phase = next.phase_index == before.phase_index;
    next.phases = static_cast<int>(std::min<std::int64_t>(count_of(object, "phases").value_or(before.phases), 1000));
    next.done = count_of(object, "done").value_or(same_phase ? before.done : 0);
    next.total = count_of(object, "total");
    if (!next.total && same_phase) next.total = before.total;
    next.unit = text_of(object, "unit").value_or(same_phase ? before.unit : std::string{});
    next.message = text_of(object, "message").value_or(std::string{});
    return next;
}

// "3/10 north", "3 north", "3"
std::optional<Progress> parse_counts(std::string_view line, const Progress& before)
{
    if (!simdjson::validate_utf8(line.data(), line.size())) return std::nullopt;
    Progress next = before;
    const char* end = line.data() + line.size();
    auto read = std::from_chars(line.data(), end, next.done);
    if (read.ec != std::errc{} || next.done < 0 || next.done > count_max) return std::nullopt;
    if (read.ptr != end && *read.ptr == '/') {
        std::int64_t total = 0;
        read = std::from_chars(read.ptr + 1, end, total);
        if (read.ec != std::errc{} || total < 0 || total > count_max) return std::nullopt;
        next.total = total;
    }
    if (read.ptr != end && *read.ptr != ' ') return std::nullopt;
    while (read.ptr != end && *read.ptr == ' ') ++read.ptr;
    next.message = short_text(std::string_view{read.ptr, static_cast<std::size_t>(end - read.ptr)});
    return next;
}

} // namespace

void LineCutter::keep(std::string_view part)
{
    if (too_long_ || line_.size() + part.size() > line_bytes_max) {
        too_long_ = true;
        line_.clear();
        return;
    }
    line_ += part;
}

std::optional<Progress> parse_progress(std::string_view line, const Progress& before)
{
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty()) return std::nullopt;
    return line.front() == '{' ? parse_object(line, before) : parse_counts(line, before);
}

void ProgressGate::line(std::string_view text)
{
    const auto next = parse_progress(text, latest_);
    if (!next || (any_ && (!moves_forward(latest_, *next) || *next == latest_))) return;
    latest_ = *next;
    any_ = untold_ = true;
}

std::optional<SteadyTime> ProgressGate::due() const
{
    if (!untold_) return std::nullopt;
    return next_;
}

std::optional<Progress> ProgressGate::take(SteadyTime now, bool last)
{
    if (!untold_ || (!last && now < next_)) return std::nullopt;
    untold_ = false;
    next_ = now + gap;
    return latest_;
}

void Words::keep(std::string_view bytes)
{
    tail_ += bytes;
    // Cut seldom, so that a flood costs one move per 4 KiB.
    if (tail_.size() > 2 * tail_bytes_max) tail_.erase(0, tail_.size() - tail_bytes_max), cut_ = true;
}

// A line that begins as a progress line is held back until its end; all else is kept as it comes.
void Words::feed(std::string_view bytes, ProgressGate& gate)
{
    while (!bytes.empty()) {
        const auto end = bytes.find('\n');
        const bool complete = end != std::string_view::npos;
        const std::string_view part = bytes.substr(0, complete ? end + 1 : bytes.size());
        bytes.remove_prefix(part.size());
        const bool may_be_progress = state_ == State::held || state_ == State::line_start;
        if (!may_be_progress) {
            keep(part);
        } else {
            pending_ += part;
            const std::string_view held{pending_};
            const bool is_progress = held.starts_with(marker);
            if (is_progress && complete) {
                gate.line(held.substr(marker.size(), held.size() - marker.size() - 1));
                pending_.clear();
            } else if ((!is_progress && !marker.starts_with(held)) || pending_.size() > LineCutter::line_bytes_max) {
                keep(pending_);
                pending_.clear();
                state_ = State::passing;
            } else {
                state_ = State::held;
            }
        }
        if (complete) state_ = State::line_start;
    }
}

void Words::finish(ProgressGate& gate)
{
    const std::string_view held{pending_};
    if (held.starts_with(marker))
        gate.line(held.substr(marker.size()));
    else
        keep(held);
    pending_.clear();
    if (tail_.size() > tail_bytes_max) tail_.erase(0, tail_.size() - tail_bytes_max), cut_ = true;
}

} // namespace freshet
