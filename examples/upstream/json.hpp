// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON as this program uses it: an item of a site is one immutable document, shared by every state that contains it, so
// that a state is copied by copying pointers. Reading keeps full precision; writing is RapidJSON's writer, never
// pasting.

#include <cstdint>
#include <memory>
#include <optional>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>
#include <vector>

namespace upstream {

using Json = rapidjson::Document;
using JsonValue = rapidjson::Value;
using JsonWriter = rapidjson::Writer<rapidjson::StringBuffer>;
using Item = std::shared_ptr<const Json>;
using Items = std::shared_ptr<const std::vector<Item>>;

/// Nothing when the text is not one JSON value; `why` then says what and where.
std::optional<Json> parse_json(std::string_view text, std::string& why);
/// A deep copy with an allocator of its own.
Json copy_of(const JsonValue& value);

bool has(const JsonValue& object, std::string_view name);
/// The member as text: strings as they are, numbers as JSON writes them, otherwise "".
std::string text_of(const JsonValue& object, std::string_view name);
std::optional<double> number_of(const JsonValue& object, std::string_view name);

/// Sets the member only where the object has none, or null: "what is missing is invented".
void set_missing(Json& object, std::string_view name, std::string_view value);
void set_missing(Json& object, std::string_view name, double value);
void set_missing(Json& object, std::string_view name, std::uint64_t value);
/// Sets or replaces the member.
void set_number(Json& object, std::string_view name, double value);
void set_number(Json& object, std::string_view name, std::uint64_t value);

inline void put(JsonWriter& out, std::string_view name)
{
    out.Key(name.data(), static_cast<rapidjson::SizeType>(name.size()));
}
void put(JsonWriter& out, std::string_view name, std::string_view value);
void put(JsonWriter& out, std::string_view name, std::int64_t value);
void put(JsonWriter& out, std::string_view name, std::uint64_t value);
void put(JsonWriter& out, std::string_view name, double value);
void put(JsonWriter& out, std::string_view name, bool value);

/// For element text and attributes of HTML and XML.
std::string escape_markup(std::string_view text);

} // namespace upstream
