// SPDX-License-Identifier: Apache-2.0
// Present state, one piece at a time: each step sends what it found before the next one is begun.
#include "http/streams/hub_parts.hpp"
#include "http/streams/present.hpp"
#include "model/shared.hpp"
#include "wire/batch_views.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <iterator>

namespace freshet::streams {

namespace {

constexpr int keys_per_page = 100;
constexpr int jobs_shown = 100, batches_shown = 100;
constexpr std::size_t list_page = 100;

} // namespace

void Hub::run_step(const StreamPtr& stream)
{
    const StateStep step = std::move(stream->steps.front());
    stream->steps.pop_front();
    stream->step_runs = true;
    const Done done = in_turn(stream, [this, stream] {
        stream->step_runs = false;
        pump(stream);
    });
    switch (step.kind) {
    case StateStep::Kind::key:
    case StateStep::Kind::meta: return step_key(stream, step, done);
    case StateStep::Kind::source: return step_source(stream, step, done);
    case StateStep::Kind::job:
    case StateStep::Kind::ended: return step_job(stream, step, done);
    case StateStep::Kind::queue: return step_queue(stream, step, done);
    case StateStep::Kind::batch:
    case StateStep::Kind::batch_ended: return step_batch(stream, step, done);
    case StateStep::Kind::batches: return step_batches(stream, step, done);
    case StateStep::Kind::list: return step_list(stream, step, done);
    case StateStep::Kind::rows_all:
    case StateStep::Kind::rows: return step_rows(stream, step, done);
    }
}

void Hub::send_state(Stream& stream, std::string_view event, std::string_view data)
{
    // State at the begin of a stream carries the id that always resets; a topic that was added later says nothing of
    // where the stream stands.
    const std::string id = stream.phase == Stream::Phase::state && event == "snapshot"
                               ? to_text(Cursor{options_.epoch, 0})
                               : std::string{};
    stream.sink->send(std::make_shared<const Frame>(event, id, data));
}

void Hub::read_for(const StreamPtr& stream, std::function<void(Reads&)> work, Done then)
{
    const auto head = std::make_shared<Cursor>();
    const auto with_head = [work = std::move(work), head, name = stream->tenant,
                            both = stream->reads_shared](Reads& reads) {
        work(reads);
        head->seq = reads.ledger_head(name).head;
        if (both) head->shared = reads.ledger_head(shared_tenant).head;
    };
    host_->off_loop(with_head, in_turn(stream, [this, stream, head, then = std::move(then)](std::exception_ptr error) {
                        if (error) return goodbye(stream, "store_failed");
                        when_both_applied(stream->tenant, head->seq, head->shared, in_turn(stream, then));
                    }));
}

void Hub::step_key(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    host_->view(
        tenant_of(*stream, step.name), step.name,
        in_turn(stream, [this, stream, step, done](std::shared_ptr<const KeyView> view) {
            if (!view) return goodbye(stream, "store_failed");
            Stream& s = *stream;
            const std::string topic = "data/" + step.name;
            if (step.kind == StateStep::Kind::meta) {
                // What waits to be told of this key is as new as the view, and tells each version in its turn.
                const bool told_later =
                    std::ranges::any_of(s.pending, [&](const Pending& p) { return p.message->topic() == topic; });
                if (!told_later) send_state(s, "change", key_meta_json(*view, *host_->definitions(), host_->now()));
            } else {
                const std::size_t inline_max = step.listed && s.poll ? 0 : inline_bytes_max;
                send_state(s, "snapshot",
                           key_snapshot_json(*view, *host_->definitions(), s.base_url, inline_max, host_->now()));
                std::erase_if(s.pending, [&](const Pending& p) {
                    return p.message->topic() == topic && p.message->seq() <= view->record.seq;
                });
            }
            s.progress.erase(topic);
            done();
        }));
}

void Hub::step_source(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    const auto keys = std::make_shared<std::vector<std::string>>();
    read_for(
        stream,
        [keys, tenant_name = std::string{tenant_of(*stream, step.name)}, step](Reads& reads) {
            for (const auto& view : reads.keys(tenant_name, step.name, step.after, keys_per_page))
                keys->push_back(view->record.key);
        },
        [stream, keys, step, done] {
            if (keys->size() == keys_per_page) {
                StateStep next = step;
                next.after = keys->back();
                stream->steps.push_front(std::move(next));
            }
            for (auto key = keys->rbegin(); key != keys->rend(); ++key) {
                StateStep one{StateStep::Kind::key, *key};
                one.listed = true;
                stream->steps.push_front(std::move(one));
            }
            done();
        });
}

void Hub::step_job(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    const auto found = std::make_shared<std::optional<Job>>();
    read_for(
        stream, [found, id = step.job](Reads& reads) { *found = reads.job(id); },
        [this, stream, found, step, done] {
            // A job whose time of keeping is over has no state to tell; its end was told while it was there.
            if (!*found || !may_see(*stream, **found)) return done();
            const Job job = host_->with_progress(std::move(**found));
            const bool over = is_terminal(job.state);
            const std::string topic = "job/" + freshet::to_text(job.id);
            const std::string data =
                job_state_json(job, terms_of(*host_->definitions(), job, host_->job_paused(job)), host_->now());
            if (step.kind == StateStep::Kind::job) {
                send_state(*stream, "snapshot", data);
                std::erase_if(stream->pending, [&](const Pending& p) {
                    return p.message->topic() == topic && p.message->seq() <= job.seq;
                });
            } else if (over) {
                send_state(*stream, "job", data);
            }
            if (over) stream->progress.erase(topic);
            done();
        });
}

void Hub::step_queue(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    const auto jobs = std::make_shared<std::vector<Job>>();
    read_for(
        stream,
        [jobs, tenant_name = stream->tenant, queue = step.name, both = stream->reads_shared,
         definitions = host_->definitions()](Reads& reads) {
            JobFilter filter;
            filter.tenant = tenant_name;
            filter.queue = queue;
            filter.limit = jobs_shown;
            *jobs = reads.jobs(filter);
            if (!both) return;
            filter.tenant = shared_tenant;
            for (Job& job : reads.jobs(filter))
                if (sees_shared(*definitions, tenant_name, job.key)) jobs->push_back(std::move(job));
            std::ranges::sort(*jobs, std::greater{}, &Job::id);
            if (jobs->size() > jobs_shown) jobs->resize(jobs_shown);
        },
        [this, stream, jobs, step, done] {
            JsonOut out;
            Seq seq = 0;
            out.begin();
            out.text("topic", "jobs/" + step.name);
            out.begin_list("items");
            for (Job& stored : *jobs) {
                const Job job = host_->with_progress(std::move(stored));
                out.raw(
                    shown_job_json(job, terms_of(*host_->definitions(), job, host_->job_paused(job)), host_->now()));
                seq = std::max(seq, job.seq);
                const std::string topic = "job/" + freshet::to_text(job.id);
                std::erase_if(stream->pending, [&](const Pending& p) {
                    return p.message->topic() == topic && p.message->seq() <= job.seq;
                });
            }
            out.end_list();
            out.yes("more", jobs->size() == jobs_shown);
            out.unsigned_whole("seq", seq);
            out.end();
            send_state(*stream, "snapshot", out.take());
            done();
        });
}

void Hub::step_batch(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    const auto found = std::make_shared<BatchFound>();
    read_for(
        stream, [found, id = step.batch](Reads& reads) { *found = read_batch_state(reads, id); },
        [this, stream, found, step, done] {
            // As of a job: one whose time of keeping is over has no state to tell.
            if (!found->batch || found->batch->tenant != stream->tenant) return done();
            const Batch& batch = *found->batch;
            const bool over = is_terminal(batch.state);
            const bool snapshot = step.kind == StateStep::Kind::batch;
            if (!snapshot && !over) return done();
            const auto paused = [this](const Job& item) { return host_->job_paused(item); };
            for (Job& item : found->items) item = host_->with_progress(std::move(item));
            send_state(*stream, snapshot ? "snapshot" : "batch", batch_state_json(*found, paused, host_->now()));
            const std::string topic = "batch/" + freshet::to_text(batch.id);
            std::erase_if(stream->pending, [&](const Pending& p) {
                return snapshot && p.message->topic() == topic && p.message->seq() <= batch.seq;
            });
            if (over) stream->progress.erase(topic + "/items");
            done();
        });
}

void Hub::step_batches(const StreamPtr& stream, const StateStep&, const Done& done)
{
    const auto batches = std::make_shared<std::vector<Batch>>();
    read_for(
        stream,
        [batches, tenant_name = stream->tenant](Reads& reads) {
            BatchFilter filter;
            filter.tenant = tenant_name;
            filter.limit = batches_shown;
            reads.in_one_view([&](StoreReads& store) { *batches = store.batches(filter); });
        },
        [this, stream, batches, done] {
            JsonOut out;
            begin_rows(out, "batches");
            for (const Batch& batch : *batches) {
                out.raw(batch_json(batch, host_->now()));
                const std::string topic = "batch/" + freshet::to_text(batch.id);
                const bool read_itself =
                    std::ranges::any_of(stream->topics, [&](const Topic& one) { return one.text == topic; });
                std::erase_if(stream->pending, [&](const Pending& p) {
                    return !read_itself && p.message->topic() == topic && p.message->seq() <= batch.seq;
                });
            }
            end_rows(out, batches->size() == batches_shown);
            send_state(*stream, "snapshot", out.take());
            done();
        });
}

void Hub::step_list(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    host_->rows(step.topic, stream->tenant,
                in_turn(stream, [this, stream, step, done](const std::shared_ptr<const Rows>& rows) {
                    if (!rows) return goodbye(stream, "store_failed");
                    // What waits was read before: its rows have no seq that would tell.
                    std::erase_if(stream->pending, [&](const Pending& p) {
                        return p.message->topic() == "queues" && step.name == "queues";
                    });
                    if (step.name == "workers" && step.after.empty())
                        std::erase_if(stream->progress,
                                      [](const auto& waiting) { return waiting.first.starts_with("workers/"); });
                    JsonOut out;
                    begin_rows(out, step.name);
                    auto row = rows->upper_bound(step.after);
                    std::string last;
                    for (std::size_t count = 0; row != rows->end() && count < list_page; ++row, ++count) {
                        out.raw(row->second);
                        last = row->first;
                    }
                    const bool more = row != rows->end();
                    end_rows(out, more);
                    send_state(*stream, "snapshot", out.take());
                    if (more) {
                        StateStep next = step;
                        next.after = last;
                        stream->steps.push_front(std::move(next));
                    }
                    done();
                }));
}

// A page of the rows of GET /v1/freshness: without keys of sources that left the config or are kept elsewhere by now,
// and behind the last page of a ledger with those that nobody read yet. Gives the sources whose keys were seen up to
// here.
std::vector<std::string> Hub::complete_rows(const Stream& stream, const StateStep& step, const Pauses& paused,
                                            std::vector<std::shared_ptr<const KeyView>>& views, bool full)
{
    const Definitions& definitions = *host_->definitions();
    const std::string_view ledger = step.of_shared ? shared_tenant : std::string_view{stream.tenant};
    const std::string_view reader = step.of_shared ? std::string_view{stream.tenant} : std::string_view{};
    std::erase_if(views, [&](const auto& view) {
        const std::string& source = view->record.source;
        return source_within(definitions, ledger, source) == nullptr ||
               (!reader.empty() && !tenant_has_source(definitions, reader, source));
    });
    std::vector<std::string> seen = step.keys;
    for (const auto& view : views)
        if (view->record.key == view->record.source) seen.push_back(view->record.source);
    if (!full)
        std::ranges::move(unread_keys(definitions, ledger, paused, {seen.begin(), seen.end()}, reader),
                          std::back_inserter(views));
    return seen;
}

// Rows of all keys: the tenant's own, then those of shared sources.
void Hub::step_rows(const StreamPtr& stream, const StateStep& step, const Done& done)
{
    struct Page {
        std::vector<std::shared_ptr<const KeyView>> views;
        Pauses paused;
        std::string last;
        bool full = false;
    };
    const auto page = std::make_shared<Page>();
    const bool all = step.kind == StateStep::Kind::rows_all;
    read_for(
        stream,
        [page, all, tenant_name = stream->tenant, step, definitions = host_->definitions()](Reads& reads) {
            if (all) {
                page->views = reads.keys(step.of_shared ? shared_tenant : std::string_view{tenant_name}, {}, step.after,
                                         keys_per_page);
                page->full = page->views.size() == keys_per_page;
                if (page->full) page->last = page->views.back()->record.key;
                reads.in_one_view([&](StoreReads& store) { page->paused = Pauses{store.paused()}; });
                return;
            }
            for (const std::string& key : step.keys)
                page->views.push_back(reads.meta(key_tenant(*definitions, tenant_name, source_of(key)), key));
        },
        [this, stream, page, all, step, done] {
            auto& views = page->views;
            const bool shared_follows = all && !page->full && !step.of_shared && stream->reads_shared;
            const bool more = page->full || shared_follows;
            StateStep next{StateStep::Kind::rows_all};
            if (all) next.keys = complete_rows(*stream, step, page->paused, views, page->full);
            // A key that is not on disk any more keeps its row as the client has it until it asks for the list again.
            if (!all) std::erase_if(views, [](const auto& view) { return view->record.source.empty(); });
            if (all || !views.empty())
                send_state(*stream, all ? "snapshot" : "change",
                           rows_json(views, *host_->definitions(), more, host_->now()));
            if (more) {
                next.after = page->last;
                next.of_shared = step.of_shared || shared_follows;
                if (shared_follows) next.keys.clear();
                stream->steps.push_front(std::move(next));
            }
            done();
        });
}

} // namespace freshet::streams
