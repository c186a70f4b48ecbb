// SPDX-License-Identifier: Apache-2.0
#include "http/work_end.hpp"

#include "engine/prepare.hpp"
#include "http/large_results.hpp"
#include "http/problems.hpp"
#include "http/status_answer.hpp"

#include <fmt/format.h>

namespace freshet::http {

namespace {

using Ended = std::expected<std::shared_ptr<const Job>, Refused>;

JobId job_of(const WorkEnd& end)
{
    return std::visit([](const auto& one) { return one.job; }, end);
}

Refused refused(Refusal refusal, std::string message)
{
    Refused made;
    made.refusal = refusal;
    made.message = std::move(message);
    return made;
}

// Of one call: what was told, what came back, and what is told a second time.
class Ending : public std::enable_shared_from_this<Ending> {
public:
    Ending(Core& core, ExchangePtr exchange, WorkEnds ends, std::function<void(std::vector<Ended>)> then)
        : core_{core}, exchange_{std::move(exchange)}, ends_{std::move(ends)}, then_{std::move(then)}
    {
    }

    void begin()
    {
        for (const WorkEnd& end : ends_.jobs) ids_.push_back(job_of(end));
        // A refresh's result may have to be told again: only a copy is given away.
        post(ends_.jobs, [self = shared_from_this()](std::vector<Ended> answers) { self->first(std::move(answers)); });
    }

private:
    void post(std::vector<WorkEnd> jobs, std::function<void(std::vector<Ended>)> then)
    {
        EndWork work;
        work.worker = ends_.worker;
        work.tenant = exchange_->caller().tenant;
        work.jobs = std::move(jobs);
        const std::size_t count = work.jobs.size();
        const bool taken =
            core_.post(std::move(work), [self = shared_from_this(), count, then = std::move(then)](Reply reply) {
                if (!reply) return fail_refused(self->core_, self->exchange_, reply.error());
                auto* ended = std::get_if<EndedWork>(&*reply);
                if (ended == nullptr || ended->jobs.size() != count) return self->exchange_->fail(store_problem());
                then(std::move(ended->jobs));
            });
        if (!taken) exchange_->fail(busy_problem());
    }

    void first(std::vector<Ended> answers)
    {
        answers_ = std::move(answers);
        for (std::size_t i = 0; i < answers_.size(); ++i)
            if (!answers_[i] && answers_[i].error().refusal == Refusal::unprepared) again_.push_back(i);
        if (again_.empty()) return then_(std::move(answers_));
        core_.off_loop(
            [self = shared_from_this(), definitions = core_.definitions()](Reads& reads) {
                for (const std::size_t i : self->again_) self->make_ready(reads, *definitions, i);
            },
            [self = shared_from_this()](std::exception_ptr failure) {
                if (failure) return self->exchange_->fail(store_problem());
                self->second();
            });
    }

    // On a pool thread; the loop does not touch this object meanwhile.
    void make_ready(Reads& reads, const Definitions& definitions, std::size_t i)
    {
        auto* end = std::get_if<CompleteJob>(&ends_.jobs[i]);
        auto* result = end == nullptr ? nullptr : std::get_if<TaskResult>(&end->result);
        if (result == nullptr) {
            answers_[i] = std::unexpected(refused(Refusal::bad_request, "Only a result can complete a refresh."));
            return;
        }
        if (result->payload != 0) {
            const auto bytes = core_.services().large_results->get(end->job, end->fence);
            if (!bytes) {
                answers_[i] = std::unexpected(
                    refused(Refusal::bad_request,
                            fmt::format("No large result of this hand-out is here; PUT /v1/work/{}/result?fence={} "
                                        "again, then complete.",
                                        to_text(end->job), end->fence)));
                return;
            }
            result->json = *bytes;
        }
        const auto job = reads.job(end->job);
        if (!job || result->json.empty()) {
            answers_[i] = std::unexpected(
                !job ? refused(Refusal::not_found, "There is no such job here.")
                     : refused(Refusal::bad_request, "A refresh is completed with a result: its new data."));
            return;
        }
        auto ready = prepare_result(reads, definitions, *job, std::move(result->json), ends_.as_of);
        if (ready)
            end->result = std::move(*ready);
        else
            answers_[i] = std::unexpected(std::move(ready.error()));
    }

    void second()
    {
        std::erase_if(again_, [&](std::size_t i) { return answers_[i].error().refusal != Refusal::unprepared; });
        std::vector<WorkEnd> jobs;
        std::vector<std::size_t> small;
        open_ = 1;
        for (const std::size_t i : again_) {
            auto& complete = std::get<CompleteJob>(ends_.jobs[i]);
            const auto& ready = std::get<PreparedResult>(complete.result);
            if (ready.body && ready.body->bytes.size() > ahead_chunk_bytes_max) {
                second_large(i, std::move(complete));
            } else {
                small.push_back(i);
                jobs.push_back(std::move(ends_.jobs[i]));
            }
        }
        if (jobs.empty()) return one_ended();
        post(std::move(jobs), [self = shared_from_this(), small](std::vector<Ended> answers) {
            for (std::size_t i = 0; i < answers.size(); ++i) self->told(small[i], std::move(answers[i]));
            self->one_ended();
        });
    }

    // By itself, so that its bytes go to disk ahead of its commit. Whose job it is was judged the first time.
    void second_large(std::size_t i, CompleteJob complete)
    {
        ++open_;
        const bool taken = core_.post(std::move(complete), [self = shared_from_this(), i](Reply reply) {
            if (!reply)
                self->told(i, std::unexpected(std::move(reply.error())));
            else if (auto* job = std::get_if<std::shared_ptr<const Job>>(&*reply))
                self->told(i, std::move(*job));
            else
                self->told(i, std::unexpected(refused(Refusal::source_removed, "The source is gone.")));
            self->one_ended();
        });
        if (taken) return;
        --open_;
        told(i, std::unexpected(refused(Refusal::busy, "The engine's inbox is full.")));
    }

    void told(std::size_t i, Ended answer)
    {
        // What was taken, and what never will be, needs its bytes no more; trouble of ours passes.
        if (answer || answer.error().refusal == Refusal::lease_lost) core_.services().large_results->forget(ids_[i]);
        answers_[i] = std::move(answer);
    }

    void one_ended()
    {
        if (--open_ == 0) then_(std::move(answers_));
    }

    Core& core_;
    ExchangePtr exchange_;
    WorkEnds ends_;
    std::function<void(std::vector<Ended>)> then_;
    std::vector<Ended> answers_;
    std::vector<std::size_t> again_; ///< those that had to be made ready
    std::vector<JobId> ids_;
    std::size_t open_ = 0; ///< requests of the second telling that have not been answered
};

} // namespace

void end_work(Core& core, const ExchangePtr& exchange, WorkEnds ends, std::function<void(std::vector<Ended>)> then)
{
    std::make_shared<Ending>(core, exchange, std::move(ends), std::move(then))->begin();
}

std::expected<PreparedResult, Refused> prepare_result(Reads& reads, const Definitions& definitions, const Job& job,
                                                      std::string json, std::optional<WallTime> as_of)
{
    const std::string_view name = std::string_view{job.key}.substr(0, job.key.find('/'));
    const SourceDefinition* source = definitions.source(name);
    if (source == nullptr)
        return std::unexpected(refused(Refusal::source_removed, fmt::format("There is no source {} any more.", name)));
    if (static_cast<std::int64_t>(json.size()) > source->bytes_max)
        return std::unexpected(
            refused(Refusal::bad_request, fmt::format("The result has {} bytes; max_bytes of source {} is {}.",
                                                      json.size(), name, source->bytes_max)));
    const auto published = reads.view(job.tenant, job.key);
    const bool has_base = published && published->record.has_data && published->body;
    FlightData data;
    data.facts.bytes_in = static_cast<std::int64_t>(json.size());
    data.json = std::move(json);
    data.as_of = as_of;
    return prepare(std::move(data), *source, has_base ? published->record.ver : 0,
                   has_base ? published->body.get() : nullptr);
}

} // namespace freshet::http
