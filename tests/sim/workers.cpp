// SPDX-License-Identifier: Apache-2.0
#include "sim/workers.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::sim {

namespace {

constexpr Millis claim_waits = 5s;

std::string content_of(std::int64_t version)
{
    // Every third version reads like the one before, so that refreshes are unchanged now and then.
    return fmt::format("[{}]", version - version % 3 % 2);
}

PreparedResult prepared(std::int64_t version, const std::string& known)
{
    PreparedResult result;
    result.data.validators.etag = content_of(version);
    if (known == content_of(version)) return result; // 304
    auto body = std::make_shared<Body>();
    body->bytes = content_of(version);
    body->hash = hash128(body->bytes);
    body->rows = 1;
    result.body = std::move(body);
    return result;
}

} // namespace

Workers::Workers(World& world) : world_{world}
{
    const auto add = [&](std::string id, std::vector<std::string> queues, int slots) {
        auto worker = std::make_unique<Worker>();
        worker->id = std::move(id);
        worker->queues = std::move(queues);
        worker->slots = slots;
        workers_.push_back(std::move(worker));
        return workers_.back().get();
    };
    add("builtin", {"prices", "news"}, 4)->builtin = true;
    add("w-1", {"fast", "scraped"}, 2);
    add("w-2", {"fast", "slow"}, 3);
    add("w-3", {"slow", "scraped"}, 1)->names_holds = false;
}

void Workers::begin()
{
    for (auto& worker : workers_) {
        if (worker->builtin) continue;
        claim(*worker);
        beat(*worker);
        world_.after(world_.between(1000, 20'000), [this, one = worker.get()] { trouble(*one); });
    }
}

void Workers::server_began()
{
    Worker& own = *workers_.front();
    ++own.life;
    own.id = "builtin-" + world_.boot();
    own.held.clear();
    own.ending.clear();
    own.claims = false;
    claim(own);
    beat(own);
}

bool Workers::idle() const
{
    return std::ranges::all_of(workers_,
                               [](const auto& worker) { return worker->held.empty() && worker->ending.empty(); });
}

bool Workers::has(const Worker& worker, JobId job, Seq fence) const
{
    const auto found = worker.held.find(job);
    return found != worker.held.end() && found->second.fence == fence;
}

void Workers::claim(Worker& worker)
{
    const int free = worker.slots - static_cast<int>(worker.held.size());
    if (worker.claims || worker.paused || free <= 0) return;
    worker.claims = true;
    if (!worker.builtin) world_.tell(fmt::format("{} claims, {} slots free", worker.id, free));
    ClaimWork work{.worker = worker.id, .queues = worker.queues, .slots = free};
    if (worker.builtin) {
        world_.post_inside(work, [this, &worker, life = worker.life](const Reply& reply) {
            if (life != worker.life) return;
            worker.claims = false;
            if (reply) {
                const Claimed& claimed = std::get<Claimed>(*reply);
                for (const ClaimedJob& one : claimed.jobs)
                    world_.checker().handed_out(worker.id, one, world_.source_version(), world_.now());
                given(worker, claimed);
            }
            world_.after(world_.between(1, 50), [this, &worker, life] {
                if (life == worker.life) claim(worker);
            });
        });
        return;
    }
    work.offer = ++worker.offer;
    if (worker.names_holds) {
        work.holds.emplace();
        for (const auto& [job, held] : worker.held) work.holds->emplace_back(job, held.fence);
    }
    const auto again = [this, &worker, life = worker.life, offer = worker.offer](const Reply* reply) {
        if (life != worker.life || offer != worker.offer) return;
        worker.claims = false;
        if (reply != nullptr && *reply) given(worker, std::get<Claimed>(**reply));
        world_.after(world_.between(1, 200), [this, &worker, life] {
            if (life == worker.life) claim(worker);
        });
    };
    const auto told = [this, id = worker.id](const Reply& reply) {
        if (!reply) return;
        for (const ClaimedJob& one : std::get<Claimed>(*reply).jobs)
            world_.checker().handed_out(id, one, world_.source_version(), world_.now());
    };
    world_.post(work, told, again);
    world_.after(claim_waits, [this, &worker, life = worker.life, offer = worker.offer, again] {
        if (life != worker.life || offer != worker.offer || !worker.claims) return;
        world_.post(WithdrawClaim{worker.id, offer}, {});
        world_.after(1s, [again] { again(nullptr); });
    });
}

void Workers::given(Worker& worker, const Claimed& claimed)
{
    for (const ClaimedJob& one : claimed.jobs) {
        const Job& job = *one.job;
        // An answer that was overtaken: a newer hand-out of the same job is in these hands already.
        if (const auto found = worker.held.find(job.id); found != worker.held.end() && found->second.fence >= job.fence)
            continue;
        Held held{.fence = job.fence, .kind = job.kind, .queue = job.queue, .source_version = world_.source_version()};
        held.etag = one.validators.etag;
        held.total = 1 + static_cast<std::int64_t>(world_.rng().below(5));
        worker.held[job.id] = held;
        world_.tell(fmt::format("{} is given {} fence {}", worker.id, to_text(job.id), job.fence));
        world_.after(world_.between(1, 3000),
                     [this, &worker, id = job.id, fence = job.fence] { go_on(worker, id, fence); });
    }
}

PreparedResult Workers::refreshed(const Held& held)
{
    if (world_.settling() || !world_.chance(8)) return prepared(held.source_version, held.etag);
    // The source answers, but with nothing: what the guard is for.
    PreparedResult result;
    auto body = std::make_shared<Body>();
    body->bytes = "[]";
    body->hash = hash128(body->bytes);
    result.body = std::move(body);
    return result;
}

// A bit of work: another of the counted things, or the end.
void Workers::go_on(Worker& worker, JobId job, Seq fence)
{
    if (!has(worker, job, fence) || worker.ending.contains({job, fence})) return;
    if (worker.paused) {
        world_.after(1s, [this, &worker, job, fence] { go_on(worker, job, fence); });
        return;
    }
    Held& held = worker.held[job];
    if (++held.done < held.total && !held.cancel) {
        const Millis takes = !world_.settling() && world_.chance(2) ? 30s : world_.between(1, 2500);
        world_.after(takes, [this, &worker, job, fence] { go_on(worker, job, fence); });
        return;
    }
    end(worker, job);
}

void Workers::end(Worker& worker, JobId job)
{
    const Held held = worker.held[job];
    worker.ending.insert({job, held.fence});
    std::variant<CompleteJob, FailJob, ReleaseJob> word;
    const int roll = static_cast<int>(world_.rng().below(100));
    const bool well = world_.settling() || roll < 70;
    if (held.cancel && world_.chance(70)) {
        world_.checker().release_sent(job, held.fence);
        word = FailJob{job, held.fence, {ErrorClass::cancelled, "cancelled", "stopped as asked", {}, {}}};
    } else if (well) {
        CompleteJob complete{job, held.fence, {}};
        if (held.kind == JobKind::refresh)
            complete.result = refreshed(held);
        else
            complete.result = TaskResult{.json = "{\"fence\":" + std::to_string(held.fence) + "}"};
        word = std::move(complete);
    } else if (roll < 92 || worker.builtin) {
        const ErrorClass error = roll < 85   ? ErrorClass::retryable
                                 : roll < 89 ? ErrorClass::rate_limited
                                             : ErrorClass::fatal;
        world_.checker().failure_sent(job, held.fence);
        FailJob fail{job, held.fence, {error, "boom", "it went wrong", {}, {}}};
        if (world_.chance(10)) fail.failure.retry_after = world_.between(1000, 30'000);
        word = std::move(fail);
    } else {
        world_.checker().release_sent(job, held.fence);
        ReleaseJob release{job, held.fence, {}};
        if (world_.chance(50)) release.back.checkpoint = "{\"at\":" + std::to_string(held.done) + "}";
        if (world_.chance(30)) release.back = {2s, "later", release.back.checkpoint};
        word = std::move(release);
    }
    const auto done = [this, &worker, job, fence = held.fence, life = worker.life] {
        if (life != worker.life) return;
        worker.ending.erase({job, fence});
        if (has(worker, job, fence)) worker.held.erase(job);
        claim(worker);
    };
    const bool completes = std::holds_alternative<CompleteJob>(word);
    if (worker.builtin) {
        Request request = std::visit([](auto& one) { return Request{one}; }, word);
        world_.post_inside(std::move(request), [this, job, fence = held.fence, completes, done](const Reply& reply) {
            if (completes && reply)
                if (const auto* ended = std::get_if<std::shared_ptr<const Job>>(&*reply);
                    ended != nullptr && (*ended)->state == JobState::succeeded)
                    world_.checker().completion_taken(job, fence);
            done();
        });
        return;
    }
    const auto told = [this, job, fence = held.fence, completes](const Reply& reply) {
        if (!reply || !completes) return;
        const auto& ended = std::get<EndedWork>(*reply);
        if (!ended.jobs.at(0) && ended.jobs[0].error().refusal == Refusal::lease_lost)
            world_.saw(Seen::late_completions_refused);
        if (ended.jobs.at(0) && ended.jobs[0].value()->state == JobState::succeeded)
            world_.checker().completion_taken(job, fence);
    };
    // Without an answer the worker says it again, as often as it takes while it lives.
    const auto say = std::make_shared<std::function<void(int)>>();
    *say = [this, &worker, word, told, done, life = worker.life, weak = std::weak_ptr{say}](int times) {
        world_.post(EndWork{.worker = worker.id, .jobs = {word}}, told,
                    [this, &worker, done, life, times, again = weak.lock()](const Reply* reply) {
                        if (life != worker.life) return;
                        const bool answered =
                            reply != nullptr && (*reply || (*reply).error().refusal != Refusal::store_failed);
                        if (answered || times > 8) return done();
                        world_.after(500ms, [again, times] { (*again)(times + 1); });
                    });
    };
    (*say)(0);
}

void Workers::beat(Worker& worker)
{
    world_.after(world_.between(1000, 1700), [this, &worker, life = worker.life] {
        if (life != worker.life) return;
        if (!worker.paused && !worker.held.empty()) {
            BeatWork work{.worker = worker.id};
            for (auto& [job, held] : worker.held) {
                Beat one{.fence = held.fence};
                one.progress = Progress{.done = held.done, .total = held.total};
                if (!worker.builtin && world_.chance(20)) one.checkpoint = "{\"at\":" + std::to_string(held.done) + "}";
                work.jobs.push_back({job, one});
            }
            const auto taken = [this, work](const Reply& reply) {
                if (!reply) return;
                const auto& answers = std::get<Beaten>(*reply).answers;
                for (std::size_t i = 0; i < answers.size(); ++i)
                    if (answers[i].word != BeatWord::lost)
                        world_.checker().beat_taken(work.jobs[i].job, work.jobs[i].beat.fence);
            };
            const auto answered = [this, &worker, life](const Reply* reply) {
                if (life != worker.life || reply == nullptr || !*reply) return;
                for (const BeatAnswer& answer : std::get<Beaten>(**reply).answers) {
                    const auto found = worker.held.find(answer.job);
                    if (found == worker.held.end()) continue;
                    if (answer.word == BeatWord::cancel) found->second.cancel = true;
                    // Some go on all the same and answer late, as code that does not look does.
                    if (answer.word == BeatWord::lost && world_.chance(60) &&
                        !worker.ending.contains({answer.job, found->second.fence}))
                        worker.held.erase(found);
                }
                claim(worker);
            };
            if (worker.builtin)
                world_.post_inside(work, [answered, taken](const Reply& reply) { taken(reply), answered(&reply); });
            else
                world_.post(work, taken, answered);
        }
        beat(worker);
    });
}

void Workers::crash(Worker& worker)
{
    world_.tell(worker.id + " crashes");
    world_.saw(Seen::worker_crashes);
    ++worker.life;
    worker.held.clear();
    worker.ending.clear();
    worker.claims = false;
    world_.after(world_.between(10, 10'000), [this, &worker, life = worker.life] {
        if (life != worker.life) return;
        worker.paused = false;
        claim(worker);
        beat(worker);
    });
}

void Workers::trouble(Worker& worker)
{
    if (world_.settling()) {
        worker.paused = false;
        claim(worker);
        return;
    }
    if (world_.chance(40)) {
        crash(worker);
    } else {
        world_.tell(worker.id + " is stopped");
        world_.saw(Seen::worker_stops);
        worker.paused = true;
        world_.after(world_.between(100, 40'000), [this, &worker] {
            worker.paused = false;
            claim(worker);
        });
    }
    world_.after(world_.between(5000, 60'000), [this, one = &worker] { trouble(*one); });
}

} // namespace freshet::sim
