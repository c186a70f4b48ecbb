// SPDX-License-Identifier: Apache-2.0
#include "model/ask.hpp"

namespace freshet {

namespace {

bool will_do(const Job& running, const AskTerms& terms, WallTime now)
{
    if (!terms.read_after_now) return true;
    if (running.data_fence > terms.head) return true;
    return terms.max_age && running.began_at && now - *running.began_at <= *terms.max_age &&
           running.data_fence == running.fence;
}

} // namespace

AskDecision decide_ask(const KeyRecord& record, const Job* running, const Job* queued, const AskTerms& terms,
                       std::optional<WallTime> open_until, WallTime now)
{
    if (running != nullptr && !running->cancel_requested_at && will_do(*running, terms, now))
        return AskAttach{running->id, false, false};

    const bool parked = record.parked && record.retry_at && *record.retry_at > now;
    if (queued != nullptr) {
        // One that never began, or whose checkpoint the next claim drops, reads after now in any case.
        const bool waits = !queued->behind && queued->due_at > now;
        if (waits && terms.person && parked)
            return AskRefuse{Refusal::limited, "the source asked to be left alone for a while", record.retry_at};
        if (waits && terms.person && open_until && *open_until > now)
            return AskRefuse{Refusal::limited, "the source failed too often in a row and is left alone for a while",
                             open_until};
        return AskAttach{queued->id, terms.read_after_now, waits && terms.person};
    }

    if (terms.attach_only) return AskRefuse{Refusal::not_found, "no refresh runs or waits", {}};
    if (parked) return AskRefuse{Refusal::limited, "the source asked to be left alone for a while", record.retry_at};
    if (open_until && *open_until > now)
        return AskRefuse{Refusal::limited, "the source failed too often in a row and is left alone for a while",
                         open_until};
    if (!terms.person && record.retry_at && *record.retry_at > now)
        return AskRefuse{Refusal::limited, "the last refresh failed; it is too early to try again", record.retry_at};
    return AskEnqueue{running != nullptr ? running->id : JobId{}};
}

} // namespace freshet
