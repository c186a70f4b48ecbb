// SPDX-License-Identifier: Apache-2.0
#include "http/streams/present.hpp"

#include "model/key.hpp"
#include "wire/json_out.hpp"

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

std::string shown_job_json(const Job& job, bool paused, WallTime now)
{
    return job.kind == JobKind::refresh ? receipt_json(job, paused, now) : job_json(job, paused, now);
}

std::string job_state_json(const Job& job, bool paused, WallTime now)
{
    return job_event_json("job/" + to_text(job.id), shown_job_json(job, paused, now), job.seq);
}

} // namespace freshet::streams
