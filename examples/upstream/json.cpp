// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <rapidjson/error/en.h>

namespace upstream {

namespace {

JsonValue string_ref(std::string_view text)
{
    return JsonValue(rapidjson::StringRef(text.data(), text.size()));
}

const JsonValue* find(const JsonValue& object, std::string_view name)
{
    if (!object.IsObject()) return nullptr;
    const auto member = object.FindMember(string_ref(name));
    return member == object.MemberEnd() ? nullptr : &member->value;
}

JsonValue& place(Json& object, std::string_view name)
{
    const auto member = object.FindMember(string_ref(name));
    if (member != object.MemberEnd()) return member->value;
    JsonValue key(name.data(), static_cast<rapidjson::SizeType>(name.size()), object.GetAllocator());
    object.AddMember(key, JsonValue(), object.GetAllocator());
    return (object.MemberEnd() - 1)->value;
}

} // namespace

std::optional<Json> parse_json(std::string_view text, std::string& why)
{
    Json document;
    // Iterative, so that a deeply nested text costs memory instead of the stack.
    constexpr auto flags = rapidjson::kParseFullPrecisionFlag | rapidjson::kParseIterativeFlag;
    document.Parse<flags>(text.data(), text.size());
    if (document.HasParseError()) {
        why = std::string("not JSON: ") + rapidjson::GetParseError_En(document.GetParseError()) + " at byte " +
              std::to_string(document.GetErrorOffset());
        return std::nullopt;
    }
    return document;
}

Json copy_of(const JsonValue& value)
{
    Json copy;
    copy.CopyFrom(value, copy.GetAllocator());
    return copy;
}

bool has(const JsonValue& object, std::string_view name)
{
    const JsonValue* const value = find(object, name);
    return value != nullptr && !value->IsNull();
}

std::string text_of(const JsonValue& object, std::string_view name)
{
    const JsonValue* const value = find(object, name);
    if (value == nullptr) return {};
    if (value->IsString()) return {value->GetString(), value->GetStringLength()};
    if (!value->IsNumber()) return {};
    rapidjson::StringBuffer buffer;
    JsonWriter writer(buffer);
    value->Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

std::optional<double> number_of(const JsonValue& object, std::string_view name)
{
    const JsonValue* const value = find(object, name);
    if (value == nullptr || !value->IsNumber()) return std::nullopt;
    return value->GetDouble();
}

void set_missing(Json& object, std::string_view name, std::string_view value)
{
    if (has(object, name)) return;
    place(object, name).SetString(value.data(), static_cast<rapidjson::SizeType>(value.size()), object.GetAllocator());
}

void set_missing(Json& object, std::string_view name, double value)
{
    if (!has(object, name)) set_number(object, name, value);
}

void set_missing(Json& object, std::string_view name, std::uint64_t value)
{
    if (!has(object, name)) set_number(object, name, value);
}

void set_number(Json& object, std::string_view name, double value)
{
    place(object, name).SetDouble(value);
}

void set_number(Json& object, std::string_view name, std::uint64_t value)
{
    place(object, name).SetUint64(value);
}

void put(JsonWriter& out, std::string_view name, std::string_view value)
{
    put(out, name);
    out.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
}

void put(JsonWriter& out, std::string_view name, std::int64_t value)
{
    put(out, name);
    out.Int64(value);
}

void put(JsonWriter& out, std::string_view name, std::uint64_t value)
{
    put(out, name);
    out.Uint64(value);
}

void put(JsonWriter& out, std::string_view name, double value)
{
    put(out, name);
    out.Double(value);
}

void put(JsonWriter& out, std::string_view name, bool value)
{
    put(out, name);
    out.Bool(value);
}

std::string escape_markup(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        switch (c) {
        case '&': out += "&amp;"; break;
        case '<': out += "&lt;"; break;
        case '>': out += "&gt;"; break;
        case '"': out += "&quot;"; break;
        case '\'': out += "&#39;"; break;
        default: out += c;
        }
    }
    return out;
}

} // namespace upstream
