// SPDX-License-Identifier: Apache-2.0
#pragma once
// One reader's stream as the hub keeps it.
//
// Life: opening (what the reader missed is read off the loop; live messages collect in `pending`) -> state (the present
// state of each topic is sent) or replaying (what was missed is sent) -> live -> gone. A reader that is too slow goes
// from live back to state, told by a reset. Threads: the loop's. Always holds: `pending` is within its bounds; a frame
// with an id is sent only when everything up to that id was sent.

#include "http/streams/host.hpp"
#include "http/streams/replay.hpp"
#include "http/streams/topic.hpp"

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace freshet::streams {

struct Pending {
    MessagePtr message;
    std::uint64_t missed = 0; ///< messages of its topic that it stands for beside itself
    bool with_id = true;
};

/// One piece of present state that is still to be sent.
struct StateStep {
    enum class Kind : std::uint8_t {
        key,         ///< snapshot of a key
        meta,        ///< its meta alone, as a change without id
        source,      ///< the keys of a source, a page at a time
        job,         ///< snapshot of a job
        ended,       ///< the job's terminal state, if it has one
        queue,       ///< the newest jobs of a queue
        batch,       ///< snapshot of a batch
        batch_ended, ///< the batch's terminal state, if it has one
        batches,     ///< the newest batches
        list,        ///< rows of queues, workers or schedules
        rows_all,    ///< rows of all keys, a page at a time
        rows,        ///< rows of some keys
    };
    Kind kind = Kind::key;
    std::string name; ///< key, source, queue, the list's topic
    JobId job;
    BatchId batch;
    Topic::Kind topic = Topic::Kind::queues; ///< of list
    std::string after;                       ///< source, rows_all: the page begins behind this key
    std::vector<std::string> keys;           ///< rows
    bool listed = false;                     ///< key: one of many, found by `source`
    bool of_shared = false;                  ///< rows_all: those of shared sources, behind the tenant's own
};

struct Stream {
    enum class Phase : std::uint8_t { opening, state, replaying, live };

    std::uint64_t number = 0;
    std::string name; ///< as the reader knows it
    std::string tenant, base_url;
    Grant grant;
    std::vector<Topic> topics;
    bool poll = false; ///< one answer: no beats, no data of many keys
    Phase phase = Phase::opening;
    std::shared_ptr<FrameSink> sink; ///< null while opening

    bool reads_shared = false; ///< its tenant lists shared sources: two ledgers are told, and its ids are of both
    std::vector<std::string> shared_sources; ///< those, in order
    Cursor sent;                             ///< all up to it was sent
    Cursor covered;                          ///< what the ledgers hold up to it is in the state or the replay
    std::deque<Pending> pending;
    std::size_t pending_bytes = 0;
    bool overflowed = false; ///< while opening

    std::deque<StateStep> steps, steps_after; ///< steps_after: behind the replay
    bool step_runs = false;
    std::uint64_t turn = 0; ///< grows with each reset: a step of an earlier turn is not sent
    std::deque<Pending> replay;
    std::set<std::string, std::less<>> rows_again; ///< keys whose rows changed while state is sent
    std::map<std::string, FramePtr> progress;      ///< latest by topic; sent when nothing else waits
    int resets = 0;                                ///< since it last caught up
    int beats_skipped = 0;
    bool pumping = false, pump_again = false;
};

} // namespace freshet::streams
