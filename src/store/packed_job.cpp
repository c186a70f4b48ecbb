// SPDX-License-Identifier: Apache-2.0
#include "store/packed_job.hpp"

#include "store/packed_fields.hpp"

namespace freshet {

namespace {

// The order is stored: a new field goes to the end.

template <class Packed, class AJob>
void visit_job(Packed& p, AJob& j)
{
    p.fields(j.requested_at, j.requested_by, j.input, j.label, j.tags, j.unique, j.gated, j.trigger, j.behind);
    p.fields(j.superseded_by, j.began_at, j.finished_at, j.deadline_at, j.start_by, j.attempts_max);
    p.field(j.generation, 1);
    p.fields(j.attempt, j.failed, j.lost, j.rate_limited, j.released, j.wait_reason, j.asked, j.fence, j.data_fence);
    p.fields(j.worker, j.lease_until, j.beat_at, j.progress_at, j.cancel_requested_at, j.checkpoint);
    p.fields(j.checkpoint_fence, j.progress);
    p.field(j.callers, std::int64_t{1});
    p.fields(j.definition, j.took_p50, j.took_p90, j.took_p95, j.outcome, j.forced, j.finished_before_cancel, j.error);
    p.fields(j.receipt, j.result, j.result_payload, j.result_bytes, j.late, j.seq);
}

template <class Packed, class AJob, class ATold>
void visit_told(Packed& p, AJob& j, ATold& told)
{
    p.fields(j.id, j.kind, j.tenant, j.queue, j.key, j.batch, j.item, j.state, j.priority, j.due_at);
    p.fields(told.paused, told.attempts_max, told.stall_at, told.at);
}

template <class Packed, class ABatch>
void visit_batch(Packed& p, ABatch& b)
{
    p.fields(b.requested_at, b.requested_by, b.name);
    p.field(b.ends_as, BatchState::ending);
    p.fields(b.why);
    p.field(b.generation, 1);
    p.fields(b.driver, b.concurrency, b.policy, b.counts, b.gated, b.released, b.sealed_at, b.seal_by, b.began_at);
    p.fields(b.finished_at, b.called_at, b.errors, b.then, b.cursor, b.seq);
}

} // namespace

std::string pack_job(const Job& job)
{
    return packed::Writer{}.write([&](packed::Writer& writer) { visit_job(writer, job); });
}

void unpack_job(std::string_view row, Job& job)
{
    const auto name = [](std::int64_t id) { return "job " + to_text(JobId{id}); };
    packed::Reader{row, name, job.id.value}.read([&](packed::Reader& reader) { visit_job(reader, job); });
}

PackedTold pack_told(const ToldJob& told)
{
    return {packed::Writer{}.write([&](packed::Writer& writer) { visit_told(writer, *told.job, told); }),
            pack_job(*told.job)};
}

ToldJob unpack_told(std::string_view place, std::string_view job)
{
    ToldJob told;
    Job made;
    const auto name = [](std::int64_t) { return std::string{"an event of a job"}; };
    packed::Reader{place, name, 0}.read([&](packed::Reader& reader) { visit_told(reader, made, told); });
    unpack_job(job, made);
    told.job = std::make_shared<const Job>(std::move(made));
    return told;
}

std::string pack_batch(const Batch& batch)
{
    return packed::Writer{}.write([&](packed::Writer& writer) { visit_batch(writer, batch); });
}

void unpack_batch(std::string_view row, Batch& batch)
{
    const auto name = [](std::int64_t id) { return "batch " + to_text(BatchId{id}); };
    packed::Reader{row, name, batch.id.value}.read([&](packed::Reader& reader) { visit_batch(reader, batch); });
}

} // namespace freshet
