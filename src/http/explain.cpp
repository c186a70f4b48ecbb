// SPDX-License-Identifier: Apache-2.0
// Why a key is as it is, in one answer: its meta with the reason, what its source's definition asks for, and the
// refresh that runs or waits with its own reason (spec "The wire contract" §4). Never starts work. Threads: the loop's.
#include "http/explain.hpp"

#include "http/problems.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "model/shared.hpp"
#include "wire/views.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

void write_policy(JsonOut& out, const Definitions& definitions, const SourceDefinition& source)
{
    out.begin("policy");
    out.text("queue", source.queue);
    out.whole("fresh_for_ms", source.fresh_for.count());
    out.whole("overdue_after_ms", source.overdue_after.count());
    out.whole("cold_wait_ms", source.cold_wait.count());
    if (source.schedule.every.count() > 0) out.whole("every_ms", source.schedule.every.count());
    out.text_if("cron", source.schedule.cron);
    if (source.schedule.any()) out.text("timezone", source.schedule.timezone);
    out.begin_list("after");
    for (const std::string& other : source.after) out.text(other);
    out.end_list();
    out.whole("run_limit_ms", source.run_limit.count());
    out.yes("shared", is_shared(definitions, source));
    out.end();
}

} // namespace

void explain(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const std::string key = captures[0];
    struct Found {
        std::shared_ptr<const KeyView> view;
        std::optional<Job> refresh;
    };
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, key, tenant = exchange->caller().key_tenant](Reads& reads) {
            found->view = reads.meta(tenant, key);
            if (found->view->flight) found->refresh = reads.job(found->view->flight->id);
        },
        [&core, exchange, found, key](streams::Cursor) {
            const auto definitions = core.definitions();
            const SourceDefinition* source = definitions->source(std::string_view{key}.substr(0, key.find('/')));
            if (source == nullptr)
                return exchange->fail(make_problem(404, "unknown_key", "No such key",
                                                   fmt::format("The source of {} was removed.", key),
                                                   "GET /v1/freshness lists what there is."));
            KeyView view = *found->view;
            view.record.source = source->name; // nobody may have asked for it yet
            JsonOut out;
            out.begin();
            out.text("key", key);
            out.raw_if("meta", meta_json(streams::meta_input(view, *definitions), core.now()));
            write_policy(out, *definitions, *source);
            if (found->refresh) {
                const Job refresh = core.work().with_progress(*found->refresh);
                out.raw_if(
                    "refresh",
                    streams::shown_job_json(
                        refresh, terms_of(*definitions, refresh, is_paused(core, refresh.tenant, key)), core.now()));
            }
            out.time("now", core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

} // namespace freshet::http
