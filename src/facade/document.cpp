// SPDX-License-Identifier: Apache-2.0
#include "facade/document.hpp"

#include "http/data_answer.hpp"
#include "model/zone.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <array>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::facade {

namespace {

namespace dom = simdjson::dom;

constexpr std::array<std::string_view, 16> part_names{"request", "meta",    "data",   "keys",      "job",     "jobs",
                                                      "batch",   "batches", "items",  "schedules", "workers", "queues",
                                                      "answer",  "problem", "forced", "timed_out"};

std::string wall_clock(WallTime at, const Zone& zone)
{
    const ZoneInstant seconds = std::chrono::floor<std::chrono::seconds>(
        std::chrono::system_clock::time_point{std::chrono::milliseconds{to_ms(at)}});
    const ZoneInstant local = seconds + zone.range(seconds).offset;
    return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(std::chrono::system_clock::to_time_t(local)));
}

std::string local_times(const KeyRecord& record, std::string_view zone_name)
{
    const Zone* zone = find_zone(zone_name);
    JsonOut out;
    out.begin();
    const auto add = [&](std::string_view name, const std::optional<WallTime>& at) {
        if (at && zone != nullptr) out.text(name, wall_clock(*at, *zone));
    };
    add("as_of", record.as_of);
    add("checked_at", record.checked_at);
    add("changed_at", record.changed_at);
    out.end();
    return out.take();
}

} // namespace

bool Document::has(std::string_view part) const
{
    const auto found = parts_.find(part);
    return (found != parts_.end() && !found->second.empty()) || (part == "data" && view_ && view_->body);
}

std::string Document::json(const std::vector<const Mentions*>& mentions) const
{
    JsonOut out;
    out.begin();
    for (const std::string_view part : part_names) {
        if (std::ranges::none_of(mentions, [&](const Mentions* one) { return one->has(part); })) continue;
        out.key(part);
        const auto found = parts_.find(part);
        if (found != parts_.end() && !found->second.empty())
            out.raw(found->second);
        else if (part == "data" && view_ && view_->body && view_->record.has_data)
            out.raw(view_->body->bytes);
        else
            out.raw(part == "forced" || part == "timed_out" ? "false" : "null");
    }
    out.end();
    return out.take();
}

std::string meta_of(const KeyView& view, const SourceDefinition& source, const Definitions& definitions,
                    bool from_cache, WallTime now, bool with_time, std::string_view zone)
{
    std::string meta = http::meta_of(view, source, definitions, from_cache, now);
    if (with_time && zone.empty()) return meta;
    dom::parser parser;
    dom::object object;
    if (parser.parse(meta).get(object) != simdjson::SUCCESS) return meta;
    JsonOut out;
    out.begin();
    for (const auto [name, value] : object) {
        if (!with_time && (name == "age_ms" || name == "now")) continue;
        out.key(name);
        out.raw(simdjson::minify(value));
    }
    if (!zone.empty()) {
        out.key("local");
        out.raw(local_times(view.record, zone));
    }
    out.end();
    return out.take();
}

std::string laid_over(const std::string& base, const std::string& over)
{
    dom::parser below_parser, above_parser;
    dom::object below, above;
    if (below_parser.parse(base).get(below) != simdjson::SUCCESS ||
        above_parser.parse(over).get(above) != simdjson::SUCCESS)
        return base;
    JsonOut out;
    out.begin();
    for (const auto [name, value] : below) {
        dom::element replaced;
        out.key(name);
        out.raw(simdjson::minify(above.at_key(name).get(replaced) == simdjson::SUCCESS ? replaced : value));
    }
    for (const auto [name, value] : above) {
        dom::element there;
        if (below.at_key(name).get(there) == simdjson::SUCCESS) continue;
        out.key(name);
        out.raw(simdjson::minify(value));
    }
    out.end();
    return out.take();
}

std::string member_of(const std::string& object, std::string_view name)
{
    dom::parser parser;
    dom::element root, value;
    if (parser.parse(object).get(root) != simdjson::SUCCESS || root.at_key(name).get(value) != simdjson::SUCCESS ||
        value.is_null())
        return {};
    return simdjson::minify(value);
}

std::string text_member_of(const std::string& object, std::string_view name)
{
    dom::parser parser;
    dom::element root;
    std::string_view text;
    if (parser.parse(object).get(root) != simdjson::SUCCESS || root.at_key(name).get(text) != simdjson::SUCCESS)
        return {};
    return std::string{text};
}

} // namespace freshet::facade
