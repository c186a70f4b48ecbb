// SPDX-License-Identifier: Apache-2.0
#include "base/log.hpp"

#include "base/clock.hpp"

#include <fmt/format.h>
#include <memory>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

namespace freshet::log {

namespace {

bool as_json = false;

spdlog::level::level_enum spd(Level level)
{
    switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warn: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
    }
    return spdlog::level::info;
}

std::string_view name(Level level)
{
    switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warn";
    case Level::error: return "error";
    }
    return "info";
}

// JSON string escapes by hand, as the log sits below the floor that owns JSON and must not allocate a document per
// line.
void append_json(std::string& out, std::string_view text)
{
    out += '"';
    for (const char c : text) {
        if (c == '"' || c == '\\')
            (out += '\\') += c;
        else if (c == '\n')
            out += "\\n";
        else if (static_cast<unsigned char>(c) < 0x20)
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        else
            out += c;
    }
    out += '"';
}

void append_value(std::string& out, const Field& field, bool quote)
{
    std::visit(
        [&](const auto& value) {
            using T = std::decay_t<decltype(value)>;
            if constexpr (std::is_same_v<T, std::string>) {
                if (quote)
                    append_json(out, value);
                else
                    out += value;
            } else {
                out += fmt::format("{}", value);
            }
        },
        field.value);
}

} // namespace

void set_up(Level level)
{
    as_json = isatty(STDERR_FILENO) == 0;
    auto logger = as_json ? spdlog::stderr_logger_mt("freshet") : spdlog::stderr_color_mt("freshet");
    logger->set_pattern(as_json ? "%v" : "%H:%M:%S.%e %^%-5l%$ %v");
    logger->set_level(spd(level));
    spdlog::set_default_logger(std::move(logger));
}

void line(Level level, std::string_view message, std::initializer_list<Field> fields)
{
    auto* logger = spdlog::default_logger_raw();
    if (!logger->should_log(spd(level))) return;
    std::string text;
    if (as_json) {
        text = fmt::format(R"({{"at":"{}","level":"{}","message":)", to_rfc3339(SystemClock{}.wall()), name(level));
        append_json(text, message);
        for (const Field& field : fields) {
            text += ',';
            append_json(text, field.name);
            text += ':';
            append_value(text, field, true);
        }
        text += '}';
    } else {
        text = message;
        for (const Field& field : fields) {
            text += fmt::format("  {}=", field.name);
            append_value(text, field, false);
        }
    }
    logger->log(spd(level), "{}", text);
}

} // namespace freshet::log
