// SPDX-License-Identifier: Apache-2.0
#pragma once
// Every setting of the config file, declared once: name, type, bounds, where its value lives, what it does.
//
// Reading, "did you mean", errors of type and range, `freshet help config`, docs/reference/config.md, --speed and the
// definition hash are all driven by these tables. A default is declared nowhere here: it is what a new value of the
// struct holds, read through the same accessor that the reader writes through.
// Life: static, const. Threads: any.

#include "model/definition.hpp"
#include "model/facade.hpp"

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

enum class SettingType : std::uint8_t {
    text,         ///< "..."
    choice,       ///< one of `choices`
    yes_no,       ///< true or false
    count,        ///< whole number
    duration,     ///< "30s"
    size,         ///< "8MiB"
    rate,         ///< "6/min"
    share,        ///< "50%"
    secret,       ///< "..." or { env = "X" } or { file = "..." }
    text_list,    ///< ["a", "b"]
    text_table,   ///< { name = "text" }
    secret_table, ///< { name = secret }
    params,       ///< { name = ["A", "B"] } or { name = "pattern" }
    json,         ///< a table, list, number or truth value, or a text that holds JSON; kept as JSON
    jq,           ///< an expression in a text, or a whole number, which is one, too
    table,        ///< { ... } of the settings of `inside`
};

using TextPairs = std::vector<std::pair<std::string, std::string>>;
using SecretPairs = std::vector<std::pair<std::string, Secret>>;
using SettingValue = std::variant<std::int64_t, std::string, double, bool, Millis, RateLimit, Secret,
                                  std::vector<std::string>, TextPairs, SecretPairs, std::vector<ParamDeclaration>>;

/// How a setting's value is read from and written to the struct it belongs to. Enumerations travel as their index.
struct SettingAccess {
    SettingValue (*get)(const void*) = nullptr;
    void (*put)(void*, SettingValue&&) = nullptr;
    void* (*part)(void*) = nullptr; ///< of type table: the struct inside
};

struct SettingTable;

/// Source kinds as bits.
constexpr unsigned for_http = 1, for_command = 2, for_sql = 4, for_worker = 8, for_all = 15;
constexpr unsigned bit_of(SourceKind kind)
{
    return 1U << static_cast<unsigned>(kind);
}

struct Setting {
    std::string_view name;
    SettingType type = SettingType::text;
    SettingAccess access;
    std::int64_t min = 0;                                        ///< duration in ms, size in bytes, count
    std::int64_t max = std::numeric_limits<std::int64_t>::max(); ///< for text: bytes; for lists: entries
    std::span<const std::string_view> choices;                   ///< in the order of the enumeration
    unsigned kinds = for_all;                                    ///< of a source: the kinds that take it
    bool required = false;
    bool in_defaults = false; ///< may stand in [defaults], too
    bool shapes = false;      ///< part of the definition hash: a change makes what is kept stale
    bool real_time = false;   ///< --speed leaves it alone: it bounds one attempt or one upstream request
    const SettingTable* inside = nullptr;
    std::string_view text;
    std::string_view default_words; ///< where the default is not a value ("one per core")
};

struct SettingTable {
    std::string_view name; ///< "server", "source", "retry" ...
    std::span<const Setting> settings;
    std::string_view text;

    const Setting* find(std::string_view setting) const;
};

const SettingTable& server_table();
const SettingTable& retention_table();
const SettingTable& source_table();
const SettingTable& queue_table();
const SettingTable& tenant_table();
const SettingTable& token_table();
const SettingTable& task_schedule_table();
const SettingTable& facade_table();
const SettingTable& page_table();
/// Inside others.
const SettingTable& retry_table();

/// A value as the file writes it; of a choice its word. Empty for an empty text or list.
std::string value_text(const Setting& setting, const SettingValue& value);
/// A value of a struct that was not touched, as the file writes it; `fresh` is such a struct.
std::string default_text(const Setting& setting, const void* fresh);
/// "1s to 10m", "at least 1", or empty.
std::string bounds_text(const Setting& setting);

/// Covers what shapes the data and nothing that is policy; literal header values count, secrets' contents do not.
std::uint64_t definition_hash(const SourceDefinition& source);

/// Divides every duration (and the time of every rate) by `speed` > 0, save what bounds one attempt or one upstream
/// request (run_limit, cold_wait). What was not 0 stays at least 1 ms, a lease at least 1 s; cron keeps the wall clock.
Definitions apply_speed(const Definitions& definitions, double speed);
FacadeSet apply_speed(const FacadeSet& facades, double speed);

namespace detail {

template <class T>
struct member_of;
template <class C, class M>
struct member_of<M C::*> {
    using type = C;
};

template <auto Member, auto... Rest>
auto& walk(auto& object)
{
    if constexpr (sizeof...(Rest) == 0)
        return object.*Member;
    else
        return walk<Rest...>(object.*Member);
}

template <class T>
SettingValue wrap(const T& value)
{
    if constexpr (std::is_same_v<T, bool>)
        return SettingValue{value};
    else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
        return SettingValue{static_cast<std::int64_t>(value)};
    else
        return SettingValue{value};
}

template <class T>
void unwrap(T& into, SettingValue&& value)
{
    if constexpr (!std::is_same_v<T, bool> && (std::is_integral_v<T> || std::is_enum_v<T>))
        into = static_cast<T>(std::get<std::int64_t>(value));
    else
        into = std::get<T>(std::move(value));
}

} // namespace detail

/// The accessor of a member, or of a member of a member: to<&SourceDefinition::http, &HttpDefinition::url>.
template <auto First, auto... Rest>
constexpr SettingAccess to()
{
    using Whole = typename detail::member_of<decltype(First)>::type;
    return {
        [](const void* whole) { return detail::wrap(detail::walk<First, Rest...>(*static_cast<const Whole*>(whole))); },
        [](void* whole, SettingValue&& value) {
            detail::unwrap(detail::walk<First, Rest...>(*static_cast<Whole*>(whole)), std::move(value));
        },
        nullptr};
}

/// The accessor of a struct inside, for type table.
template <auto First, auto... Rest>
constexpr SettingAccess inside()
{
    using Whole = typename detail::member_of<decltype(First)>::type;
    return {nullptr, nullptr,
            [](void* whole) -> void* { return &detail::walk<First, Rest...>(*static_cast<Whole*>(whole)); }};
}

} // namespace freshet
