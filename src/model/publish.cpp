// SPDX-License-Identifier: Apache-2.0
#include "model/publish.hpp"

#include <fmt/format.h>

namespace freshet {

namespace {

std::optional<HoldIt> guard_rows(const KeyRecord& record, const Candidate& candidate, const GuardPolicy& guard,
                                 WallTime now)
{
    if (candidate.rows < guard.min_rows)
        return HoldIt{candidate.rows == 0 ? HeldReason::empty : HeldReason::shrunk,
                      fmt::format("{} rows came; at least {} are expected", candidate.rows, guard.min_rows)};
    if (!record.has_data) return std::nullopt;
    if (candidate.rows == 0 && record.rows > 0 && !guard.allow_empty)
        return HoldIt{HeldReason::empty, fmt::format("nothing came; the last good result has {} rows", record.rows)};
    std::string message;
    if (candidate.rows < guard.min_rows_known && record.rows >= guard.min_rows_known)
        message = fmt::format("{} rows came; the last good result has {}, and fewer than {} are not believed",
                              candidate.rows, record.rows, guard.min_rows_known);
    else if (static_cast<double>(record.rows - candidate.rows) > guard.shrink * static_cast<double>(record.rows))
        message = fmt::format("{} of {} rows came: more than {:.0f} % would be lost", candidate.rows, record.rows,
                              guard.shrink * 100);
    if (message.empty()) return std::nullopt;
    const bool seen_before =
        record.held && record.held->reason == HeldReason::shrunk && record.held->hash == candidate.hash;
    if (seen_before && now - record.held->held_at >= shrunk_believed_after) return std::nullopt;
    return HoldIt{HeldReason::shrunk, std::move(message)};
}

} // namespace

PublishDecision decide_publish(const KeyRecord& record, const Candidate& candidate, const SourceDefinition& source,
                               WallTime now)
{
    if (candidate.data_fence <= record.gone_seq)
        return RefuseIt{"purged", "the key was purged while this was fetched", false};
    if (candidate.definition != source.hash)
        return RefuseIt{"definition_changed", "the source's definition changed while this was fetched", true};
    if (candidate.data_fence <= record.data_fence)
        return RefuseIt{"older_data", "newer data was published meanwhile", false};
    if (candidate.unchanged) {
        if (record.has_data && record.definition == candidate.definition) return PublishIt{false};
        return RefuseIt{"unchanged_without_data",
                        "the source said that nothing changed, but there is nothing to go on with", true};
    }
    if (candidate.wrong_shape) return HoldIt{HeldReason::wrong_shape, candidate.shape_message};
    if (candidate.as_of && *candidate.as_of > now + as_of_ahead_max)
        return HoldIt{HeldReason::as_of_future, fmt::format("the source says its data is of {}, which is yet to come",
                                                            to_rfc3339(*candidate.as_of))};
    if (candidate.as_of && record.has_data && record.as_of_by == AsOfBy::source && record.as_of &&
        *candidate.as_of < *record.as_of)
        return HoldIt{HeldReason::as_of_back,
                      fmt::format("the source says its data is of {}, older than the {} that is published",
                                  to_rfc3339(*candidate.as_of), to_rfc3339(*record.as_of))};
    if (auto held = guard_rows(record, candidate, source.guard, now)) return std::move(*held);
    return PublishIt{!record.has_data || candidate.hash != record.hash};
}

} // namespace freshet
