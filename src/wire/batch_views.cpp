// SPDX-License-Identifier: Apache-2.0
#include "wire/batch_views.hpp"

#include "wire/parts.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet {

namespace {

// Fewer ends than this say nothing of the pace.
constexpr std::int64_t eta_ends_min = 3;
constexpr std::size_t brief_result_bytes_max = 1 << 10;

std::string_view word_of_end(const Batch& batch)
{
    return batch.ends_as == BatchState::failed ? "failure_policy" : to_text(batch.ends_as);
}

std::optional<Why> why_live(const Batch& batch)
{
    if (batch.state == BatchState::open)
        return Why{"open", "more items may come",
                   batch.seal_by ? fmt::format("sealing it, not later than {}", to_rfc3339(*batch.seal_by))
                                 : "its last item, which the server adds",
                   batch.requested_at,
                   batch.seal_by ? std::vector<WhyValue>{{"at", *batch.seal_by}} : std::vector<WhyValue>{}};
    if (batch.gated > 0 && is_driven(batch) && batch.released == 0)
        return Why{"waiting_driver",
                   "its items wait for process-next",
                   fmt::format("a call of process-next, or {} without one", to_text(batch_driver_left_after)),
                   batch.called_at,
                   {{"left_after_ms", std::int64_t{Millis{batch_driver_left_after}.count()}}}};
    if (batch.counts.running == 0 && batch.counts.queued > 0)
        return Why{"waiting_slot",
                   fmt::format("no item runs: they wait for a worker of {}, or for their next try", batch.queue),
                   fmt::format("a worker that claims from {}", batch.queue),
                   {},
                   {{"queue", batch.queue}}};
    return std::nullopt;
}

// What the words of an end are made of.
std::vector<WhyValue> values_of(const Batch& batch)
{
    std::vector<WhyValue> values{{"failed", std::int64_t{batch.counts.failed}},
                                 {"missing", std::int64_t{batch.counts.total - batch.counts.succeeded}},
                                 {"total", std::int64_t{batch.counts.total}}};
    if (!batch.errors.empty()) values.push_back({"message", batch.errors.front().message});
    return values;
}

void follow_up(JsonOut& out, const FollowUp& then)
{
    out.begin("then");
    out.text("label", then.label);
    out.text("start", to_text(then.start));
    out.text("state", to_text(then.state));
    out.text("queue", then.queue);
    if (then.batch) out.text("batch", to_text(then.batch));
    if (then.job) out.text("job", to_text(then.job));
    out.end();
}

void policy(JsonOut& out, const FailurePolicy& policy)
{
    out.begin("policy");
    out.text("rule", to_text(policy.rule));
    if (policy.rule == FailureRule::threshold) {
        if (policy.failures > 0)
            out.whole("failures", policy.failures);
        else
            out.whole("percent", policy.percent);
    }
    out.end();
}

void counts(JsonOut& out, const Batch& batch)
{
    const BatchCounts& counts = batch.counts;
    out.begin("counts");
    out.whole("total", counts.total);
    out.whole("done", counts.done());
    out.whole("queued", counts.queued);
    out.whole("running", counts.running);
    out.whole("succeeded", counts.succeeded);
    out.whole("failed", counts.failed);
    out.whole("cancelled", counts.cancelled);
    out.end();
}

} // namespace

std::optional<Why> why_of(const Batch& batch, WallTime)
{
    switch (batch.state) {
    case BatchState::open:
    case BatchState::sealed: return why_live(batch);
    case BatchState::ending:
        return Why{std::string{word_of_end(batch)},
                   batch.why.empty() ? "it was cancelled, and items still run" : batch.why,
                   "the end of its last item",
                   {},
                   values_of(batch)};
    case BatchState::succeeded: return std::nullopt;
    case BatchState::partial:
        return Why{"partial",
                   fmt::format("{} of {} items did not succeed", batch.counts.total - batch.counts.succeeded,
                               batch.counts.total),
                   "retrying the failed ones", batch.finished_at, values_of(batch)};
    case BatchState::failed:
        if (!batch.why.empty())
            return Why{"failure_policy", batch.why, "retrying the failed items", batch.finished_at, values_of(batch)};
        return Why{"failed", batch.errors.empty() ? "no item succeeded" : batch.errors.front().message,
                   "retrying the failed items", batch.finished_at, values_of(batch)};
    case BatchState::cancelled:
        return Why{"cancelled", "it was cancelled", "a retry", batch.finished_at, values_of(batch)};
    case BatchState::aborted: return Why{"aborted", batch.why, "a retry", batch.finished_at, values_of(batch)};
    }
    return std::nullopt;
}

std::optional<BatchEta> eta_of(const Batch& batch, WallTime now)
{
    const std::int64_t done = batch.counts.done(), left = batch.counts.total - done;
    if (batch.state != BatchState::sealed || batch.generation > 1 || !batch.began_at || done < eta_ends_min ||
        left == 0)
        return std::nullopt;
    const auto ran = static_cast<double>(std::max<std::int64_t>((now - *batch.began_at).count(), 0));
    const double rest = ran / static_cast<double>(done) * static_cast<double>(left);
    const double spread = 1.0 / std::sqrt(static_cast<double>(done));
    return BatchEta{Millis{static_cast<std::int64_t>(rest * (1.0 - spread))},
                    Millis{static_cast<std::int64_t>(std::ceil(rest * (1.0 + spread)))}};
}

std::string batch_json(const Batch& batch, WallTime now)
{
    JsonOut out;
    out.begin();
    out.text("id", to_text(batch.id));
    out.text("tenant", batch.tenant);
    out.text_if("name", batch.name);
    out.text("queue", batch.queue);
    out.text("state", to_text(batch.state));
    if (batch.state == BatchState::ending) out.text("ends_as", to_text(batch.ends_as));
    out.whole("generation", batch.generation);
    out.text("driver", to_text(batch.driver));
    if (batch.concurrency > 0) out.whole("concurrency", batch.concurrency);
    policy(out, batch.policy);
    counts(out, batch);
    out.whole("percent", percent_of(batch));
    out.text_if("requested_by", batch.requested_by);
    out.time("requested_at", batch.requested_at);
    out.time_if("sealed_at", batch.sealed_at);
    out.time_if("seal_by", batch.seal_by);
    out.time_if("began_at", batch.began_at);
    out.time_if("finished_at", batch.finished_at);
    if (const auto eta = eta_of(batch, now)) {
        out.begin("eta");
        out.whole("low_ms", eta->low.count());
        out.whole("high_ms", eta->high.count());
        out.end();
    }
    out.begin_list("errors");
    for (const BatchError& error : batch.errors) {
        out.begin();
        out.text("code", error.code);
        out.text("message", error.message);
        out.whole("count", error.count);
        out.end();
    }
    out.end_list();
    if (batch.then) follow_up(out, *batch.then);
    parts::why(out, why_of(batch, now));
    out.unsigned_whole("seq", batch.seq);
    out.end();
    return out.take();
}

std::string item_json(const Job& job, bool paused, WallTime now, bool brief)
{
    JsonOut out;
    out.begin();
    out.text("key", job.item);
    out.text_if("label", job.label);
    out.text("state", reported_state(job, now, paused));
    out.whole("attempt", job.attempt);
    out.whole("generation", job.generation);
    out.text("job", to_text(job.id));
    if (job.state == JobState::queued && job.gated) out.yes("gated", true);
    out.time_if("began_at", job.began_at);
    out.time_if("finished_at", job.finished_at);
    parts::progress(out, job);
    parts::error(out, job.error);
    if (!brief || job.result.size() <= brief_result_bytes_max) out.raw_if("result", job.result);
    if (job.result_bytes > 0) out.whole("result_bytes", job.result_bytes);
    out.unsigned_whole("seq", job.seq);
    out.end();
    return out.take();
}

std::string batch_event_json(std::string_view topic, std::string_view batch, std::span<const std::string> items,
                             Seq seq)
{
    JsonOut out;
    out.begin();
    out.text("topic", topic);
    out.raw_if("batch", batch);
    out.begin_list("items");
    for (const std::string& item : items) out.raw(item);
    out.end_list();
    out.unsigned_whole("seq", seq);
    out.end();
    return out.take();
}

std::expected<std::vector<ListedItem>, std::string> read_items(std::string_view json, std::size_t from,
                                                               std::size_t most)
{
    const auto bad = [](std::size_t number, std::string_view words) {
        return std::unexpected(fmt::format("item {}: {}", number + 1, words));
    };
    simdjson::dom::parser parser;
    simdjson::dom::array list;
    if (parser.parse(json.data(), json.size()).get(list) != simdjson::SUCCESS)
        return std::unexpected<std::string>("items are a list of {key, label?, input}");
    std::vector<ListedItem> items;
    std::size_t number = 0;
    for (const simdjson::dom::element element : list) {
        if (items.size() == most) break;
        if (number++ < from) continue;
        simdjson::dom::object object;
        if (element.get(object) != simdjson::SUCCESS) return bad(number - 1, "it is no object");
        ListedItem item;
        for (const auto& [name, value] : object) {
            std::string_view text;
            if (name == "input") {
                item.input = simdjson::minify(value);
            } else if (name == "key" || name == "label") {
                if (value.get(text) != simdjson::SUCCESS) return bad(number - 1, "key and label are texts");
                (name == "key" ? item.key : item.label) = text;
            } else {
                return bad(number - 1, fmt::format("it has no member \"{}\"; try key, label, input", name));
            }
        }
        if (item.key.empty()) return bad(number - 1, "it needs a key");
        items.push_back(std::move(item));
    }
    return items;
}

std::string input_after_item(const Job& job)
{
    JsonOut out;
    out.begin();
    out.text("item", job.item);
    if (job.result_payload != 0) {
        out.text("job", to_text(job.id));
        out.whole("result_bytes", job.result_bytes);
    } else {
        out.raw_if("result", job.result);
    }
    out.end();
    return out.take();
}

} // namespace freshet
