// SPDX-License-Identifier: Apache-2.0
#pragma once
// What shaping is asked and what it answers: bytes of a source in, one JSON document out.
//
// The way of an order: bytes -> (format) -> one JSON document, "the answer" -> `as_of` and `extracts` look at it ->
// `select` makes the result of it. JSON that no `select` changes passes byte for byte, checked but never rewritten.
//
//   json      the document itself (without a leading byte order mark and the space around it)
//   ndjson    a list of the lines' documents; blank lines do not count
//   csv       a list of objects, named by the header line (RFC 4180)
//   table     a list of objects, named by the words of the header line (df, ps)
//   text      a list of lines
//   html, xml a list with one object per match of `rows`, made of `cells`; without cells one text per match
//
// These are plain values; the work on them is Shaper's and happens in a child (child_pool.hpp).

#include "base/time.hpp"
#include "model/definition.hpp"

#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {

/// A name and the expression that gives its value.
using NamedExpression = std::pair<std::string, std::string>;

struct ShapeOrder {
    std::string input;
    InputFormat format = InputFormat::auto_detect;
    std::string content_type; ///< as the source sent it; decides an automatic format and the charset
    std::string select;       ///< jq, exactly one result; empty: the answer is the result
    std::string rows;         ///< XPath, one row per node; html and xml only
    /// XPath from the row. Nodes give the first one's text, trimmed and with runs of space made one, or null when there
    /// is none; numbers and truth values stay what they are. `resolve(.//a/@href)` is the address against the base.
    std::vector<NamedExpression> cells;
    std::string base_url; ///< for resolve(); an HTML document's own <base href> is applied to it
    /// jq over the answer (not the result): null or nothing, an RFC 3339 or HTTP date, or seconds or milliseconds since
    /// 1970.
    std::string as_of;
    std::vector<NamedExpression> extracts; ///< jq over the answer, for paging: next link, cursor, counts
    bool check_only = false;               ///< compile the expressions and stop; the result is "null"
};

/// Bounds of one order; what passes them is refused in words.
struct ShapeLimits {
    std::size_t input_bytes_max = 64UL << 20;
    std::size_t output_bytes_max = 64UL << 20;
    /// Address space an expression may take, on top of the process itself and of 16 bytes per byte of input.
    std::size_t memory_bytes_max = 512UL << 20;
    Millis run_max = 10s; ///< of one order in a child, and its processor time
};

/// Lists and objects in one another: more is bad input. Below libjq's own 256.
inline constexpr std::size_t json_depth_max = 200;

struct Shaped {
    std::string json; ///< one valid document, UTF-8, at most json_depth_max deep
    std::optional<WallTime> as_of;
    /// In the order's order; the values are JSON texts, "null" where the expression gave nothing.
    std::vector<std::pair<std::string, std::string>> extracts;
};

/// Why there is no result. Spelled as in receipts.
enum class ShapeErrorCode : std::uint8_t {
    bad_input,        ///< not what the format says; the message has a line where there is one
    wrong_type,       ///< another kind of thing altogether: HTML where JSON was declared
    bad_program,      ///< an expression does not compile
    program_failed,   ///< an expression stopped with an error
    no_result,        ///< `select` gave nothing
    many_results,     ///< an expression gave more than one value: wrap it in [ ]
    number_too_large, ///< a whole number that jq would round, or one that fits no 64 bits
    too_large,        ///< input or result over the bound
    timed_out,
    out_of_memory,
    crashed,   ///< the child died or broke the protocol
    cancelled, ///< by the caller
    busy,      ///< too many orders wait already
    stopped,   ///< the pool is ending
};
std::string_view to_text(ShapeErrorCode code);

struct ShapeError {
    ShapeErrorCode code = ShapeErrorCode::bad_input;
    std::string message; ///< one sentence, never more than message_bytes_max
    static constexpr std::size_t message_bytes_max = 400;
};

template <class T>
using ShapeResult = std::expected<T, ShapeError>;

/// Where the answer to one order goes; called once, from any thread.
using ShapeAnswer = std::function<void(ShapeResult<Shaped> result)>;

/// How a runner has an order shaped elsewhere: never blocks, answers once, also from inside the call. The work may take
/// `limit`; whoever no longer wants the answer drops it.
using ShapeCall = std::function<void(ShapeOrder order, Millis limit, ShapeAnswer answer)>;

/// An error with its words cut to the bound, always valid UTF-8 without control characters.
std::unexpected<ShapeError> shape_error(ShapeErrorCode code, std::string_view message);
/// The start of foreign text as it may stand in a message: one line, at most 60 characters, in quotes.
std::string quoted_start(std::string_view text);

/// The pages' lists as one list, element texts untouched. Every page must be valid JSON, as Shaped::json is.
/// Refuses bad_input when a page is no list.
ShapeResult<std::string> concat_pages(const std::vector<std::string>& pages);

} // namespace freshet
