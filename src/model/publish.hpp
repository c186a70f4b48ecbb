// SPDX-License-Identifier: Apache-2.0
#pragma once
// Whether a good-looking result may replace the published one (F4, F8).
//
// Three ways: publish, hold for a person, or refuse because the world moved on while it was fetched. Pure.

#include "model/definition.hpp"
#include "model/diff_counts.hpp"
#include "model/snapshot.hpp"

#include <optional>
#include <string>
#include <variant>

namespace freshet {

/// What an attempt brought, as far as the decision needs it.
struct Candidate {
    bool unchanged = false; ///< the source's own word (304): the published content again
    Hash128 hash;           ///< of the canonical bytes, unless unchanged
    std::int64_t rows = 0;
    std::optional<WallTime> as_of;
    bool wrong_shape = false;
    std::string shape_message;
    Seq data_fence = 0;           ///< of the attempt
    std::uint64_t definition = 0; ///< hash under which it was claimed
};

struct PublishIt {
    bool new_version = false;
};
struct HoldIt {
    HeldReason reason = HeldReason::empty;
    std::string message;
};
/// `again`: the job may be tried anew under what holds now; otherwise it ends here.
struct RefuseIt {
    std::string code, message;
    bool again = false;
};
using PublishDecision = std::variant<PublishIt, HoldIt, RefuseIt>;

/// The same shrunk content, seen again at least this much later, is believed.
inline constexpr Millis shrunk_believed_after = 10min;
/// as_of may lie this far ahead of our clock before it is doubted.
inline constexpr Millis as_of_ahead_max = 5min;

PublishDecision decide_publish(const KeyRecord& record, const Candidate& candidate, const SourceDefinition& source,
                               WallTime now);

} // namespace freshet
