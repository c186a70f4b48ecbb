// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/rows_input.hpp"

#include "runners/shape/json_check.hpp"
#include "runners/shape/text_input.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <vector>

namespace freshet {

namespace {

constexpr std::size_t columns_max = 4096;

std::unexpected<ShapeError> bad_line(std::size_t line, std::string_view what)
{
    return shape_error(ShapeErrorCode::bad_input, fmt::format("line {}: {}", line, what));
}

struct Cell {
    std::string text;
    bool quoted = false;
};

void write_cell(JsonRowsWriter& rows, std::string_view text, bool quoted)
{
    if (!quoted && is_plain_number(text))
        rows.number(text);
    else
        rows.text(text);
}

ShapeResult<void> check_names(const std::vector<std::string>& names, std::size_t line)
{
    if (names.size() > columns_max)
        return bad_line(line, fmt::format("{} columns, at most {} are taken", names.size(), columns_max));
    std::vector<std::string> sorted = names;
    std::ranges::sort(sorted);
    const auto twice = std::ranges::adjacent_find(sorted);
    if (twice != sorted.end()) return bad_line(line, fmt::format("the column {} is there twice", quoted_start(*twice)));
    return {};
}

char separator_of(std::string_view text)
{
    bool semicolon = false, tab = false, quoted = false;
    for (const char c : text) {
        if (c == '"') quoted = !quoted;
        if (quoted) continue;
        if (c == ',') return ',';
        if (c == '\n') break;
        semicolon = semicolon || c == ';';
        tab = tab || c == '\t';
    }
    return tab ? '\t' : semicolon ? ';' : ',';
}

// Reads record after record; knows the line it is in.
class CsvReader {
public:
    explicit CsvReader(std::string_view text) : text_{text}, separator_{separator_of(text)} {}

    /// The next record that is not an empty line; an empty one at the end of the text.
    ShapeResult<std::vector<Cell>> next()
    {
        while (at_ < text_.size()) {
            line_ = line_next_;
            std::vector<Cell> cells;
            for (bool more = true; more;) {
                const ShapeResult<bool> read = read_cell(cells.emplace_back());
                if (!read) return std::unexpected(read.error());
                more = *read;
                if (cells.size() > columns_max) return bad_line(line_, fmt::format("more than {} cells", columns_max));
            }
            const bool empty_line = cells.size() == 1 && cells[0].text.empty() && !cells[0].quoted;
            if (!empty_line) return cells;
        }
        return std::vector<Cell>{};
    }

    std::size_t line() const { return line_; }

private:
    // Whether another cell follows in the same record.
    ShapeResult<bool> read_cell(Cell& cell)
    {
        if (at_ < text_.size() && text_[at_] == '"') {
            if (const auto read = read_quoted(cell); !read) return std::unexpected(read.error());
        } else {
            const std::size_t end = std::min(text_.find_first_of(stops_, at_), text_.size());
            cell.text = text_.substr(at_, end - at_);
            at_ = end;
        }
        if (at_ == text_.size()) return false;
        const char c = text_[at_];
        if (c == separator_) return ++at_, true;
        if (c == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n')
            ++at_;
        else if (c == '\r' && at_ + 1 < text_.size())
            return bad_line(line_next_, "a carriage return inside a cell without quotes");
        else if (c == '\0')
            return bad_line(line_next_, "a NUL byte: this is no CSV");
        else if (c != '\n' && c != '\r')
            return bad_line(line_next_, cell.quoted ? "text after a closing quote"
                                                    : "a quote inside a cell that does not begin with one");
        ++at_, ++line_next_;
        return false;
    }

    ShapeResult<void> read_quoted(Cell& cell)
    {
        const std::size_t line_opened = line_next_;
        cell.quoted = true;
        for (++at_;; ++at_) {
            const std::size_t quote = text_.find('"', at_);
            if (quote == std::string_view::npos) return bad_line(line_opened, "a quote that is never closed");
            const std::string_view piece = text_.substr(at_, quote - at_);
            cell.text += piece;
            line_next_ += static_cast<std::size_t>(std::ranges::count(piece, '\n'));
            at_ = quote + 1;
            if (at_ == text_.size() || text_[at_] != '"') return {};
            cell.text += '"';
        }
    }

    std::string_view text_;
    char separator_;
    std::string stops_{separator_, '"', '\r', '\n', '\0'};
    std::size_t at_ = 0;
    std::size_t line_ = 1;      // of the record that next() gave last
    std::size_t line_next_ = 1; // of the byte at at_
};

std::vector<std::string_view> lines_of(std::string_view text)
{
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

// At most `count_max` words; the last one goes on to the end of the line.
std::vector<std::string_view> words_of(std::string_view line, std::size_t count_max)
{
    std::vector<std::string_view> words;
    for (line = without_space_around(line); !line.empty(); line = without_space_around(line)) {
        const std::size_t end =
            words.size() + 1 == count_max ? line.size() : std::min(line.find_first_of(" \t"), line.size());
        words.push_back(line.substr(0, end));
        line.remove_prefix(end);
    }
    return words;
}

} // namespace

ShapeResult<std::string> json_of_csv(std::string_view text)
{
    CsvReader reader{text};
    const ShapeResult<std::vector<Cell>> header = reader.next();
    if (!header) return std::unexpected(header.error());
    if (header->empty()) return shape_error(ShapeErrorCode::bad_input, "the CSV has no header line: it is empty");
    std::vector<std::string> names;
    for (const Cell& cell : *header) {
        const std::string_view name = without_space_around(cell.text);
        names.push_back(name.empty() ? fmt::format("column_{}", names.size() + 1) : std::string{name});
    }
    if (const auto checked = check_names(names, reader.line()); !checked) return std::unexpected(checked.error());

    JsonRowsWriter rows;
    for (;;) {
        const ShapeResult<std::vector<Cell>> cells = reader.next();
        if (!cells) return std::unexpected(cells.error());
        if (cells->empty()) return std::move(rows).take();
        if (cells->size() != names.size())
            return bad_line(reader.line(), fmt::format("{} cells under a header of {}", cells->size(), names.size()));
        rows.start_row();
        for (std::size_t i = 0; i < names.size(); ++i) {
            rows.name(names[i]);
            write_cell(rows, (*cells)[i].text, (*cells)[i].quoted);
        }
        rows.end_row();
    }
}

ShapeResult<std::string> json_of_table(std::string_view text)
{
    const std::vector<std::string_view> lines = lines_of(text);
    std::size_t line = 0;
    while (line < lines.size() && without_space_around(lines[line]).empty()) ++line;
    if (line == lines.size())
        return shape_error(ShapeErrorCode::bad_input, "the table has no header line: it is empty");

    std::vector<std::string> names;
    for (const std::string_view word : words_of(lines[line], 0)) {
        if (word == "on" && !names.empty() && names.back() == "Mounted")
            names.back() = "Mounted on";
        else
            names.emplace_back(word);
    }
    if (const auto checked = check_names(names, line + 1); !checked) return std::unexpected(checked.error());

    JsonRowsWriter rows;
    for (++line; line < lines.size(); ++line) {
        const std::vector<std::string_view> cells = words_of(lines[line], names.size());
        if (cells.empty()) continue;
        if (cells.size() < names.size())
            return bad_line(line + 1, fmt::format("{} cells under a header of {}", cells.size(), names.size()));
        rows.start_row();
        for (std::size_t i = 0; i < names.size(); ++i) {
            rows.name(names[i]);
            write_cell(rows, cells[i], false);
        }
        rows.end_row();
    }
    return std::move(rows).take();
}

std::string json_of_lines(std::string_view text)
{
    JsonRowsWriter rows;
    for (const std::string_view line : lines_of(text)) rows.text(line);
    return std::move(rows).take();
}

} // namespace freshet
