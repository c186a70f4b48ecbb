// SPDX-License-Identifier: Apache-2.0
// What one reader is sent next: state, then what was missed or live messages, while its backlog is small.
#include "http/streams/hub_parts.hpp"

#include "wire/json_out.hpp"

#include <algorithm>

namespace freshet::streams {

void Hub::pump(const StreamPtr& stream)
{
    if (stream->pumping) {
        stream->pump_again = true;
        return;
    }
    stream->pumping = true;
    do {
        stream->pump_again = false;
        while (pump_once(stream)) {
        }
    } while (stream->pump_again && is_here(*stream));
    stream->pumping = false;
}

// False: there is nothing to send now, or the reader has to take something first.
bool Hub::pump_once(const StreamPtr& stream)
{
    using Phase = Stream::Phase;
    Stream& s = *stream;
    if (!is_here(s) || !s.sink) return false;
    if (s.resets > resets_max) {
        goodbye(stream, "slow");
        return false;
    }
    if (s.step_runs || s.sink->backlog_bytes() >= stream_backlog_max) return false;
    if (!s.steps.empty()) {
        run_step(stream);
        return true;
    }
    if (!s.rows_again.empty()) {
        StateStep rows{StateStep::Kind::rows};
        rows.keys.assign(s.rows_again.begin(), s.rows_again.end());
        s.rows_again.clear();
        s.steps.push_back(std::move(rows));
        return true;
    }
    switch (s.phase) {
    case Phase::opening: return false;
    case Phase::state: begin_live(s); return true;
    case Phase::replaying:
        if (send_front(s, s.replay)) return true;
        if (!s.steps_after.empty())
            s.steps = std::exchange(s.steps_after, {});
        else
            s.phase = Phase::live;
        return true;
    case Phase::live: break;
    }
    if (send_front(s, s.pending)) return true;
    if (!s.progress.empty()) {
        const FramePtr frame = s.progress.extract(s.progress.begin()).mapped();
        s.sink->send(frame);
        return true;
    }
    s.resets = 0;
    if (lists_wait(s)) return false;
    const Cursor head = heads(s);
    s.sent = {options_.epoch, std::max(head.seq, s.sent.seq), std::max(head.shared, s.sent.shared)};
    const auto sink = s.sink;
    sink->caught_up(s.sent);
    return false;
}

bool Hub::send_front(Stream& stream, std::deque<Pending>& queue)
{
    if (queue.empty()) return false;
    const Pending next = std::move(queue.front());
    queue.pop_front();
    if (&queue == &stream.pending) stream.pending_bytes -= next.message->bytes();
    Cursor id = next.message->id();
    if (stream.reads_shared) {
        // Of the other ledger: as far as was sent.
        id.seq = std::max(id.seq, stream.sent.seq);
        id.shared = std::max(id.shared, stream.sent.shared);
    }
    FramePtr frame;
    if (next.missed > 0)
        frame = next.message->conflated(next.with_id ? to_text(id) : std::string{}, next.missed);
    else if (next.with_id && stream.reads_shared)
        frame = next.message->frame_as(id);
    else
        frame = next.message->frame(next.with_id);
    stream.sink->send(frame);
    if (next.with_id) stream.sent = id;
    return true;
}

// The reader is told that something is left out, and from where; then it gets the present state.
void Hub::reset(Stream& stream, std::string_view reason)
{
    ++stream.turn;
    ++stream.resets;
    stream.step_runs = false;
    stream.pending.clear();
    stream.pending_bytes = 0;
    stream.progress.clear();
    stream.replay.clear();
    stream.steps.clear();
    stream.steps_after.clear();
    stream.rows_again.clear();
    stream.covered = heads(stream);
    stream.phase = Stream::Phase::state;

    JsonOut out;
    out.begin();
    out.text("reason", reason);
    out.text("from", to_text(stream.sent));
    out.end();
    stream.sent = {options_.epoch, 0};
    // One frame a reset, and resets in a row are few: the backlog stays bounded.
    stream.sink->send(std::make_shared<const Frame>("reset", to_text(stream.sent), out.take()));
    for (const Topic& topic : stream.topics) put_steps(stream.steps, topic);
}

void Hub::begin_live(Stream& stream)
{
    stream.phase = Stream::Phase::live;
    stream.sent = stream.covered;
    JsonOut out;
    out.begin();
    out.text("head", to_text(stream.sent));
    out.time("now", host_->now());
    out.end();
    stream.sink->send(std::make_shared<const Frame>("live", to_text(stream.sent), out.take()));
}

void Hub::put_steps(std::deque<StateStep>& steps, const Topic& topic)
{
    using Kind = StateStep::Kind;
    switch (topic.kind) {
    case Topic::Kind::key: steps.push_back({Kind::key, topic.name}); return;
    case Topic::Kind::source: steps.push_back({Kind::source, topic.name}); return;
    case Topic::Kind::job: steps.push_back({Kind::job, {}, topic.job}); return;
    case Topic::Kind::queue: steps.push_back({Kind::queue, topic.name}); return;
    case Topic::Kind::freshness: steps.push_back({Kind::rows_all}); return;
    case Topic::Kind::batch: steps.push_back({Kind::batch, {}, {}, topic.batch}); return;
    case Topic::Kind::batches: steps.push_back({Kind::batches}); return;
    case Topic::Kind::queues:
    case Topic::Kind::workers:
    case Topic::Kind::schedules: steps.push_back({Kind::list, topic.text, {}, {}, topic.kind}); return;
    }
}

} // namespace freshet::streams
