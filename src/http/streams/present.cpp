// SPDX-License-Identifier: Apache-2.0
#include "http/streams/present.hpp"

#include "model/key.hpp"
#include "model/shared.hpp"
#include "wire/batch_views.hpp"
#include "wire/work_views.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::streams {

MetaInput meta_input(const KeyView& view, const Definitions& definitions)
{
    MetaInput input;
    input.record = &view.record;
    if (auto path = parse_key(view.record.key, definitions)) {
        input.source = definitions.source(path->key.source);
        input.params = std::move(path->key.params);
    } else {
        // A parameter that the config does not allow any more: the source is still the one that applies.
        input.source = definitions.source(source_of(view.record.key));
    }
    if (view.flight) input.flight = MetaFlight{view.flight->id, view.flight->running, view.flight->requested_at, {}};
    input.paused = view.paused;
    return input;
}

std::string version_href(std::string_view base_url, const KeyRecord& record)
{
    return fmt::format("{}/v1/data/{}/versions/{}", base_url, record.key, record.ver);
}

std::string key_snapshot_json(const KeyView& view, const Definitions& definitions, std::string_view base_url,
                              std::size_t inline_max, WallTime now)
{
    JsonOut out;
    out.begin();
    out.text("topic", "data/" + view.record.key);
    out.raw_if("meta", meta_json(meta_input(view, definitions), now));
    if (view.record.has_data) {
        if (view.body && view.body->bytes.size() <= inline_max)
            out.raw_if("data", view.body->bytes);
        else
            out.text("href", version_href(base_url, view.record));
    }
    out.unsigned_whole("seq", view.record.seq);
    out.end();
    return out.take();
}

std::string key_meta_json(const KeyView& view, const Definitions& definitions, WallTime now)
{
    return change_event_json("data/" + view.record.key, meta_json(meta_input(view, definitions), now), std::nullopt, 0,
                             std::nullopt, {}, {}, view.record.seq);
}

std::string rows_json(std::span<const std::shared_ptr<const KeyView>> views, const Definitions& definitions, bool more,
                      WallTime now)
{
    JsonOut out;
    Seq seq = 0;
    out.begin();
    out.text("topic", "freshness");
    out.begin_list("items");
    for (const auto& view : views) {
        out.raw(freshness_row_json(meta_input(*view, definitions), now));
        seq = std::max(seq, view->record.seq);
    }
    out.end_list();
    out.yes("more", more);
    out.unsigned_whole("seq", seq);
    out.end();
    return out.take();
}

std::vector<std::shared_ptr<const KeyView>> unread_keys(const Definitions& definitions, std::string_view tenant,
                                                        const Pauses& paused,
                                                        const std::set<std::string, std::less<>>& read,
                                                        std::string_view reader)
{
    std::vector<std::shared_ptr<const KeyView>> unread;
    for (const auto& [name, source] : definitions.sources) {
        if (!source->params.empty() || read.contains(name)) continue;
        if (source_within(definitions, tenant, name) == nullptr) continue;
        if (!tenant_has_source(definitions, reader.empty() ? tenant : reader, name)) continue;
        auto view = std::make_shared<KeyView>();
        view->record.tenant = tenant;
        view->record.key = view->record.source = name;
        view->paused = paused.contains(tenant, name);
        unread.push_back(std::move(view));
    }
    return unread;
}

std::string shown_job_json(const Job& job, const JobTerms& terms, WallTime now)
{
    return job.kind == JobKind::refresh ? receipt_json(job, terms, now) : job_json(job, terms, now);
}

std::string job_state_json(const Job& job, const JobTerms& terms, WallTime now)
{
    return job_event_json("job/" + to_text(job.id), shown_job_json(job, terms, now), job.seq);
}

std::optional<Batch> read_batch(Reads& reads, BatchId id)
{
    std::optional<Batch> batch;
    reads.in_one_view([&](StoreReads& store) { batch = store.batch(id); });
    return batch;
}

BatchFound read_batch_state(Reads& reads, BatchId id)
{
    BatchFound found;
    reads.in_one_view([&](StoreReads& store) {
        found.batch = store.batch(id);
        if (!found.batch) return;
        ItemFilter filter;
        filter.batch = id;
        filter.limit = event_items_max;
        if (found.batch->counts.total > static_cast<std::int64_t>(event_items_max)) filter.state = JobState::running;
        found.items = store.items(filter);
    });
    return found;
}

std::string batch_state_json(const BatchFound& found, const std::function<bool(const Job&)>& paused, WallTime now)
{
    std::vector<std::string> items;
    items.reserve(found.items.size());
    for (const Job& item : found.items) items.push_back(item_json(item, paused(item), now));
    return batch_event_json("batch/" + to_text(found.batch->id), batch_json(*found.batch, now), items,
                            found.batch->seq);
}

std::string shown_worker_json(const WorkerView& worker)
{
    WorkerRow row;
    row.id = worker.id;
    row.tenant = worker.tenant;
    row.host = worker.host;
    row.sdk = worker.sdk;
    row.state = freshet::to_text(worker.state);
    row.queues = worker.queues;
    row.slots = worker.slots;
    row.busy = static_cast<int>(worker.jobs.size());
    row.beat_at = worker.beat_at;
    row.claim_at = worker.claim_at;
    for (const WorkerView::Holding& held : worker.jobs) row.jobs.push_back({held.job, held.fence, held.lease_until});
    return worker_json(row);
}

std::string worker_event_json(const WorkerView& worker)
{
    JsonOut out;
    out.begin();
    out.text("topic", "workers");
    out.raw_if("worker", shown_worker_json(worker));
    out.end();
    return out.take();
}

void begin_rows(JsonOut& out, std::string_view topic)
{
    out.begin();
    out.text("topic", topic);
    out.begin_list("items");
}

void end_rows(JsonOut& out, bool more)
{
    out.end_list();
    out.yes("more", more);
    out.end();
}

} // namespace freshet::streams
