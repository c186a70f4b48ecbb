// SPDX-License-Identifier: Apache-2.0
#include "cli/json.hpp"

#include "wire/json_out.hpp"

#include <simdjson.h>

namespace freshet::cli {

namespace dom = simdjson::dom;

struct JsonCopier {
    static Json copy(const dom::element& element)
    {
        Json made;
        switch (element.type()) {
        case dom::element_type::OBJECT:
            made.kind_ = Json::Kind::object;
            for (const auto [name, value] : dom::object(element))
                made.members_.emplace_back(std::string{name}, copy(value));
            break;
        case dom::element_type::ARRAY:
            made.kind_ = Json::Kind::list;
            for (const dom::element value : dom::array(element)) made.items_.push_back(copy(value));
            break;
        case dom::element_type::STRING:
            made.kind_ = Json::Kind::text;
            made.text_ = std::string_view(element);
            break;
        case dom::element_type::INT64:
        case dom::element_type::UINT64:
        case dom::element_type::DOUBLE:
            made.kind_ = Json::Kind::number;
            made.number_ = double(element);
            break;
        case dom::element_type::BOOL:
            made.kind_ = Json::Kind::yes_no;
            made.yes_ = bool(element);
            break;
        case dom::element_type::NULL_VALUE: break;
        }
        return made;
    }
};

std::optional<Json> Json::parse(std::string_view text)
{
    dom::parser parser;
    dom::element root;
    if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
    return JsonCopier::copy(root);
}

const Json& Json::operator[](std::string_view name) const
{
    static const Json none;
    for (const auto& [own, value] : members_)
        if (own == name) return value;
    return none;
}

std::optional<std::string> json_member(std::string_view object, std::string_view name)
{
    dom::parser parser;
    dom::element member;
    if (parser.parse(object.data(), object.size()).at_key(name).get(member) != simdjson::SUCCESS) return std::nullopt;
    return simdjson::minify(member);
}

std::optional<std::vector<std::string>> json_items(std::string_view list)
{
    dom::parser parser;
    dom::array items;
    if (parser.parse(list.data(), list.size()).get(items) != simdjson::SUCCESS) return std::nullopt;
    std::vector<std::string> texts;
    for (const dom::element item : items) texts.push_back(simdjson::minify(item));
    return texts;
}

std::optional<std::string> json_one_line(std::string_view text)
{
    dom::parser parser;
    dom::element root;
    if (parser.parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return std::nullopt;
    return simdjson::minify(root);
}

std::string json_of_texts(std::initializer_list<std::pair<std::string_view, std::string_view>> members)
{
    JsonOut out;
    out.begin();
    for (const auto& [name, value] : members) out.text(name, value);
    out.end();
    return out.take();
}

} // namespace freshet::cli
