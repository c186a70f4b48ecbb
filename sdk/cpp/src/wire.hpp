// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bodies of the calls below /v1/work, and what comes back. Pure; the only place that knows names of members.

#include "attempt.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet {
inline namespace sdk_v1 {
namespace detail {

struct ClaimCall {
    std::string_view worker, host;
    const std::vector<std::string>* queues = nullptr;
    int slots = 1;
    milliseconds wait{0};
    /// Absent: the server concludes nothing. Present: what it believes us to hold and is not here goes back at once.
    std::optional<std::vector<std::pair<std::string, std::uint64_t>>> holds;
};
std::string claim_body(const ClaimCall& call);

struct ClaimAnswer {
    std::vector<Claimed> jobs;
    bool drain = false;
};
/// nullopt: this is no answer of a freshet server.
std::optional<ClaimAnswer> parse_claim(std::string_view body, const std::string& worker);

/// What one beat says of one job.
struct BeatOf {
    std::shared_ptr<Attempt> attempt;
    std::optional<Progress> progress;
    int phase_index = 0;
    std::string checkpoint; ///< empty: none
    std::uint64_t progress_said = 0, checkpoint_said = 0;
};
std::string beat_body(std::string_view worker, const std::vector<BeatOf>& jobs);

struct BeatAnswer {
    enum class Word : std::uint8_t { ok, cancel, lost };
    std::vector<std::pair<std::string, Word>> jobs;
    bool drain = false, reconnect = false;
};
std::optional<BeatAnswer> parse_beat(std::string_view body);

/// One end of one job, for the plural verbs.
struct EndOf {
    std::shared_ptr<Attempt> attempt;
    Ended end;
    std::optional<std::int64_t> stored; ///< of a large result: the payload that PUT result answered
    std::string checkpoint;             ///< of a release
};
std::string ends_body(std::string_view worker, Ended::How how, const std::vector<EndOf*>& ends);

struct EndAnswer {
    std::string id;
    bool taken = true;
    bool again = false;      ///< not taken, but may be later: the server had trouble of its own
    std::string code, words; ///< of a refusal
};
std::optional<std::vector<EndAnswer>> parse_ends(std::string_view body);

std::string log_body(std::uint64_t fence, const std::vector<LogLine>& lines);

} // namespace detail
} // namespace sdk_v1
} // namespace freshet
