// SPDX-License-Identifier: Apache-2.0
// What people and programs ask of batches: made, given items, sealed, cancelled, retried, followed up, driven.
//
// Requests with more items than one commit takes are kept as a Fill and go on with every step, beside all other work; a
// crash on the way leaves an open batch, which its seal deadline aborts.
#include "engine/group.hpp"

#include "wire/batch_views.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr Millis idempotency_kept = 24h;
constexpr std::size_t item_key_bytes_max = 256, label_bytes_max = 1024, batch_name_bytes_max = 256;
/// A follow-up's items are kept on the batch's row, which is written with every end of an item.
constexpr std::size_t follow_up_bytes_max = 256 << 10;
constexpr int concurrency_max = 100'000;

std::string words_of(Refusal refusal, const Batch& batch)
{
    switch (refusal) {
    case Refusal::batch_over: return fmt::format("the batch is over: {}", to_text(batch.state));
    case Refusal::batch_sealed:
        return is_being_filled(batch) ? "the server fills this batch with a follow-up's items and seals it"
                                      : "the batch is sealed: it takes no more items";
    case Refusal::batch_live: return fmt::format("the batch is not over yet: {}", to_text(batch.state));
    case Refusal::already_over: return fmt::format("already {}", to_text(batch.state));
    case Refusal::generation_changed:
        return fmt::format("the batch was retried meanwhile: it is at generation {}", batch.generation);
    case Refusal::not_caller_driven: return "workers run this batch by themselves; process-next needs driver = caller";
    default: return std::string{to_text(refusal)};
    }
}

std::string problem_of(const FailurePolicy& policy)
{
    if (policy.rule != FailureRule::threshold) return {};
    if (policy.failures < 0 || policy.percent < 0 || policy.percent > 100 ||
        (policy.failures == 0 && policy.percent == 0))
        return "a threshold is a number of failures, or a percent of 1 to 100";
    return {};
}

std::string problem_of(const NewItem& item)
{
    if (item.key.empty() || item.key.size() > item_key_bytes_max)
        return fmt::format("an item's key has 1 to {} bytes", item_key_bytes_max);
    if (item.label.size() > label_bytes_max) return fmt::format("a label has at most {} bytes", label_bytes_max);
    return {};
}

} // namespace

Refused Group::refused_batch(Refusal refusal, const Batch& batch) const
{
    return refused(refusal, words_of(refusal, batch));
}

std::optional<Refused> Group::check(const AddBatch& request) const
{
    const auto bad = [&](std::string words) { return refused(Refusal::bad_request, std::move(words)); };
    if (request.name.size() > batch_name_bytes_max)
        return bad(fmt::format("a batch's name has at most {} bytes", batch_name_bytes_max));
    if (request.items.size() > batch_items_max)
        return bad(fmt::format("a request holds at most {} items; seal the batch after the last one", batch_items_max));
    if (request.concurrency < 0 || request.concurrency > concurrency_max)
        return bad(fmt::format("concurrency is 0 (no limit) to {}", concurrency_max));
    if (std::string words = problem_of(request.policy); !words.empty()) return bad(std::move(words));
    if (auto words = check_batch_queue(request.queue)) return words;
    if (!request.then) return std::nullopt;

    const FollowUp& then = *request.then;
    if (auto words = check_batch_queue(then.queue)) return words;
    if (then.label.empty() || then.label.size() > label_bytes_max)
        return bad(fmt::format("a follow-up's label has 1 to {} bytes", label_bytes_max));
    if (then.per_succeeded && !then.items.empty()) return bad("a follow-up runs listed items or one per success");
    if (then.items.empty()) return std::nullopt;
    if (then.items.size() > follow_up_bytes_max)
        return bad(fmt::format("a follow-up's items may have {} bytes; items = \"succeeded\" has no such limit",
                               follow_up_bytes_max));
    const auto items = read_items(then.items, 0, batch_items_max);
    if (!items) return bad("then: " + items.error());
    for (const ListedItem& item : *items)
        if (std::string words = problem_of(NewItem{item.key, item.label, item.input}); !words.empty())
            return bad("then: " + words);
    return std::nullopt;
}

std::optional<Refused> Group::check_batch_queue(const std::string& queue) const
{
    NewJob job;
    job.queue = queue;
    auto words = check(job, 0);
    if (words) words->message.erase(0, words->message.find(": ") + 2); // it is no job of a list
    return words;
}

std::optional<Refused> Group::check_items(const std::vector<NewItem>& items) const
{
    for (const NewItem& item : items)
        if (std::string words = problem_of(item); !words.empty())
            return refused(Refusal::bad_request, fmt::format("item \"{}\": {}", item.key.substr(0, 64), words));
    return std::nullopt;
}

std::optional<Reply> Group::replay_batch(const std::string& tenant, const std::string& caller,
                                         const std::optional<IdempotencyScope>& scope)
{
    if (!scope) return std::nullopt;
    const auto record = tx_->idempotency(tenant, caller, scope->route, scope->key);
    if (!record || record->expires_at <= now_) return std::nullopt;
    if (record->request != scope->request)
        return std::unexpected(
            refused(Refusal::idempotency_reused, "this Idempotency-Key came before with another request"));
    const auto id = parse_batch_id(record->made);
    BatchWork* work = id ? batch_of(*id, tenant) : nullptr;
    if (work == nullptr)
        return std::unexpected(refused(Refusal::not_found, "that request was answered, and its batch is gone by now"));
    return Answer{BatchChanged{work->batch, true, {}, {}}};
}

void Group::remember(const std::string& tenant, const std::string& caller, const std::optional<IdempotencyScope>& scope,
                     BatchId made)
{
    if (!scope) return;
    tx_->put_idempotency(
        {tenant, caller, scope->route, scope->key, scope->request, to_text(made), now_ + idempotency_kept});
    wrote_ = true;
}

void Group::add_batch(Posted& posted)
{
    auto& request = std::get<AddBatch>(posted.request);
    if (auto replayed = replay_batch(request.tenant, request.caller, request.idempotency))
        return answer(posted, std::move(*replayed));
    auto bad = check(request);
    if (!bad) bad = check_items(request.items);
    if (!bad) {
        std::map<std::string, std::int64_t> more{{request.queue, static_cast<std::int64_t>(request.items.size())}};
        if (request.then && request.then->start == FollowUp::Start::auto_)
            more[request.then->queue] += follow_up_size(*request.then, static_cast<std::int64_t>(request.items.size()));
        bad = check_room(request.tenant, more);
    }
    if (bad) return answer(posted, std::unexpected(std::move(*bad)));

    Batch batch;
    batch.id = BatchId{state_.ids.next(now_).value};
    batch.tenant = request.tenant;
    batch.queue = request.queue;
    batch.name = std::move(request.name);
    batch.driver = request.driver;
    batch.concurrency = request.concurrency;
    batch.policy = request.policy;
    batch.requested_by = request.caller;
    batch.requested_at = now_;
    batch.seal_by = now_ + batch_seal_within;
    if (batch.driver == BatchDriver::caller) batch.called_at = now_;
    batch.then = std::move(request.then);
    const BatchId id = batch.id;
    remember(request.tenant, request.caller, request.idempotency, id);
    new_batch(std::move(batch));
    begin_fill(std::move(posted), id);
}

void Group::add_items(Posted& posted)
{
    auto& request = std::get<AddItems>(posted.request);
    BatchWork* work = batch_of(request.batch, request.tenant);
    if (work == nullptr) return answer(posted, std::unexpected(no_batch()));
    if (auto replayed = replay_batch(request.tenant, request.caller, request.idempotency))
        return answer(posted, std::move(*replayed));
    std::optional<Refused> bad;
    if (const auto refusal = refuse_items(*work->batch)) bad = refused_batch(*refusal, *work->batch);
    const auto count = static_cast<std::int64_t>(request.items.size());
    if (!bad && request.items.size() > batch_items_max)
        bad = refused(Refusal::bad_request, fmt::format("a request holds at most {} items", batch_items_max));
    if (!bad) bad = check_items(request.items);
    if (!bad) bad = check_room(request.tenant, {{work->batch->queue, count}});
    if (bad) return answer(posted, std::unexpected(std::move(*bad)));
    remember(request.tenant, request.caller, request.idempotency, request.batch);
    begin_fill(std::move(posted), request.batch);
}

Reply Group::change(const ChangeBatch& request)
{
    BatchWork* work = batch_of(request.batch, request.tenant);
    if (work == nullptr) return std::unexpected(no_batch());
    if (request.verb == BatchVerb::start_then) return start_then_by(request, *work);
    Batch& batch = *work->batch;
    ChangedBatch changed;
    std::string_view act;
    switch (request.verb) {
    case BatchVerb::seal: changed = freshet::seal(batch, now_), act = "batch.seal"; break;
    case BatchVerb::cancel: changed = freshet::cancel(batch, now_), act = "batch.cancel"; break;
    case BatchVerb::retry_failed:
        changed = freshet::retry_failed(batch, request.generation, now_), act = "batch.retry_failed";
        if (changed)
            if (auto full = check_room(batch.tenant, {{batch.queue, batch.counts.failed + batch.counts.cancelled}}))
                return std::unexpected(std::move(*full));
        break;
    case BatchVerb::start_then: break;
    }
    if (!changed) return std::unexpected(refused_batch(changed.error(), batch));
    if (*changed == batch) return Answer{BatchChanged{work->batch, false, {}, {}}};
    batch = std::move(*changed);
    work->told = true;
    audit(request.tenant, request.caller, act, to_text(request.batch), {});
    go_on(*work);
    return Answer{BatchChanged{work->batch, false, {}, {}}};
}

Reply Group::start_then_by(const ChangeBatch& request, BatchWork& work)
{
    const Batch& batch = *work.batch;
    const auto word = freshet::start_then(batch);
    if (!word && word.error() == Refusal::bad_request)
        return std::unexpected(refused(Refusal::bad_request, batch.then ? "the follow-up has nothing to run: no item "
                                                                          "succeeded"
                                                                        : "the batch has no follow-up"));
    if (!word && word.error() == Refusal::batch_over)
        return std::unexpected(
            refused(Refusal::batch_over, "the follow-up was dropped: the batch was cancelled, aborted or reset"));
    if (!word) return std::unexpected(refused_batch(word.error(), batch));
    const bool before = *word == StartThen::started_before;
    if (!before) {
        if (auto full =
                check_room(batch.tenant, {{batch.then->queue, follow_up_size(*batch.then, batch.counts.succeeded)}}))
            return std::unexpected(std::move(*full));
        audit(request.tenant, request.caller, "batch.then", to_text(request.batch), batch.then->label);
        start_follow_up(work, request.caller);
    }
    return Answer{BatchChanged{work.batch, before, batch.then->job, batch.then->batch}};
}

Reply Group::process_next(const ProcessNext& request)
{
    BatchWork* work = batch_of(request.batch, request.tenant);
    if (work == nullptr) return std::unexpected(no_batch());
    const auto word = next_item(*work->batch);
    if (!word) return std::unexpected(refused_batch(word.error(), *work->batch));
    Processed processed{Processed::Status::no_items, {}, work->batch};
    switch (*word) {
    case NextItem::no_items: break;
    case NextItem::job_completed: processed.status = Processed::Status::job_completed; break;
    case NextItem::job_cancelled: processed.status = Processed::Status::job_cancelled; break;
    case NextItem::release:
        *work->batch = driver_called(std::move(*work->batch), now_);
        work->told = true;
        processed.item = lift_next(*work);
        if (processed.item) processed.status = Processed::Status::released;
        break;
    }
    return Answer{std::move(processed)};
}

void Group::begin_fill(Posted posted, BatchId batch)
{
    fills_.push_back({std::move(posted), batch, 0});
    // What fits into this commit is answered with it.
    if (go_on(fills_.back())) fills_.pop_back();
}

bool Group::go_on(Fill& fill)
{
    BatchWork* work = batch_of(fill.batch, "*");
    const bool makes = std::holds_alternative<AddBatch>(fill.posted.request);
    std::vector<NewItem>& items =
        makes ? std::get<AddBatch>(fill.posted.request).items : std::get<AddItems>(fill.posted.request).items;
    const std::string& caller =
        makes ? std::get<AddBatch>(fill.posted.request).caller : std::get<AddItems>(fill.posted.request).caller;
    const auto end = [&](Reply reply) {
        answer(fill.posted, std::move(reply));
        return true;
    };
    if (work == nullptr) return end(std::unexpected(no_batch()));
    std::size_t last = fill.next, bytes = 0;
    while (last < items.size() && batch_budget_ > 0 && bytes < batch_bytes_per_commit) {
        bytes += items[last++].input.size();
        --batch_budget_;
    }
    if (fill.next < items.size() || !makes)
        if (const auto refusal = refuse_items(*work->batch)) {
            Refused words = refused_batch(*refusal, *work->batch);
            if (fill.next > 0) words.message += fmt::format("; {} of {} items were taken", fill.next, items.size());
            return end(std::unexpected(std::move(words)));
        }

    // A part is taken whole or not at all.
    std::vector<NewItem*> fresh;
    std::map<std::string_view, const NewItem*> named;
    for (std::size_t i = fill.next; i < last; ++i) {
        NewItem& item = items[i];
        const auto [at, first] = named.try_emplace(item.key, &item);
        const auto known = first ? tx_->item(fill.batch, item.key) : std::nullopt;
        if (first && !known) {
            fresh.push_back(&item);
            continue;
        }
        if ((first ? known->input : at->second->input) == item.input) continue; // said before
        Refused words = refused(Refusal::item_taken,
                                fmt::format("item \"{}\" is in the batch already, with another input", item.key));
        if (known) words.job = known->id;
        if (makes) {
            *work->batch = abort(std::move(*work->batch), words.message, now_).value();
            work->told = true;
            go_on(*work);
        }
        return end(std::unexpected(std::move(words)));
    }
    for (NewItem* item : fresh)
        put_job(nullptr, new_item(*work->batch, caller, item->key, std::move(item->label), std::move(item->input)));
    if (!fresh.empty() && work->batch->state == BatchState::open) {
        work->batch->seal_by = now_ + batch_seal_within;
        work->told = true;
    }
    fill.next = last;
    if (last < items.size()) return false;
    if (makes && std::get<AddBatch>(fill.posted.request).sealed)
        if (auto sealed = freshet::seal(*work->batch, now_)) {
            *work->batch = std::move(*sealed);
            work->told = true;
        }
    return end(Answer{BatchChanged{work->batch, false, {}, {}}});
}

} // namespace freshet
