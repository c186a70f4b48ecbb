// SPDX-License-Identifier: Apache-2.0
// Batches (spec "The wire contract" §4): made, filled, sealed, watched, cancelled, retried, driven item by item, and
// followed up.
//
// Bodies of up to 32 MiB are read off the loop. process-next answers when the item that it let go has ended; a caller
// that leaves meanwhile changes nothing: the item goes on. Threads: the loop's.
#include "http/batch_body.hpp"
#include "http/body.hpp"
#include "http/job_answer.hpp"
#include "http/negotiate.hpp"
#include "http/paused.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/watching.hpp"
#include "wire/batch_views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::size_t idempotency_key_bytes_max = 255;
/// How long process-next waits for its item when the caller names no time.
constexpr Millis item_wait = 1h;

Problem no_such_batch(std::string_view id)
{
    return make_problem(404, "not_found", "No such batch", fmt::format("There is no batch {} here.", id.substr(0, 64)),
                        "Look at the id and at the tenant; ended batches are kept for a while only.");
}

std::optional<BatchId> batch_id(const ExchangePtr& exchange, const std::string& text)
{
    const auto id = parse_batch_id(text);
    if (!id) exchange->fail(no_such_batch(text));
    return id;
}

// The Idempotency-Key of a request, with what was asked. False: it is too long, and that was answered.
bool read_idempotency(const ExchangePtr& exchange, std::string route, std::optional<IdempotencyScope>& scope)
{
    const HttpRequest& request = exchange->request();
    const std::string_view name = request.header("idempotency-key");
    if (name.empty()) return true;
    if (name.size() > idempotency_key_bytes_max) {
        exchange->fail(make_problem(400, "idempotency_key", "The Idempotency-Key is too long",
                                    fmt::format("It may have {} bytes.", idempotency_key_bytes_max), "Use a UUID."));
        return false;
    }
    scope = IdempotencyScope{std::move(route), std::string{name},
                             hash128(fmt::format("{}\n{}", request.path, request.body))};
    return true;
}

std::string item_of(Core& core, const Job& item)
{
    return item_json(core.work().with_progress(item), queue_paused(core, item.tenant, item.queue), core.now());
}

void answer_batch(Core& core, const ExchangePtr& exchange, const BatchChanged& changed, int status)
{
    HttpResponse response;
    response.status = changed.replayed ? 200 : status;
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
    if (status == 201)
        response.headers.emplace_back(
            "Location", fmt::format("{}/v1/batches/{}", exchange->base_url(), to_text(changed.batch->id)));
    response.body = batch_json(*changed.batch, core.now());
    if (changed.replayed) response.body = with_member("replayed", true, response.body);
    exchange->respond(std::move(response));
}

// Asks the engine for a change of a batch and answers with the batch after it.
void post_change(Core& core, const ExchangePtr& exchange, Request request, int status)
{
    const bool taken = core.post(std::move(request), [&core, exchange, status](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        const auto* changed = std::get_if<BatchChanged>(&*reply);
        if (changed == nullptr || !changed->batch) return exchange->fail(store_problem());
        answer_batch(core, exchange, *changed, status);
    });
    if (!taken) exchange->fail(busy_problem());
}

// --- Making and filling ---

// Reads the body where it stops nobody, then goes on here.
template <class Read>
void read_body(Core& core, const ExchangePtr& exchange, Read read,
               std::function<void(typename decltype(read(std::string{}))::value_type)> then)
{
    using Result = decltype(read(std::string{}));
    const auto result = std::make_shared<std::optional<Result>>();
    core.off_loop([exchange, read, result](Reads&) { result->emplace(read(exchange->request().body)); },
                  [exchange, result, then = std::move(then)](std::exception_ptr error) {
                      if (error || !*result) return exchange->fail(busy_problem());
                      if (!**result) return exchange->fail((**result).error());
                      then(std::move(***result));
                  });
}

void add_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    std::optional<IdempotencyScope> idempotency;
    if (!read_idempotency(exchange, "batches", idempotency)) return;
    read_body(core, exchange, read_add_batch, [&core, exchange, idempotency](AddBatch batch) {
        batch.tenant = exchange->caller().tenant;
        batch.caller = exchange->caller().name;
        batch.idempotency = idempotency;
        post_change(core, exchange, std::move(batch), 201);
    });
}

void add_items(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    std::optional<IdempotencyScope> idempotency;
    if (!read_idempotency(exchange, "batch_items", idempotency)) return;
    read_body(core, exchange, read_add_items, [&core, exchange, idempotency, id = *id](std::vector<NewItem> items) {
        post_change(core, exchange,
                    AddItems{id, exchange->caller().tenant, exchange->caller().name, std::move(items), idempotency},
                    200);
    });
}

// --- Reading ---

void list_batches(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {"state"}, {"-requested_at"});
    if (!query || !has_tenant(exchange)) return;
    BatchFilter filter;
    filter.oldest_first = !query->sort.down;
    filter.tenant = exchange->caller().tenant;
    filter.limit = query->limit + 1;
    if (!query->state.empty()) {
        filter.state = parse_batch_state(query->state);
        if (!filter.state)
            return exchange->fail(
                bad_parameter(fmt::format("state \"{}\" is not known.", query->state.substr(0, 32)),
                              "open, sealed, ending, succeeded, partial, failed, cancelled or aborted."));
    }
    if (!query->after.empty()) {
        const auto after = parse_batch_id(query->after);
        if (!after) return exchange->fail(bad_after());
        (query->sort.down ? filter.before : filter.after) = *after;
    }
    const auto batches = std::make_shared<std::vector<Batch>>();
    read_then(
        core, exchange,
        [batches, filter](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) { *batches = store.batches(filter); });
        },
        [&core, exchange, batches, limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            const bool more = batches->size() > limit;
            if (more) batches->resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Batch& batch : *batches) out.raw(batch_json(batch, core.now()));
            out.end_list();
            end_list(out, more ? to_text(batches->back().id) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

bool sees(const Caller& caller, const Batch& batch)
{
    return batch.tenant == caller.tenant && caller.scope.has_queue(batch.queue);
}

std::optional<Batch> read_own(Reads& reads, BatchId id, const Caller& caller)
{
    std::optional<Batch> batch;
    reads.in_one_view([&](StoreReads& store) { batch = store.batch(id); });
    if (batch && !sees(caller, *batch)) batch.reset();
    return batch;
}

void show_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"after_seq"}) || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    const auto read = [&core, id = *id, caller = exchange->caller()](Reads& reads) -> std::optional<Watched> {
        const auto batch = read_own(reads, id, caller);
        if (!batch) return std::nullopt;
        return Watched{batch->seq, is_terminal(batch->state),
                       [&core, batch = *batch] { return batch_json(batch, core.now()); }};
    };
    answer_watched(core, exchange, {"batch/" + to_text(*id), read, no_such_batch(to_text(*id))});
}

void list_items(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const auto query = list_query(exchange, {"state"}, {"job"});
    if (!query || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    ItemFilter filter;
    filter.batch = *id;
    filter.newest_first = query->sort.down;
    filter.limit = query->limit + 1;
    if (!query->state.empty()) {
        filter.state = parse_job_state(query->state);
        if (!filter.state)
            return exchange->fail(bad_parameter(fmt::format("state \"{}\" is not stored.", query->state.substr(0, 32)),
                                                "queued, running, succeeded, failed or cancelled."));
    }
    if (!query->after.empty()) {
        const auto after = parse_job_id(query->after);
        if (!after) return exchange->fail(bad_after());
        (query->sort.down ? filter.before : filter.after) = *after;
    }
    struct Found {
        std::optional<Batch> batch;
        std::vector<Job> items;
    };
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, filter](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                found->batch = store.batch(filter.batch);
                if (found->batch) found->items = store.items(filter);
            });
        },
        [&core, exchange, found, id = *id, limit = static_cast<std::size_t>(query->limit)](streams::Cursor cursor) {
            if (!found->batch || !sees(exchange->caller(), *found->batch))
                return exchange->fail(no_such_batch(to_text(id)));
            std::vector<Job>& items = found->items;
            const bool more = items.size() > limit;
            if (more) items.resize(limit);
            const BatchCounts& counts = found->batch->counts;
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const Job& item : items) out.raw(item_of(core, item));
            out.end_list();
            out.begin("counts");
            out.whole("total", counts.total);
            out.whole("queued", counts.queued);
            out.whole("running", counts.running);
            out.whole("succeeded", counts.succeeded);
            out.whole("failed", counts.failed);
            out.whole("cancelled", counts.cancelled);
            out.end();
            end_list(out, more ? to_text(items.back().id) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

// --- Verbs ---

void change_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures, BatchVerb verb)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    ChangeBatch change{*id, exchange->caller().tenant, exchange->caller().name, verb, {}};
    BodyReader reader{exchange->request().body, true};
    if (reader.good()) {
        BodyObject body = reader.object();
        if (verb == BatchVerb::retry_failed)
            if (const auto generation = body.whole("generation", 1, 1'000'000'000))
                change.generation = static_cast<int>(*generation);
        body.end();
    }
    if (reader.problem()) return exchange->fail(*reader.problem());
    post_change(core, exchange, std::move(change), 200);
}

void seal_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    change_batch(core, exchange, captures, BatchVerb::seal);
}

void retry_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    change_batch(core, exchange, captures, BatchVerb::retry_failed);
}

void start_follow_up(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    change_batch(core, exchange, captures, BatchVerb::start_then);
}

// Cancelling what is over is no mistake: the batch as it ended, and that it was so already.
void cancel_batch(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    BodyReader reader{exchange->request().body, true};
    if (reader.good()) reader.object().end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const Caller& caller = exchange->caller();
    const bool taken =
        core.post(ChangeBatch{*id, caller.tenant, caller.name, BatchVerb::cancel, {}}, [&core, exchange,
                                                                                        id = *id](const Reply& reply) {
            if (reply) {
                const auto* changed = std::get_if<BatchChanged>(&*reply);
                if (changed == nullptr || !changed->batch) return exchange->fail(store_problem());
                return answer_batch(core, exchange, *changed, 200);
            }
            if (reply.error().refusal != Refusal::already_over) return fail_refused(core, exchange, reply.error());
            const auto found = std::make_shared<std::optional<Batch>>();
            read_then(
                core, exchange,
                [found, id, caller = exchange->caller()](Reads& reads) { *found = read_own(reads, id, caller); },
                [&core, exchange, found, id](streams::Cursor) {
                    if (!*found) return exchange->fail(no_such_batch(to_text(id)));
                    respond_status(exchange,
                                   with_member("already", to_text((*found)->state), batch_json(**found, core.now())));
                });
        });
    if (!taken) exchange->fail(busy_problem());
}

// --- process-next ---

void answer_processed(Core& core, const ExchangePtr& exchange, std::string_view status, const Job* item,
                      const Batch& batch, int http_status = 200)
{
    JsonOut out;
    out.begin();
    out.text("status", status);
    if (item != nullptr) out.raw_if("item", item_of(core, *item));
    out.whole("remaining", batch.counts.total - batch.counts.done());
    out.raw_if("batch", batch_json(batch, core.now()));
    out.end();
    respond_status(exchange, out.take(), http_status);
}

std::string_view word_of(Processed::Status status)
{
    switch (status) {
    case Processed::Status::released: return "processed";
    case Processed::Status::no_items: return "no_items";
    case Processed::Status::job_completed: return "job_completed";
    case Processed::Status::job_cancelled: return "job_cancelled";
    }
    return "no_items";
}

// What became of the batch with this item: the last one ends it in the same commit, so that who sees the item's end
// sees the batch's (F6).
std::string_view word_after(const Batch& batch)
{
    const bool cancelled = batch.state == BatchState::cancelled ||
                           (batch.state == BatchState::ending && batch.ends_as == BatchState::cancelled);
    if (cancelled) return "job_cancelled";
    return is_terminal(batch.state) ? "job_completed" : "processed";
}

void item_ended(Core& core, const ExchangePtr& exchange, JobId item, BatchId batch, bool over)
{
    struct Found {
        std::optional<Job> item;
        std::optional<Batch> batch;
    };
    const auto found = std::make_shared<Found>();
    read_then(
        core, exchange,
        [found, item, batch](Reads& reads) {
            reads.in_one_view([&](StoreReads& store) {
                found->item = store.job(item);
                found->batch = store.batch(batch);
            });
        },
        [&core, exchange, found, batch, over](streams::Cursor) {
            if (!found->batch) return exchange->fail(no_such_batch(to_text(batch)));
            const Job* ended = found->item ? &*found->item : nullptr;
            // The time is up, and the item goes on: GET the batch, or call again for the next one.
            if (!over && ended != nullptr && !is_terminal(ended->state))
                return answer_processed(core, exchange, "pending", ended, *found->batch, 202);
            answer_processed(core, exchange, word_after(*found->batch), ended, *found->batch);
        });
}

void process_next(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto id = batch_id(exchange, captures[0]);
    if (!id) return;
    BodyReader reader{exchange->request().body, true};
    if (reader.good()) reader.object().end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const Millis wait = preferences(exchange->request().header("prefer")).wait.value_or(item_wait);
    const auto waiting = std::make_shared<std::uint64_t>(0);
    const auto gone = std::make_shared<bool>(false);
    exchange->on_closed([&core, waiting, gone] {
        *gone = true;
        if (*waiting != 0) core.cancel_wait(*waiting);
    });
    const bool taken = core.post(
        ProcessNext{*id, exchange->caller().tenant, exchange->caller().name},
        [&core, exchange, waiting, gone, id = *id, wait](const Reply& reply) {
            if (!reply) return fail_refused(core, exchange, reply.error());
            const auto* processed = std::get_if<Processed>(&*reply);
            if (processed == nullptr || !processed->batch) return exchange->fail(store_problem());
            if (processed->status != Processed::Status::released || !processed->item)
                return answer_processed(core, exchange, word_of(processed->status), nullptr, *processed->batch);
            if (*gone) return; // the item goes on without anybody
            const JobId item = processed->item->id;
            *waiting = core.wait_job(item, core.steady() + wait, [&core, exchange, item, id](const JobWait& ended) {
                item_ended(core, exchange, item, id, ended.over);
            });
        });
    if (!taken) exchange->fail(busy_problem());
}

constexpr std::array batch_table{
    Route{"GET", "/v1/batches", Right::read, &list_batches},
    Route{.method = "POST",
          .pattern = "/v1/batches",
          .right = Right::enqueue,
          .handle = &add_batch,
          .bytes_max = batch_bytes_max},
    Route{
        .method = "GET", .pattern = "/v1/batches/{id}", .right = Right::read, .handle = &show_batch, .by_scope = true},
    Route{.method = "GET",
          .pattern = "/v1/batches/{id}/items",
          .right = Right::read,
          .handle = &list_items,
          .by_scope = true},
    Route{.method = "POST",
          .pattern = "/v1/batches/{id}/items",
          .right = Right::enqueue,
          .handle = &add_items,
          .bytes_max = batch_bytes_max},
    Route{"POST", "/v1/batches/{id}/seal", Right::enqueue, &seal_batch},
    Route{"POST", "/v1/batches/{id}/cancel", Right::operate, &cancel_batch},
    Route{"POST", "/v1/batches/{id}/retry-failed", Right::operate, &retry_batch},
    Route{"POST", "/v1/batches/{id}/process-next", Right::operate, &process_next},
    Route{"POST", "/v1/batches/{id}/then", Right::operate, &start_follow_up},
};

} // namespace

Routes batch_routes()
{
    return batch_table;
}

} // namespace freshet::http
