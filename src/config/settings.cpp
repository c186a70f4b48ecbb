// SPDX-License-Identifier: Apache-2.0
#include "config/settings.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

namespace freshet {

namespace {

std::string quoted(std::string_view text)
{
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out + '"';
}

struct ValueText {
    const Setting& setting;

    std::string operator()(std::int64_t value) const
    {
        if (setting.type == SettingType::size) return quoted(size_text(value));
        if (setting.type != SettingType::choice) return std::to_string(value);
        const auto index = static_cast<std::size_t>(value);
        return index < setting.choices.size() ? quoted(setting.choices[index]) : std::to_string(value);
    }
    std::string operator()(const std::string& value) const { return value.empty() ? "" : quoted(value); }
    std::string operator()(double value) const { return quoted(share_text(value)); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(Millis value) const { return quoted(to_text(value)); }
    std::string operator()(const RateLimit& value) const { return quoted(rate_text(value)); }
    std::string operator()(const Secret& value) const
    {
        if (value.from == Secret::From::literal) return value.text.empty() ? "" : quoted(value.text);
        return fmt::format("{{ {} = {} }}", value.from == Secret::From::env ? "env" : "file", quoted(value.text));
    }
    std::string operator()(const std::vector<std::string>& value) const
    {
        std::string out;
        for (const std::string& item : value) out += (out.empty() ? "" : ", ") + quoted(item);
        return out.empty() ? out : "[" + out + "]";
    }
    std::string operator()(const TextPairs& value) const
    {
        std::string out;
        for (const auto& [name, text] : value)
            out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", quoted(name), quoted(text));
        return out.empty() ? out : "{ " + out + " }";
    }
    std::string operator()(const SecretPairs& value) const
    {
        std::string out;
        for (const auto& [name, secret] : value)
            out += fmt::format("{}{} = {}", out.empty() ? "" : ", ", quoted(name), (*this)(secret));
        return out.empty() ? out : "{ " + out + " }";
    }
    // Only the names, in order: they place the values in a key; which values are allowed shapes no data.
    std::string operator()(const std::vector<ParamDeclaration>& value) const
    {
        std::string out;
        for (const ParamDeclaration& param : value) out += (out.empty() ? "" : ", ") + quoted(param.name);
        return out.empty() ? out : "[" + out + "]";
    }
};

// A name and its value, so written that no two different definitions give one text. What is as in `fresh` is left out,
// so that a setting that comes later changes no hash of a definition that does not use it.
void add_canonical(std::string& out, const SettingTable& table, void* whole, void* fresh)
{
    for (const Setting& setting : table.settings) {
        if (!setting.shapes) continue;
        if (setting.type == SettingType::table) {
            std::string part;
            add_canonical(part, *setting.inside, setting.access.part(whole), setting.access.part(fresh));
            if (!part.empty()) out += fmt::format("{}{{{}:{}}}\n", setting.name, part.size(), part);
            continue;
        }
        const std::string text = value_text(setting, setting.access.get(whole));
        if (text == value_text(setting, setting.access.get(fresh))) continue;
        out += fmt::format("{}={}:{}\n", setting.name, text.size(), text);
    }
}

Millis divided(Millis length, double speed, Millis least)
{
    if (length.count() <= 0) return length;
    return std::max(Millis{std::llround(static_cast<double>(length.count()) / speed)}, std::min(length, least));
}

void speed_up(const SettingTable& table, void* whole, double speed)
{
    for (const Setting& setting : table.settings) {
        if (setting.real_time) continue;
        if (setting.type == SettingType::table) speed_up(*setting.inside, setting.access.part(whole), speed);
        if (setting.type == SettingType::duration) {
            const Millis least = setting.name == "lease" ? Millis{1s} : Millis{1};
            setting.access.put(whole, divided(std::get<Millis>(setting.access.get(whole)), speed, least));
        }
        if (setting.type == SettingType::rate) {
            RateLimit limit = std::get<RateLimit>(setting.access.get(whole));
            limit.per = divided(limit.per, speed, Millis{1});
            setting.access.put(whole, limit);
        }
    }
}

std::string bound_text(const Setting& setting, std::int64_t bound)
{
    switch (setting.type) {
    case SettingType::duration: return to_text(Millis{bound});
    case SettingType::size: return size_text(bound);
    default: return std::to_string(bound);
    }
}

} // namespace

const Setting* SettingTable::find(std::string_view setting) const
{
    const auto found = std::ranges::find(settings, setting, &Setting::name);
    return found == settings.end() ? nullptr : &*found;
}

std::string value_text(const Setting& setting, const SettingValue& value)
{
    return std::visit(ValueText{setting}, value);
}

std::string default_text(const Setting& setting, const void* fresh)
{
    if (setting.required) return "";
    if (!setting.default_words.empty()) return std::string{setting.default_words};
    return setting.access.get == nullptr ? "" : value_text(setting, setting.access.get(fresh));
}

std::string bounds_text(const Setting& setting)
{
    const bool measured = setting.type == SettingType::duration || setting.type == SettingType::size ||
                          setting.type == SettingType::count;
    if (!measured) return "";
    if (setting.max == std::numeric_limits<std::int64_t>::max())
        return setting.min == 0 ? "" : fmt::format("at least {}", bound_text(setting, setting.min));
    return fmt::format("{} to {}", bound_text(setting, setting.min), bound_text(setting, setting.max));
}

std::uint64_t definition_hash(const SourceDefinition& source)
{
    std::string canonical = "freshet source 1\n";
    SourceDefinition copy = source, fresh; // part() hands out what could be written
    add_canonical(canonical, source_table(), &copy, &fresh);
    return hash64(canonical);
}

Definitions apply_speed(const Definitions& definitions, double speed)
{
    FRESHET_ASSERT(speed > 0);
    Definitions faster = definitions;
    faster.speed = definitions.speed * speed;
    speed_up(server_table(), &faster.server, speed);
    speed_up(retention_table(), &faster.retention, speed);
    for (auto& [name, source] : faster.sources) {
        auto copy = std::make_shared<SourceDefinition>(*source);
        speed_up(source_table(), copy.get(), speed);
        source = std::move(copy);
    }
    for (auto& [name, queue] : faster.queues) speed_up(queue_table(), &queue, speed);
    for (auto& [name, tenant] : faster.tenants) speed_up(tenant_table(), &tenant, speed);
    for (auto& [name, schedule] : faster.schedules) speed_up(task_schedule_table(), &schedule, speed);
    return faster;
}

FacadeSet apply_speed(const FacadeSet& facades, double speed)
{
    FRESHET_ASSERT(speed > 0);
    FacadeSet faster = facades;
    for (FacadeDefinition& facade : faster.facades) speed_up(facade_table(), &facade, speed);
    return faster;
}

} // namespace freshet
