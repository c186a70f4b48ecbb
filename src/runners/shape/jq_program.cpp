// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/jq_program.hpp"

#include "runners/shape/json_check.hpp"
#include "runners/shape/text_input.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <new>

extern "C" {
#include <jq.h>
}

namespace freshet {

namespace {

// Put before every expression, on its first line so that jq's line numbers stay right. It shadows what reaches outside
// of the document; what is left of that finds no descriptor to open (child.hpp).
constexpr std::string_view prelude =
    R"(def input: error("there is no further input"); def inputs: empty; def input_filename: null; def input_line_number: 0; )"
    R"(def debug: .; def stderr: .; def env: {}; def halt: error("halt is not taken"); )"
    R"(def halt_error: error("halt_error is not taken"); def halt_error($code): error("halt_error is not taken"); )"
    R"(def modulemeta: error("modules are not taken"); def get_search_list: []; {} as $ENV | )";

std::string text_of(jv value)
{
    if (jv_get_kind(value) != JV_KIND_STRING) value = jv_dump_string(value, 0);
    std::string text{jv_string_value(value), static_cast<std::size_t>(jv_string_length_bytes(jv_copy(value)))};
    jv_free(value);
    return text;
}

// jq reports one message per mistake and then a count; the first one is the one to mend.
void keep_first_message(void* kept, jv message)
{
    auto& words = *static_cast<std::string*>(kept);
    if (words.empty())
        words = text_of(message);
    else
        jv_free(message);
}

void drop(std::string& words, std::string_view part)
{
    if (const auto at = words.find(part); at != std::string::npos) words.erase(at, part.size());
}

// "jq: error: syntax error, unexpected $end (Unix shell quoting issues?) at <top-level>, line 1:\n<the program>"
std::string compile_words(std::string words)
{
    words.resize(std::min(words.find('\n'), words.size()));
    drop(words, "jq: error: ");
    drop(words, " (Unix shell quoting issues?)");
    drop(words, " <top-level>,");
    if (words.ends_with(':')) words.pop_back();
    return words.empty() ? "it does not compile" : words;
}

// The process' own handler decides (the child's ends it at once); libjq cannot go on without memory.
[[noreturn]] void without_memory(void*)
{
    if (const std::new_handler handler = std::get_new_handler()) handler();
    std::abort();
}

// The first word of the program, behind space and comments.
std::string_view first_word(std::string_view program)
{
    program = without_space_around(program);
    while (program.starts_with('#'))
        program = without_space_around(program.substr(std::min(program.find('\n'), program.size())));
    return program.substr(0, program.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
}

} // namespace

std::string JqValue::json() const
{
    return text_of(jv_dump_string(share(), 0));
}

std::string_view JqValue::text() const
{
    return {jv_string_value(value_), static_cast<std::size_t>(jv_string_length_bytes(share()))};
}

ShapeResult<JqValue> jq_read(std::string_view valid_json)
{
    if (const std::string_view number = find_number_jq_rounds(valid_json); !number.empty())
        return shape_error(ShapeErrorCode::number_too_large,
                           fmt::format("the number {} is past 2^53 and jq would round it; let the source send it as "
                                       "text, or take the answer without jq",
                                       number));
    JqValue read{jv_parse_sized(valid_json.data(), static_cast<int>(valid_json.size()))};
    if (read.kind() == JV_KIND_INVALID)
        return shape_error(ShapeErrorCode::bad_input,
                           fmt::format("jq cannot read it: {}", text_of(jv_invalid_get_msg(read.share()))));
    return read;
}

void JqProgram::Teardown::operator()(jq_state* state) const
{
    jq_teardown(&state);
}

ShapeResult<JqProgram> JqProgram::compile(std::string_view what, const std::string& expression)
{
    const auto refuse = [&](std::string_view words) {
        return shape_error(ShapeErrorCode::bad_program, fmt::format("{}: {}", what, words));
    };
    // jq reads up to the first NUL, and modules would be looked for on the disk.
    if (expression.find('\0') != std::string::npos) return refuse("a NUL byte in the expression");
    if (find_invalid_utf8(expression) != std::string::npos) return refuse("a byte that is no UTF-8 in the expression");
    const std::string_view word = first_word(expression);
    if (word == "import" || word == "include" || word == "module") return refuse("modules are not taken");

    JqProgram program{jq_init()};
    if (!program.state_) return shape_error(ShapeErrorCode::out_of_memory, "jq does not start");
    // libjq 1.6 leaves this one uninitialised and puts it in force whenever the program runs.
    jq_set_nomem_handler(program.state_.get(), without_memory, nullptr);
    std::string words;
    jq_set_error_cb(program.state_.get(), keep_first_message, &words);
    const bool compiled = jq_compile(program.state_.get(), fmt::format("{}{}", prelude, expression).c_str()) != 0;
    jq_set_error_cb(program.state_.get(), nullptr, nullptr);
    if (!compiled) return refuse(compile_words(words));
    return program;
}

ShapeResult<JqValue> JqProgram::run(std::string_view what, const JqValue& document, bool nothing_is_null)
{
    const auto refuse = [&](ShapeErrorCode code, std::string_view words) {
        return shape_error(code, fmt::format("{}: {}", what, words));
    };
    jq_start(state_.get(), document.share(), 0);
    JqValue first{jq_next(state_.get())};
    const bool any = first.kind() != JV_KIND_INVALID;
    JqValue last = any ? JqValue{jq_next(state_.get())} : std::move(first);
    if (last.kind() != JV_KIND_INVALID)
        return refuse(ShapeErrorCode::many_results,
                      "it gives more than one result; wrap it in [ ] to make them a list");
    if (jv_invalid_has_msg(last.share()) != 0)
        return refuse(ShapeErrorCode::program_failed, text_of(jv_invalid_get_msg(last.share())));
    if (any) return first;
    if (nothing_is_null) return JqValue{jv_null()};
    return refuse(ShapeErrorCode::no_result, "it gives no result");
}

} // namespace freshet
