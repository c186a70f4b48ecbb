// SPDX-License-Identifier: Apache-2.0
#pragma once
// The streams of one loop: who wants what, what is told to whom, and how a reader who comes back is joined to it.
//
// A reader registers for live messages first; then the ledger is read from its cursor; then what was read is sent and
// live messages at or below the seq it was read to are dropped: no gap, no duplicate. What cannot be told in full is
// told by `missed` or by a reset, and is followed by state: there is no third outcome (F6). Nothing is sent before it
// was published to every loop (F4).
//
// Life: one per loop; ends with it. Threads: the loop's. Always holds: per stream at most stream_backlog_max bytes in
// the sink beyond one frame, and pending messages within pending_max and pending_bytes_max.

#include "base/rng.hpp"
#include "engine/view.hpp"
#include "http/streams/host.hpp"
#include "http/streams/stream.hpp"
#include "model/pauses.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace freshet::streams {

inline constexpr Millis beat_every = 15s;
inline constexpr Millis list_every = 250ms; ///< list topics: at most 4 a second
inline constexpr std::size_t stream_backlog_max = 256 << 10;
inline constexpr std::size_t pending_max = 256;
inline constexpr std::size_t pending_bytes_max = 512 << 10;
inline constexpr Millis auth_told_before = 60s; ///< the end of a token
inline constexpr int resets_max = 3;            ///< in a row; then the reader is sent away
inline constexpr int beats_skipped_max = 8;     ///< two minutes without taking anything

struct HubOptions {
    std::uint64_t epoch = 1;
    std::string stream_prefix; ///< of stream names; names the loop, too
    std::string server;        ///< what hello says of the program
    std::size_t streams_max = 20'000;
    std::uint64_t seed = 1;
};

struct OpenStream {
    std::string tenant, base_url;
    std::vector<std::string> topics;
    std::optional<std::string> cursor; ///< as the reader sent it
    bool poll = false;
    Grant grant{};
};

class Hub {
public:
    Hub(std::shared_ptr<HubHost> host, HubOptions options);
    ~Hub();
    Hub(const Hub&) = delete;
    Hub& operator=(const Hub&) = delete;

    /// Begins a stream. `ready` is called once, now or later: with a refusal, or without one to get the sink that
    /// everything is sent to. @return the number to leave() by.
    using Ready = std::function<std::shared_ptr<FrameSink>(const StreamRefusal*)>;
    std::uint64_t open(OpenStream request, Ready ready);
    /// The reader is gone. Unknown numbers are fine.
    void leave(std::uint64_t number);
    /// The sink's backlog has become empty.
    void drained(std::uint64_t number);
    /// Adds and drops topics of an open stream; added ones begin with their state.
    void change(std::string_view name, std::string_view tenant, const std::vector<std::string>& add,
                const std::vector<std::string>& drop,
                std::function<void(std::expected<std::vector<std::string>, StreamRefusal>)> then,
                std::string_view only_of_token = {});
    /// A ticket opened another stream: those that it opened before end, but for `number`.
    void end_ticket(std::uint64_t ticket, std::string_view but_name);
    std::string name_of(std::uint64_t number) const;

    /// Every notice of this loop, in order, after the loop's cache has it.
    void on_notice(const std::shared_ptr<const Notice>& notice);
    /// Says goodbye to everyone and ends all streams; none begins any more.
    void stop(std::string_view reason);

    /// As when_applied() of the tenant, and of the ledger of shared sources where `shared` is above 0.
    void when_both_applied(std::string_view tenant, Seq seq, Seq shared, std::function<void()> then);
    /// Calls `then` once everything of the tenant's ledger up to `seq` has been published and applied on this loop: who
    /// read the disk waits with it before telling. Later readers on any loop then see no less (F4).
    void when_applied(std::string_view tenant, Seq seq, std::function<void()> then);
    /// The tenant's ledger head as applied here; 0 before anything is known.
    Seq head(std::string_view tenant) const;

    std::size_t streams() const { return streams_.size(); }
    /// Where a stream stands; for the answer of a poll whose time is up.
    Cursor cursor(std::uint64_t number) const;

private:
    struct Feed;
    struct Tenant;
    struct Opened;
    using StreamPtr = std::shared_ptr<Stream>;
    using Done = std::function<void()>;

    // hub.cpp: opening, topics, beats.
    Tenant& tenant(std::string_view name);
    void learn_head(std::string_view tenant_name, Seq on_disk, std::function<void(bool)> then);
    void look_up(const StreamPtr& stream, const std::shared_ptr<Opened>& found,
                 std::function<void(std::optional<StreamRefusal>)> then);
    void begin(const StreamPtr& stream, Opened& found);
    void resume(Stream& stream, Opened& found);
    void subscribe(const StreamPtr& stream, const Topic& topic);
    void subscribe_to(const std::string& ledger, const StreamPtr& stream, const Topic& topic);
    void unsubscribe(const Stream& stream, const Topic& topic);
    void unsubscribe_from(std::string_view ledger, const Stream& stream, const Topic& topic);
    /// Whose the key is for the stream's tenant, by the definitions in force.
    std::string_view tenant_of(const Stream& stream, std::string_view key) const;
    void see_shared(Stream& stream) const;
    /// The stream may be told of the job: it is its tenant's, or of a shared source that its tenant lists.
    bool may_see(const Stream& stream, const Job& job) const;
    /// Where the ledgers stand here, as far as the stream is told of them.
    Cursor heads(const Stream& stream);
    /// False: its tenant does not list any more what it was told of.
    bool join_definitions(const StreamPtr& stream);
    void drop(const StreamPtr& stream);
    void goodbye(const StreamPtr& stream, std::string_view reason);
    void end_revoked();
    void tell_ends();
    void beat_later();
    void beat();
    bool is_here(const Stream& stream) const { return streams_.contains(stream.number); }
    /// `call`, if the hub still is when the result is called.
    template <class Call>
    auto if_alive(Call call);

    // hub_notice.cpp: what happened, to those who want it.
    void apply(const std::shared_ptr<const Notice>& notice);
    void tell_entry(Tenant& tenant, const std::shared_ptr<const Notice>& notice, const LedgerEntry& entry);
    void tell_metas(const Notice& notice);
    void tell_progress(const Notice& notice);
    void mark_lists(const Notice& notice);
    void enqueue(Stream& stream, const MessagePtr& message, bool with_id);
    void put_progress(Stream& stream, const std::string& topic, const FramePtr& frame);
    void keep_bounds(Stream& stream);
    void withhold_ids();
    void flush_lists();
    void flush_when_due();
    void flush_feed(Tenant& tenant, Feed& feed, std::set<std::uint64_t>& told);
    std::vector<MessagePtr> messages_of(const Tenant& tenant, const Feed& feed,
                                        const std::function<bool(const std::string&)>& seen) const;
    Cursor cursor_of(const Tenant& tenant, Seq seq) const;
    void flush_items(Tenant& tenant);
    void flush_workers(Feed& feed);
    void flush_queues(Tenant& tenant, Feed& feed);
    bool lists_wait(const Stream& stream) const;
    void pump_touched();

    // hub_send.cpp: what one reader is sent next.
    void pump(const StreamPtr& stream);
    bool pump_once(const StreamPtr& stream);
    bool send_front(Stream& stream, std::deque<Pending>& queue);
    void reset(Stream& stream, std::string_view reason);
    static void put_steps(std::deque<StateStep>& steps, const Topic& topic);
    void begin_live(Stream& stream);

    // hub_state.cpp: present state, piece by piece.
    void run_step(const StreamPtr& stream);
    void step_key(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_source(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_job(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_queue(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_batch(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_batches(const StreamPtr& stream, const StateStep& step, const Done& done);
    void step_list(const StreamPtr& stream, const StateStep& step, const Done& done);
    std::vector<std::string> complete_rows(const Stream& stream, const StateStep& step, const Pauses& paused,
                                           std::vector<std::shared_ptr<const KeyView>>& views, bool full);
    void step_rows(const StreamPtr& stream, const StateStep& step, const Done& done);
    void send_state(Stream& stream, std::string_view event, std::string_view data);
    /// Reads the disk for a step and waits until what was read is published to every loop.
    void read_for(const StreamPtr& stream, std::function<void(Reads&)> work, Done then);
    /// `call`, if the stream still is in the same turn when the result is called.
    template <class Call>
    auto in_turn(const StreamPtr& stream, Call call);

    std::shared_ptr<HubHost> host_;
    HubOptions options_;
    Rng rng_;
    std::shared_ptr<Hub*> alive_; ///< callbacks hold it weakly, since they may outlive the hub
    std::uint64_t last_number_ = 0;
    bool stopped_ = false;
    std::unordered_map<std::uint64_t, StreamPtr> streams_;
    std::map<std::string, std::unique_ptr<Tenant>, std::less<>> tenants_;
    std::deque<std::shared_ptr<const Notice>> notices_; ///< waiting while one is applied
    bool applying_ = false;
    std::set<std::uint64_t> touched_; ///< streams to pump
    bool lists_wait_ = false;         ///< some feed holds something to tell
    bool flush_set_ = false;
    int volatile_topics_ = 0, batch_topics_ = 0; ///< subscriptions: without any, nothing of them is looked at
    SteadyTime flushed_at_;
    std::multimap<WallTime, std::uint64_t> ends_; ///< when to tell a stream of its token's end; may name gone ones
    bool beat_set_ = false;
    std::uint64_t beat_tick_ = 0;
};

template <class Call>
auto Hub::if_alive(Call call)
{
    return [alive = std::weak_ptr<Hub*>{alive_}, call = std::move(call)](auto&&... args) mutable {
        if (const auto held = alive.lock()) call(std::forward<decltype(args)>(args)...);
    };
}

template <class Call>
auto Hub::in_turn(const StreamPtr& stream, Call call)
{
    return if_alive([this, stream, turn = stream->turn, call = std::move(call)](auto&&... args) mutable {
        if (stream->turn == turn && is_here(*stream)) call(std::forward<decltype(args)>(args)...);
    });
}

} // namespace freshet::streams
