// SPDX-License-Identifier: Apache-2.0
#include "wire/bulk.hpp"

#include "wire/json_out.hpp"

#include <simdjson.h>

namespace freshet {

namespace {

std::string text_of(const simdjson::dom::object& object, std::string_view name)
{
    std::string_view text;
    return object[name].get(text) == simdjson::SUCCESS ? std::string{text} : std::string{};
}

std::int64_t whole_of(const simdjson::dom::object& object, std::string_view name)
{
    std::int64_t whole = 0;
    return object[name].get(whole) == simdjson::SUCCESS ? whole : 0;
}

} // namespace

std::string to_json(const BulkSpec& spec)
{
    JsonOut out;
    out.begin();
    out.text("action", spec.act);
    if (spec.state) out.text("state", to_text(*spec.state));
    if (spec.kind) out.text("kind", to_text(*spec.kind));
    out.text_if("queue", spec.queue);
    out.text_if("key", spec.key);
    out.text_if("tag", spec.tag);
    out.whole("count", spec.count);
    out.end();
    return out.take();
}

std::string to_json(const BulkPlace& place)
{
    JsonOut out;
    out.begin();
    if (place.before) out.text("before", to_text(place.before));
    out.whole("done", place.done);
    out.whole("refused", place.refused);
    out.end();
    return out.take();
}

std::optional<BulkSpec> parse_bulk_spec(std::string_view json)
{
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
    BulkSpec spec{text_of(object, "action"),
                  parse_job_state(text_of(object, "state")),
                  parse_job_kind(text_of(object, "kind")),
                  text_of(object, "queue"),
                  text_of(object, "key"),
                  text_of(object, "tag"),
                  whole_of(object, "count")};
    if (spec.act.empty()) return std::nullopt;
    return spec;
}

std::optional<BulkPlace> parse_bulk_place(std::string_view json)
{
    simdjson::dom::parser parser;
    simdjson::dom::object object;
    if (parser.parse(json.data(), json.size()).get(object) != simdjson::SUCCESS) return std::nullopt;
    return BulkPlace{parse_job_id(text_of(object, "before")).value_or(JobId{}), whole_of(object, "done"),
                     whole_of(object, "refused")};
}

} // namespace freshet
