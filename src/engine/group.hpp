// SPDX-License-Identifier: Apache-2.0
#pragma once
// One group commit in the making: a transaction, the keys and jobs it touched, and the replies it owes.
//
// Life: made by step(), filled by serve(), timers, fires and claims, ended by commit(), which writes the keys' last
// state, commits, publishes the notice and then answers. Dropped without it, nothing happened on disk; the memory that
// the group changed (State::stale_memory) is built anew. Threads: the engine's. Within the floor `engine`.
// Always holds: every change of a job or of what readers see of a key has its ledger event in the same transaction.

#include "engine/state.hpp"
#include "model/ask.hpp"
#include "model/key.hpp"
#include "model/publish.hpp"
#include "model/schedule.hpp"
#include "model/shared.hpp"
#include "model/unique.hpp"
#include "wire/views.hpp"

#include <functional>
#include <map>
#include <utility>

namespace freshet {

/// A key that the group works on.
struct KeyWork {
    KeyRecord record;
    const SourceDefinition* source = nullptr; ///< null: removed
    bool dirty = false;                       ///< the row must be written
    bool told = false;                        ///< readers see a difference: event and notice
    // Of a refresh that ended in this group.
    std::optional<Outcome> outcome;
    std::int64_t base_ver = 0;
    std::optional<DiffCounts> counts;
    std::string diff;
    std::shared_ptr<const Body> body; ///< of a new version
};

/// What a publish is judged by.
Candidate candidate_of(const Job& job, const PreparedResult& result);

/// A batch that the group works on.
struct BatchWork {
    std::shared_ptr<Batch> batch; ///< replies and the notice hold it too; changed until the commit
    std::set<std::int64_t> items; ///< jobs that changed, for its event; not more than that shows
    bool told = false;            ///< the row must be written, and the event
};

class Group {
public:
    Group(Engine::State& state, WallTime now);

    /// One request; its reply is kept until the commit.
    void serve(Posted& posted);
    /// Leases, run limits, cancel graces and deadlines that ran out. @param paused  the process itself stood still for
    /// a while.
    void end_timers(bool paused);
    /// Ends the rows of resets, counts for bulk acts and does them, a chunk each.
    void go_on();
    /// Changes over many items and long lists of new ones, a part each; timers of batches; then what follows for them.
    void go_on_batches();
    void fire_schedules();
    /// Feeds open offers with what is claimable. Says when a rate limit lets more begin.
    std::optional<WallTime> feed_offers();
    /// Drops what is past its time or beyond what is kept, so much in one commit.
    void upkeep();
    /// First step of a process: what the last one left.
    void take_up();

    /// Writes, commits, publishes, replies. @throws StoreFailure before anything was published.
    void commit();
    /// Answers every request with `store_failed`.
    void refuse_all(std::string_view words);

    /// When the next step is needed without any request; `now` where this group left something to do at once.
    std::optional<WallTime> next_wake();

private:
    /// What was committed, if anything was, and all replies.
    void publish(std::shared_ptr<const Notice> notice);
    // group_ask.cpp
    Reply ask(const AskRefresh& request);
    std::expected<Asked, Refused> ask_for(const AskRefresh& request, bool person);
    std::optional<Refused> charge(const AskRefresh& request, const SourceDefinition& source);
    std::int64_t& keys_of(const std::string& tenant, const std::string& source_name);
    Reply replay(const IdempotencyRecord& record);
    void touch(const TouchKey& request);

    // group_add.cpp
    Reply add(AddJobs& request);
    std::optional<Refused> check(const NewJob& job, std::size_t number) const;
    /// Whether the tenant may have so many more waiting jobs, by queue.
    std::optional<Refused> check_room(const std::string& tenant, const std::map<std::string, std::int64_t>& more);
    std::vector<Job> holders(const std::string& tenant, const std::string& queue, std::string_view slot);
    AddedJob add_one(const std::string& tenant, const std::string& caller, NewJob& request);
    AddedJob attach(const UniqueAttach& attach, const std::string& tenant, int priority);
    Job new_task(const std::string& tenant, const std::string& caller, NewJob& request);
    std::optional<Reply> replay_added(const AddJobs& request);

    // group_claim.cpp
    void offer(ClaimWork& request, int core, ReplyTo reply);
    std::optional<Refused> meet_worker(const ClaimWork& request);
    void give_back(const ClaimWork& request);
    void withdraw(const WithdrawClaim& request);
    void close_claims(const std::function<bool(const ClaimWork&)>& which);
    void close_claim_of_lost(const Job& job);
    /// Nothing of the queue is handed out for the tenant: it paused it, or left the config.
    bool is_at_rest(const std::string& tenant, const std::string& queue) const;
    std::vector<std::string> next_tenants(const std::string& queue, std::string_view turn);
    int claim_from(Offer& offer, const std::string& queue, int slots, std::int64_t concurrency, Claimed& claimed);
    bool claim_one(const Job& job, const std::string& worker, Claimed& claimed);
    bool may_claim_refresh(const Job& job, const KeyWork& work);
    QueueLimits limits_of(const std::string& queue) const;
    /// What attempts of the job's queue took; read from the store once.
    History& took_by(const Job& job);

    // group_work.cpp
    Reply beat(const BeatWork& request);
    BeatAnswer beat_one(const BeatWork& work, const BeatJob& request);
    bool has_ready_work(const WorkerView& worker);
    Reply end_work(EndWork& request);
    Reply complete_task(const CompleteJob& request, const Job& job);
    Reply release(const ReleaseJob& request, const std::string& tenant);
    /// The same end said again: same fence, same content.
    bool said_before(const CompleteJob& request, const Job& job);
    void keep_late_result(const CompleteJob& request, const std::string& worker);
    Reply put_result(const PutResult& request, std::int64_t payload);
    Reply add_log(const AddLog& request);

    // group_operate.cpp
    Reply cancel(const CancelJob& request);
    Reply retry(const RetryJob& request);
    Reply run_now(const RunJob& request);
    Reply adopt(const AdoptJob& request);
    Reply adopt_refresh(const AdoptJob& request, const Job& job);
    /// Of a source or queue; false: it was so already.
    std::expected<bool, Refused> set_paused(const std::string& name, bool paused, const std::string& tenant,
                                            const std::string& caller);
    Reply pause_queue(const PauseQueue& request);
    Reply limit_queue(const LimitQueue& request);
    Reply drain(const DrainWorker& request);
    void tell_queue(const std::string& queue);

    // group_reset.cpp
    Reply reset_tenant(const ResetTenant& request);
    /// Whether a reset ended the job, whose row does not say so yet.
    bool is_reset(const Job& job) const;
    void end_reset(const Job& job);
    void end_reset_rows();
    std::shared_ptr<const Job> add_bulk(const BulkJobs& request, std::int64_t count, std::string_view act);
    void count_bulk(BulkCount& bulk);
    void do_bulk();
    bool bulk_one(const BulkSpec& spec, JobId id, const Job& bulk);

    // group_timers.cpp
    void end_timer(const Job& job, bool paused);
    void read_memory();

    // group_end.cpp
    Reply complete(CompleteJob& request, const std::string& tenant = "*");
    Reply complete_refresh(CompleteJob& request, const Job& job);
    Reply fail(const FailJob& request, const std::string& tenant = "*");
    /// Whose failure it is: only the source's own is remembered against its key and its origin.
    enum class Blame : std::uint8_t { source, ours };
    void fail_attempt(const Job& job, const AttemptFailure& failure, const FlightFacts& facts, AttemptEnd end,
                      Blame blame = Blame::source);
    /// @param ended  the job as it ends, but for its outcome and receipt
    void publish(KeyWork& work, const Job& job, Job ended, const PreparedResult& result, bool new_version);
    void hold(KeyWork& work, const Job& job, Seq fence, const PreparedResult& result, HeldReason reason,
              const std::string& message);
    /// The key's story after an attempt that came to nothing.
    void note_failure(KeyWork& work, const Job& after, const ErrorInfo& error, bool parked);
    void note_breaker(const Job& job, bool good);
    /// A probe that left running without a word on the source (cancelled, lost) opens the breaker again.
    void end_probe(const Job& job);
    void warm_dependents(const KeyWork& work, Seq published);
    /// The keys of `dependent` that a key of `from` with these parameters leads to, in one tenant.
    void warm_in(const std::string& tenant, const SourceDefinition& dependent, const SourceDefinition& from,
                 const std::vector<std::string>& params, Seq seq);

    // group_batch.cpp
    void add_batch(Posted& posted);
    void add_items(Posted& posted);
    Reply change(const ChangeBatch& request);
    Reply start_then_by(const ChangeBatch& request, BatchWork& work);
    Reply process_next(const ProcessNext& request);
    std::optional<Refused> check(const AddBatch& request) const;
    std::optional<Refused> check_batch_queue(const std::string& queue) const;
    std::optional<Refused> check_items(const std::vector<NewItem>& items) const;
    std::optional<Reply> replay_batch(const std::string& tenant, const std::string& caller,
                                      const std::optional<IdempotencyScope>& scope);
    void remember(const std::string& tenant, const std::string& caller, const std::optional<IdempotencyScope>& scope,
                  BatchId made);
    void begin_fill(Posted posted, BatchId batch);
    /// Takes the next part of its items; true: it is answered.
    bool go_on(Fill& fill);
    Refused refused_batch(Refusal refusal, const Batch& batch) const;
    Refused no_batch() const;

    // group_items.cpp
    /// null: there is none, or `tenant`, unless "*", is not its own.
    BatchWork* batch_of(BatchId id, std::string_view tenant);
    BatchWork& new_batch(Batch batch);
    /// put_job() moved or added an item.
    void note_item(const Job* before, const Job& after);
    /// An item whose batch is being ended may not begin.
    bool must_end(const Job& item);
    /// Whether the item's batch lets it be retried by itself.
    std::optional<Refused> refuse_item_retry(const Job& item);
    void end_item(const Job& item);
    Job new_item(const Batch& batch, const std::string& caller, const std::string& key, std::string label,
                 std::string input);
    void set_deadlines(Job& job) const;
    /// Through the gate; null if the item is over by a reset.
    std::shared_ptr<const Job> lift(const Job& item);
    std::shared_ptr<const Job> lift_next(BatchWork& work);
    void settle_batches();
    void go_on(BatchWork& work);
    void end_items(BatchWork& work);
    void set_items_back(BatchWork& work);
    /// What a follow-up adds to its queue. @param items  of the batch, as far as each success has one
    std::int64_t follow_up_size(const FollowUp& then, std::int64_t items) const;
    void start_follow_up(BatchWork& work, const std::string& caller);
    void fill_follow_up(BatchWork& work);
    void tell_batches();
    void note_reserve(const Batch& batch);
    /// Room of a queue (empty: of all) that follow-ups and requests under way will need.
    std::int64_t reserved_of(std::string_view tenant, std::string_view queue) const;
    void read_reserves();

    // group_access.cpp
    Reply put_token(const PutToken& request);
    Reply revoke_token(const RevokeToken& request);
    void drop_expired_tokens();
    void tell_tokens();
    /// The tenant keeps as much as it may: no work that would bring more is taken on.
    std::optional<Refused> over_storage(const std::string& tenant);
    std::optional<Refused> over_keys(const std::string& tenant);
    std::int64_t& stored_of(const std::string& tenant);
    /// Every change of a version's or a held result's bytes. @param bytes  negative: they go
    void count_stored(const std::string& tenant, std::int64_t bytes);

    // group_keep.cpp
    std::expected<Asked, Refused> refresh_purged(const PurgeKey& request);
    Reply purge(const PurgeKey& request);
    Reply decide_held(const DecideHeld& request);
    Reply pause(const PauseSource& request);
    Reply reconfigure(const Reconfigure& request);
    void drop_held(KeyWork& work);
    void drop_versions(KeyWork& work);
    /// A key that is kept elsewhere by now, since its source became shared or ceased to be, goes on there above the gen
    /// and ver that its readers have seen (F4).
    void carry_numbers(const KeyRecord& moved);
    /// Its source is in the config, and its keys are kept by another tenant than this one.
    bool is_moved(const KeyRecord& record) const;
    /// The gen or ver that follows `before`.
    std::int64_t next_number(std::int64_t before);
    void end_removed_sources();
    void end_refreshes(const std::string& tenant, const std::string& key_text);
    /// Why a refresh can not go on whose key is nobody's by now.
    std::string_view removed_words(const Job& refresh) const;
    /// New work for which the disk has no room.
    std::optional<Refused> no_room(const Request& request) const;
    void audit(const std::string& tenant, const std::string& actor, std::string_view action, const std::string& object,
               std::string_view detail);

    // group_retention.cpp. The first answer false when the commit has done enough and more is to go.
    struct UpkeepLeft {
        int rows = 0;
        std::int64_t bytes = 0;
        bool is_spent() const { return rows <= 0 || bytes <= 0; }
    };
    bool trim_ledger(const std::string& tenant);
    bool drop_ended_of_age(const std::string& tenant, UpkeepLeft& left);
    bool drop_ended_beyond(const std::string& tenant, UpkeepLeft& left);
    bool drop_ended_batch(BatchId id, const std::string& tenant, UpkeepLeft& left);
    void drop_ended_job(JobId id, const std::string& tenant, UpkeepLeft& left);
    void walk_keys();
    void drop_old_versions(const KeyRecord& record);
    bool over_versions(const std::string& tenant);
    void drop_versions_beyond(const KeyRecord& record);
    void drop_if_removed_long(const KeyRecord& record);
    void note_returned_sources();

    // group_schedule.cpp
    void set_schedules();
    void set_next_fire(KeyWork& work);
    void set_task_schedules(const std::string& tenant);
    /// The schedule of that name if it fires for the tenant.
    const TaskSchedule* task_schedule(std::string_view tenant, std::string_view name) const;
    /// A row for a next fire that comes sooner than was known, since the wall clock went back.
    void note_clock(const std::string& tenant, const std::string& name, std::optional<WallTime> before,
                    std::optional<WallTime> next);
    bool fired_before(const FireRecord& fire);
    /// False, and nothing is written, where that nominal instant has a row already.
    bool write_fire(const FireRecord& fire, std::optional<WallTime> next_at);
    void fire_keys();
    void fire_key(KeyWork& work, const FireDecision& fire, const std::vector<Job>& live);
    void fire_tasks();
    void fire_task(const ScheduleRecord& record, const TaskSchedule& schedule, const FireDecision& fire);
    std::vector<Job> live_tasks(const std::string& tenant, const TaskSchedule& schedule);
    /// One of the two: a task's schedule, or the source whose key has one.
    struct ScheduleNamed {
        const TaskSchedule* task = nullptr;
        const SourceDefinition* source = nullptr;
    };
    std::expected<ScheduleNamed, Refused> schedule_named(const std::string& tenant, const std::string& name);
    Reply pause_schedule(const PauseSchedule& request);
    Reply run_schedule(const RunSchedule& request);

    // group.cpp
    KeyWork& key(std::string_view tenant, std::string_view key, std::string_view source);
    /// The job as it is for everyone: with its live progress, and ended where a reset ended it. nullopt also where
    /// `tenant`, unless "*", is not its own.
    std::optional<Job> job_of(JobId id, std::string_view tenant);
    KeyWork& key_of(const Job& job) { return key(job.tenant, job.key, job.queue); }
    const SourceDefinition* source(std::string_view name) const { return definitions_->source(name); }
    /// As source(), where the tenant's keys of it are the ones in force: it is in the config and lists the source, and
    /// those of a shared one are nobody else's.
    const SourceDefinition* source_of(std::string_view tenant, std::string_view name) const
    {
        return source_within(*definitions_, tenant, name);
    }
    std::string host_of(const SourceDefinition& source, std::string_view key) const;
    /// Writes the job, its event and its attempt's end, and releases or ends what stood behind it.
    /// @return the job as it is now.
    std::shared_ptr<const Job> put_job(const Job* before, Job after, AttemptEnd end = AttemptEnd::running);
    std::optional<Job> job_behind(const Job& first);
    /// Told on a row of its own, since another attempt follows.
    void close_attempt(const Job& before, AttemptEnd end, const std::optional<ErrorInfo>& error);
    Job with_progress(Job job) const;
    /// Writes a row that nobody is told of: a lease that was lengthened, a timer that moved.
    void put_quietly(const Job& job);
    void note_live(const Job* before, const Job& after);
    bool is_paused(const Job& job);
    bool is_builtin(std::string_view worker) const { return worker.starts_with("builtin-"); }
    /// Keeps how far the attempt is, and how long each of its phases took.
    void note_progress(const Job& job);
    /// The facts with the seconds of each phase that a remote worker told, where the flight told none itself.
    FlightFacts with_phases(FlightFacts facts, const Job& job) const;
    std::string receipt(const KeyWork& work, const FlightFacts& facts, std::optional<HeldReason> held,
                        std::int64_t held_rows, bool good) const;
    std::vector<std::string> params_of(std::string_view key) const;
    void tell_keys();
    void answer(Posted& posted, Reply reply);
    /// @param message  empty: what the refusal says of itself
    Refused refused(Refusal refusal, std::string message = {}) const;

    Engine::State& state_;
    const WallTime now_;
    const WallTime wall_; ///< what the wall clock shows, for schedules: now_ unless it was set
    std::shared_ptr<const Definitions> definitions_; ///< those in force, also within the group that changes them
    std::unique_ptr<Transaction> tx_;
    std::map<std::pair<std::string, std::string>, KeyWork> keys_;
    std::map<std::int64_t, std::shared_ptr<const Job>> jobs_;
    std::map<std::int64_t, BatchWork> batches_;
    std::deque<Fill> fills_;                             ///< those this group worked on and did not finish
    std::int64_t batch_budget_ = batch_items_per_commit; ///< items that changes over many may still take
    std::map<std::string, Notice::TenantEvents, std::less<>> events_;
    std::vector<std::pair<std::pair<int, ReplyTo>, Reply>> replies_;
    std::vector<Offer> fed_; ///< offers that this group answers; open again if it fails
    std::shared_ptr<Notice> notice_ = std::make_shared<Notice>();
    std::size_t requests_ = 0;
    bool wrote_ = false;
    bool more_ = false;                             ///< there is more to do than one commit takes
    std::optional<std::vector<std::string>> ready_; ///< queues with work, as asked for once
    Seq append(const std::string& tenant, Event event);
};

} // namespace freshet
