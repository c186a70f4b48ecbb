// SPDX-License-Identifier: Apache-2.0
#include "wire/rows.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace freshet::rows {

namespace {

constexpr std::array<std::string_view, 8> envelope_names{"items",   "data",    "rows", "results",
                                                         "records", "entries", "list", "values"};

// The list of an envelope, with its name.
std::optional<Member> envelope_list(const dom::object& object)
{
    std::optional<Member> found;
    std::size_t members = 0;
    for (const auto& [name, value] : object) {
        ++members;
        if (value.type() != dom::element_type::ARRAY) continue;
        if (found) return std::nullopt;
        found = Member{name, value};
    }
    if (!found || members == 1) return found;
    return std::ranges::find(envelope_names, found->first) == envelope_names.end() ? std::nullopt : found;
}

rapidjson::SizeType size_of(std::string_view text)
{
    return static_cast<rapidjson::SizeType>(text.size());
}

} // namespace

std::expected<Document, std::string> parse(std::string_view json)
{
    Document document{std::make_unique<dom::parser>(), {}};
    if (document.parser->allocate(std::max<std::size_t>(json.size(), 64), depth_max) != simdjson::SUCCESS)
        return std::unexpected(std::string{"there is not enough memory to read the document"});
    if (const auto error = document.parser->parse(json.data(), json.size()).get(document.root);
        error != simdjson::SUCCESS)
        return std::unexpected(std::string{"not JSON: "} + simdjson::error_message(error));
    return document;
}

Paths Paths::of(std::span<const std::string> paths)
{
    Paths root;
    for (const std::string& path : paths) {
        const char separator = path.starts_with('/') ? '/' : '.';
        std::string_view rest = path;
        if (rest.starts_with(separator)) rest.remove_prefix(1);
        Paths* at = &root;
        for (;;) {
            const auto end = std::min(rest.find(separator), rest.size());
            at = &at->below[std::string{rest.substr(0, end)}];
            if (end == rest.size()) break;
            rest.remove_prefix(end + 1);
        }
        at->ends = true;
    }
    return root;
}

const Paths* Paths::step(std::string_view name) const
{
    auto found = below.find(name);
    if (found == below.end()) found = below.find("*");
    return found == below.end() ? nullptr : &found->second;
}

void add_sorted(std::vector<Member>& members, const dom::object& object)
{
    const auto first = static_cast<std::ptrdiff_t>(members.size());
    bool rising = true;
    for (const auto& [name, value] : object) {
        if (static_cast<std::ptrdiff_t>(members.size()) > first && members.back().first >= name) rising = false;
        members.emplace_back(name, value);
    }
    if (rising) return;
    const auto begin = members.begin() + first;
    std::stable_sort(begin, members.end(), [](const Member& a, const Member& b) { return a.first < b.first; });
    // Of equal names the last one counts, as in every browser: unique() keeps the first of the reversed order.
    std::reverse(begin, members.end());
    members.erase(
        std::unique(begin, members.end(), [](const Member& a, const Member& b) { return a.first == b.first; }),
        members.end());
    std::reverse(begin, members.end());
}

std::string_view CanonicalWriter::write(const dom::element& element, const Paths* left_out)
{
    buffer_.Clear();
    writer_.Reset(buffer_);
    value(element, left_out != nullptr && left_out->empty() ? nullptr : left_out);
    return {buffer_.GetString(), buffer_.GetSize()};
}

void CanonicalWriter::value(const dom::element& element, const Paths* left_out)
{
    switch (element.type()) {
    case dom::element_type::OBJECT: return object(element.get_object().value_unsafe(), left_out);
    case dom::element_type::ARRAY: {
        writer_.StartArray();
        const Paths* below = left_out == nullptr ? nullptr : left_out->step("*");
        const dom::array list = element.get_array().value_unsafe();
        for (const dom::element item : list)
            if (below == nullptr || !below->ends) value(item, below);
        writer_.EndArray();
        return;
    }
    case dom::element_type::STRING: {
        const std::string_view text = element.get_string().value_unsafe();
        writer_.String(text.data(), size_of(text));
        return;
    }
    case dom::element_type::INT64: writer_.Int64(element.get_int64().value_unsafe()); return;
    case dom::element_type::UINT64: writer_.Uint64(element.get_uint64().value_unsafe()); return;
    case dom::element_type::DOUBLE: return number(element.get_double().value_unsafe());
    case dom::element_type::BOOL: writer_.Bool(element.get_bool().value_unsafe()); return;
    case dom::element_type::NULL_VALUE: writer_.Null(); return;
    }
}

void CanonicalWriter::object(const dom::object& object, const Paths* left_out)
{
    writer_.StartObject();
    const std::size_t first = members_.size();
    add_sorted(members_, object);
    const std::size_t end = members_.size();
    for (std::size_t i = first; i < end; ++i) {
        const auto [name, element] = members_[i]; // a copy: what is below may move the stack
        const Paths* below = left_out == nullptr ? nullptr : left_out->step(name);
        if (below != nullptr && below->ends) continue;
        writer_.Key(name.data(), size_of(name));
        value(element, below);
    }
    members_.resize(first);
    writer_.EndObject();
}

void CanonicalWriter::number(double value)
{
    constexpr double exact_max = 9007199254740992.0; // 2^53: up to here whole doubles are whole numbers
    if (std::abs(value) <= exact_max && value == std::trunc(value)) {
        writer_.Int64(static_cast<std::int64_t>(value));
        return;
    }
    std::array<char, 32> text{};
    const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
    writer_.RawValue(text.data(), static_cast<std::size_t>(end - text.data()), rapidjson::kNumberType);
}

Rows rows_of(const dom::element& root)
{
    Rows found;
    if (root.type() == dom::element_type::ARRAY) {
        found.list = root;
    } else if (root.type() == dom::element_type::OBJECT) {
        if (const auto list = envelope_list(root.get_object().value_unsafe()))
            found.list_name = list->first, found.list = list->second;
    }
    if (found.list) {
        const dom::array list = found.list->get_array().value_unsafe();
        found.rows.assign(list.begin(), list.end());
    } else if (root.type() != dom::element_type::NULL_VALUE) {
        found.rows.push_back(root);
    }
    return found;
}

std::optional<dom::element> field(const dom::element& row, std::string_view name)
{
    dom::object object;
    if (row.get(object) != simdjson::SUCCESS) return std::nullopt;
    std::optional<dom::element> found;
    for (const auto& [member, value] : object)
        if (member == name) found = value;
    if (found) return found;
    const auto dot = name.find('.');
    if (dot == std::string_view::npos) return std::nullopt;
    const auto inner = field(row, name.substr(0, dot));
    return inner ? field(*inner, name.substr(dot + 1)) : std::nullopt;
}

} // namespace freshet::rows
