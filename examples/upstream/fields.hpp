// SPDX-License-Identifier: Apache-2.0
#pragma once
// The fields of a State as JSON: one table from which a control call is read, the state is shown and the file of the
// state folder is written and read.

#include "state.hpp"

namespace upstream {

/// Sets one field. Empty when it was taken, else words. `content` becomes true when what the site shows may change.
std::string take_field(State& state, std::string_view name, const JsonValue& value, bool& content);
/// Writes every field as a member of the object that is open in `out`.
void show_fields(JsonWriter& out, const State& state);
/// "delay_ms, fault, ...": for the refusal of an unknown field.
std::string field_names();

/// The whole state, items too, as a file keeps it.
std::string kept_text(const State& state);
/// Takes what kept_text() wrote. Empty when it was taken, else words.
std::string take_kept(State& state, std::string_view text);

} // namespace upstream
