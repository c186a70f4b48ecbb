// SPDX-License-Identifier: Apache-2.0
#pragma once
// libjq 1.6, kept to what an expression over one document needs.
//
// Runs in a shaping child only: a program may take any time and any memory, and libjq aborts when there is no more.
// What reaches outside is gone: $ENV and env are empty, input, halt and modules are refused in words, debug and stderr
// do nothing. A program is compiled once (some 20 ms, nearly all of it jq's own builtins) and run again and again.
// Threads: one.

#include "runners/shape/shape.hpp"

extern "C" {
#include <jv.h>
}

#include <memory>
#include <string>
#include <string_view>

struct jq_state;

namespace freshet {

/// A document as libjq holds it.
class JqValue {
public:
    explicit JqValue(jv value) : value_{value} {}
    JqValue(JqValue&& other) noexcept : value_{other.value_} { other.value_ = jv_null(); }
    JqValue& operator=(JqValue&& other) noexcept { return std::swap(value_, other.value_), *this; }
    ~JqValue() { jv_free(value_); }
    /// One more reference, for a libjq call that consumes its argument.
    jv share() const { return jv_copy(value_); }
    /// Compact JSON text.
    std::string json() const;
    jv_kind kind() const { return jv_get_kind(value_); }
    double number() const { return jv_number_value(value_); } ///< kind() is a number
    std::string_view text() const;                            ///< kind() is a string

private:
    jv value_;
};

/// Reads a document that check_json() took. Refuses number_too_large where libjq would round.
ShapeResult<JqValue> jq_read(std::string_view valid_json);

class JqProgram {
public:
    /// @param what  how messages call the expression: "select", "as_of".
    /// Refuses bad_program.
    static ShapeResult<JqProgram> compile(std::string_view what, const std::string& expression);

    /// The one value that the expression makes of `document`; null when there is none and `nothing_is_null`.
    /// Refuses program_failed, no_result, many_results.
    ShapeResult<JqValue> run(std::string_view what, const JqValue& document, bool nothing_is_null);

private:
    struct Teardown {
        void operator()(jq_state* state) const;
    };
    explicit JqProgram(jq_state* state) : state_{state} {}
    std::unique_ptr<jq_state, Teardown> state_;
};

} // namespace freshet
