// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hpp"

#include "sim/actors.hpp"
#include "sim/workers.hpp"

#include "store/memory.hpp"

#include <fmt/format.h>

namespace freshet::sim {

namespace {

/// The process died in the midst of its answers.
struct Died {};

constexpr Millis answer_awaited = 5s;
constexpr int settle_rounds = 4000;

std::shared_ptr<const Definitions> world_definitions()
{
    auto made = std::make_shared<Definitions>();
    for (const char* tenant : {"default", "acme"})
        made->tenants[tenant] = {.name = tenant, .sources = {}, .limits = {}};
    const auto source = [&](const std::string& name, SourceKind kind) {
        auto one = std::make_shared<SourceDefinition>();
        one->name = one->queue = name;
        one->kind = kind;
        one->http.url = "https://" + name + ".example/{city}";
        one->hash = hash64(name);
        one->params = {{"city", {"a", "b"}, ""}};
        one->manual_limit = {};
        one->retry = {3, 1s, 10s};
        one->keep_warm = 1h;
        made->sources[name] = one;
        return one;
    };
    source("prices", SourceKind::http)->schedule.every = 5min;
    source("news", SourceKind::http)->after = {"prices"};
    source("scraped", SourceKind::worker);
    QueueDefinition fast{.name = "fast", .lease = 5s, .retry = {4, 500ms, 8s}};
    fast.cancel_grace = 3s;
    QueueDefinition slow{.name = "slow", .lease = 10s, .retry = {3, 1s, 20s}};
    slow.run_limit = 60s;
    slow.concurrency = 3;
    slow.on_lost = LostRule::fail;
    QueueDefinition scraped{.name = "scraped", .lease = 5s, .retry = {3, 1s, 10s}};
    made->queues = {{"fast", fast}, {"slow", slow}, {"scraped", scraped}};
    return made;
}

} // namespace

World::World(const WorldOptions& options)
    : options_{options}, rng_{options.seed}, clock_{time_}, definitions_{world_definitions()},
      store_{std::make_unique<MemoryStore>()}, checker_{*store_, *definitions_},
      actors_{std::make_unique<Actors>(*this)}, workers_{std::make_unique<Workers>(*this)}
{
    static_cast<MemoryStore&>(*store_).refuse_commits([this] {
        failed_ = disk_full_ || (!settling_ && chance(1));
        return failed_;
    });
}

World::~World() = default;

void World::tell(const std::string& words) const
{
    if (options_.told) fmt::print("{:>10}  {}\n", time_.steady().time_since_epoch().count() - 1'000'000, words);
}

void World::after(Millis delay, std::function<void()> act)
{
    agenda_.push({time_.steady() + delay, ++order_, std::move(act)});
}

void World::post(Request request, std::function<void(const Reply&)> told, std::function<void(const Reply*)> then)
{
    // The sender's side: one answer, or none within its patience.
    const auto open = std::make_shared<bool>(true);
    const auto answer = [open, then](const Reply* reply) {
        if (!std::exchange(*open, false) || !then) return;
        then(reply);
    };
    const auto arrival = [this, told, answer](Request&& sent) {
        arrive(std::move(sent), [this, told, answer](const Reply& reply) {
            if (told) told(reply);
            if (!settling_ && chance(3)) return; // the answer is lost
            const Millis way = chance(4) && !settling_ ? between(100, 8000) : between(0, 30);
            after(way, [answer, reply] { answer(&reply); });
        });
    };
    const int copies = settling_ ? 1 : chance(3) ? 0 : chance(4) ? 2 : 1;
    for (int i = 0; i < copies; ++i)
        after(chance(4) && !settling_ ? between(100, 20'000) : between(0, 30),
              [arrival, copy = request]() mutable { arrival(std::move(copy)); });
    const bool waits = std::holds_alternative<ClaimWork>(request);
    if (!waits) after(answer_awaited, [answer] { answer(nullptr); });
}

void World::post_inside(Request request, std::function<void(const Reply&)> then)
{
    arrive(std::move(request), [this, then, life = life_](const Reply& reply) {
        after(0ms, [this, then, life, reply] {
            if (life == life_) then(reply);
        });
    });
}

void World::arrive(Request request, ReplyTo reply)
{
    if (!engine_) return;
    inbox_.push_back({std::move(request), 0, std::move(reply)});
    wake_engine(time_.steady() + between(0, 2));
}

void World::wake_engine(SteadyTime at)
{
    if (wake_at_ && *wake_at_ <= at) return;
    wake_at_ = at;
    agenda_.push({std::max(at, time_.steady()), ++order_, [this, wake = ++wake_] {
                      if (wake == wake_) engine_step();
                  }});
}

void World::engine_step()
{
    wake_at_.reset();
    if (!engine_) return;
    // Now and then the process stands still; what arrives meanwhile waits in its sockets.
    if (!settling_ && chance(1)) {
        const Millis pause = between(500, 20'000);
        tell(fmt::format("server stands still for {} ms", pause.count()));
        time_.advance(pause);
    }
    std::vector<Posted> group = std::exchange(inbox_, {});
    for (const Posted& posted : group)
        if (const auto* claim = std::get_if<ClaimWork>(&posted.request); claim != nullptr && claim->holds)
            checker_.holds_named(claim->worker, *claim->holds);
    failed_ = false;
    try {
        const auto wake = engine_->step(std::move(group), clock_.wall());
        if (wake) wake_engine(time_.steady() + std::max(*wake - clock_.wall(), 0ms));
        checker_.after_step(clock_.wall(), !failed_ && (!wake || *wake > clock_.wall()));
    } catch (const Died&) {
        tell("server dies in the midst of its answers");
        crash();
    }
}

void World::publish(std::shared_ptr<const Notice> notice)
{
    if (options_.told)
        for (const auto& job : notice->jobs)
            tell(fmt::format("{} {} {}{} generation {} attempt {} fence {} of {}", to_text(job->kind), to_text(job->id),
                             to_text(job->state), job->cancel_requested_at ? " (cancel)" : "", job->generation,
                             job->attempt, job->fence, job->worker));
    if (options_.told)
        for (const auto& batch : notice->batches) {
            const BatchCounts& counts = batch->counts;
            tell(fmt::format("batch {} {} generation {}: {} of {} done, {} running, {} gated, cursor {}",
                             to_text(batch->id), to_text(batch->state), batch->generation, counts.done(), counts.total,
                             counts.running, batch->gated, batch->cursor));
        }
    checker_.noticed(*notice, clock_.wall());
    dies_answering_ = !settling_ && rng_.below(400) == 0;
}

void World::deliver(int, std::function<void()> reply)
{
    if (dies_answering_ && chance(50)) {
        dies_answering_ = false;
        throw Died{};
    }
    reply();
}

void World::start_server()
{
    ++life_;
    boot_ = std::to_string(life_);
    static_cast<MemoryStore&>(*store_).reopen();
    inbox_.clear();
    tell("server starts");
    for (int tries = 0;; ++tries) {
        try {
            engine_ = std::make_unique<Engine>(*store_, *this, metrics_,
                                               EngineOptions{definitions_, boot_, [this] { return clock_.drift(); }});
            checker_.process_began(clock_.wall());
            engine_->start(clock_.wall());
            break;
        } catch (const StoreFailure&) {
            engine_.reset();
            if (disk_full_)
                return after(2s, [this] {
                    if (!engine_) start_server();
                });
        } catch (const Died&) {
            engine_.reset();
        }
    }
    wake_at_.reset();
    wake_engine(time_.steady());
    workers_->server_began();
}

void World::crash()
{
    engine_.reset();
    inbox_.clear();
    wake_at_.reset();
    ++life_;
    after(between(10, 15'000), [this] {
        if (!engine_) start_server();
    });
}

// What goes wrong by itself, now and then.
void World::mischief()
{
    if (settling_) return;
    switch (rng_.below(8)) {
    case 0:
        if (engine_) {
            tell("server is killed");
            crash();
        }
        break;
    case 1:
        disk_full_ = true;
        tell("disk is full");
        after(between(100, 20'000), [this] { disk_full_ = false; });
        break;
    case 2: {
        const Millis step = between(-7'200'000, 7'200'000);
        tell(fmt::format("wall clock steps by {} ms", step.count()));
        time_.step_wall(step);
        break;
    }
    default: ++source_version_; break;
    }
    after(between(500, 20'000), [this] { mischief(); });
}

void World::step_once()
{
    Event event = agenda_.top();
    agenda_.pop();
    if (event.at > time_.steady()) time_.advance(event.at - time_.steady());
    event.act();
}

void World::run()
{
    start_server();
    actors_->begin();
    workers_->begin();
    after(between(500, 5000), [this] { mischief(); });
    for (int step = 0; step < options_.steps; ++step) {
        if (agenda_.empty()) throw Broken{"the world stands still"};
        step_once();
        if (step % 256 == 255 && engine_) checker_.whole(clock_.wall());
    }
    settle();
}

void World::settle()
{
    settling_ = true;
    disk_full_ = false;
    tell("faults stop");
    if (!engine_) start_server();
    actors_->settle();
    for (int round = 0; round < settle_rounds; ++round) {
        const SteadyTime until = time_.steady() + 2s;
        while (!agenda_.empty() && agenda_.top().at <= until) step_once();
        if (time_.steady() < until) time_.advance(until - time_.steady());
        if (round > 10 && checker_.all_over()) break;
    }
    checker_.settled(clock_.wall());
}

} // namespace freshet::sim
