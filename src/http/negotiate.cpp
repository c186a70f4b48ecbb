// SPDX-License-Identifier: Apache-2.0
#include "http/negotiate.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr Millis wait_max = 10min;
constexpr std::string_view blank = " \t";

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

// A q-value in thousandths; what is not one counts as 1.
int q_value(std::string_view params)
{
    while (!params.empty()) {
        const auto semicolon = params.find(';');
        std::string_view param = trimmed(params.substr(0, semicolon));
        params.remove_prefix(semicolon == std::string_view::npos ? params.size() : semicolon + 1);
        if (param.size() < 3 || lower(param[0]) != 'q' || param[1] != '=') continue;
        param.remove_prefix(2);
        int value = param[0] == '0' ? 0 : 1000;
        if (value == 0 && param.size() > 2 && param[1] == '.') {
            int weight = 100;
            for (const char c : param.substr(2, 3)) {
                if (c < '0' || c > '9') break;
                value += (c - '0') * weight;
                weight /= 10;
            }
        }
        return value;
    }
    return 1000;
}

std::optional<Coding> coding_named(std::string_view name)
{
    if (same_word(name, "gzip") || same_word(name, "x-gzip")) return Coding::gzip;
    if (same_word(name, "br")) return Coding::br;
    if (same_word(name, "zstd")) return Coding::zstd;
    if (same_word(name, "identity")) return Coding::identity;
    return std::nullopt;
}

// name[=value], the value without its quotes.
std::pair<std::string_view, std::string_view> name_and_value(std::string_view element)
{
    element = element.substr(0, element.find(';'));
    const auto equals = element.find('=');
    if (equals == std::string_view::npos) return {trimmed(element), {}};
    std::string_view value = trimmed(element.substr(equals + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return {trimmed(element.substr(0, equals)), value};
}

} // namespace

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(blank);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

bool same_word(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, {}, lower, lower);
}

std::optional<std::int64_t> parse_count(std::string_view text)
{
    if (text.empty() || text.size() > 15) return std::nullopt;
    std::int64_t value = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        value = value * 10 + (c - '0');
    }
    return value;
}

std::string_view take_element(std::string_view& list)
{
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size(); ++end) {
        if (list[end] == '"')
            quoted = !quoted;
        else if (list[end] == '\\' && quoted)
            ++end;
        else if (list[end] == ',' && !quoted)
            break;
    }
    end = std::min(end, list.size());
    const std::string_view element = trimmed(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    return element;
}

std::string_view coding_word(Coding coding)
{
    switch (coding) {
    case Coding::identity: return "";
    case Coding::gzip: return "gzip";
    case Coding::br: return "br";
    case Coding::zstd: return "zstd";
    }
    return "";
}

bool AcceptedCodings::takes(Coding coding) const
{
    return std::find(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), coding) !=
           order.begin() + static_cast<std::ptrdiff_t>(count);
}

AcceptedCodings accepted_codings(std::string_view accept_encoding)
{
    constexpr int unnamed = -1;
    std::array<int, codings_count> q{unnamed, unnamed, unnamed, unnamed};
    int others = unnamed;
    while (!accept_encoding.empty()) {
        const std::string_view element = take_element(accept_encoding);
        const auto semicolon = element.find(';');
        const std::string_view name = trimmed(element.substr(0, semicolon));
        const int value = semicolon == std::string_view::npos ? 1000 : q_value(element.substr(semicolon + 1));
        if (name == "*")
            others = value;
        else if (const auto coding = coding_named(name))
            q[static_cast<std::size_t>(*coding)] = value;
    }
    for (std::size_t i = 0; i < codings_count; ++i) {
        if (q[i] != unnamed) continue;
        // Identity is taken unless it is refused by name or by "*;q=0"; the least wanted of all.
        if (others != unnamed)
            q[i] = others;
        else
            q[i] = i == 0 ? 1 : 0;
    }
    AcceptedCodings accepted;
    for (const Coding coding : {Coding::zstd, Coding::br, Coding::gzip, Coding::identity})
        if (q[static_cast<std::size_t>(coding)] > 0) accepted.order[accepted.count++] = coding;
    std::stable_sort(
        accepted.order.begin(), accepted.order.begin() + static_cast<std::ptrdiff_t>(accepted.count),
        [&](Coding a, Coding b) { return q[static_cast<std::size_t>(a)] > q[static_cast<std::size_t>(b)]; });
    return accepted;
}

std::string entity_tag(std::int64_t ver, std::uint64_t hash, Coding coding)
{
    const std::string_view word = coding_word(coding);
    return fmt::format("\"v{}-{:08x}{}{}\"", ver, static_cast<std::uint32_t>(hash >> 32), word.empty() ? "" : "-",
                       word);
}

bool matches_tag(std::string_view if_none_match, std::string_view tag)
{
    const std::string_view bare = tag.substr(1, tag.size() - 2);
    while (!if_none_match.empty()) {
        std::string_view element = take_element(if_none_match);
        if (element == "*") return true;
        if (element.starts_with("W/")) element.remove_prefix(2);
        if (element.size() < 2 || element.front() != '"' || element.back() != '"') continue;
        element = element.substr(1, element.size() - 2);
        if (!element.starts_with(bare)) continue;
        element.remove_prefix(bare.size());
        if (element.empty()) return true;
        // Our own suffix, a proxy's, or a proxy's behind ours.
        while (element.starts_with('-')) element.remove_prefix(1);
        if (const auto second = element.find('-'); second != std::string_view::npos) {
            if (!coding_named(element.substr(0, second))) continue;
            element.remove_prefix(second);
            while (element.starts_with('-')) element.remove_prefix(1);
        }
        if (coding_named(element)) return true;
    }
    return false;
}

Preferences preferences(std::string_view prefer)
{
    Preferences found;
    while (!prefer.empty()) {
        const auto [name, value] = name_and_value(take_element(prefer));
        if (same_word(name, "respond-async")) found.respond_async = true;
        if (same_word(name, "return")) found.minimal = same_word(value, "minimal");
        if (same_word(name, "wait"))
            if (const auto seconds = parse_count(value))
                found.wait = std::min<Millis>(std::chrono::seconds{*seconds}, wait_max);
    }
    return found;
}

CacheDirectives cache_directives(std::string_view cache_control, std::string_view pragma)
{
    CacheDirectives found;
    if (cache_control.empty()) found.forces = same_word(trimmed(pragma), "no-cache");
    while (!cache_control.empty()) {
        const auto [name, value] = name_and_value(take_element(cache_control));
        if (same_word(name, "only-if-cached")) found.only_if_cached = true;
        if (same_word(name, "no-cache") || same_word(name, "no-store")) found.forces = true;
        if (!same_word(name, "max-age")) continue;
        const auto seconds = parse_count(value);
        if (!seconds) continue;
        if (*seconds == 0)
            found.forces = true;
        else
            found.max_age = std::chrono::seconds{std::min<std::int64_t>(*seconds, 100L * 365 * 86400)};
    }
    return found;
}

} // namespace freshet::http
