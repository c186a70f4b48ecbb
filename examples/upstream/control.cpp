// SPDX-License-Identifier: Apache-2.0
#include "control.hpp"

#include "fields.hpp"
#include "kind.hpp"

#include <algorithm>

namespace upstream {

namespace {

Answer json_answer(unsigned status, const rapidjson::StringBuffer& buffer)
{
    Answer answer;
    answer.status = status;
    answer.content_type = "application/json";
    answer.headers = {{"Cache-Control", "no-store"}};
    answer.body = std::string(buffer.GetString(), buffer.GetSize()) + "\n";
    return answer;
}

Answer refused(unsigned status, const std::string& words)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    put(out, "error", std::string_view(words));
    out.EndObject();
    return json_answer(status, buffer);
}

void show_site(JsonWriter& out, const Site& site)
{
    out.StartObject();
    put(out, "site", std::string_view(site.name));
    put(out, "kind", site.kind->name);
    put(out, "requests", site.counters->requests);
    put(out, "in_flight", site.counters->in_flight);
    put(out, "in_flight_max", site.counters->in_flight_max);
    put(out, "not_modified", site.counters->not_modified);
    put(out, "items", static_cast<std::uint64_t>(site.state->items->size()));
    put(out, "changed_at", std::string_view(iso_date(site.state->changed_at)));
    show_fields(out, *site.state);
    out.EndObject();
}

/// Applies the members of `asked`; empty when all were taken, else words.
std::string merge(State& state, const Site& site, const JsonValue& asked)
{
    bool content = false;
    for (const auto& member : asked.GetObject()) {
        const std::string_view name(member.name.GetString(), member.name.GetStringLength());
        if (name == "remove" || name == "add") continue;
        std::string why = take_field(state, name, member.value, content);
        if (!why.empty()) return why;
    }
    // A fault resets how often it is given, so the number counts wherever it stood in the text.
    if (const auto times = asked.FindMember("fault_times"); times != asked.MemberEnd())
        state.fault_times = times->value.GetInt64();

    const WallTime now = wall_now();
    if (const auto remove = asked.FindMember("remove"); remove != asked.MemberEnd()) {
        if (!remove->value.IsUint64()) return "remove: a whole number from 0 is wanted";
        remove_oldest(state, remove->value.GetUint64());
        content = true;
    }
    if (const auto add = asked.FindMember("add"); add != asked.MemberEnd()) {
        const bool objects = add->value.IsArray() && std::ranges::all_of(add->value.GetArray(), [](const auto& item) {
                                 return item.IsObject();
                             });
        if (!objects) return "add: an array of objects is wanted";
        add_items(state, *site.kind, add->value, now);
        content = true;
    }
    if (content) state.changed_at = now;
    return {};
}

Answer put_site(World& world, Site& site, const Ask& ask)
{
    std::string why;
    const auto asked = parse_json(ask.body, why);
    if (!asked) return refused(400, why);
    if (!asked->IsObject()) return refused(400, "an object of fields is wanted: " + field_names());
    State next = *site.state;
    why = merge(next, site, *asked);
    if (!why.empty()) return refused(400, why);
    world.replace(site, std::move(next), asked->HasMember("fault"));

    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    show_site(out, site);
    return json_answer(200, buffer);
}

} // namespace

Answer answer_control(World& world, const Ask& ask)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    const bool reads = ask.method == "GET" || ask.method == "HEAD";
    if (ask.rest.empty() && reads) {
        out.StartArray();
        for (const auto& [name, site] : world.sites()) show_site(out, *site);
        out.EndArray();
        return json_answer(200, buffer);
    }
    Site* const site = world.find(ask.rest);
    if (site == nullptr) return refused(404, "no site " + ask.rest);
    if (ask.method == "PUT") return put_site(world, *site, ask);
    if (!reads) return refused(405, "GET and PUT are what can be done here");
    show_site(out, *site);
    return json_answer(200, buffer);
}

} // namespace upstream
