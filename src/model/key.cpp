// SPDX-License-Identifier: Apache-2.0
#include "model/key.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <regex>

namespace freshet {

namespace {

constexpr std::size_t param_bytes_max = 128;

bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == '~';
}

int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

// One path segment, cut off the front of `text` together with the slash behind it.
std::string_view take_segment(std::string_view& text)
{
    const auto slash = text.find('/');
    const std::string_view segment = text.substr(0, slash);
    text.remove_prefix(slash == std::string_view::npos ? text.size() : slash + 1);
    return segment;
}

std::string values_list(const ParamDeclaration& declaration)
{
    std::string text;
    for (std::size_t i = 0; i < declaration.values.size() && i < 8; ++i)
        text += (i ? ", " : "") + declaration.values[i];
    if (declaration.values.size() > 8) text += ", ...";
    return text;
}

std::optional<std::string> refusal_of(const ParamDeclaration& declaration, std::string_view value)
{
    if (value.empty() || value.size() > param_bytes_max)
        return fmt::format("parameter {} must have 1 to {} bytes", declaration.name, param_bytes_max);
    if (value == "." || value == ".." || value.find_first_of("/\\") != std::string_view::npos)
        return fmt::format("parameter {} must not be . or .. nor hold / or \\", declaration.name);
    if (!declaration.values.empty()) {
        if (std::ranges::find(declaration.values, value) != declaration.values.end()) return std::nullopt;
        return fmt::format("parameter {} takes one of: {}", declaration.name, values_list(declaration));
    }
    // A compiled pattern is kept per thread: compiling one costs more than the whole rest of a request.
    thread_local std::map<std::string, std::regex, std::less<>> compiled;
    auto found = compiled.find(declaration.pattern);
    if (found == compiled.end()) {
        if (compiled.size() > 1000) compiled.clear();
        found = compiled
                    .emplace(declaration.pattern,
                             std::regex{declaration.pattern, std::regex::ECMAScript | std::regex::optimize})
                    .first;
    }
    if (std::regex_match(value.begin(), value.end(), found->second)) return std::nullopt;
    return fmt::format("parameter {} must match {}", declaration.name, declaration.pattern);
}

} // namespace

std::string percent_encode(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (is_unreserved(c))
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
    return out;
}

std::optional<std::string> percent_decode(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\0') return std::nullopt;
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (i + 2 >= text.size()) return std::nullopt;
        const int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
        if (high < 0 || low < 0 || (high | low) == 0) return std::nullopt;
        out += static_cast<char>(high << 4 | low);
        i += 2;
    }
    return out;
}

std::string to_text(const Key& key)
{
    std::string text = key.source;
    for (const std::string& param : key.params) (text += '/') += percent_encode(param);
    return text;
}

std::expected<KeyPath, KeyRefusal> parse_key(std::string_view text, const Definitions& definitions)
{
    using Code = KeyRefusal::Code;
    const std::string_view name = take_segment(text);
    const SourceDefinition* source = definitions.source(name);
    if (source == nullptr)
        return std::unexpected(KeyRefusal{Code::unknown_source, fmt::format("there is no source \"{}\"", name)});
    KeyPath path{{source->name, {}}, {}};
    for (const ParamDeclaration& declaration : source->params) {
        const std::string_view segment = take_segment(text);
        if (segment.empty())
            return std::unexpected(KeyRefusal{
                Code::too_few_params, fmt::format("source {} needs parameter {}", source->name, declaration.name)});
        auto value = percent_decode(segment);
        if (!value)
            return std::unexpected(
                KeyRefusal{Code::bad_param, fmt::format("parameter {} has a broken % escape", declaration.name)});
        if (auto refusal = refusal_of(declaration, *value))
            return std::unexpected(KeyRefusal{Code::bad_param, std::move(*refusal)});
        path.key.params.push_back(std::move(*value));
    }
    path.rest = text;
    return path;
}

std::string fill_template(std::string_view text, const SourceDefinition& source, std::span<const std::string> params,
                          std::string (*encode)(std::string_view))
{
    std::string out;
    while (!text.empty()) {
        const auto open = text.find('{');
        out += text.substr(0, open);
        if (open == std::string_view::npos) break;
        text.remove_prefix(open);
        const auto close = text.find('}');
        const std::string_view name = close == std::string_view::npos ? std::string_view{} : text.substr(1, close - 1);
        const auto declared = std::ranges::find(source.params, name, &ParamDeclaration::name);
        if (declared == source.params.end()) {
            out += '{';
            text.remove_prefix(1);
            continue;
        }
        out += encode(params[static_cast<std::size_t>(declared - source.params.begin())]);
        text.remove_prefix(close + 1);
    }
    return out;
}

} // namespace freshet
