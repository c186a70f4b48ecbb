// SPDX-License-Identifier: Apache-2.0
#include "wire/parts.hpp"

#include "model/day.hpp"

#include <utility>

namespace freshet {

namespace parts {

void error(JsonOut& out, const std::optional<ErrorInfo>& error)
{
    if (!error) return;
    out.begin("error");
    out.text("class", to_text(error->error_class));
    out.text("code", error->code);
    out.text("message", error->message);
    out.end();
}

void why(JsonOut& out, const std::optional<Why>& why)
{
    if (!why) return;
    out.begin("why");
    out.text("code", why->code);
    out.text("text", why->text);
    out.time_if("since", why->since);
    out.text_if("clears", why->clears);
    if (!why->values.empty()) {
        out.begin("values");
        for (const WhyValue& one : why->values) {
            if (const auto* text = std::get_if<std::string>(&one.value))
                out.text(one.name, *text);
            else if (const auto* at = std::get_if<WallTime>(&one.value))
                out.time(one.name, *at);
            else
                out.whole(one.name, std::get<std::int64_t>(one.value));
        }
        out.end();
    }
    out.end();
}

void counts(JsonOut& out, std::string_view name, const DiffCounts& counts)
{
    out.begin(name);
    out.whole("added", counts.added);
    out.whole("removed", counts.removed);
    out.whole("changed", counts.changed);
    out.whole("total", counts.total);
    out.end();
}

const SourceDefinition& policy_of(const MetaInput& input)
{
    // No data has the hash 0 of a definition that was read from a file, so this one calls nothing fresh.
    static const SourceDefinition removed;
    return input.source == nullptr ? removed : *input.source;
}

namespace {

void params(JsonOut& out, const MetaInput& input)
{
    if (input.source == nullptr || input.params.empty()) return;
    out.begin("params");
    const std::size_t count = std::min(input.params.size(), input.source->params.size());
    for (std::size_t i = 0; i < count; ++i) out.text(input.source->params[i].name, input.params[i]);
    out.end();
}

void published(JsonOut& out, const KeyRecord& record, const Freshness& freshness)
{
    if (!record.has_data) return;
    out.text("trigger", to_text(record.trigger));
    out.time_if("as_of", record.as_of ? record.as_of : record.checked_at);
    out.text("as_of_by", to_text(record.as_of ? record.as_of_by : AsOfBy::fetch));
    out.time_if("checked_at", record.checked_at);
    out.time_if("changed_at", record.changed_at);
    out.time_if("stale_at", freshness.stale_at);
    out.time_if("overdue_at", freshness.overdue_at);
    out.whole("age_ms", freshness.age.count());
    out.whole("rows", record.rows);
    out.whole("bytes", record.bytes);
}

void flight(JsonOut& out, const std::optional<MetaFlight>& flight)
{
    if (!flight) return;
    out.begin("refresh");
    out.text("id", to_text(flight->id));
    out.text("phase", !flight->phase.empty() ? std::string_view{flight->phase}
                      : flight->running      ? "running"
                                             : "queued");
    out.time("requested_at", flight->requested_at);
    out.end();
}

} // namespace

void meta(JsonOut& out, const MetaInput& input, WallTime now)
{
    const KeyRecord& record = *input.record;
    const Freshness freshness = derive_freshness(record, policy_of(input), now);
    out.text("key", record.key);
    out.text("tenant", record.tenant);
    out.text("source", record.source);
    params(out, input);
    out.whole("gen", record.gen);
    out.whole("ver", record.ver);
    out.text("state", to_text(freshness.state));
    out.yes("refreshing", input.flight.has_value());
    out.yes("paused", input.paused);
    out.yes("held", record.held.has_value());
    out.yes("from_cache", input.from_cache);
    published(out, record, freshness);
    out.time_if("next_at", record.next_at);
    out.time_if("retry_at", record.retry_at);
    out.whole("attempts", record.attempts);
    why(out, why_of(input, now));
    error(out, record.error);
    flight(out, input.flight);
    out.time("now", now);
    out.unsigned_whole("seq", record.seq);
}

} // namespace parts

std::string meta_json(const MetaInput& input, WallTime now)
{
    JsonOut out;
    out.begin();
    parts::meta(out, input, now);
    out.end();
    return out.take();
}

namespace {

// 24 hours of UTC, the last one that of `now`; null: no try ended in it.
void strip(JsonOut& out, const KeyRecord& record, WallTime now)
{
    const auto tallies = tallies_of(record.day);
    const std::int64_t last = hour_of(now);
    auto tally = tallies.begin();
    out.begin_list("strip");
    for (std::int64_t hour = last - day_hours + 1; hour <= last; ++hour) {
        while (tally != tallies.end() && tally->hour < hour) ++tally;
        if (tally == tallies.end() || tally->hour != hour) {
            out.raw("null");
            continue;
        }
        out.begin();
        for (const auto& [name, count] :
             {std::pair{"updated", tally->updated}, std::pair{"unchanged", tally->unchanged},
              std::pair{"held", tally->held}, std::pair{"failed", tally->failed}})
            if (count > 0) out.whole(name, count);
        out.end();
    }
    out.end_list();
}

} // namespace

std::string freshness_row_json(const MetaInput& input, WallTime now)
{
    const KeyRecord& record = *input.record;
    JsonOut out;
    out.begin();
    parts::meta(out, input, now);
    if (input.source != nullptr) {
        out.whole("fresh_for_ms", input.source->fresh_for.count());
        out.whole("overdue_after_ms", input.source->overdue_after.count());
    }
    if (record.last_job) {
        out.begin("last");
        if (record.last_outcome) out.text("outcome", to_text(*record.last_outcome));
        out.text("job", to_text(record.last_job));
        out.time_if("finished_at", record.last_finished_at);
        out.end();
    }
    strip(out, record, now);
    if (record.held) {
        out.begin("held_result");
        out.text("reason", to_text(record.held->reason));
        out.text_if("message", record.held->message);
        out.text("job", to_text(record.held->job));
        out.time("held_at", record.held->held_at);
        out.whole("rows", record.held->rows);
        out.whole("bytes", record.held->bytes);
        parts::counts(out, "counts", record.held->counts);
        out.end();
    }
    out.end();
    return out.take();
}

std::string version_json(const VersionRecord& version, std::string_view href)
{
    JsonOut out;
    out.begin();
    out.whole("ver", version.ver);
    out.whole("gen", version.gen);
    out.text("hash", to_hex(version.hash));
    out.whole("rows", version.rows);
    out.whole("bytes", version.bytes);
    out.time_if("as_of", version.as_of);
    out.time("changed_at", version.changed_at);
    parts::counts(out, "counts", version.counts);
    out.text_if("href", href);
    out.end();
    return out.take();
}

std::string fire_json(const FireRecord& fire)
{
    JsonOut out;
    out.begin();
    out.text("key", fire.key);
    out.time("nominal", fire.nominal);
    out.time("fired_at", fire.fired_at);
    out.text("decision", fire.decision);
    out.text_if("reason", fire.reason);
    if (fire.job) out.text("job", to_text(fire.job));
    out.end();
    return out.take();
}

} // namespace freshet
