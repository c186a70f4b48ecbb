// SPDX-License-Identifier: Apache-2.0
#include "model/facade.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr std::array<std::string_view, 5> methods{"GET", "POST", "PUT", "PATCH", "DELETE"};

bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

bool is_capture_name(std::string_view text)
{
    return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_name_char);
}

// What a literal segment may hold: what RFC 3986 lets stand unescaped, so that the path has one form only.
bool is_literal(std::string_view text)
{
    return text != "." && text != ".." &&
           std::ranges::all_of(text, [](char c) { return is_name_char(c) || c == '.' || c == '~'; });
}

std::string_view trimmed(std::string_view text)
{
    while (text.starts_with(' ')) text.remove_prefix(1);
    while (text.ends_with(' ')) text.remove_suffix(1);
    return text;
}

std::optional<std::int64_t> whole(std::string_view text)
{
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

struct TypeWord {
    std::string_view word;
    BodyRule::Type type;
    std::string_view takes, unit;
};
constexpr std::array<TypeWord, 7> type_words{{
    {"text", BodyRule::Type::text, "a text", " bytes"},
    {"whole", BodyRule::Type::whole, "a whole number", ""},
    {"number", BodyRule::Type::number, "a number", ""},
    {"yes_no", BodyRule::Type::yes_no, "true or false", ""},
    {"list", BodyRule::Type::list, "a list", " entries"},
    {"object", BodyRule::Type::object, "an object", ""},
    {"callback", BodyRule::Type::callback, "one of the callback URLs of this API", ""},
}};

} // namespace

bool PathPattern::has_capture(std::string_view name) const
{
    return std::ranges::any_of(segments, [&](const Segment& one) { return one.is_capture && one.text == name; });
}

bool PathPattern::same_shape(const PathPattern& other) const
{
    const auto alike = [](const Segment& a, const Segment& b) {
        return a.is_capture == b.is_capture && (a.is_capture || a.text == b.text);
    };
    return method == other.method && std::ranges::equal(segments, other.segments, alike);
}

std::string PathPattern::fixed_part() const
{
    std::string path;
    for (const Segment& segment : segments) {
        if (segment.is_capture) break;
        path += '/';
        path += segment.text;
    }
    return path.empty() ? "/" : path;
}

std::expected<PathPattern, std::string> parse_path_pattern(std::string_view on)
{
    const auto space = on.find(' ');
    PathPattern pattern;
    pattern.method = on.substr(0, space);
    if (space == std::string_view::npos || std::ranges::find(methods, pattern.method) == methods.end())
        return std::unexpected("must begin with GET, POST, PUT, PATCH or DELETE and a space");
    std::string_view path = on.substr(space + 1);
    if (!path.starts_with('/')) return std::unexpected("must have a path that begins with /");
    path.remove_prefix(1);
    for (bool more = true; more;) {
        const auto slash = path.find('/');
        const std::string_view text = path.substr(0, slash);
        more = slash != std::string_view::npos;
        path.remove_prefix(more ? slash + 1 : path.size());
        if (text.empty() && (more || !pattern.segments.empty()))
            return std::unexpected("has an empty segment in its path");
        if (text.starts_with('{') && text.ends_with('}')) {
            const std::string_view name = text.substr(1, text.size() - 2);
            if (!is_capture_name(name))
                return std::unexpected(fmt::format("has a capture {} without a good name", text));
            if (pattern.has_capture(name)) return std::unexpected(fmt::format("captures {} twice", name));
            pattern.segments.push_back({std::string{name}, true});
        } else if (is_literal(text)) {
            pattern.segments.push_back({std::string{text}, false});
        } else {
            return std::unexpected(
                fmt::format("has the segment \"{}\": a capture takes a whole segment, and others are "
                            "letters, digits, - . _ and ~",
                            text));
        }
    }
    return pattern;
}

std::string BodyRule::takes() const
{
    if (type == Type::word) return fmt::format("one of {}", fmt::join(words, ", "));
    const auto* row = std::ranges::find(type_words, type, &TypeWord::type);
    std::string text{row->takes};
    const std::string_view unit = row->unit;
    if (min && max)
        text += fmt::format(" of {} to {}{}", *min, *max, unit);
    else if (min)
        text += fmt::format(" of at least {}{}", *min, unit);
    else if (max)
        text += fmt::format(" of at most {}{}", *max, unit);
    return text;
}

std::expected<BodyRule, std::string> parse_body_rule(std::string_view text)
{
    constexpr std::string_view known = "text, whole, number, yes_no, list, object, callback or \"one of a, b\"";
    text = trimmed(text);
    BodyRule rule;
    const auto end = text.find_first_of("? ");
    const std::string_view word = text.substr(0, end);
    std::string_view rest = end == std::string_view::npos ? std::string_view{} : text.substr(end);
    if (rest.starts_with('?')) {
        rule.optional = true;
        rest.remove_prefix(1);
    }
    rest = trimmed(rest);
    if (word == "one") {
        rule.type = BodyRule::Type::word;
        if (!rest.starts_with("of ") && !rest.starts_with("of? "))
            return std::unexpected(fmt::format("must be {}", known));
        rule.optional = rule.optional || rest[2] == '?';
        rest.remove_prefix(rest[2] == '?' ? 4 : 3);
        while (!rest.empty()) {
            const auto comma = rest.find(',');
            const std::string_view one = trimmed(rest.substr(0, comma));
            if (one.empty()) return std::unexpected("has an empty word");
            rule.words.emplace_back(one);
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
        }
        return rule;
    }
    const auto* row = std::ranges::find(type_words, word, &TypeWord::word);
    if (row == type_words.end()) return std::unexpected(fmt::format("must be {}, not \"{}\"", known, word));
    rule.type = row->type;
    if (rest.empty()) return rule;
    const auto dots = rest.find("..");
    if (dots == std::string_view::npos)
        return std::unexpected(fmt::format("has \"{}\" where bounds such as 1..80 are taken", rest));
    const std::string_view low = rest.substr(0, dots), high = rest.substr(dots + 2);
    rule.min = whole(low);
    rule.max = whole(high);
    const bool bounded = rule.type == BodyRule::Type::text || rule.type == BodyRule::Type::whole ||
                         rule.type == BodyRule::Type::number || rule.type == BodyRule::Type::list;
    if ((!low.empty() && !rule.min) || (!high.empty() && !rule.max) || (rule.min && rule.max && *rule.min > *rule.max))
        return std::unexpected(
            fmt::format("has the bounds \"{}\"; a smaller number, .. and a larger one are taken", rest));
    if (!bounded) return std::unexpected(fmt::format("has bounds, which {} does not take", word));
    return rule;
}

KeyTemplate parse_key_template(std::string_view text)
{
    // A tenant stands before the first '/' and before any placeholder's own text could bring a colon.
    const auto colon = text.find(':');
    if (colon == std::string_view::npos || text.substr(0, colon).find('/') != std::string_view::npos)
        return {{}, std::string{text}};
    return {std::string{text.substr(0, colon)}, std::string{text.substr(colon + 1)}};
}

bool is_listed_url(std::string_view url, const std::vector<std::string>& listed)
{
    // What a parser of URLs may read in another way than this comparison does is not let through.
    const bool plain = std::ranges::none_of(url, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte <= ' ' || byte >= 0x7f || c == '\\' || c == '@';
    });
    if (!plain || url.find("/..") != std::string_view::npos || url.find("%2e") != std::string_view::npos ||
        url.find("%2E") != std::string_view::npos)
        return false;
    return std::ranges::any_of(
        listed, [&](const std::string& one) { return url == one || (one.ends_with('/') && url.starts_with(one)); });
}

} // namespace freshet
