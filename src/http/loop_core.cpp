// SPDX-License-Identifier: Apache-2.0
#include "http/loop_core.hpp"

#include "base/failure.hpp"
#include "base/log.hpp"
#include "http/codings.hpp"
#include "model/freshness.hpp"

#include <boost/asio/post.hpp>

namespace freshet::http {

namespace {

// A hint that came to nothing (dropped, refused) is given again after this.
constexpr Millis hint_again = 10s;
constexpr Millis touch_again = 1h;
// The engine needs microseconds from commit to publish; a tenant without a single event since start is told of nothing.
constexpr Millis told_at_the_latest = 1s;

std::string joined(std::string_view tenant, std::string_view key)
{
    std::string name{tenant};
    name += '\n';
    name += key;
    return name;
}

std::pair<std::string_view, std::string_view> split(std::string_view name)
{
    const auto line = name.find('\n');
    return {name.substr(0, line), name.substr(line + 1)};
}

} // namespace

LoopCore::LoopCore(boost::asio::io_context& io, LoopCoreOptions options)
    : io_{io}, options_{std::move(options)}, cache_{options_.cache_bytes},
      gate_{options_.definitions, options_.tokens, options_.local_token},
      has_shared_{any_shared(*options_.definitions)}, timer_{io}
{
}

// --- The tail -------------------------------------------------------------------------------------------------------

void LoopCore::wake()
{
    if (wake_posted_.exchange(true, std::memory_order_acq_rel)) return;
    boost::asio::post(io_, [this] {
        // An exchange, not a store: the processor may put a store off until after the load of what is published, and a
        // wake between the two would be lost.
        wake_posted_.exchange(false, std::memory_order_acq_rel);
        drain(options_.tail.published());
    });
}

void LoopCore::drain(std::uint64_t published)
{
    options_.tail.drain(
        options_.index, published, [this](const std::shared_ptr<const Notice>& notice) { untold_.push_back(notice); },
        [this](std::function<void()> reply) { boost::asio::post(io_, std::move(reply)); });
    // Who is told of one notice may catch up and come here again: what was taken before goes before what came since.
    while (!untold_.empty()) {
        const auto notice = std::move(untold_.front());
        untold_.pop_front();
        apply(notice);
    }
    applied_ = std::max(applied_, published);
    for (auto at = ahead_.begin(); at != ahead_.end();) {
        const auto head = options_.heads.find(at->second.tenant);
        if (head == options_.heads.end() || head->second < at->second.seq) {
            ++at;
            continue;
        }
        boost::asio::post(io_, std::move(at->second.then));
        at = ahead_.erase(at);
    }
}

void LoopCore::apply(const std::shared_ptr<const Notice>& notice)
{
    if (notice->definitions) {
        options_.definitions = notice->definitions;
        has_shared_ = any_shared(*options_.definitions);
        ++definitions_version_;
        cache_.forget_prepared();
    }
    if (notice->tokens) options_.tokens = notice->tokens;
    if (notice->definitions || notice->tokens) {
        ++access_version_;
        gate_ = Gate{options_.definitions, options_.tokens, options_.local_token};
    }
    for (const auto& tenant : notice->events)
        if (!tenant.entries.empty()) see_head(tenant.tenant, tenant.entries.back().seq);
    for (const auto& view : notice->keys) apply_view(view);
    for (const auto& job : notice->jobs) apply_job(job);
    work_.apply(*notice);
    for (const auto& listener : notice_listeners_) listener(notice);
}

void LoopCore::see_head(std::string_view tenant, Seq seq)
{
    auto found = options_.heads.find(tenant);
    if (found == options_.heads.end()) found = options_.heads.emplace(std::string{tenant}, 0).first;
    found->second = std::max(found->second, seq);
}

void LoopCore::apply_view(const std::shared_ptr<const KeyView>& view)
{
    const KeyRecord& record = view->record;
    see_head(record.tenant, record.seq);
    if (CacheEntry* entry = cache_.find(record.tenant, record.key)) {
        if (view->body || !record.has_data) {
            cache_.put(*entry, view);
            entry->noticed = nullptr;
        } else if (entry->view && entry->view->body && entry->view->record.ver == record.ver) {
            auto whole = std::make_shared<KeyView>(*view);
            whole->body = entry->view->body;
            cache_.put(*entry, std::move(whole));
        } else {
            // Told of data whose bytes are not here: what is here is older, so it may not be shown any more.
            entry->view = nullptr;
            entry->forget_prepared();
            entry->noticed = view;
            if (!entry->reading && entry->waiting.empty()) cache_.erase(*entry);
        }
    }
    const auto [first, last] = key_waits_.equal_range(joined(record.tenant, record.key));
    std::vector<std::uint64_t> satisfied;
    for (auto at = first; at != last; ++at)
        if (waits_.at(at->second).enough(*view)) satisfied.push_back(at->second);
    for (const std::uint64_t id : satisfied) finish_key(id, true);
}

void LoopCore::apply_job(const std::shared_ptr<const Job>& job)
{
    see_head(job->tenant, job->seq);
    const auto [first, last] = job_waits_.equal_range(job->id.value);
    std::vector<std::uint64_t> told;
    for (auto at = first; at != last; ++at) told.push_back(at->second);
    for (const std::uint64_t id : told) {
        Wait& wait = waits_.at(id);
        if (wait.last && wait.last->seq > job->seq) continue;
        wait.last = job;
        if (!is_terminal(job->state)) continue;
        if (!job->superseded_by) {
            finish_job(id, job, true);
            continue;
        }
        // Who waits goes on with the job that took its place.
        Wait moved = std::move(*take_wait(id));
        moved.job = job->superseded_by;
        job_waits_.emplace(moved.job.value, id);
        look_up_job(id, moved.job);
        waits_.emplace(id, std::move(moved));
    }
}

void LoopCore::when_told(std::string_view tenant, Seq seq, std::function<void()> then)
{
    catch_up();
    const auto head = options_.heads.find(tenant);
    if (seq == 0 || (head != options_.heads.end() && head->second >= seq)) return then();
    const std::uint64_t id = ++wait_last_;
    ahead_.emplace(id, Ahead{std::string{tenant}, seq, std::move(then)});
    after(told_at_the_latest, [this, id] {
        const auto found = ahead_.find(id);
        if (found == ahead_.end()) return;
        // Its commit is long published: the tenant merely had no event since this core began.
        see_head(found->second.tenant, found->second.seq);
        const auto continuation = std::move(found->second.then);
        ahead_.erase(found);
        continuation();
    });
}

// --- Reading --------------------------------------------------------------------------------------------------------

void LoopCore::view(std::string_view tenant, std::string_view key, GotView then)
{
    catch_up();
    CacheEntry* entry = cache_.find(tenant, key);
    if (entry != nullptr && entry->view) return then(entry->view);
    if (entry == nullptr) entry = &cache_.insert(tenant, key);
    entry->waiting.push_back(std::move(then));
    if (!entry->reading) start_read(*entry);
}

const KeyView* LoopCore::cached(std::string_view tenant, std::string_view key)
{
    const CacheEntry* entry = cache_.find(tenant, key);
    return entry == nullptr ? nullptr : entry->view.get();
}

void LoopCore::start_read(CacheEntry& entry)
{
    entry.reading = true;
    auto result = std::make_shared<std::shared_ptr<const KeyView>>();
    off_loop(
        [result, name = entry.name](Reads& reads) {
            const auto [tenant, key] = split(name);
            *result = reads.view(tenant, key);
        },
        [this, result, name = entry.name](std::exception_ptr failure) { read_ended(name, *result, failure); });
}

void LoopCore::read_ended(const std::string& name, std::shared_ptr<const KeyView> view, std::exception_ptr failure)
{
    const auto [tenant, key] = split(name);
    if (failure) {
        try {
            std::rethrow_exception(failure);
        } catch (const std::exception& error) {
            log::warn("a key could not be read", {{"tenant", tenant}, {"key", key}, {"error", error.what()}});
        }
        CacheEntry* entry = cache_.find(tenant, key);
        if (entry == nullptr) return;
        const auto waiting = std::exchange(entry->waiting, {});
        entry->reading = false;
        if (!entry->view) cache_.erase(*entry);
        for (const auto& then : waiting) then(nullptr);
        return;
    }
    const Seq seq = view->record.seq;
    when_told(tenant, seq, [this, name, view = std::move(view)] { settle(name, view); });
}

void LoopCore::settle(const std::string& name, const std::shared_ptr<const KeyView>& read)
{
    const auto [tenant, key] = split(name);
    CacheEntry* entry = cache_.find(tenant, key);
    if (entry == nullptr) return;
    entry->reading = false;
    const auto noticed = std::exchange(entry->noticed, nullptr);
    if (noticed && noticed->record.seq >= read->record.seq && !entry->view) {
        if (!read->body || noticed->record.ver != read->record.ver) return start_read(*entry);
        auto whole = std::make_shared<KeyView>(*noticed);
        whole->body = read->body;
        cache_.put(*entry, std::move(whole));
    } else if (!entry->view || entry->view->record.seq < read->record.seq) {
        cache_.put(*entry, read);
    }
    flush(*entry);
}

void LoopCore::flush(CacheEntry& entry)
{
    const auto waiting = std::exchange(entry.waiting, {});
    const std::shared_ptr<const KeyView> view = entry.view;
    for (const auto& then : waiting) then(view);
}

void LoopCore::off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then)
{
    ReadPool& pool = options_.pool;
    if (pool.waiting.fetch_add(1, std::memory_order_relaxed) >= ReadPool::waiting_max) {
        pool.waiting.fetch_sub(1, std::memory_order_relaxed);
        boost::asio::post(io_, [then = std::move(then)] {
            then(std::make_exception_ptr(Failure{"too many reads of the store wait already; try again in a moment"}));
        });
        return;
    }
    boost::asio::post(pool.threads, [this, work = std::move(work), then = std::move(then)]() mutable {
        std::exception_ptr failure;
        try {
            work(options_.services.reads);
        } catch (...) {
            failure = std::current_exception();
        }
        options_.pool.waiting.fetch_sub(1, std::memory_order_relaxed);
        boost::asio::post(io_, [then = std::move(then), failure] { then(failure); });
    });
}

// --- Asking the engine ----------------------------------------------------------------------------------------------

bool LoopCore::post(Request request, ReplyTo reply)
{
    return options_.engine.post(std::move(request), options_.index, std::move(reply));
}

void LoopCore::hint(CacheEntry& entry)
{
    const SteadyTime at = steady();
    if (entry.hinted_until > at || !entry.view) return;
    const auto [tenant, key] = split(entry.name);
    AskRefresh ask;
    ask.tenant = tenant;
    ask.key = key;
    ask.source = key.substr(0, key.find('/'));
    ask.trigger = Trigger::stale;
    ask.read_after_now = false;
    if (options_.engine.hint(std::move(ask))) entry.hinted_until = at + hint_again;
}

void LoopCore::touch(CacheEntry& entry)
{
    const SteadyTime at = steady();
    if (entry.touched_until > at || !entry.view || entry.view->record.gen == 0) return;
    entry.touched_until = at + touch_again;
    const auto& read_at = entry.view->record.read_at;
    if (read_at && now() - *read_at < touch_again) return;
    const auto [tenant, key] = split(entry.name);
    options_.engine.hint(TouchKey{std::string{tenant}, std::string{key}, std::string{key.substr(0, key.find('/'))}});
}

void LoopCore::hint_refresh(std::string_view tenant, std::string_view key, std::string_view)
{
    if (CacheEntry* entry = cache_.find(tenant, key)) hint(*entry);
}

void LoopCore::want_coding(CacheEntry& entry, Coding coding)
{
    bool& asked = entry.asked_coding[static_cast<std::size_t>(coding)];
    if (asked || !entry.view || !entry.view->body) return;
    asked = true;
    if (!begin_coding(*entry.view->body, coding)) return;
    off_loop([view = entry.view, coding](Reads&) { make_coding(*view->body, coding); },
             [this, view = entry.view, name = entry.name](const std::exception_ptr& failure) {
                 if (failure) return;
                 const auto [tenant, key] = split(name);
                 CacheEntry* found = cache_.find(tenant, key);
                 if (found == nullptr || found->view != view) return;
                 found->forget_prepared();
                 cache_.weigh(*found);
             });
}

// --- Waiting --------------------------------------------------------------------------------------------------------

std::uint64_t LoopCore::add_wait(Wait wait, SteadyTime until)
{
    const std::uint64_t id = ++wait_last_;
    waits_.emplace(id, std::move(wait));
    deadlines_.emplace(until, id);
    arm();
    return id;
}

std::uint64_t LoopCore::wait_job(JobId job, SteadyTime until, std::function<void(JobWait)> then)
{
    Wait wait;
    wait.job = job;
    wait.then_job = std::move(then);
    const std::uint64_t id = add_wait(std::move(wait), until);
    job_waits_.emplace(job.value, id);
    // It may have ended before anyone waited.
    look_up_job(id, job);
    return id;
}

void LoopCore::look_up_job(std::uint64_t wait, JobId job)
{
    auto found = std::make_shared<std::optional<Job>>();
    off_loop([found, job](Reads& reads) { *found = reads.job(job); },
             [this, found, wait, job](const std::exception_ptr& failure) {
                 const auto at = waits_.find(wait);
                 if (failure || at == waits_.end() || at->second.job != job || !*found) return;
                 auto seen = std::make_shared<const Job>(std::move(**found));
                 const std::string tenant = seen->tenant;
                 const Seq seq = seen->seq;
                 when_told(tenant, seq, [this, seen = std::move(seen)] { apply_job(seen); });
             });
}

std::uint64_t LoopCore::wait_key(std::string_view tenant, std::string_view key, SteadyTime until,
                                 std::function<bool(const KeyView&)> enough, GotView then)
{
    Wait wait;
    wait.key_name = joined(tenant, key);
    wait.enough = std::move(enough);
    wait.then_view = std::move(then);
    const std::string name = wait.key_name;
    const std::uint64_t id = add_wait(std::move(wait), until);
    key_waits_.emplace(name, id);
    return id;
}

std::uint64_t LoopCore::after(Millis delay, std::function<void()> then)
{
    Wait wait;
    wait.then_time = std::move(then);
    return add_wait(std::move(wait), steady() + delay);
}

std::optional<LoopCore::Wait> LoopCore::take_wait(std::uint64_t id)
{
    auto node = waits_.extract(id);
    if (node.empty()) return std::nullopt;
    Wait wait = std::move(node.mapped());
    const auto forget = [id](auto& index, const auto& name) {
        const auto [first, last] = index.equal_range(name);
        for (auto at = first; at != last; ++at) {
            if (at->second != id) continue;
            index.erase(at);
            return;
        }
    };
    if (wait.then_job) forget(job_waits_, wait.job.value);
    if (wait.then_view) forget(key_waits_, wait.key_name);
    return wait;
}

void LoopCore::finish_job(std::uint64_t id, std::shared_ptr<const Job> job, bool over)
{
    // By value: the job that a late wait saw last goes with the wait.
    auto wait = take_wait(id);
    if (!wait) return;
    boost::asio::post(io_,
                      [then = std::move(wait->then_job), job = std::move(job), over] { then(JobWait{job, over}); });
}

void LoopCore::finish_key(std::uint64_t id, bool in_time)
{
    auto wait = take_wait(id);
    if (!wait) return;
    boost::asio::post(io_,
                      [this, name = std::move(wait->key_name), then = std::move(wait->then_view), in_time]() mutable {
                          if (!in_time) return then(nullptr);
                          const auto [tenant, key] = split(name);
                          view(tenant, key, std::move(then));
                      });
}

void LoopCore::arm()
{
    if (deadlines_.empty()) {
        armed_for_ = SteadyTime::max();
        return;
    }
    const SteadyTime next = deadlines_.begin()->first;
    if (next >= armed_for_) return;
    armed_for_ = next;
    timer_.expires_after(std::max<Millis>(next - steady(), 0ms));
    timer_.async_wait([this](const boost::system::error_code& error) {
        if (!error) run_timers();
    });
}

void LoopCore::run_timers()
{
    const SteadyTime at = steady();
    armed_for_ = SteadyTime::max();
    while (!deadlines_.empty() && deadlines_.begin()->first <= at) {
        const std::uint64_t id = deadlines_.begin()->second;
        deadlines_.erase(deadlines_.begin());
        const auto found = waits_.find(id);
        if (found == waits_.end()) continue;
        if (found->second.then_job) {
            finish_job(id, found->second.last, false);
        } else if (found->second.then_view) {
            finish_key(id, false);
        } else {
            boost::asio::post(io_, std::move(take_wait(id)->then_time));
        }
    }
    arm();
}

void LoopCore::begin_stop()
{
    for (const auto& listener : stop_listeners_) listener();
    work_.stop();
}

void LoopCore::drop_waits()
{
    // What the waits hold may drop exchanges, whose ends come back here: take them out first.
    job_waits_.clear();
    key_waits_.clear();
    const auto waits = std::exchange(waits_, {});
    const auto ahead = std::exchange(ahead_, {});
    deadlines_.clear();
    timer_.cancel();
}

} // namespace freshet::http
