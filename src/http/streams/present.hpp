// SPDX-License-Identifier: Apache-2.0
#pragma once
// The present state of keys and jobs as JSON, made from what a loop knows. Pure; the shapes are those of wire/views.

#include "engine/reads.hpp"
#include "engine/view.hpp"
#include "http/streams/topic.hpp"
#include "model/pauses.hpp"
#include "wire/json_out.hpp"
#include "wire/views.hpp"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::streams {

/// Data above this is named by its href instead.
inline constexpr std::size_t inline_bytes_max = 64 << 10;

/// What wire's meta is made from. The view and the definitions must outlive what is returned.
MetaInput meta_input(const KeyView& view, const Definitions& definitions);

/// Address of one version, which never changes.
std::string version_href(std::string_view base_url, const KeyRecord& record);

/// data of a `snapshot` of a key: topic, meta, data or href, seq.
std::string key_snapshot_json(const KeyView& view, const Definitions& definitions, std::string_view base_url,
                              std::size_t inline_max, WallTime now);
/// data of a `change` that has no ledger event: topic, meta, seq.
std::string key_meta_json(const KeyView& view, const Definitions& definitions, WallTime now);
/// data of a `snapshot` or `change` of topic freshness: topic, items, more, seq.
std::string rows_json(std::span<const std::shared_ptr<const KeyView>> views, const Definitions& definitions, bool more,
                      WallTime now);

/// Rows for the tenant's sources without parameters of which no key is on disk: each has exactly one, which nobody read
/// yet.
/// @param read    sources whose key is on disk
/// @param reader  of the tenant of shared sources: who is shown those that it lists; empty: the tenant
std::vector<std::shared_ptr<const KeyView>> unread_keys(const Definitions& definitions, std::string_view tenant,
                                                        const Pauses& paused,
                                                        const std::set<std::string, std::less<>>& read,
                                                        std::string_view reader = {});

/// A job as everyone is shown it: a refresh with its receipt.
std::string shown_job_json(const Job& job, const JobTerms& terms, WallTime now);
/// data of a `snapshot` of job/{id}, and of a `job` event that has no ledger entry.
std::string job_state_json(const Job& job, const JobTerms& terms, WallTime now);

/// @throws StoreFailure
std::optional<Batch> read_batch(Reads& reads, BatchId id);

/// A batch and the items that its snapshot shows: all of a small one, of a larger one those that run.
struct BatchFound {
    std::optional<Batch> batch;
    std::vector<Job> items;
};
/// @throws StoreFailure
BatchFound read_batch_state(Reads& reads, BatchId id);
/// data of a `snapshot` or `batch` event of batch/{id}. @param paused  of one item
std::string batch_state_json(const BatchFound& found, const std::function<bool(const Job&)>& paused, WallTime now);

/// A remote worker as everyone is shown it.
std::string shown_worker_json(const WorkerView& worker);
/// data of a `worker` event: topic, worker.
std::string worker_event_json(const WorkerView& worker);

/// data of a `snapshot` or `change` of a list: topic, items, more.
void begin_rows(JsonOut& out, std::string_view topic);
void end_rows(JsonOut& out, bool more);

} // namespace freshet::streams
