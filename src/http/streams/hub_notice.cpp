// SPDX-License-Identifier: Apache-2.0
// From one commit's notice to the streams that want it.
#include "http/streams/hub_parts.hpp"
#include "http/streams/present.hpp"

#include <algorithm>

namespace freshet::streams {

namespace {

constexpr std::size_t rows_per_frame = 100;
constexpr std::size_t rows_again_max = 500;

} // namespace

void Hub::on_notice(const std::shared_ptr<const Notice>& notice)
{
    // A notice may come while another one is told, since asking for a key's view catches up: one after the other.
    notices_.push_back(notice);
    if (applying_) return;
    applying_ = true;
    while (!notices_.empty()) {
        const auto next = std::move(notices_.front());
        notices_.pop_front();
        apply(next);
    }
    applying_ = false;
    pump_touched();
}

void Hub::apply(const std::shared_ptr<const Notice>& notice)
{
    std::vector<Done> ready;
    for (const Notice::TenantEvents& events : notice->events) {
        Tenant& of = tenant(events.tenant);
        for (const LedgerEntry& entry : events.entries) tell_entry(of, notice, entry);
        if (!events.entries.empty()) of.head = events.entries.back().seq, of.known = true;
        const auto end = of.waiters.upper_bound(of.head);
        for (auto waiter = of.waiters.begin(); waiter != end; ++waiter) ready.push_back(std::move(waiter->second));
        of.waiters.erase(of.waiters.begin(), end);
    }
    tell_metas(*notice);
    tell_progress(*notice);
    if (notice->definitions) {
        // Any key's word may have changed with the policies: told, and followed by state.
        for (const auto& [number, stream] : streams_) {
            const bool shows_keys = std::ranges::any_of(stream->topics, [](const Topic& t) {
                return t.kind != Topic::Kind::job && t.kind != Topic::Kind::queue;
            });
            if (!shows_keys || stream->phase == Stream::Phase::opening) continue;
            reset(*stream, "config");
            touched_.insert(number);
        }
    }
    for (const Done& then : ready) then();
    withhold_ids();
    flush_when_due();
}

// A stream that also reads a list may not be given an id before the rows that it speaks for.
void Hub::withhold_ids()
{
    if (!lists_wait_) return;
    for (const std::uint64_t number : touched_) {
        const auto found = streams_.find(number);
        if (found == streams_.end() || !lists_wait(*found->second)) continue;
        for (Pending& pending : found->second->pending) pending.with_id = false;
    }
}

void Hub::when_applied(std::string_view name, Seq seq, std::function<void()> then)
{
    host_->catch_up();
    Tenant& of = tenant(name);
    // Before the head is known nothing waits: no reader of this loop was told of this tenant's ledger yet.
    if (!of.known || of.head >= seq) return then();
    of.waiters.emplace(seq, std::move(then));
}

void Hub::tell_entry(Tenant& of, const std::shared_ptr<const Notice>& notice, const LedgerEntry& entry)
{
    const Event& event = entry.event;
    const bool key_event = event.topic.starts_with("data/");
    const auto exact = of.readers.find(event.topic);
    const auto wide =
        key_event ? of.readers.find("data/" + std::string{source_of(std::string_view{event.topic}.substr(5))} + "/*")
                  : of.readers.end();
    const auto feed = event.also.empty() ? of.feeds.end() : of.feeds.find(event.also);
    if (exact == of.readers.end() && wide == of.readers.end() && feed == of.feeds.end()) return;

    const auto message = std::make_shared<const Message>(to_text(event.kind), event.topic,
                                                         Cursor{options_.epoch, entry.seq}, event.data, notice);
    if (exact != of.readers.end())
        for (const StreamPtr& stream : exact->second) enqueue(*stream, message, true);
    if (wide != of.readers.end())
        for (const StreamPtr& stream : wide->second)
            if (stream->pending.empty() || stream->pending.back().message != message) enqueue(*stream, message, true);
    if (feed != of.feeds.end()) feed->second.jobs.insert_or_assign(event.topic, message), lists_wait_ = true;
    for (const auto* readers :
         {exact != of.readers.end() ? &exact->second : nullptr, wide != of.readers.end() ? &wide->second : nullptr})
        if (readers != nullptr)
            for (const StreamPtr& stream : *readers) keep_bounds(*stream);
}

// What a key's view shows beside its own events (a refresh that runs, a pause) is told without an id, like progress.
void Hub::tell_metas(const Notice& notice)
{
    for (const auto& view : notice.keys) {
        const auto found = tenants_.find(view->record.tenant);
        if (found == tenants_.end()) continue;
        Tenant& of = *found->second;
        const std::string topic = "data/" + view->record.key;
        if (const auto feed = of.feeds.find("freshness"); feed != of.feeds.end()) {
            feed->second.rows.insert_or_assign(view->record.key, view);
            lists_wait_ = true;
        }
        const bool has_event = std::ranges::any_of(notice.events, [&](const Notice::TenantEvents& events) {
            return events.tenant == of.name && std::ranges::any_of(events.entries, [&](const LedgerEntry& entry) {
                       return entry.event.topic == topic;
                   });
        });
        if (has_event) continue;
        FramePtr frame;
        for (const std::string& wanted : {topic, "data/" + std::string{source_of(view->record.key)} + "/*"}) {
            const auto readers = of.readers.find(wanted);
            if (readers == of.readers.end()) continue;
            for (const StreamPtr& stream : readers->second) {
                if (!frame)
                    frame = std::make_shared<const Frame>("change", "",
                                                          key_meta_json(*view, *host_->definitions(), host_->now()));
                put_progress(*stream, topic, frame);
            }
        }
    }
}

void Hub::tell_progress(const Notice& notice)
{
    for (const auto& job : notice.progress) {
        const auto found = tenants_.find(job->tenant);
        if (found == tenants_.end()) continue;
        const std::string topic = "job/" + freshet::to_text(job->id);
        FramePtr frame;
        const auto tell = [&](const StreamPtr& stream) {
            if (!frame)
                frame = std::make_shared<const Frame>(
                    "job", "", job_state_json(*job, host_->paused(job->tenant, job->key), host_->now()));
            put_progress(*stream, topic, frame);
        };
        if (const auto readers = found->second->readers.find(topic); readers != found->second->readers.end())
            for (const StreamPtr& stream : readers->second) tell(stream);
        if (const auto feed = found->second->feeds.find("jobs/" + job->queue); feed != found->second->feeds.end())
            for (const StreamPtr& stream : feed->second.readers) tell(stream);
    }
}

void Hub::enqueue(Stream& stream, const MessagePtr& message, bool with_id)
{
    if (stream.overflowed) return;
    stream.pending.push_back({message, 0, with_id});
    stream.pending_bytes += message->bytes();
    // What this message tells is newer than what waits to be told of the same thing without an id.
    stream.progress.erase(message->topic());
    touched_.insert(stream.number);
}

void Hub::put_progress(Stream& stream, const std::string& topic, const FramePtr& frame)
{
    if (stream.overflowed) return;
    stream.progress[topic] = frame;
    touched_.insert(stream.number);
    if (stream.progress.size() <= pending_max) return;
    if (stream.phase == Stream::Phase::opening)
        stream.overflowed = true;
    else
        reset(stream, "slow");
}

// A reader that is too slow is told the latest of each topic, with how many it missed; if that is still too much, it is
// told so and gets the present state.
void Hub::keep_bounds(Stream& stream)
{
    const auto within = [&](std::size_t part) {
        return stream.pending.size() <= pending_max / part && stream.pending_bytes <= pending_bytes_max / part;
    };
    if (within(1)) return;
    if (stream.phase == Stream::Phase::opening) {
        stream.overflowed = true;
        stream.pending.clear();
        stream.pending_bytes = 0;
        return;
    }
    std::map<std::string_view, std::uint64_t> missed;
    std::deque<Pending> kept;
    stream.pending_bytes = 0;
    bool rows_lost = false;
    for (auto pending = stream.pending.rbegin(); pending != stream.pending.rend(); ++pending) {
        // A frame of rows stands for many keys: the rows of all keys are sent anew.
        if (pending->message->topic() == "freshness") {
            rows_lost = true;
            continue;
        }
        const auto [earlier, is_latest] = missed.try_emplace(pending->message->topic(), 0);
        if (!is_latest) {
            earlier->second += 1 + pending->missed;
            continue;
        }
        stream.pending_bytes += pending->message->bytes();
        kept.push_front(*pending);
    }
    for (Pending& pending : kept) {
        pending.missed += missed[pending.message->topic()];
        // An id in the midst would speak for what was left out and is told further on only.
        if (&pending != &kept.back()) pending.with_id = false;
    }
    stream.pending = std::move(kept);
    if (rows_lost) stream.steps.push_back({StateStep::Kind::rows_all});
    if (!within(2)) reset(stream, "slow");
}

bool Hub::lists_wait(const Stream& stream) const
{
    const auto found = tenants_.find(stream.tenant);
    return std::ranges::any_of(stream.topics, [&](const Topic& topic) {
        if (!topic.is_list()) return false;
        const auto feed = found->second->feeds.find(topic.text);
        return feed != found->second->feeds.end() && feed->second.waits();
    });
}

void Hub::flush_when_due()
{
    if (!lists_wait_ || flush_set_) return;
    const SteadyTime due = flushed_at_ + list_every;
    if (host_->steady() >= due) return flush_lists();
    flush_set_ = true;
    host_->after(std::chrono::duration_cast<Millis>(due - host_->steady()), if_alive([this] {
                     flush_set_ = false;
                     flush_lists();
                     pump_touched();
                 }));
}

void Hub::flush_lists()
{
    flushed_at_ = host_->steady();
    lists_wait_ = false;
    for (const auto& [name, of] : tenants_) {
        std::set<std::uint64_t> told;
        for (auto& [topic, feed] : of->feeds) flush_feed(*of, feed, told);
        // The last frame of the flush speaks for all of it.
        for (const std::uint64_t number : told) {
            Stream& stream = *streams_.at(number);
            if (!stream.pending.empty()) stream.pending.back().with_id = true;
            keep_bounds(stream);
        }
    }
}

void Hub::flush_feed(Tenant& of, Feed& feed, std::set<std::uint64_t>& told)
{
    std::vector<MessagePtr> messages;
    for (const auto& [topic, message] : feed.jobs) messages.push_back(message);
    std::ranges::sort(messages, {}, [](const MessagePtr& message) { return message->id().seq; });
    std::vector<std::shared_ptr<const KeyView>> rows;
    for (const auto& [key, view] : feed.rows) rows.push_back(view);
    for (std::size_t at = 0; at < rows.size(); at += rows_per_frame) {
        const auto part = std::span{rows}.subspan(at, std::min(rows_per_frame, rows.size() - at));
        messages.push_back(make_message("change", "freshness", {options_.epoch, of.head},
                                        rows_json(part, *host_->definitions(), false, host_->now())));
    }
    for (const StreamPtr& stream : feed.readers) {
        touched_.insert(stream->number);
        if (feed.topic.kind == Topic::Kind::freshness && stream->phase == Stream::Phase::state) {
            // A page that was read later may be newer than these rows: they are read again behind it.
            for (const auto& [key, view] : feed.rows) stream->rows_again.insert(key);
            if (stream->rows_again.size() > rows_again_max)
                stream->rows_again.clear(), stream->steps.push_back({StateStep::Kind::rows_all});
            continue;
        }
        for (const MessagePtr& message : messages) enqueue(*stream, message, false);
        told.insert(stream->number);
    }
    feed.jobs.clear();
    feed.rows.clear();
}

void Hub::pump_touched()
{
    // With each stream that is pumped, others may be touched.
    while (!touched_.empty()) {
        const auto found = streams_.find(*touched_.begin());
        touched_.erase(touched_.begin());
        if (found != streams_.end()) pump(StreamPtr{found->second});
    }
}

} // namespace freshet::streams
