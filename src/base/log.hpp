// SPDX-License-Identifier: Apache-2.0
#pragma once
// Logs: words on a terminal, JSON lines elsewhere. A line is a message and named fields; secrets are never fields.
//
//   log::warn("source failed", {{"source", key}, {"job", to_text(id)}, {"duration_ms", 2800}});
//
// Threads: any. The sink is set once, by main, before threads start.

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace freshet::log {

enum class Level : std::uint8_t { debug, info, warn, error };

struct Field {
    std::string_view name;
    std::variant<std::string, std::int64_t, double, bool> value;
    Field(std::string_view n, std::string v) : name{n}, value{std::move(v)} {}
    Field(std::string_view n, std::string_view v) : name{n}, value{std::string{v}} {}
    Field(std::string_view n, const char* v) : name{n}, value{std::string{v}} {}
    Field(std::string_view n, bool v) : name{n}, value{v} {}
    template <class T>
        requires std::is_integral_v<T>
    Field(std::string_view n, T v) : name{n}, value{static_cast<std::int64_t>(v)}
    {
    }
    Field(std::string_view n, double v) : name{n}, value{v} {}
};

/// Chooses the form by what stderr is and drops lines below `level`.
void set_up(Level level);
void line(Level level, std::string_view message, std::initializer_list<Field> fields);

inline void debug(std::string_view m, std::initializer_list<Field> f = {})
{
    line(Level::debug, m, f);
}
inline void info(std::string_view m, std::initializer_list<Field> f = {})
{
    line(Level::info, m, f);
}
inline void warn(std::string_view m, std::initializer_list<Field> f = {})
{
    line(Level::warn, m, f);
}
inline void error(std::string_view m, std::initializer_list<Field> f = {})
{
    line(Level::error, m, f);
}

} // namespace freshet::log
