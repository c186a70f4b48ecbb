// SPDX-License-Identifier: Apache-2.0
#pragma once
// The JSON shapes of spec "The wire contract" §4: meta, job, receipt, attempt, version, freshness row, problem, events.
//
// One function per shape, used by HTTP answers and by ledger events alike, so that a stream and a GET cannot disagree.
// Every object holds `seq`; times are RFC 3339 UTC with milliseconds; absent = null.

#include "model/event.hpp"
#include "model/freshness.hpp"
#include "model/job.hpp"
#include "model/queue_policy.hpp"
#include "model/records.hpp"
#include "model/snapshot.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace freshet {

/// What runs or waits on a key, as meta shows it.
struct MetaFlight {
    JobId id;
    bool running = false;
    WallTime requested_at;
    std::string phase;
};

struct MetaInput {
    const KeyRecord* record = nullptr;
    const SourceDefinition* source = nullptr; ///< null: removed
    std::vector<std::string> params;          ///< decoded
    std::optional<MetaFlight> flight;
    bool paused = false;
    bool from_cache = true;
};

/// A value that a why's words hold, by which a page can say the same in another language.
struct WhyValue {
    std::string_view name;
    std::variant<std::string, std::int64_t, WallTime> value;
};

/// Why a key's data is not fresh or a job waits, in a code and words, since when and what would clear it.
struct Why {
    std::string code, text, clears;
    std::optional<WallTime> since;
    std::vector<WhyValue> values = {};
};
std::optional<Why> why_of(const MetaInput& input, WallTime now);

/// What a job's view needs beside the job: the policy of its queue as it applies now.
struct JobTerms {
    bool paused = false;
    std::optional<WallTime> stall_at; ///< when it is called stalled, if it does not get on
    int attempts_max = 0;             ///< 0: not told
    bool brief = false; ///< of an event: input and result are left out where they are long; a GET has them
    // NOLINTNEXTLINE(google-explicit-constructor): where no policy is at hand, whether it is paused is enough
    JobTerms(bool paused_ = false) : paused{paused_} {}
};
JobTerms terms_of(const Definitions& definitions, const Job& job, bool paused);

std::optional<Why> why_of(const Job& job, const JobTerms& terms, WallTime now);

std::string meta_json(const MetaInput& input, WallTime now);
/// `freshness row`: meta and the policy's figures.
std::string freshness_row_json(const MetaInput& input, WallTime now);
std::string job_json(const Job& job, const JobTerms& terms, WallTime now);
std::string attempt_json(const AttemptRecord& attempt);
std::string version_json(const VersionRecord& version, std::string_view href);
std::string fire_json(const FireRecord& fire);

/// What the end of a refresh leaves on its job (Job::receipt): the parts of a receipt that are not the job's own.
struct ReceiptInput {
    std::optional<std::int64_t> gen, ver, base_ver;
    std::optional<WallTime> as_of, checked_at;
    std::optional<DiffCounts> counts;
    std::vector<std::pair<std::string, Millis>> phases;
    std::int64_t bytes = 0, rows = 0;
    int source_status = 0;
    std::vector<std::string> notes;
    std::optional<HeldReason> held_reason;
    std::int64_t held_rows = 0;
    const KeyRecord* last_good = nullptr; ///< of a failed or held one
    std::string last_good_href;
};
std::string receipt_parts_json(const ReceiptInput& input);
/// A job with its receipt's parts merged in: what /v1/jobs/{id} of a refresh answers.
std::string receipt_json(const Job& job, const JobTerms& terms, WallTime now);

/// data of a `change` event: topic, meta, outcome, base, counts, diff or href.
std::string change_event_json(std::string_view topic, std::string_view meta, std::optional<Outcome> outcome,
                              std::int64_t base_ver, const std::optional<DiffCounts>& counts, std::string_view diff,
                              std::string_view href, Seq seq);
/// data of a `fire` event: topic, schedule (its id and next fire), fire.
std::string fire_event_json(std::string_view topic, const FireRecord& fire, std::optional<WallTime> next_at, Seq seq);
/// data of a `job` event: topic, job.
std::string job_event_json(std::string_view topic, std::string_view job, Seq seq);
/// What streams send of an event: its data, or the JSON of the job that it tells.
std::string event_json(const Event& event);
/// Whether a job is told by its values: none of its texts is long, so that keeping them costs no more than their JSON.
bool told_by_values(const Job& job);

/// RFC 9457. Members with empty or absent values are left out.
struct Problem {
    int status = 500;
    std::string code, title, detail, try_, type_base; ///< type = type_base + code
    std::string key, outcome, job;
    std::optional<bool> joined;
    std::optional<int> attempt;
    std::optional<WallTime> retry_at;
    std::string limit;
    std::string receipt;   ///< JSON
    std::string last_good; ///< JSON
    std::string instance;
};
std::string problem_json(const Problem& problem);

} // namespace freshet
