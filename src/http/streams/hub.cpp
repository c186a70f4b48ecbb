// SPDX-License-Identifier: Apache-2.0
#include "http/streams/hub_parts.hpp"
#include "http/streams/present.hpp"

#include "model/shared.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::streams {

namespace {

constexpr std::uint64_t beat_slots = 15; ///< a fifteenth of the streams beats each second

LedgerFilters filters_of(const std::vector<Topic>& topics, const std::string& tenant, bool both,
                         const Definitions& definitions)
{
    if (tenant == shared_tenant) return {{}, TopicFilter{topics}};
    LedgerFilters filters{TopicFilter{topics}, {}};
    std::set<std::string, std::less<>> all, seen;
    for (const auto& [name, source] : definitions.sources) {
        if (!is_shared(definitions, *source)) continue;
        all.insert(name);
        if (tenant_has_source(definitions, tenant, name)) seen.insert(name);
    }
    if (both) filters.shared.emplace(topics).limit_to(std::move(seen));
    filters.own.leave_out(std::move(all));
    return filters;
}

StreamRefusal busy()
{
    return {503, "busy", "the server has no room for this stream now", "try again in a few seconds"};
}

StreamRefusal ended_early()
{
    return {503, "busy", "the stream ended before it began", "open it again"};
}

// What a reader that is limited may ask for. Whose a job or a batch is shows when it is looked up.
bool within(const Topic& topic, const TokenScope& scope)
{
    if (!scope.limits()) return true;
    if (topic.kind == Topic::Kind::key) return scope.has_source(source_of(topic.name));
    if (topic.kind == Topic::Kind::source) return scope.has_source(topic.name);
    return topic.kind == Topic::Kind::job || topic.kind == Topic::Kind::batch;
}

// In the words that a source gets which does not exist.
StreamRefusal not_within(const Topic& topic)
{
    if (topic.kind == Topic::Kind::key || topic.kind == Topic::Kind::source)
        return {404, "unknown_topic", fmt::format("there is no source \"{}\"", source_of(topic.name)),
                "GET /v1/freshness lists what there is"};
    return {403, "limited_token", fmt::format("{} is not for a short token", topic.text),
            "name data/{key} and data/{source}/* of its sources, job/{id} of these and of its queues, batch/{id}"};
}

} // namespace

Hub::Hub(std::shared_ptr<HubHost> host, HubOptions options)
    : host_{std::move(host)}, options_{std::move(options)}, rng_{options_.seed}, alive_{std::make_shared<Hub*>(this)},
      flushed_at_{host_->steady() - list_every}
{
}

Hub::~Hub() = default;

Hub::Tenant& Hub::tenant(std::string_view name)
{
    const auto found = tenants_.find(name);
    if (found != tenants_.end()) return *found->second;
    auto made = std::make_unique<Tenant>();
    made->name = name;
    return *tenants_.emplace(std::string{name}, std::move(made)).first->second;
}

Seq Hub::head(std::string_view name) const
{
    const auto found = tenants_.find(name);
    return found == tenants_.end() ? 0 : found->second->head;
}

Cursor Hub::cursor(std::uint64_t number) const
{
    const auto found = streams_.find(number);
    return found == streams_.end() ? Cursor{} : found->second->sent;
}

std::uint64_t Hub::open(OpenStream request, Ready ready)
{
    const auto refuse = [&](const StreamRefusal& refusal) {
        ready(&refusal);
        return std::uint64_t{0};
    };
    if (stopped_ || streams_.size() >= options_.streams_max) return refuse(busy());
    if (request.topics.empty())
        return refuse({400, "bad_request", "no topic was named", "add ?topic=data/{key}, as often as needed"});
    if (request.topics.size() > topics_max)
        return refuse({400, "bad_request", fmt::format("more than {} topics", topics_max),
                       "use data/{source}/* or several streams"});
    const auto found = std::make_shared<Opened>();
    for (const std::string& text : request.topics) {
        auto topic = parse_topic(text, *host_->definitions(), request.tenant);
        if (!topic) return refuse(topic.error());
        if (!within(*topic, request.grant.scope)) return refuse(not_within(*topic));
        if (std::ranges::find(found->topics, *topic) == found->topics.end()) found->topics.push_back(std::move(*topic));
    }
    found->cursor_text = std::move(request.cursor);
    if (found->cursor_text) found->cursor = parse_cursor(*found->cursor_text);

    const auto stream = std::make_shared<Stream>();
    stream->number = ++last_number_;
    stream->name = fmt::format("{}-{}", options_.stream_prefix, stream->number);
    stream->tenant = std::move(request.tenant);
    stream->base_url = std::move(request.base_url);
    stream->poll = request.poll;
    stream->grant = std::move(request.grant);
    stream->topics = found->topics;
    see_shared(*stream);
    // Registered before anything is read: what happens from here on collects in `pending`.
    streams_.emplace(stream->number, stream);
    for (const Topic& topic : stream->topics) subscribe(stream, topic);
    if (stream->grant.expires_at) ends_.emplace(*stream->grant.expires_at - auth_told_before, stream->number);
    beat_later();
    look_up(stream, found,
            if_alive([this, stream, found, ready = std::move(ready)](std::optional<StreamRefusal> refusal) {
                // Its token, the config or the server went meanwhile, or the reader did: it is answered all the same.
                if (!is_here(*stream)) refusal = ended_early();
                if (refusal) {
                    drop(stream);
                    ready(&*refusal);
                    return;
                }
                stream->sink = ready(nullptr);
                if (!stream->sink)
                    drop(stream);
                else
                    begin(stream, *found);
            }));
    return stream->number;
}

void Hub::look_up(const StreamPtr& stream, const std::shared_ptr<Opened>& found,
                  std::function<void(std::optional<StreamRefusal>)> then)
{
    found->filters = filters_of(found->topics, stream->tenant, stream->reads_shared, *host_->definitions());
    const auto work = [found, scope = stream->grant.scope, name = stream->tenant, both = stream->reads_shared,
                       definitions = host_->definitions(), epoch = options_.epoch](Reads& reads) {
        for (const Topic& topic : found->topics) {
            if (topic.kind == Topic::Kind::job) {
                const auto job = reads.job(topic.job);
                const bool sees = job && (job->tenant == name || (both && job->tenant == shared_tenant &&
                                                                  sees_shared(*definitions, name, job->key)));
                if (!sees || !scope.has_job(job->key, job->queue)) found->missing = topic;
            } else if (topic.kind == Topic::Kind::batch) {
                const auto batch = read_batch(reads, topic.batch);
                if (!batch || batch->tenant != name || !scope.has_queue(batch->queue)) found->missing = topic;
            }
        }
        if (found->missing) return;
        if (found->cursor) found->replay = read_replay(reads, name, *found->cursor, epoch, found->filters);
        found->head_on_disk = reads.ledger_head(name).head;
        if (both) found->shared_on_disk = reads.ledger_head(shared_tenant).head;
    };
    host_->off_loop(work, if_alive([this, found, name = stream->tenant, both = stream->reads_shared,
                                    then = std::move(then)](std::exception_ptr error) {
                        if (error) return then(busy());
                        if (found->missing)
                            return then(StreamRefusal{404, "not_found",
                                                      fmt::format("there is no {}", found->missing->text),
                                                      "what has ended is kept for a while only"});
                        const auto known = [then](bool learnt) { then(learnt ? std::nullopt : std::optional{busy()}); };
                        learn_head(name, found->head_on_disk, if_alive([this, found, both, known](bool learnt) {
                                       if (!learnt || !both) return known(learnt);
                                       learn_head(shared_tenant, found->shared_on_disk, known);
                                   }));
                    }));
}

// The head that is applied here is what notices say. Before any notice it is the disk's, as soon as all that was on
// disk has been published; once per tenant and loop.
void Hub::learn_head(std::string_view tenant_name, Seq on_disk, std::function<void(bool)> then)
{
    host_->catch_up();
    Tenant& known = tenant(tenant_name);
    if (known.known) return then(true);
    known.learning.push_back(std::move(then));
    if (known.learning.size() > 1) return;
    host_->fence(tenant_name, if_alive([this, &known, on_disk](bool passed) {
                     if (passed) known.head = std::max(known.head, on_disk), known.known = true;
                     for (const auto& waiting : std::exchange(known.learning, {})) waiting(passed);
                 }));
}

void Hub::begin(const StreamPtr& stream, Opened& found)
{
    Stream& s = *stream;
    const Cursor head = heads(s);
    std::string reason = !found.cursor_text ? ""
                         : !found.cursor    ? "unknown"
                         : s.overflowed     ? "slow"
                                            : found.replay.reset_reason;
    const bool ok = found.cursor && reason.empty();
    s.overflowed = false;
    s.covered = head;
    if (ok) {
        s.covered.seq = std::min(head.seq, found.replay.head);
        s.covered.shared = std::min(head.shared, found.replay.shared_head);
    }
    s.sent = ok ? *found.cursor : Cursor{options_.epoch, 0};
    if (head.shared == 0) s.sent.shared = 0; // it was listed once
    // Rows of freshness may tell of what is in no ledger, such as a pause; without a replay all rows are sent anyway.
    std::erase_if(s.pending, [&](const Pending& pending) {
        const Seq covered = pending.message->is_shared() ? s.covered.shared : s.covered.seq;
        return pending.message->seq() <= covered && !(ok && pending.message->topic() == "freshness");
    });
    s.pending_bytes = 0;
    for (const Pending& pending : s.pending) s.pending_bytes += pending.message->bytes();

    JsonOut out;
    out.begin();
    out.text("stream", s.name);
    out.text("resume", ok ? "ok" : found.cursor_text ? "reset" : "new");
    out.text_if("reason", reason);
    out.text("head", to_text(head));
    out.whole("beat_ms", beat_every.count());
    out.time("now", host_->now());
    out.text("server", options_.server);
    out.end();
    s.sink->send(std::make_shared<const Frame>("hello", to_text(s.sent), out.take()));

    if (ok) {
        resume(s, found);
    } else if (found.cursor_text) {
        s.sent = found.cursor.value_or(Cursor{});
        reset(s, reason);
    } else {
        s.phase = Stream::Phase::state;
        for (const Topic& topic : s.topics) put_steps(s.steps, topic);
    }
    pump(stream);
}

void Hub::resume(Stream& s, Opened& found)
{
    s.phase = Stream::Phase::replaying;
    Replay& replay = found.replay;
    // Rows are present state: they go before the ids that speak for them.
    if (!replay.rows.empty()) {
        StateStep rows{StateStep::Kind::rows};
        rows.keys.assign(replay.rows.begin(), replay.rows.end());
        s.steps.push_back(std::move(rows));
    }
    const auto put = [&](LedgerEntry& entry, Cursor id, Seq metas_from) {
        const bool with_id = metas_from == 0 || entry.seq < metas_from;
        s.replay.push_back(
            {make_message(to_text(entry.event.kind), std::move(entry.event.topic), id, std::move(entry.event.data)), 0,
             with_id});
    };
    for (LedgerEntry& entry : replay.entries) {
        if (entry.seq > s.covered.seq) break;
        put(entry, {options_.epoch, entry.seq}, replay.metas_from.seq);
    }
    for (LedgerEntry& entry : replay.shared) {
        if (entry.seq > s.covered.shared) break;
        put(entry, {options_.epoch, 0, entry.seq}, replay.metas_from.shared);
    }
    for (const std::string& key : replay.metas) s.steps_after.push_back({StateStep::Kind::meta, key});
    for (const Topic& topic : s.topics) {
        if (topic.is_volatile()) put_steps(s.steps_after, topic);
        if (s.poll) continue; // its cursor says that the end was read; told again it would answer each poll at once
        if (topic.kind == Topic::Kind::job) s.steps_after.push_back({StateStep::Kind::ended, {}, topic.job});
        if (topic.kind == Topic::Kind::batch)
            s.steps_after.push_back({StateStep::Kind::batch_ended, {}, {}, topic.batch});
    }
}

// --- Topics, and the ledgers that tell of them ---

std::string_view Hub::tenant_of(const Stream& stream, std::string_view key) const
{
    return key_tenant(*host_->definitions(), stream.tenant, source_of(key));
}

void Hub::see_shared(Stream& stream) const
{
    const Definitions& definitions = *host_->definitions();
    stream.shared_sources.clear();
    if (stream.tenant != shared_tenant)
        for (const auto& [name, source] : definitions.sources)
            if (is_shared(definitions, *source) && tenant_has_source(definitions, stream.tenant, name))
                stream.shared_sources.push_back(name);
    stream.reads_shared = !stream.shared_sources.empty();
}

bool Hub::may_see(const Stream& stream, const Job& job) const
{
    return job.tenant == stream.tenant || (stream.reads_shared && job.tenant == shared_tenant &&
                                           sees_shared(*host_->definitions(), stream.tenant, job.key));
}

Cursor Hub::heads(const Stream& stream)
{
    const bool is_shared = stream.tenant == shared_tenant;
    return {options_.epoch, is_shared ? 0 : tenant(stream.tenant).head,
            is_shared || stream.reads_shared ? tenant(shared_tenant).head : 0};
}

void Hub::subscribe(const StreamPtr& stream, const Topic& topic)
{
    volatile_topics_ += topic.is_volatile() ? 1 : 0;
    batch_topics_ += topic.kind == Topic::Kind::batch ? 1 : 0;
    if (topic.kind == Topic::Kind::key || topic.kind == Topic::Kind::source)
        return subscribe_to(std::string{tenant_of(*stream, topic.name)}, stream, topic);
    subscribe_to(stream->tenant, stream, topic);
    const bool has_shared = topic.kind == Topic::Kind::job || topic.kind == Topic::Kind::queue ||
                            topic.kind == Topic::Kind::freshness || topic.kind == Topic::Kind::schedules;
    if (stream->reads_shared && has_shared) subscribe_to(std::string{shared_tenant}, stream, topic);
}

void Hub::subscribe_to(const std::string& ledger, const StreamPtr& stream, const Topic& topic)
{
    Tenant& of = tenant(ledger);
    if (!topic.is_list()) {
        of.readers[topic.text].push_back(stream);
        return;
    }
    Feed& feed = of.feeds[topic.text];
    feed.topic = topic;
    feed.readers.push_back(stream);
}

void Hub::unsubscribe(const Stream& stream, const Topic& topic)
{
    volatile_topics_ -= topic.is_volatile() ? 1 : 0;
    batch_topics_ -= topic.kind == Topic::Kind::batch ? 1 : 0;
    // From both: which of them tells of the topic may have changed with the definitions.
    unsubscribe_from(stream.tenant, stream, topic);
    if (tenants_.contains(shared_tenant)) unsubscribe_from(shared_tenant, stream, topic);
}

void Hub::unsubscribe_from(std::string_view ledger, const Stream& stream, const Topic& topic)
{
    Tenant& of = tenant(ledger);
    const auto same = [&](const StreamPtr& other) { return other.get() == &stream; };
    if (topic.is_list()) {
        const auto feed = of.feeds.find(topic.text);
        if (feed == of.feeds.end()) return;
        std::erase_if(feed->second.readers, same);
        if (feed->second.readers.empty()) of.feeds.erase(feed);
        return;
    }
    const auto readers = of.readers.find(topic.text);
    if (readers == of.readers.end()) return;
    std::erase_if(readers->second, same);
    if (readers->second.empty()) of.readers.erase(readers);
}

// A source may have become shared, or one that is may have been listed: what tells of the topics is looked up anew.
bool Hub::join_definitions(const StreamPtr& stream)
{
    const std::vector<std::string> before = stream->shared_sources;
    see_shared(*stream);
    if (before == stream->shared_sources) return true;
    for (const Topic& topic : stream->topics) unsubscribe(*stream, topic);
    for (const Topic& topic : stream->topics) subscribe(stream, topic);
    return std::ranges::includes(stream->shared_sources, before);
}

void Hub::leave(std::uint64_t number)
{
    const auto found = streams_.find(number);
    if (found != streams_.end()) drop(StreamPtr{found->second});
}

void Hub::drop(const StreamPtr& stream)
{
    if (streams_.erase(stream->number) == 0) return;
    for (const Topic& topic : stream->topics) unsubscribe(*stream, topic);
    stream->sink.reset();
    stream->grant.slot.reset();
}

void Hub::drained(std::uint64_t number)
{
    const auto found = streams_.find(number);
    if (found == streams_.end()) return;
    found->second->beats_skipped = 0;
    pump(StreamPtr{found->second});
}

void Hub::change(std::string_view name, std::string_view tenant_name, const std::vector<std::string>& add,
                 const std::vector<std::string>& drop_topics,
                 std::function<void(std::expected<std::vector<std::string>, StreamRefusal>)> then,
                 std::string_view only_of_token)
{
    const auto refuse = [&](StreamRefusal refusal) { then(std::unexpected(std::move(refusal))); };
    const auto found = std::ranges::find_if(streams_, [&](const auto& entry) { return entry.second->name == name; });
    if (found == streams_.end() || found->second->tenant != tenant_name ||
        (!only_of_token.empty() && found->second->grant.token != only_of_token))
        return refuse(
            {404, "not_found", fmt::format("there is no open stream {}", name), "open a new one with GET /v1/stream"});
    const StreamPtr stream = found->second;
    const auto opened = std::make_shared<Opened>();
    for (const std::string& text : add) {
        auto topic = parse_topic(text, *host_->definitions(), tenant_name);
        if (!topic) return refuse(topic.error());
        if (!within(*topic, stream->grant.scope)) return refuse(not_within(*topic));
        if (std::ranges::find(stream->topics, *topic) == stream->topics.end())
            opened->topics.push_back(std::move(*topic));
    }
    if (stream->topics.size() + opened->topics.size() > topics_max)
        return refuse({400, "bad_request", fmt::format("more than {} topics on one stream", topics_max),
                       "drop some, or use data/{source}/*"});
    look_up(stream, opened, if_alive([this, stream, opened, drop_topics, then](std::optional<StreamRefusal> refusal) {
                if (!refusal && !is_here(*stream))
                    refusal =
                        StreamRefusal{404, "not_found", "the stream has ended", "open a new one with GET /v1/stream"};
                if (refusal) return then(std::unexpected(*refusal));
                std::erase_if(stream->topics, [&](const Topic& topic) {
                    const bool dropped = std::ranges::find(drop_topics, topic.text) != drop_topics.end();
                    if (dropped) unsubscribe(*stream, topic);
                    return dropped;
                });
                for (const Topic& topic : opened->topics) {
                    stream->topics.push_back(topic);
                    subscribe(stream, topic);
                    put_steps(stream->steps, topic);
                }
                std::vector<std::string> now;
                for (const Topic& topic : stream->topics) now.push_back(topic.text);
                then(std::move(now));
                pump(stream);
            }));
}

void Hub::goodbye(const StreamPtr& stream, std::string_view reason)
{
    // Spread, so that readers do not all come back in the same instant.
    const Millis retry{500 + static_cast<std::int64_t>(rng_.below(2500))};
    const auto sink = stream->sink;
    if (sink) {
        JsonOut out;
        out.begin();
        out.text("reason", reason);
        out.whole("retry_ms", retry.count());
        out.end();
        sink->send(std::make_shared<const Frame>("goodbye", "", out.take(), retry));
        sink->close();
    }
    drop(stream);
}

// --- The right to go on ---

void Hub::end_revoked()
{
    std::vector<StreamPtr> ended;
    for (const auto& [number, stream] : streams_)
        if (stream->grant.revoked && stream->grant.revoked()) ended.push_back(stream);
    for (const StreamPtr& stream : ended) goodbye(stream, "token_revoked");
}

void Hub::tell_ends()
{
    const WallTime now = host_->now();
    while (!ends_.empty() && ends_.begin()->first <= now) {
        const auto [at, number] = *ends_.begin();
        ends_.erase(ends_.begin());
        const auto found = streams_.find(number);
        if (found == streams_.end()) continue;
        const StreamPtr stream = found->second;
        const WallTime end = *stream->grant.expires_at;
        if (at >= end) {
            goodbye(stream, "token_expired");
            continue;
        }
        ends_.emplace(end, number);
        if (!stream->sink || stream->poll) continue;
        JsonOut out;
        out.begin();
        out.time("expires_at", end);
        out.end();
        stream->sink->send(std::make_shared<const Frame>("auth", "", out.take()));
    }
}

void Hub::end_ticket(std::uint64_t ticket, std::string_view but_name)
{
    std::vector<StreamPtr> ended;
    for (const auto& [number, stream] : streams_)
        if (stream->grant.ticket == ticket && stream->name != but_name) ended.push_back(stream);
    for (const StreamPtr& stream : ended) goodbye(stream, "reopened");
}

std::string Hub::name_of(std::uint64_t number) const
{
    const auto found = streams_.find(number);
    return found == streams_.end() ? std::string{} : found->second->name;
}

void Hub::stop(std::string_view reason)
{
    stopped_ = true;
    std::vector<StreamPtr> all;
    for (const auto& [number, stream] : streams_) all.push_back(stream);
    for (const StreamPtr& stream : all) goodbye(stream, reason);
}

void Hub::beat_later()
{
    if (beat_set_ || stopped_) return;
    beat_set_ = true;
    host_->after(beat_every / static_cast<std::int64_t>(beat_slots), if_alive([this] {
                     beat_set_ = false;
                     beat();
                     if (!streams_.empty()) beat_later();
                 }));
}

void Hub::beat()
{
    host_->catch_up();
    tell_ends();
    const std::uint64_t slot = ++beat_tick_ % beat_slots;
    JsonOut out;
    out.begin();
    out.time("now", host_->now());
    out.end();
    const std::string data = out.take();
    std::vector<StreamPtr> due;
    for (const auto& [number, stream] : streams_)
        if (number % beat_slots == slot && stream->sink && !stream->poll) due.push_back(stream);
    FramePtr frame; // the next one often stands at the same cursor
    for (const StreamPtr& stream : due) {
        if (stream->sink->backlog_bytes() >= stream_backlog_max) {
            if (++stream->beats_skipped >= beats_skipped_max) goodbye(stream, "slow");
            continue;
        }
        stream->beats_skipped = 0;
        const std::string id = to_text(stream->sent);
        if (!frame || frame->id() != id) frame = std::make_shared<const Frame>("beat", id, data);
        stream->sink->send(frame);
    }
}

} // namespace freshet::streams
