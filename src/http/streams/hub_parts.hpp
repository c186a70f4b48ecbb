// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the hub keeps per tenant. Inside of streams only.

#include "http/streams/hub.hpp"

namespace freshet::streams {

/// A list topic: what changed since it was last told.
struct Hub::Feed {
    Topic topic;
    std::vector<StreamPtr> readers;
    std::map<std::string, MessagePtr> events;      ///< of what the ledger tells: latest by topic of the job, batch ...
    std::map<std::string, std::string> event_keys; ///< by the same topic; of the feeds of shared sources
    std::map<std::string, std::shared_ptr<const KeyView>, std::less<>> rows;       ///< of freshness: latest by key
    std::map<std::string, std::shared_ptr<const WorkerView>, std::less<>> workers; ///< latest by id
    bool queues_changed = false; ///< some row of the list of queues may be another now
    bool queues_read = false;    ///< is being read
    Rows queues_told;            ///< as last told; changed rows are those that differ
    /// Something waits that an id would speak for.
    bool waits() const { return !events.empty() || !rows.empty(); }
};

struct Hub::Tenant {
    std::string name;
    Seq head = 0;
    bool known = false; ///< head is exact: all up to it is applied here, nothing above is
    std::vector<std::function<void(bool)>> learning;
    std::unordered_map<std::string, std::vector<StreamPtr>> readers; ///< by topic, but for list topics
    std::map<std::string, Feed, std::less<>> feeds;                  ///< by list topic
    std::multimap<Seq, Done> waiters;
    /// Items of batches that are read, which moved on without an event: latest by id of the job, by the batch's topic.
    std::map<std::string, std::map<std::int64_t, std::shared_ptr<const Job>>, std::less<>> items;
};

struct Hub::Opened {
    std::vector<Topic> topics;
    std::optional<std::string> cursor_text;
    std::optional<Cursor> cursor;
    LedgerFilters filters;
    Replay replay;
    Seq head_on_disk = 0, shared_on_disk = 0;
    std::optional<Topic> missing; ///< a job or batch that is not there, or not this tenant's
};

} // namespace freshet::streams
