// SPDX-License-Identifier: Apache-2.0
#include "app/engine_thread.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"

#include <algorithm>
#include <numeric>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>
#include <type_traits>
#include <utility>

namespace freshet {

namespace {

/// Above this the thread speaks of a pause: leases may be judged late, people wonder.
constexpr Millis pause_told = 1s;
constexpr Millis back_off_first = 100ms;
constexpr Millis back_off_max = 2s;
/// The longest sleep: a wake further away is asked again, so that no sum overflows and a slewed clock is followed.
constexpr Millis sleep_max = 1min;

std::size_t bytes_of(const CompleteJob& complete)
{
    if (const auto* task = std::get_if<TaskResult>(&complete.result)) return task->json.size();
    const auto& prepared = std::get<PreparedResult>(complete.result);
    return (prepared.body ? prepared.body->bytes.size() : 0) + prepared.diff.size();
}

/// Bytes that a request holds while it waits: only what callers and workers may make large is worth counting.
std::size_t bytes_of(const Request& request)
{
    const auto sum = [](const auto& list, auto bytes) {
        return std::accumulate(list.begin(), list.end(), std::size_t{0},
                               [&](std::size_t so_far, const auto& one) { return so_far + bytes(one); });
    };
    if (const auto* complete = std::get_if<CompleteJob>(&request)) return bytes_of(*complete);
    if (const auto* add = std::get_if<AddJobs>(&request))
        return sum(add->jobs, [](const NewJob& job) { return job.input.size(); });
    if (const auto* add = std::get_if<AddBatch>(&request))
        return sum(add->items, [](const NewItem& item) { return item.input.size() + item.key.size(); });
    if (const auto* add = std::get_if<AddItems>(&request))
        return sum(add->items, [](const NewItem& item) { return item.input.size() + item.key.size(); });
    if (const auto* put = std::get_if<PutResult>(&request)) return put->bytes ? put->bytes->size() : 0;
    if (const auto* end = std::get_if<EndWork>(&request))
        return sum(end->jobs, [](const auto& one) {
            const auto* complete = std::get_if<CompleteJob>(&one);
            return complete == nullptr ? 0 : bytes_of(*complete);
        });
    return 0;
}

template <class T>
constexpr bool is_of_worker =
    std::is_same_v<T, ClaimWork> || std::is_same_v<T, WithdrawClaim> || std::is_same_v<T, BeatWork> ||
    std::is_same_v<T, EndWork> || std::is_same_v<T, PutResult> || std::is_same_v<T, AddLog>;

/// The tenant that a request counts against. Those of workers count against nobody: without them nothing would end.
std::string tenant_of(const Request& request)
{
    return std::visit(
        [](const auto& one) -> std::string {
            if constexpr (is_of_worker<std::decay_t<decltype(one)>>)
                return {};
            else if constexpr (requires { one.by_tenant; })
                return one.by_tenant.empty() ? one.tenant : one.by_tenant; // of a shared source: who asked
            else if constexpr (requires { one.tenant; })
                return one.tenant;
            else
                return {};
        },
        request);
}

prometheus::Histogram& histogram(Metrics& metrics, const char* name, const char* help,
                                 prometheus::Histogram::BucketBoundaries bounds)
{
    return prometheus::BuildHistogram().Name(name).Help(help).Register(metrics.registry()).Add({}, std::move(bounds));
}

prometheus::Counter& counter(Metrics& metrics, const char* name, const char* help)
{
    return prometheus::BuildCounter().Name(name).Help(help).Register(metrics.registry()).Add({});
}

} // namespace

EngineThread::EngineThread(EngineStep step, std::function<std::size_t()> backlog, const Clock& clock, Metrics& metrics,
                           InboxLimits limits)
    : step_{std::move(step)}, backlog_{std::move(backlog)}, clock_{clock}, limits_{limits},
      group_requests_{histogram(metrics, "freshet_engine_group_requests", "Requests served by one commit",
                                {0, 1, 4, 16, 64, 256, 512})},
      step_seconds_{histogram(metrics, "freshet_engine_step_seconds", "Time of one group, its commit included",
                              {0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5})},
      refused_{counter(metrics, "freshet_engine_refused_total", "Requests and hints that a full inbox refused")},
      store_failures_{counter(metrics, "freshet_engine_store_failures_total", "Groups that the store did not take")},
      pauses_{counter(metrics, "freshet_engine_pauses_total", "Times the engine stood still for more than a second")}
{
}

void EngineThread::start()
{
    FRESHET_ASSERT(!thread_.joinable());
    {
        const std::lock_guard lock{mutex_};
        taking_ = true;
    }
    thread_ = std::thread{[this] { run(); }};
}

void EngineThread::stop()
{
    {
        const std::lock_guard lock{mutex_};
        taking_ = false;
        stopping_ = true;
    }
    post_or_stop_.notify_one();
    if (thread_.joinable()) thread_.join();
}

bool EngineThread::post(Request request, int core, ReplyTo reply)
{
    return take({std::move(request), core, std::move(reply)}, false);
}

bool EngineThread::hint(Request request)
{
    return take({std::move(request), -1, {}}, true);
}

bool EngineThread::take(Posted posted, bool is_hint)
{
    Waiting waiting{.bytes = bytes_of(posted.request), .tenant = tenant_of(posted.request)};
    waiting.posted = std::move(posted);
    const bool behind = backlog_() > limits_.backlog_max;

    std::unique_lock lock{mutex_};
    const std::size_t half = limits_.requests_max / 2;
    const auto mine = waiting.tenant.empty() ? waiting_of_tenant_.end() : waiting_of_tenant_.find(waiting.tenant);
    const bool over_half = mine != waiting_of_tenant_.end() && mine->second >= half;
    const bool full = inbox_.size() >= (is_hint ? half : limits_.requests_max) ||
                      (inbox_bytes_ + waiting.bytes > limits_.bytes_max && !inbox_.empty());
    if (!taking_ || behind || over_half || full) {
        refused_.Increment();
        return false;
    }
    if (mine != waiting_of_tenant_.end())
        ++mine->second;
    else if (!waiting.tenant.empty())
        waiting_of_tenant_.emplace(waiting.tenant, 1);
    inbox_bytes_ += waiting.bytes;
    inbox_.push_back(std::move(waiting));
    const bool sleeps = inbox_.size() == 1;
    // A thread that is woken while the lock is held goes to sleep again at once.
    lock.unlock();
    if (sleeps) post_or_stop_.notify_one();
    return true;
}

Millis EngineThread::busy_for() const
{
    const std::int64_t began = step_began_ms_.load(std::memory_order_relaxed);
    return began == 0 ? Millis{0} : clock_.steady().time_since_epoch() - Millis{began};
}

void EngineThread::run()
{
    // The first step asks the engine what is due, also when nobody posts.
    std::optional<WallTime> wake = clock_.wall();
    while (sleep(wake)) wake = step(next_group());
}

/// Sleeps until there is work; false: stopped, and nothing waits any more.
bool EngineThread::sleep(std::optional<WallTime> wake)
{
    std::unique_lock lock{mutex_};
    if (back_off_ > 0ms) post_or_stop_.wait_for(lock, back_off_, [this] { return stopping_; });
    while (inbox_.empty()) {
        if (stopping_) return false;
        const WallTime now = clock_.wall();
        if (wake && *wake <= now) return true;
        const Millis left = wake ? std::min<Millis>(*wake - now, sleep_max) : sleep_max;
        const SteadyTime awake_at = clock_.steady() + left;
        post_or_stop_.wait_for(lock, left);
        note_pause("asleep", awake_at);
    }
    return true;
}

std::vector<Posted> EngineThread::next_group()
{
    const std::lock_guard lock{mutex_};
    std::vector<Posted> group;
    std::size_t bytes = 0;
    while (!inbox_.empty() && group.size() < group_requests_max) {
        Waiting& first = inbox_.front();
        if (!group.empty() && bytes + first.bytes > group_bytes_max) break;
        bytes += first.bytes;
        inbox_bytes_ -= first.bytes;
        if (const auto mine = waiting_of_tenant_.find(first.tenant); mine != waiting_of_tenant_.end())
            if (--mine->second == 0) waiting_of_tenant_.erase(mine);
        group.push_back(std::move(first.posted));
        inbox_.pop_front();
    }
    return group;
}

std::optional<WallTime> EngineThread::step(std::vector<Posted> group)
{
    const SteadyTime began = clock_.steady();
    step_began_ms_.store(std::max<std::int64_t>(1, began.time_since_epoch().count()), std::memory_order_relaxed);
    group_requests_.Observe(static_cast<double>(group.size()));
    std::optional<WallTime> wake;
    try {
        wake = step_(std::move(group), clock_.wall());
        back_off_ = 0ms;
        store_failing_.store(false, std::memory_order_relaxed);
    } catch (const StoreFailure& failure) {
        // The engine has answered the group; what matters here is not to hammer a store that has no room.
        store_failures_.Increment();
        store_failing_.store(true, std::memory_order_relaxed);
        back_off_ = std::clamp(back_off_ * 2, back_off_first, back_off_max);
        log::warn("engine waits for the store", {{"error", failure.what()}, {"next_try_ms", back_off_.count()}});
        wake = clock_.wall();
    }
    step_began_ms_.store(0, std::memory_order_relaxed);
    step_seconds_.Observe(static_cast<double>((clock_.steady() - began).count()) / 1000.0);
    note_pause("in a step", began);
    return wake;
}

void EngineThread::note_pause(std::string_view where, SteadyTime expected_end)
{
    const Millis pause = clock_.steady() - expected_end;
    if (pause <= pause_told) return;
    pauses_.Increment();
    log::warn("engine paused", {{"where", where}, {"pause_ms", pause.count()}});
}

} // namespace freshet
