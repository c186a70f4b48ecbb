// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether bytes are JSON that everything behind may trust, and JSON written from rows.
//
// Checking is simdjson's (all of the grammar, UTF-8, depth); what a refusal says (line and column) comes from
// RapidJSON, asked only then. Writing is RapidJSON's. Pure; any thread.

#include "runners/shape/shape.hpp"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace freshet {

/// Checks one whole document. Refuses bad_input (with line and column) and number_too_large (outside of 64 bits).
/// @param json  may be given spare capacity (it never changes in content): the parser wants room behind the end.
ShapeResult<void> check_json(std::string& json);

/// Every non-blank line one document; the list of them. Refusals name the line.
ShapeResult<std::string> json_of_ndjson(std::string& lines);

/// The first whole number past 2^53 in a valid document, as it stands there; empty when there is none. Such a number
/// would come out of jq changed. Numbers with an exponent are taken as approximate already.
std::string_view find_number_jq_rounds(std::string_view valid_json);

/// A list of documents that are valid already.
class JsonListWriter {
public:
    JsonListWriter();
    ~JsonListWriter();
    JsonListWriter(const JsonListWriter&) = delete;
    JsonListWriter& operator=(const JsonListWriter&) = delete;
    /// One valid document, or several with commas between.
    void add_valid(std::string_view json);
    std::string take() &&;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// A list of flat rows: objects of named cells, or bare texts.
class JsonRowsWriter {
public:
    JsonRowsWriter();
    ~JsonRowsWriter();
    JsonRowsWriter(const JsonRowsWriter&) = delete;
    JsonRowsWriter& operator=(const JsonRowsWriter&) = delete;

    void start_row();
    void end_row();
    void name(std::string_view name);
    void text(std::string_view text);
    /// As it stands: is_plain_number(text) must hold.
    void number(std::string_view text);
    void real(double value); ///< null when it is not finite
    void truth(bool value);
    void null();
    std::size_t bytes() const;
    std::string take() &&;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Digits with an optional minus and fraction, at most 15 digits, no leading zero, no exponent, not "-0": what stays
/// the same number in any reader. "007", "1e5", "+1" and longer ids are texts.
bool is_plain_number(std::string_view text);

} // namespace freshet
