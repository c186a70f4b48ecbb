// SPDX-License-Identifier: Apache-2.0
#pragma once
// What is known of a key: the last good result and the story around it.
//
// A KeyRecord is the stored row of one key of one tenant. It outlives its data: after DELETE, purge or eviction the row
// stays with gen and ver as a floor, so that no client ever meets a number twice (F4). gen grows by one per successful
// refresh, ver only when the content changed. Times tell people; what came first is decided by seqs alone:
// data_fence is the fence under which the published data was read, gone_seq and stale_seq are ledger heads.

#include "base/hash.hpp"
#include "base/ids.hpp"
#include "model/diff_counts.hpp"
#include "model/names.hpp"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace freshet {

/// Why an attempt or a job failed, in a class that decides what follows, a code for programs, and words for people.
struct ErrorInfo {
    ErrorClass error_class = ErrorClass::retryable;
    std::string code;
    std::string message;
    friend bool operator==(const ErrorInfo&, const ErrorInfo&) = default;
};

/// Bytes of one version, shared by every core and stream that shows it; never changes but for `coded`, which is filled
/// at most once per coding (release/acquire) by whoever compresses first.
struct Body {
    std::string bytes;
    Hash128 hash; ///< of the canonical bytes: equal hash, equal content
    std::int64_t rows = 0;
    mutable std::array<std::atomic<std::shared_ptr<const std::string>>, 3> coded; ///< gzip, br, zstd
    mutable std::array<std::atomic<bool>, 3> coding_begun{};
};

/// A good result that the guard did not let through; it waits for a person (accept or discard).
struct HeldResult {
    HeldReason reason = HeldReason::empty;
    std::string message;
    std::int64_t payload = 0; ///< id in the store
    Hash128 hash;
    std::int64_t rows = 0, bytes = 0;
    JobId job;
    WallTime held_at;
    Seq data_fence = 0;
    std::optional<WallTime> as_of;
    std::string etag, last_modified;
    std::uint64_t definition = 0;
    DiffCounts counts;
    friend bool operator==(const HeldResult&, const HeldResult&) = default;
};

struct KeyRecord {
    std::string tenant;
    std::string key; ///< text form
    std::string source;
    std::int64_t gen = 0, ver = 0;
    bool has_data = false; ///< false: empty, whatever gen says

    // Of the published version.
    Seq data_fence = 0;
    std::uint64_t definition = 0; ///< hash of the source's definition it was fetched under
    std::int64_t payload = 0;     ///< id in the store
    Hash128 hash;
    std::int64_t rows = 0, bytes = 0;
    std::optional<WallTime> as_of;
    AsOfBy as_of_by = AsOfBy::fetch;
    std::optional<WallTime> checked_at; ///< start of the last good fetch
    std::optional<WallTime> changed_at; ///< when ver last grew
    Trigger trigger = Trigger::cold;    ///< of the last good fetch
    std::string etag, last_modified;

    // Of the attempts since.
    int attempts = 0;                 ///< failures in a row; 0: the last ended attempt was good
    std::optional<WallTime> retry_at; ///< nothing is asked of the source in the background before
    bool parked = false;              ///< the source itself said not before retry_at (Retry-After)
    std::optional<ErrorInfo> error;   ///< of the last ended attempt, if it failed
    std::optional<Outcome> last_outcome;
    JobId last_job;
    std::optional<WallTime> last_finished_at;
    std::string day; ///< what its tries of the last 24 hours came to (model/day.hpp)

    Seq stale_seq = 0; ///< data read at or before is not shown as fresh (soft purge, after)
    Seq gone_seq = 0;  ///< data read at or before is not published (DELETE, hard purge)
    std::optional<HeldResult> held;

    std::optional<WallTime> read_at; ///< last time someone read it, coarse (an hour)
    std::optional<WallTime> next_at; ///< next nominal fire of its schedule
    Seq seq = 0;                     ///< ledger seq of the last change
    friend bool operator==(const KeyRecord&, const KeyRecord&) = default;
};

/// One kept version of a key, as listed by /versions.
struct VersionRecord {
    std::int64_t ver = 0, gen = 0; ///< gen: the first one that had this content
    std::int64_t payload = 0;
    Hash128 hash;
    std::int64_t rows = 0, bytes = 0;
    std::optional<WallTime> as_of;
    WallTime changed_at;
    DiffCounts counts;
    friend bool operator==(const VersionRecord&, const VersionRecord&) = default;
};

} // namespace freshet
