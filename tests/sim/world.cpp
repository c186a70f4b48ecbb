// SPDX-License-Identifier: Apache-2.0
#include "sim/world.hpp"

#include "sim/actors.hpp"
#include "sim/workers.hpp"

#include <fmt/format.h>

namespace freshet::sim {

namespace {

/// The process died in the midst of its answers.
struct Died {};

constexpr Millis answer_awaited = 5s;
constexpr Millis outage_noticed = 1s; ///< of the store: a shorter one costs nobody's lease
constexpr int settle_rounds = 4000;   ///< of two seconds: batches that were left alone have deadlines of half an hour
constexpr int rounds_to_end = 150;    ///< for everything else: lease, longest wait and grace are less

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
    scraped.on_lost = LostRule::fail; // so that late results wait for a person while newer data comes
    made->queues = {{"fast", fast}, {"slow", slow}, {"scraped", scraped}};
    TaskSchedule tick{.name = "tick", .queue = "fast", .input = "{}"};
    tick.when.every = 40s;
    tick.when.overlap = OverlapRule::queue_one;
    TaskSchedule nightly{.name = "minutely", .queue = "slow", .input = "{}"};
    nightly.when.cron = "* * * * *";
    nightly.when.overlap = OverlapRule::replace;
    nightly.tenants = {"acme"};
    made->schedules = {{tick.name, tick}, {nightly.name, nightly}};
    return made;
}

// What an edit of the file would make of it: another definition of a source, and one source less.
std::shared_ptr<const Definitions> edited(const Definitions& definitions)
{
    auto made = std::make_shared<Definitions>(definitions);
    auto prices = std::make_shared<SourceDefinition>(*made->sources.at("prices"));
    prices->hash = hash64("prices, edited");
    made->sources["prices"] = prices;
    made->sources.erase("news");
    return made;
}

} // namespace

World::World(const WorldOptions& options)
    : options_{options}, rng_{options.seed}, clock_{time_}, variants_{world_definitions()},
      definitions_{variants_.front()}, disk_{options.embedded}, checker_{disk_, *definitions_},
      actors_{std::make_unique<Actors>(*this)}, workers_{std::make_unique<Workers>(*this)}
{
    variants_.push_back(edited(*definitions_));
    disk_.refuse_commits([this] {
        failed_ = disk_full_ || (!settling_ && chance(1));
        if (failed_) saw(Seen::commits_refused);
        committed_ = !failed_;
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
            const bool lost = !settling_ && chance(3), late = !settling_ && chance(4);
            if (lost) return saw(Seen::messages_lost);
            if (late) saw(Seen::messages_late);
            const Millis way = late ? between(100, 8000) : between(0, 30);
            after(way, [answer, reply] { answer(&reply); });
        });
    };
    const int copies = settling_ ? 1 : chance(3) ? 0 : chance(4) ? 2 : 1;
    if (copies != 1) saw(copies == 0 ? Seen::messages_lost : Seen::messages_twice);
    for (int i = 0; i < copies; ++i) {
        const bool late = chance(4) && !settling_;
        if (late) saw(Seen::messages_late);
        after(late ? between(100, 20'000) : between(0, 30),
              [arrival, copy = request]() mutable { arrival(std::move(copy)); });
    }
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
        saw(Seen::server_standstills);
        time_.advance(pause);
        checker_.count_uptime(clock_.wall(), serving_since_.has_value());
    }
    std::vector<Posted> group = std::exchange(inbox_, {});
    for (const Posted& posted : group)
        if (const auto* claim = std::get_if<ClaimWork>(&posted.request); claim != nullptr && claim->holds)
            checker_.holds_named(claim->worker, *claim->holds);
    failed_ = committed_ = false;
    try {
        const auto wake = engine_->step(std::move(group), clock_.wall());
        if (wake) wake_engine(time_.steady() + std::max(*wake - clock_.wall(), 0ms));
        checker_.after_step(clock_.wall(), !failed_);
        if (failing_since_ && clock_.wall() - *failing_since_ > outage_noticed) checker_.give_time_again();
        if (committed_) failing_since_.reset();
        if (failed_ && !failing_since_) failing_since_ = clock_.wall();
        const bool caught_up = !failed_ && (!wake || *wake > clock_.wall());
        if (!caught_up)
            serving_since_.reset();
        else if (!serving_since_)
            serving_since_ = clock_.wall();
    } catch (const Died&) {
        tell("server dies in the midst of its answers");
        saw(Seen::server_died_answering);
        crash();
    }
}

void World::tell_all(const Notice& notice) const
{
    for (const auto& of : notice.events)
        for (const LedgerEntry& entry : of.entries)
            if (entry.event.kind != EventKind::job && entry.event.kind != EventKind::batch)
                tell(fmt::format("{} {} {}", of.tenant, entry.seq, entry.event.topic));
    for (const auto& job : notice.jobs)
        tell(fmt::format("{} {} {}{} generation {} attempt {} fence {} of {}", to_text(job->kind), to_text(job->id),
                         to_text(job->state), job->cancel_requested_at ? " (cancel)" : "", job->generation,
                         job->attempt, job->fence, job->worker));
    for (const auto& batch : notice.batches) {
        const BatchCounts& counts = batch->counts;
        tell(fmt::format("batch {} {} generation {}: {} of {} done, {} running, {} gated, cursor {}",
                         to_text(batch->id), to_text(batch->state), batch->generation, counts.done(), counts.total,
                         counts.running, batch->gated, batch->cursor));
    }
}

void World::publish(std::shared_ptr<const Notice> notice, std::vector<Delivery> replies)
{
    if (notice) {
        if (options_.told) tell_all(*notice);
        checker_.noticed(*notice, clock_.wall());
        dies_answering_ = !settling_ && rng_.below(400) == 0;
    }
    for (const Delivery& delivery : replies) {
        if (dies_answering_ && chance(50)) {
            dies_answering_ = false;
            throw Died{};
        }
        delivery.reply();
    }
}

void World::start_server()
{
    ++life_;
    boot_ = std::to_string(life_);
    disk_.reopen();
    inbox_.clear();
    failing_since_.reset();
    tell("server starts");
    for (int tries = 0;; ++tries) {
        try {
            engine_ = std::make_unique<Engine>(disk_.store(), *this, metrics_,
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
    serving_since_.reset();
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
    switch (rng_.below(options_.embedded ? 10 : 8)) {
    case 0:
        if (engine_) {
            tell("server is killed");
            saw(Seen::server_kills);
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
        saw(Seen::wall_steps);
        break;
    }
    case 3: reload(); break;
    case 8: back_up(); break;
    case 9: restore(); break;
    default: ++source_version_; break;
    }
    after(between(500, 20'000), [this] { mischief(); });
}

void World::back_up()
{
    if (!engine_) return;
    tell("a backup is made");
    disk_.back_up();
    backed_up_ = std::make_unique<Checker>(checker_);
}

// People do so while no server runs. Workers go on with what they held in the other life.
void World::restore()
{
    if (!disk_.has_backup()) return;
    tell("a backup is restored");
    saw(Seen::restores);
    crash();
    const Disk::Restored restored = disk_.restore();
    checker_.restored(*backed_up_, restored.by, restored.numbers_base);
}

void World::step_once()
{
    Event event = agenda_.top();
    agenda_.pop();
    if (event.at > time_.steady()) time_.advance(event.at - time_.steady());
    checker_.count_uptime(clock_.wall(), engine_ && serving_since_);
    event.act();
    checker_.time_passed(clock_.wall(), engine_ ? serving_since_ : std::nullopt);
}

// The file was edited; whoever restarts reads it as it is then.
void World::reload()
{
    definitions_ = variants_[settling_ ? 0 : rng_.below(variants_.size())];
    saw(Seen::reloads);
    if (engine_) arrive(Reconfigure{definitions_}, {});
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
    reload();
    actors_->settle();
    const WallTime began = clock_.wall();
    for (int round = 0; round < settle_rounds && !is_over(round); ++round) {
        const SteadyTime until = time_.steady() + 2s;
        while (!agenda_.empty() && agenda_.top().at <= until) step_once();
        if (time_.steady() < until) time_.advance(until - time_.steady());
        if (round == rounds_to_end) checker_.settled_but_for_batches(began);
    }
    checker_.settled(clock_.wall());
    stand_still();
}

bool World::is_over(int round)
{
    constexpr int rounds_least = 12; ///< what was said before faults stopped has arrived by then
    return round > rounds_least && checker_.all_over() && workers_->idle();
}

// No asks and nothing due: the ledgers stand still.
void World::stand_still()
{
    const auto heads = checker_.heads();
    const std::uint64_t fires = checker_.coverage().of(Seen::fires);
    const SteadyTime until = time_.steady() + 10s;
    while (!agenda_.empty() && agenda_.top().at <= until) step_once();
    if (checker_.coverage().of(Seen::fires) != fires) return;
    saw(Seen::quiet_times);
    if (checker_.heads() != heads) throw Broken{"no asks and nothing due: the ledger stands still"};
}

} // namespace freshet::sim
