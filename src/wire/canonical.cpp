// SPDX-License-Identifier: Apache-2.0
#include "wire/canonical.hpp"

#include "wire/rows.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr std::size_t shown_max = 80;

std::string shortened(std::string text)
{
    if (text.size() <= shown_max) return text;
    std::size_t end = shown_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.resize(end);
    return text + "…";
}

std::string key_words(const rows::dom::element& row, std::span<const std::string> key)
{
    std::string words;
    for (const std::string& name : key)
        words += fmt::format("{}{} = {}", words.empty() ? "" : ", ", name, simdjson::minify(*rows::field(row, name)));
    return shortened(words);
}

std::string problem_of_row(const rows::dom::element& row, std::size_t number, std::span<const std::string> key)
{
    if (row.type() != rows::dom::element_type::OBJECT)
        return fmt::format("row {} is no object, so it cannot have the key field \"{}\": {}", number, key.front(),
                           shortened(simdjson::minify(row)));
    for (const std::string& name : key) {
        const auto value = rows::field(row, name);
        if (!value)
            return fmt::format("row {} has no key field \"{}\": {}", number, name, shortened(simdjson::minify(row)));
        if (value->is_null()) return fmt::format("row {} has null in its key field \"{}\"", number, name);
    }
    return {};
}

std::string problem_of_key(const std::vector<rows::dom::element>& all, std::span<const std::string> key)
{
    struct Named {
        Hash128 hash;
        std::size_t number;
    };
    std::vector<Named> named;
    named.reserve(all.size());
    rows::CanonicalWriter writer;
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (std::string problem = problem_of_row(all[i], i + 1, key); !problem.empty()) return problem;
        std::string text;
        for (const std::string& name : key) text += writer.write(*rows::field(all[i], name)), text += '\n';
        named.push_back({hash128(text), i + 1});
    }
    std::ranges::sort(named, [](const Named& a, const Named& b) {
        return std::tie(a.hash.high, a.hash.low, a.number) < std::tie(b.hash.high, b.hash.low, b.number);
    });
    const auto twice = std::ranges::adjacent_find(named, {}, &Named::hash);
    if (twice == named.end()) return {};
    return fmt::format("rows {} and {} have the same key: {}", twice->number, std::next(twice)->number,
                       key_words(all[twice->number - 1], key));
}

} // namespace

std::expected<std::string, std::string> canonical_json(std::string_view json)
{
    const auto document = rows::parse(json);
    if (!document) return std::unexpected(document.error());
    rows::CanonicalWriter writer;
    return std::string{writer.write(document->root)};
}

std::expected<Content, std::string> content_of(std::string_view json, std::span<const std::string> key)
{
    const auto document = rows::parse(json);
    if (!document) return std::unexpected(document.error());
    rows::CanonicalWriter writer;
    const rows::Rows found = rows::rows_of(document->root);
    return Content{writer.hash(document->root), static_cast<std::int64_t>(found.rows.size()),
                   key.empty() ? std::string{} : problem_of_key(found.rows, key)};
}

std::int64_t rows_of(std::string_view json)
{
    const auto document = rows::parse(json);
    return document ? static_cast<std::int64_t>(rows::rows_of(document->root).rows.size()) : 0;
}

std::optional<std::string> json_problem(std::string_view json)
{
    thread_local simdjson::dom::parser parser;
    if (const auto error = parser.parse(json.data(), json.size()).error(); error != simdjson::SUCCESS)
        return std::string{simdjson::error_message(error)};
    return std::nullopt;
}

std::string one_line_json(std::string json)
{
    if (json.find_first_of("\r\n") == std::string::npos) return json;
    std::string line(json.size(), '\0');
    std::size_t length = 0;
    if (simdjson::minify(json.data(), json.size(), line.data(), length) != simdjson::SUCCESS) return json;
    line.resize(length);
    return line;
}

} // namespace freshet
