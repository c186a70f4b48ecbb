// SPDX-License-Identifier: Apache-2.0
// From one commit's notice to the streams that want it.
#include "http/streams/hub_parts.hpp"
#include "http/streams/present.hpp"
#include "model/shared.hpp"
#include "wire/batch_views.hpp"
#include "wire/json_out.hpp"
#include "wire/views.hpp"

#include <algorithm>

namespace freshet::streams {

namespace {

constexpr std::size_t rows_per_frame = 100;
constexpr std::size_t rows_again_max = 500;

// What waits to be told of a batch's items, beside the batch itself.
std::string items_of(const std::string& batch_topic)
{
    return batch_topic + "/items";
}

// What a job's event tells is newer than the progress that waits.
void forget_item(std::map<std::string, std::map<std::int64_t, std::shared_ptr<const Job>>, std::less<>>& items,
                 const Job& job)
{
    if (!job.batch) return;
    const auto found = items.find("batch/" + freshet::to_text(job.batch));
    if (found != items.end()) found->second.erase(job.id.value);
}

} // namespace

void Hub::on_notice(const std::shared_ptr<const Notice>& notice)
{
    // A notice may come while another one is told, since asking for a key's view catches up: one after the other.
    notices_.push_back(notice);
    if (applying_) return;
    applying_ = true;
    bool access_changed = false;
    while (!notices_.empty()) {
        const auto next = std::move(notices_.front());
        notices_.pop_front();
        access_changed = access_changed || next->tokens || next->definitions;
        apply(next);
    }
    applying_ = false;
    if (access_changed) end_revoked();
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
    mark_lists(*notice);
    if (notice->definitions) {
        // Any key's word may have changed with the policies: told, and followed by state.
        std::vector<StreamPtr> ended;
        for (const auto& [number, stream] : streams_) {
            if (!join_definitions(stream)) {
                ended.push_back(stream);
                continue;
            }
            const bool shows_config = std::ranges::any_of(stream->topics, &Topic::shows_config);
            if (!shows_config || stream->phase == Stream::Phase::opening) continue;
            reset(*stream, "config");
            touched_.insert(number);
        }
        for (const StreamPtr& stream : ended) goodbye(stream, "config");
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

void Hub::when_both_applied(std::string_view name, Seq seq, Seq shared, std::function<void()> then)
{
    if (shared == 0) return when_applied(name, seq, std::move(then));
    when_applied(name, seq,
                 if_alive([this, shared, then = std::move(then)] { when_applied(shared_tenant, shared, then); }));
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

    // What is JSON already lies in the notice, which the message keeps; a job's is made here, once for all who see it.
    const Cursor id = cursor_of(of, entry.seq);
    const MessagePtr message =
        event.told ? make_message(to_text(event.kind), event.topic, id, event_json(event))
                   : std::make_shared<const Message>(to_text(event.kind), event.topic, id, event.data, notice);
    if (exact != of.readers.end())
        for (const StreamPtr& stream : exact->second) enqueue(*stream, message, true);
    if (wide != of.readers.end())
        for (const StreamPtr& stream : wide->second)
            if (stream->pending.empty() || stream->pending.back().message != message) enqueue(*stream, message, true);
    if (feed != of.feeds.end()) {
        feed->second.events.insert_or_assign(event.topic, message), lists_wait_ = true;
        if (of.name == shared_tenant) feed->second.event_keys.insert_or_assign(event.topic, key_told_of(event));
    }
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
        // What a tenant keeps of a source that is shared by now is shown to nobody.
        const Definitions& definitions = *host_->definitions();
        if (definitions.source(view->record.source) != nullptr &&
            source_within(definitions, of.name, view->record.source) == nullptr)
            continue;
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
    // What an item's own change tells is newer than the progress of it that waits.
    for (const auto& job : notice.jobs) {
        const auto found = tenants_.find(job->tenant);
        if (!job->batch || found == tenants_.end()) continue;
        const auto waiting = found->second->items.find("batch/" + freshet::to_text(job->batch));
        if (waiting != found->second->items.end()) waiting->second.erase(job->id.value);
    }
    for (const auto& job : notice.progress) {
        const auto found = tenants_.find(job->tenant);
        if (found == tenants_.end()) continue;
        const std::string topic = "job/" + freshet::to_text(job->id);
        FramePtr frame;
        const auto tell = [&](const StreamPtr& stream) {
            if (!frame)
                frame = std::make_shared<const Frame>(
                    "job", "",
                    job_state_json(*job, terms_of(*host_->definitions(), *job, host_->job_paused(*job)), host_->now()));
            put_progress(*stream, topic, frame);
        };
        if (const auto readers = found->second->readers.find(topic); readers != found->second->readers.end())
            for (const StreamPtr& stream : readers->second) tell(stream);
        if (const auto feed = found->second->feeds.find("jobs/" + job->queue); feed != found->second->feeds.end())
            for (const StreamPtr& stream : feed->second.readers)
                if (may_see(*stream, *job)) tell(stream);
        if (!job->batch || batch_topics_ == 0) continue;
        const std::string batch = "batch/" + freshet::to_text(job->batch);
        if (!found->second->readers.contains(batch)) continue;
        found->second->items[batch].insert_or_assign(job->id.value, job);
        lists_wait_ = true;
    }
}

// Lists that no ledger tells: what may have changed is noted here and told with the next flush. Who does not read them
// costs a look at what is read.
void Hub::mark_lists(const Notice& notice)
{
    if (volatile_topics_ == 0 && batch_topics_ == 0) return;
    for (const auto& [name, of] : tenants_) {
        if (!of->items.empty())
            for (const auto& job : notice.jobs) forget_item(of->items, *job);
        if (const auto feed = of->feeds.find("workers"); feed != of->feeds.end()) {
            for (const auto& worker : notice.workers)
                if (worker->tenant == name)
                    feed->second.workers.insert_or_assign(worker->id, worker), lists_wait_ = true;
        }
        const auto feed = of->feeds.find("queues");
        if (feed == of->feeds.end()) continue;
        const auto own = [&name = name](const auto& one) {
            return one->tenant == name || one->tenant == shared_tenant;
        };
        if (notice.queues.empty() && std::ranges::none_of(notice.jobs, own) &&
            std::ranges::none_of(notice.workers, own))
            continue;
        feed->second.queues_changed = lists_wait_ = true;
    }
}

void Hub::enqueue(Stream& stream, const MessagePtr& message, bool with_id)
{
    if (stream.overflowed) return;
    stream.pending.push_back({message, 0, with_id});
    stream.pending_bytes += message->bytes();
    // What this message tells is newer than what waits to be told of the same thing without an id.
    stream.progress.erase(message->topic());
    if (message->topic().starts_with("batch/")) stream.progress.erase(items_of(message->topic()));
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
    bool rows_lost = false, queues_lost = false;
    for (auto pending = stream.pending.rbegin(); pending != stream.pending.rend(); ++pending) {
        // A frame of rows stands for many keys: the rows of all keys are sent anew. Those of queues alike.
        if (pending->message->topic() == "freshness" || pending->message->topic() == "queues") {
            (pending->message->topic() == "queues" ? queues_lost : rows_lost) = true;
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
    if (queues_lost) stream.steps.push_back({StateStep::Kind::list, "queues"});
    if (rows_lost) stream.steps.push_back({StateStep::Kind::rows_all});
    if (!within(2)) reset(stream, "slow");
}

bool Hub::lists_wait(const Stream& stream) const
{
    const auto waits = [&](std::string_view ledger) {
        const auto found = tenants_.find(ledger);
        return found != tenants_.end() && std::ranges::any_of(stream.topics, [&](const Topic& topic) {
                   if (!topic.is_list()) return false;
                   const auto feed = found->second->feeds.find(topic.text);
                   return feed != found->second->feeds.end() && feed->second.waits();
               });
    };
    return waits(stream.tenant) || (stream.reads_shared && waits(shared_tenant));
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
        for (auto& [topic, feed] : of->feeds) {
            flush_feed(*of, feed, told);
            if (!feed.workers.empty()) flush_workers(feed);
            if (feed.queues_changed) flush_queues(*of, feed);
        }
        if (!of->items.empty()) flush_items(*of);
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
    if (!feed.waits()) return;
    // Of shared sources each tenant is told what it lists; tenants that list the same could share, and are few.
    std::map<std::string, std::vector<MessagePtr>, std::less<>> by_tenant;
    for (const StreamPtr& stream : feed.readers) {
        const std::string reader = of.name == shared_tenant ? stream->tenant : of.name;
        const auto seen = [&](const std::string& key) {
            return reader == of.name || sees_shared(*host_->definitions(), reader, key);
        };
        touched_.insert(stream->number);
        if (feed.topic.kind == Topic::Kind::freshness && stream->phase == Stream::Phase::state) {
            // A page that was read later may be newer than these rows: they are read again behind it.
            for (const auto& [key, view] : feed.rows)
                if (seen(key)) stream->rows_again.insert(key);
            if (stream->rows_again.size() > rows_again_max)
                stream->rows_again.clear(), stream->steps.push_back({StateStep::Kind::rows_all});
            continue;
        }
        const auto [messages, is_new] = by_tenant.try_emplace(reader);
        if (is_new) messages->second = messages_of(of, feed, seen);
        for (const MessagePtr& message : messages->second) enqueue(*stream, message, false);
        if (!messages->second.empty()) told.insert(stream->number);
    }
    feed.events.clear();
    feed.event_keys.clear();
    feed.rows.clear();
}

std::vector<MessagePtr> Hub::messages_of(const Tenant& of, const Feed& feed,
                                         const std::function<bool(const std::string&)>& seen) const
{
    std::vector<MessagePtr> messages;
    for (const auto& [topic, message] : feed.events) {
        if (const auto key = feed.event_keys.find(topic); key != feed.event_keys.end() && !seen(key->second)) continue;
        messages.push_back(feed.topic.kind == Topic::Kind::batches ? message->without("items") : message);
    }
    std::ranges::sort(messages, {}, [](const MessagePtr& message) { return message->seq(); });
    std::vector<std::shared_ptr<const KeyView>> rows;
    for (const auto& [key, view] : feed.rows)
        if (seen(key)) rows.push_back(view);
    for (std::size_t at = 0; at < rows.size(); at += rows_per_frame) {
        const auto part = std::span{rows}.subspan(at, std::min(rows_per_frame, rows.size() - at));
        messages.push_back(make_message("change", "freshness", cursor_of(of, of.head),
                                        rows_json(part, *host_->definitions(), false, host_->now())));
    }
    return messages;
}

// An id of this ledger alone.
Cursor Hub::cursor_of(const Tenant& of, Seq seq) const
{
    if (of.name == shared_tenant) return {options_.epoch, 0, seq};
    return {options_.epoch, seq};
}

void Hub::flush_items(Tenant& of)
{
    for (const auto& [topic, jobs] : std::exchange(of.items, {})) {
        const auto readers = of.readers.find(topic);
        if (readers == of.readers.end()) continue;
        std::vector<std::string> items;
        Seq seq = 0;
        for (const auto& [id, job] : jobs) {
            if (items.size() == event_items_max) break; // the others move on, too, and are told then
            items.push_back(item_json(*job, host_->job_paused(*job), host_->now()));
            seq = std::max(seq, job->seq);
        }
        if (items.empty()) continue;
        const auto frame = std::make_shared<const Frame>("batch", "", batch_event_json(topic, {}, items, seq));
        for (const StreamPtr& stream : readers->second) put_progress(*stream, items_of(topic), frame);
    }
}

void Hub::flush_workers(Feed& feed)
{
    const auto workers = std::exchange(feed.workers, {});
    for (const auto& [id, worker] : workers) {
        if (workers.size() > rows_per_frame) break;
        const auto frame = std::make_shared<const Frame>("worker", "", worker_event_json(*worker));
        for (const StreamPtr& stream : feed.readers) put_progress(*stream, "workers/" + id, frame);
    }
    if (workers.size() <= rows_per_frame) return;
    // So many at once are told as the list that they make.
    for (const StreamPtr& stream : feed.readers) {
        put_steps(stream->steps, feed.topic);
        touched_.insert(stream->number);
    }
}

void Hub::flush_queues(Tenant& of, Feed& feed)
{
    if (feed.queues_read) return; // and looked at again when that is back
    feed.queues_read = true;
    feed.queues_changed = false;
    host_->rows(Topic::Kind::queues, of.name, if_alive([this, &of](const std::shared_ptr<const Rows>& rows) {
                    const auto found = of.feeds.find("queues");
                    if (found == of.feeds.end()) return; // its readers have left
                    Feed& now = found->second;
                    now.queues_read = false;
                    if (now.queues_changed) lists_wait_ = true;
                    if (rows) {
                        JsonOut out;
                        begin_rows(out, "queues");
                        bool any = false;
                        for (const auto& [name, row] : *rows) {
                            const auto told = now.queues_told.find(name);
                            if (told != now.queues_told.end() && told->second == row) continue;
                            out.raw(row);
                            any = true;
                        }
                        now.queues_told = *rows;
                        end_rows(out, false);
                        // Each holds what changed since the one before: none replaces another.
                        if (any) {
                            const auto message = make_message("change", "queues", cursor_of(of, of.head), out.take());
                            for (const StreamPtr& stream : now.readers) {
                                enqueue(*stream, message, false);
                                keep_bounds(*stream);
                            }
                        }
                    }
                    flush_when_due();
                    pump_touched();
                }));
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
