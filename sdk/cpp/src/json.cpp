// SPDX-License-Identifier: Apache-2.0
#include "freshet/json.hpp"

#include "utf8.hpp"

#include <algorithm>
#include <cmath>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <simdjson.h>

namespace freshet {
inline namespace sdk_v1 {

namespace {

const Json nothing;

Json copied(simdjson::dom::element element)
{
    using simdjson::dom::element_type;
    switch (element.type()) {
    case element_type::ARRAY: {
        Json::List items;
        const simdjson::dom::array array = element.get_array().value_unsafe();
        for (const auto item : array) items.push_back(copied(item));
        return Json::list(std::move(items));
    }
    case element_type::OBJECT: {
        Json object = Json::object();
        const simdjson::dom::object members = element.get_object().value_unsafe();
        for (const auto [name, value] : members) object.set(std::string{name}, copied(value));
        return object;
    }
    case element_type::INT64: return element.get_int64().value_unsafe();
    case element_type::UINT64: return element.get_uint64().value_unsafe();
    case element_type::DOUBLE: return element.get_double().value_unsafe();
    case element_type::STRING: return element.get_string().value_unsafe();
    case element_type::BOOL: return element.get_bool().value_unsafe();
    case element_type::NULL_VALUE: break;
    }
    return {};
}

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

} // namespace

struct JsonWriter {
    Writer& writer;
    void operator()(const Json& json) { std::visit(*this, json.value_); }
    void operator()(std::nullptr_t) { writer.Null(); }
    void operator()(bool value) { writer.Bool(value); }
    void operator()(std::int64_t value) { writer.Int64(value); }
    void operator()(std::uint64_t value) { writer.Uint64(value); }
    void operator()(double value)
    {
        if (std::isfinite(value))
            writer.Double(value);
        else
            writer.Null();
    }
    void operator()(const std::string& value)
    {
        const std::string clean = detail::valid_utf8(value);
        writer.String(clean.data(), static_cast<rapidjson::SizeType>(clean.size()));
    }
    void operator()(const Json::List& items)
    {
        writer.StartArray();
        for (const Json& item : items) (*this)(item);
        writer.EndArray();
    }
    void operator()(const Json::Members& members)
    {
        writer.StartObject();
        for (const auto& [name, value] : members) {
            (*this)(name);
            (*this)(value);
        }
        writer.EndObject();
    }
};

Json Json::list(List items)
{
    Json json;
    json.value_ = std::move(items);
    return json;
}

Json Json::parse(std::string_view text)
{
    simdjson::dom::parser parser;
    simdjson::dom::element element;
    if (const auto error = parser.parse(text.data(), text.size()).get(element); error != simdjson::SUCCESS)
        throw std::invalid_argument{std::string{"this is no JSON: "} + simdjson::error_message(error)};
    return copied(element);
}

Json::Kind Json::kind() const
{
    switch (value_.index()) {
    case 1: return Kind::boolean;
    case 2:
    case 3:
    case 4: return Kind::number;
    case 5: return Kind::text;
    case 6: return Kind::list;
    case 7: return Kind::object;
    default: return Kind::null;
    }
}

const Json& Json::operator[](std::string_view name) const
{
    const auto& all = members();
    const auto found = std::ranges::find(all, name, [](const auto& member) { return std::string_view{member.first}; });
    return found == all.end() ? nothing : found->second;
}

const Json& Json::operator[](std::size_t index) const
{
    return index < items().size() ? items()[index] : nothing;
}

std::size_t Json::size() const
{
    return items().size() + members().size();
}

const Json::List& Json::items() const
{
    static const List none;
    const auto* const items = std::get_if<List>(&value_);
    return items == nullptr ? none : *items;
}

const Json::Members& Json::members() const
{
    static const Members none;
    const auto* const members = std::get_if<Members>(&value_);
    return members == nullptr ? none : *members;
}

const std::string& Json::text() const
{
    static const std::string none;
    const auto* const text = std::get_if<std::string>(&value_);
    return text == nullptr ? none : *text;
}

std::string Json::text(std::string_view otherwise) const
{
    return kind() == Kind::text ? text() : std::string{otherwise};
}

std::int64_t Json::whole(std::int64_t otherwise) const
{
    if (const auto* const number = std::get_if<std::int64_t>(&value_)) return *number;
    if (const auto* const number = std::get_if<std::uint64_t>(&value_))
        return *number <= INT64_MAX ? static_cast<std::int64_t>(*number) : otherwise;
    if (const auto* const number = std::get_if<double>(&value_))
        return std::abs(*number) < 9.2e18 ? static_cast<std::int64_t>(*number) : otherwise;
    return otherwise;
}

double Json::number(double otherwise) const
{
    if (const auto* const number = std::get_if<double>(&value_)) return *number;
    if (const auto* const number = std::get_if<std::int64_t>(&value_)) return static_cast<double>(*number);
    if (const auto* const number = std::get_if<std::uint64_t>(&value_)) return static_cast<double>(*number);
    return otherwise;
}

bool Json::yes(bool otherwise) const
{
    const auto* const yes = std::get_if<bool>(&value_);
    return yes == nullptr ? otherwise : *yes;
}

Json& Json::set(std::string name, Json value)
{
    if (null()) value_ = Members{};
    auto* const members = std::get_if<Members>(&value_);
    if (members == nullptr) throw std::logic_error{"only an object has members"};
    const auto found = std::ranges::find(*members, name, [](const auto& member) { return member.first; });
    if (found == members->end())
        members->emplace_back(std::move(name), std::move(value));
    else
        found->second = std::move(value);
    return *this;
}

Json& Json::push(Json value)
{
    if (null()) value_ = List{};
    auto* const items = std::get_if<List>(&value_);
    if (items == nullptr) throw std::logic_error{"only a list has items"};
    items->push_back(std::move(value));
    return *this;
}

std::string Json::dump() const
{
    rapidjson::StringBuffer buffer;
    Writer writer{buffer};
    JsonWriter{writer}(*this);
    return {buffer.GetString(), buffer.GetSize()};
}

} // namespace sdk_v1
} // namespace freshet
