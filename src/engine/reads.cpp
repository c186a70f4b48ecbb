// SPDX-License-Identifier: Apache-2.0
#include "engine/reads.hpp"

#include "model/pauses.hpp"

#include <algorithm>

namespace freshet {

namespace {

std::shared_ptr<Body> load_body(StoreReads& store, std::int64_t payload, const Hash128& hash, std::int64_t rows)
{
    auto bytes = store.payload(payload);
    if (!bytes) throw StoreFailure{"payload " + std::to_string(payload) + " is missing"};
    auto body = std::make_shared<Body>();
    body->bytes = std::move(*bytes);
    body->hash = hash;
    body->rows = rows;
    return body;
}

std::shared_ptr<KeyView> view_of(StoreReads& store, std::string_view tenant, std::string_view key)
{
    auto view = std::make_shared<KeyView>();
    if (auto record = store.key(tenant, key)) {
        view->record = std::move(*record);
    } else {
        view->record.tenant = tenant;
        view->record.key = key;
    }
    view->flight = flight_of(store.live_jobs(tenant, key));
    view->paused = Pauses{store.paused()}.contains(tenant, view->record.source);
    return view;
}

} // namespace

std::optional<FlightView> flight_of(const std::vector<Job>& live)
{
    const Job* best = nullptr;
    for (const Job& job : live) {
        if (job.state == JobState::queued && job.attempt > 0) continue; // waits for a retry
        if (best == nullptr || job.state == JobState::running) best = &job;
    }
    if (best == nullptr) return std::nullopt;
    return FlightView{best->id, best->state == JobState::running, best->trigger, best->requested_at};
}

template <class Question>
auto Reads::ask(Question&& question)
{
    std::unique_ptr<Reader> reader;
    {
        const std::lock_guard lock{mutex_};
        if (!idle_.empty()) {
            reader = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!reader) reader = make_reader_();
    decltype(question(*reader)) answer;
    reader->in_one_view([&] { answer = question(*reader); });
    // A reader that threw is not given back: its connection may be broken.
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(reader));
    return answer;
}

std::shared_ptr<const KeyView> Reads::view(std::string_view tenant, std::string_view key)
{
    return ask([&](StoreReads& store) -> std::shared_ptr<const KeyView> {
        auto view = view_of(store, tenant, key);
        const KeyRecord& record = view->record;
        if (record.has_data) view->body = load_body(store, record.payload, record.hash, record.rows);
        return view;
    });
}

std::shared_ptr<const KeyView> Reads::meta(std::string_view tenant, std::string_view key)
{
    return ask([&](StoreReads& store) -> std::shared_ptr<const KeyView> { return view_of(store, tenant, key); });
}

std::optional<Reads::VersionBody> Reads::version(std::string_view tenant, std::string_view key, std::int64_t ver)
{
    return ask([&](StoreReads& store) -> std::optional<VersionBody> {
        auto version = store.version(tenant, key, ver);
        if (!version) return std::nullopt;
        auto body = load_body(store, version->payload, version->hash, version->rows);
        return VersionBody{std::move(*version), std::move(body)};
    });
}

std::vector<VersionRecord> Reads::versions(std::string_view tenant, std::string_view key, std::int64_t before_ver,
                                           int limit)
{
    return ask([&](StoreReads& store) { return store.versions(tenant, key, before_ver, limit); });
}

std::vector<std::shared_ptr<const KeyView>> Reads::keys(std::string_view tenant, std::string_view source,
                                                        std::string_view after, int limit)
{
    return ask([&](StoreReads& store) {
        std::vector<std::shared_ptr<const KeyView>> views;
        const Pauses paused{store.paused()};
        for (KeyRecord& record : store.keys(tenant, source, after, limit)) {
            auto view = std::make_shared<KeyView>();
            view->flight = flight_of(store.live_jobs(tenant, record.key));
            view->paused = paused.contains(tenant, record.source);
            view->record = std::move(record);
            views.push_back(std::move(view));
        }
        return views;
    });
}

void Reads::in_one_view(const std::function<void(StoreReads&)>& questions)
{
    ask([&](StoreReads& store) {
        questions(store);
        return true;
    });
}

std::optional<Job> Reads::job(JobId id)
{
    return ask([&](StoreReads& store) { return store.job(id); });
}

std::vector<Job> Reads::jobs(const JobFilter& filter)
{
    return ask([&](StoreReads& store) { return store.jobs(filter); });
}

std::vector<AttemptRecord> Reads::attempts(JobId id)
{
    return ask([&](StoreReads& store) { return store.attempts(id); });
}

std::vector<FireRecord> Reads::fires(std::string_view tenant, std::string_view key, int limit)
{
    return ask([&](StoreReads& store) { return store.fires(tenant, key, limit); });
}

std::vector<TokenRecord> Reads::tokens()
{
    return ask([](StoreReads& store) { return store.tokens(); });
}

std::vector<ScheduleRecord> Reads::schedules(std::string_view tenant)
{
    return ask([&](StoreReads& store) { return store.schedules(tenant); });
}

std::uint64_t Reads::epoch()
{
    return ask([](StoreReads& store) { return store.epoch(); });
}

LedgerHead Reads::ledger_head(std::string_view tenant)
{
    return ask([&](StoreReads& store) { return store.ledger_head(tenant); });
}

Reads::LedgerSlice Reads::ledger(std::string_view tenant, Seq after, int limit)
{
    return ask(
        [&](StoreReads& store) { return LedgerSlice{store.ledger_head(tenant), store.ledger(tenant, after, limit)}; });
}

} // namespace freshet
