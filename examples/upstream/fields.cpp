// SPDX-License-Identifier: Apache-2.0
#include "fields.hpp"

#include <array>

namespace upstream {

namespace {

struct Field {
    std::string_view name;
    bool content; ///< a change of it is a change of what the site shows
    std::string (*take)(State& state, const JsonValue& value);
    void (*show)(JsonWriter& out, const State& state);
};

std::string take_number(std::int64_t& into, const JsonValue& value, std::int64_t low, std::int64_t high)
{
    if (!value.IsInt64() || value.GetInt64() < low || value.GetInt64() > high)
        return "a whole number from " + std::to_string(low) + " to " + std::to_string(high) + " is wanted";
    into = value.GetInt64();
    return {};
}

template <class Duration>
std::string take_duration(Duration& into, const JsonValue& value, std::int64_t low, std::int64_t high)
{
    std::int64_t count = 0;
    std::string why = take_number(count, value, low, high);
    if (why.empty()) into = Duration(count);
    return why;
}

std::string take_text(std::string& into, const JsonValue& value)
{
    if (!value.IsString()) return "a text is wanted";
    into.assign(value.GetString(), value.GetStringLength());
    return {};
}

constexpr std::array<std::string_view, 4> validator_words{"both", "etag", "last_modified", "none"};
constexpr std::array<std::string_view, 2> content_at_words{"arrival", "answer"};

template <class Enum, std::size_t N>
std::string take_word(Enum& into, const JsonValue& value, const std::array<std::string_view, N>& words)
{
    std::string known;
    for (std::size_t i = 0; i < N; ++i) {
        if (value.IsString() && words[i] == value.GetString()) {
            into = static_cast<Enum>(i);
            return {};
        }
        known.append(known.empty() ? "" : ", ").append(words[i]);
    }
    return "one of " + known + " is wanted";
}

std::string take_fault_name(State& state, const JsonValue& value)
{
    // 403 and "403" are the same fault.
    const std::string name = value.IsInt() ? std::to_string(value.GetInt()) : value.IsString() ? value.GetString() : "";
    const auto fault = fault_named(name);
    if (!fault) return "one of " + fault_names() + " is wanted";
    state.fault = *fault;
    state.fault_times = 0;
    return {};
}

std::string take_headers(State& state, const JsonValue& value)
{
    if (!value.IsObject()) return "an object of texts is wanted";
    Headers headers;
    for (const auto& member : value.GetObject()) {
        if (!member.value.IsString()) return "an object of texts is wanted";
        headers.emplace_back(member.name.GetString(), member.value.GetString());
    }
    state.headers = std::move(headers);
    return {};
}

std::string take_body(State& state, const JsonValue& value)
{
    state.body = nullptr;
    if (value.IsNull()) return {};
    std::string text;
    std::string why = take_text(text, value);
    if (why.empty()) state.body = std::make_shared<const std::string>(std::move(text));
    return why;
}

void show_headers(JsonWriter& out, const State& state)
{
    out.StartObject();
    for (const auto& [name, text] : state.headers) put(out, name, std::string_view(text));
    out.EndObject();
}

void show_text(JsonWriter& out, std::string_view text)
{
    out.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
}

std::string take_switch(bool& into, const JsonValue& value)
{
    if (!value.IsBool()) return "true or false is wanted";
    into = value.GetBool();
    return {};
}

constexpr std::int64_t day_ms = 86'400'000;

// `fault` stands before `fault_times`: naming a fault resets how often it is still given.
constexpr std::array fields{
    Field{"delay_ms", false, [](State& s, const JsonValue& v) { return take_duration(s.delay, v, 0, day_ms); },
          [](JsonWriter& out, const State& s) { out.Int64(s.delay.count()); }},
    Field{"fault", false, take_fault_name, [](JsonWriter& out, const State& s) { show_text(out, name_of(s.fault)); }},
    Field{"fault_times", false,
          [](State& s, const JsonValue& v) { return take_number(s.fault_times, v, 0, 1'000'000); },
          [](JsonWriter& out, const State& s) { out.Int64(s.fault_times); }},
    Field{"retry_after_s", false,
          [](State& s, const JsonValue& v) { return take_duration(s.retry_after, v, 0, 86'400); },
          [](JsonWriter& out, const State& s) { out.Int64(s.retry_after.count()); }},
    Field{"byte_every_ms", false,
          [](State& s, const JsonValue& v) { return take_duration(s.byte_every, v, 1, day_ms); },
          [](JsonWriter& out, const State& s) { out.Int64(s.byte_every.count()); }},
    Field{"redirect_to", false, [](State& s, const JsonValue& v) { return take_text(s.redirect_to, v); },
          [](JsonWriter& out, const State& s) { show_text(out, s.redirect_to); }},
    Field{"content_at", false,
          [](State& s, const JsonValue& v) { return take_word(s.content_at, v, content_at_words); },
          [](JsonWriter& out, const State& s) {
              show_text(out, content_at_words[static_cast<std::size_t>(s.content_at)]);
          }},
    Field{"validators", false, [](State& s, const JsonValue& v) { return take_word(s.validators, v, validator_words); },
          [](JsonWriter& out, const State& s) {
              show_text(out, validator_words[static_cast<std::size_t>(s.validators)]);
          }},
    Field{"private", false, [](State& s, const JsonValue& v) { return take_switch(s.is_private, v); },
          [](JsonWriter& out, const State& s) { out.Bool(s.is_private); }},
    Field{"oldest_first", true, [](State& s, const JsonValue& v) { return take_switch(s.oldest_first, v); },
          [](JsonWriter& out, const State& s) { out.Bool(s.oldest_first); }},
    Field{"numbered", true, [](State& s, const JsonValue& v) { return take_switch(s.numbered, v); },
          [](JsonWriter& out, const State& s) { out.Bool(s.numbered); }},
    Field{"stamp", true, [](State& s, const JsonValue& v) { return take_number(s.stamp, v, 0, INT64_MAX); },
          [](JsonWriter& out, const State& s) { out.Int64(s.stamp); }},
    Field{"page_size", false, [](State& s, const JsonValue& v) { return take_number(s.page_size, v, 1, 10'000); },
          [](JsonWriter& out, const State& s) { out.Int64(s.page_size); }},
    Field{"live_ms", false, [](State& s, const JsonValue& v) { return take_duration(s.live, v, 0, day_ms); },
          [](JsonWriter& out, const State& s) { out.Int64(s.live.count()); }},
    Field{"status", false, [](State& s, const JsonValue& v) { return take_number(s.status, v, 200, 599); },
          [](JsonWriter& out, const State& s) { out.Int64(s.status); }},
    Field{"content_type", false, [](State& s, const JsonValue& v) { return take_text(s.content_type, v); },
          [](JsonWriter& out, const State& s) { show_text(out, s.content_type); }},
    Field{"headers", false, take_headers, show_headers},
    Field{"body", true, take_body,
          [](JsonWriter& out, const State& s) {
              if (s.body)
                  show_text(out, *s.body);
              else
                  out.Null();
          }},
};

constexpr const char* kept_items = "items_kept";
constexpr const char* kept_serial = "serial_last";
constexpr const char* kept_changed = "changed_at_ms";

} // namespace

std::string take_field(State& state, std::string_view name, const JsonValue& value, bool& content)
{
    for (const Field& field : fields) {
        if (field.name != name) continue;
        const std::string why = field.take(state, value);
        if (!why.empty()) return std::string(name) + ": " + why;
        content = content || field.content;
        return {};
    }
    return "unknown field " + std::string(name) + "; known: " + field_names();
}

void show_fields(JsonWriter& out, const State& state)
{
    for (const Field& field : fields) {
        put(out, field.name);
        field.show(out, state);
    }
}

std::string field_names()
{
    std::string names;
    for (const Field& field : fields) names.append(field.name).append(", ");
    return names + "remove, add";
}

std::string kept_text(const State& state)
{
    rapidjson::StringBuffer buffer;
    JsonWriter out(buffer);
    out.StartObject();
    show_fields(out, state);
    put(out, kept_serial, state.serial_last);
    put(out, kept_changed, static_cast<std::int64_t>(state.changed_at.time_since_epoch().count()));
    put(out, kept_items);
    out.StartArray();
    for (const Item& item : *state.items) item->Accept(out);
    out.EndArray();
    out.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

std::string take_kept(State& state, std::string_view text)
{
    std::string why;
    const auto document = parse_json(text, why);
    if (!document) return why;
    if (!document->IsObject() || !document->HasMember(kept_items) || !(*document)[kept_items].IsArray() ||
        !has(*document, kept_serial) || !has(*document, kept_changed))
        return "not a state file";
    State next = state;
    auto items = std::make_shared<std::vector<Item>>();
    for (const auto& item : (*document)[kept_items].GetArray()) items->push_back(std::make_shared<Json>(copy_of(item)));
    next.items = std::move(items);
    bool content = false;
    for (const auto& member : document->GetObject()) {
        const std::string_view name(member.name.GetString(), member.name.GetStringLength());
        if (name == kept_items) continue;
        std::int64_t number = member.value.IsInt64() ? member.value.GetInt64() : 0;
        if (name == kept_serial)
            next.serial_last = static_cast<std::uint64_t>(number);
        else if (name == kept_changed)
            next.changed_at = WallTime(std::chrono::milliseconds(number));
        else if (why = take_field(next, name, member.value, content); !why.empty())
            return why;
    }
    state = std::move(next);
    return {};
}

} // namespace upstream
