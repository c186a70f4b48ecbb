// SPDX-License-Identifier: Apache-2.0
#pragma once
// Lines and columns as JSON: CSV, the tables that command line tools print, and plain lines.
//
// Pure functions over valid UTF-8; any thread. A cell that is a plain number (is_plain_number) and stands without
// quotes becomes a number, anything else stays text: the type of a cell depends on that cell alone, so one odd row
// cannot turn a whole column.

#include "runners/shape/shape.hpp"

#include <string>
#include <string_view>

namespace freshet {

/// RFC 4180 with a header line: a list of objects.
///
/// The separator is the comma; a header that has none outside of quotes but a semicolon or a tab is separated by that.
/// LF and CRLF end a line, empty lines do not count, a nameless column N is called "column_N". Refuses bad_input with a
/// line number: ragged rows, a name twice, text beside quotes, a quote that is never closed, a NUL.
ShapeResult<std::string> json_of_csv(std::string_view text);

/// Columns parted by white space under a header line, as df and ps print them: a list of objects.
///
/// The words of the header are the names ("Mounted on", as df prints it, is one). A row's words are its cells and the
/// last column takes the rest of the line; a row with fewer words is refused with its number. Values with spaces in
/// another column than the last cannot be told apart: such tools have a JSON or CSV form to ask for.
ShapeResult<std::string> json_of_table(std::string_view text);

/// A list of the lines, without their ends; an end after the last line makes no further one.
std::string json_of_lines(std::string_view text);

} // namespace freshet
