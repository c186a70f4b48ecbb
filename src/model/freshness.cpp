// SPDX-License-Identifier: Apache-2.0
#include "model/freshness.hpp"

#include <algorithm>

namespace freshet {

Freshness derive_freshness(const KeyRecord& record, const SourceDefinition& source, WallTime now)
{
    if (!record.has_data || !record.checked_at) return {};
    Freshness f;
    f.age = std::max(now - *record.checked_at, Millis{0});
    const bool forced = record.trigger == Trigger::manual && source.fresh_for_forced.count() > 0;
    f.stale_at = *record.checked_at + (forced ? source.fresh_for_forced : source.fresh_for);
    f.overdue_at = *f.stale_at + source.overdue_after;

    const bool marked_stale = record.data_fence <= record.stale_seq || record.definition != source.hash;
    if (!marked_stale && now <= *f.stale_at) {
        f.state = SnapshotState::fresh;
        f.holds_until = *f.stale_at + Millis{1};
    } else if (record.attempts > 0) {
        f.state = SnapshotState::failing;
    } else if (now > *f.overdue_at) {
        f.state = SnapshotState::overdue;
    } else {
        f.state = SnapshotState::stale;
        f.holds_until = *f.overdue_at + Millis{1};
    }
    return f;
}

} // namespace freshet
