// SPDX-License-Identifier: Apache-2.0
#pragma once
// The Core of one event loop: its cache, its end of the ledger tail, its waits (see core.hpp for what it promises).
//
// A miss asks the store off the loop. What the store says may be ahead of the notices this core has applied: the commit
// is on disk, its notice not yet out, and another core still answers with what was before. Such a view waits for its
// notice before anyone sees it (F4 over cores), which takes as long as the engine needs from commit to publish.
// Threads: the loop's, but for wake(), which the engine calls.

#include "base/clock.hpp"
#include "http/cache.hpp"
#include "http/core.hpp"
#include "http/gate.hpp"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <map>
#include <unordered_map>

namespace freshet::http {

/// Threads that read the disk and compress, shared by all loops. Bounded: beyond it a read fails with words.
struct ReadPool {
    explicit ReadPool(std::size_t count) : threads{count} {}
    static constexpr int waiting_max = 4096;
    boost::asio::thread_pool threads;
    std::atomic<int> waiting{0};
};

struct LoopCoreOptions {
    int index = 0;
    const Clock& clock;
    EnginePort& engine;
    Tail& tail;
    Services& services;
    ReadPool& pool;
    std::shared_ptr<const Definitions> definitions;
    std::string local_token; ///< of the command line on this machine; empty: none
    std::shared_ptr<const std::vector<TokenRecord>> tokens =
        std::make_shared<std::vector<TokenRecord>>(); ///< of the store before the first notice
    std::map<std::string, Seq, std::less<>> heads;    ///< of each tenant's ledger before the first notice
    std::size_t cache_bytes = 64 << 20;
};

class LoopCore final : public Core {
public:
    LoopCore(boost::asio::io_context& io, LoopCoreOptions options);

    int index() const override { return options_.index; }
    WallTime now() const override { return options_.clock.wall(); }
    SteadyTime steady() const override { return options_.clock.steady(); }
    const std::shared_ptr<const Definitions>& definitions() const override { return options_.definitions; }
    const Gate& gate() override { return gate_; }
    const std::shared_ptr<const std::vector<TokenRecord>>& tokens() const override { return options_.tokens; }
    void catch_up() override
    {
        const std::uint64_t published = options_.tail.published();
        if (published != applied_) drain(published);
    }
    void view(std::string_view tenant, std::string_view key, GotView then) override;
    const KeyView* cached(std::string_view tenant, std::string_view key) override;
    bool post(Request request, ReplyTo reply) override;
    void hint_refresh(std::string_view tenant, std::string_view key, std::string_view source) override;
    void off_loop(std::function<void(Reads&)> work, std::function<void(std::exception_ptr)> then) override;
    std::uint64_t wait_job(JobId job, SteadyTime until, std::function<void(JobWait)> then) override;
    std::uint64_t wait_key(std::string_view tenant, std::string_view key, SteadyTime until,
                           std::function<bool(const KeyView&)> enough, GotView then) override;
    void cancel_wait(std::uint64_t wait) override { take_wait(wait); }
    std::uint64_t after(Millis delay, std::function<void()> then) override;
    void on_notice(std::function<void(const std::shared_ptr<const Notice>&)> listener) override
    {
        notice_listeners_.push_back(std::move(listener));
    }
    void on_stop(std::function<void()> listener) override { stop_listeners_.push_back(std::move(listener)); }
    WorkTable& work() override { return work_; }
    Services& services() override { return options_.services; }
    std::shared_ptr<void>& streams() override { return streams_; }

    // For the connection's fast path and the loop.
    ReadCache& cache() { return cache_; }
    /// Grows with each set of definitions: what was derived from older ones is to be derived anew.
    std::uint64_t definitions_version() const { return definitions_version_; }
    /// Some source is shared: whose a key is has to be looked up.
    bool has_shared() const { return has_shared_; }
    /// Grows with each set of definitions or tokens: what the gate said before is to be asked anew.
    std::uint64_t access_version() const { return access_version_; }
    /// What an Accept-Encoding takes. The last text is remembered: clients of one kind say the same again and again.
    const AcceptedCodings& accepted(std::string_view accept_encoding)
    {
        if (accept_encoding != accept_text_) {
            accept_text_ = accept_encoding;
            accepted_ = accepted_codings(accept_encoding);
        }
        return accepted_;
    }
    void hint(CacheEntry& entry);
    void touch(CacheEntry& entry);
    /// Has the coding made, once per body and over all cores.
    void want_coding(CacheEntry& entry, Coding coding);
    /// The engine put something into the inbox. Threads: any.
    void wake();
    /// Fires the waits whose time has come.
    void run_timers();
    void begin_stop();
    /// Ends every wait without calling it. For the end of the loop.
    void drop_waits();

private:
    struct Wait {
        JobId job;            ///< of a job wait
        std::string key_name; ///< of a key wait: tenant '\n' key
        std::function<bool(const KeyView&)> enough;
        std::function<void(JobWait)> then_job;
        GotView then_view;
        std::function<void()> then_time;
        std::shared_ptr<const Job> last;
    };
    using WaitIndex = std::unordered_multimap<std::string, std::uint64_t>;

    void drain(std::uint64_t published);
    void apply(const std::shared_ptr<const Notice>& notice);
    void apply_view(const std::shared_ptr<const KeyView>& view);
    void apply_job(const std::shared_ptr<const Job>& job);
    void see_head(std::string_view tenant, Seq seq);
    void start_read(CacheEntry& entry);
    void read_ended(const std::string& name, std::shared_ptr<const KeyView> view, std::exception_ptr failure);
    void settle(const std::string& name, const std::shared_ptr<const KeyView>& read);
    void flush(CacheEntry& entry);
    /// Calls `then` once every notice up to the tenant's `seq` is applied; at the latest after a second.
    void when_told(std::string_view tenant, Seq seq, std::function<void()> then);
    void look_up_job(std::uint64_t wait, JobId job);
    std::uint64_t add_wait(Wait wait, SteadyTime until);
    std::optional<Wait> take_wait(std::uint64_t id);
    void finish_job(std::uint64_t id, std::shared_ptr<const Job> job, bool over);
    void finish_key(std::uint64_t id, bool in_time);
    void arm();

    boost::asio::io_context& io_;
    LoopCoreOptions options_;
    ReadCache cache_;
    std::uint64_t applied_ = 0;
    std::deque<std::shared_ptr<const Notice>> untold_; ///< taken from the inbox, in order; empty but within drain()
    std::uint64_t definitions_version_ = 1, access_version_ = 1;
    Gate gate_;
    bool has_shared_ = false; ///< by the definitions in force
    std::string accept_text_;
    AcceptedCodings accepted_ = accepted_codings({});
    std::atomic<bool> wake_posted_{false};

    std::map<std::uint64_t, Wait> waits_;
    std::uint64_t wait_last_ = 0;
    std::unordered_multimap<std::int64_t, std::uint64_t> job_waits_;
    WaitIndex key_waits_;
    std::multimap<SteadyTime, std::uint64_t> deadlines_; ///< may name waits that are over
    boost::asio::steady_timer timer_;
    SteadyTime armed_for_ = SteadyTime::max();

    struct Ahead {
        std::string tenant;
        Seq seq;
        std::function<void()> then;
    };
    std::map<std::uint64_t, Ahead> ahead_;
    std::vector<std::function<void(const std::shared_ptr<const Notice>&)>> notice_listeners_;
    std::vector<std::function<void()>> stop_listeners_;
    std::shared_ptr<void> streams_;
    WorkTable work_;
};

} // namespace freshet::http
