// SPDX-License-Identifier: Apache-2.0
// longtasks-worker: three kinds of long runs over `total` entries, each entry a request to its site. A run leaves a
// checkpoint after every entry, hands itself back for a pause after a stretch of work, and goes on from there. A
// broadcast paces its messages and skips whom it has reached already.

#include "kit.hpp"
#include "sent.hpp"

#include <random>

namespace {

using freshet::Job;
using freshet::Json;
using std::chrono::steady_clock;

constexpr std::chrono::seconds work_before_pause{300};
constexpr std::chrono::seconds pause_length{60};
constexpr std::chrono::seconds beat_every{30};

/// Where a run is: how many entries are behind it, and how they went.
struct Run {
    std::int64_t total, processed, succeeded, failed;
    std::string last_error;

    explicit Run(const Job& job)
        : total{job.input()["total"].whole()}, processed{job.checkpoint()["processed"].whole()},
          succeeded{job.checkpoint()["succeeded"].whole()}, failed{job.checkpoint()["failed"].whole()},
          last_error{job.checkpoint()["last_error"].text()}
    {
    }
    Json told() const
    {
        return {{"total", total},
                {"processed", processed},
                {"succeeded", succeeded},
                {"failed", failed},
                {"last_error", last_error.empty() ? Json{} : Json{last_error}}};
    }
    void tell(Job& job, const std::string& phase) const
    {
        job.progress({.done = processed,
                      .total = total,
                      .phase = phase,
                      .unit = "entries",
                      .message = std::to_string(succeeded) + " succeeded, " + std::to_string(failed) + " failed"});
    }
};

/// Works through the run's entries. `one` does entry number n, counted from 1; what it throws of its own kind counts as
/// a failed entry, save a site that refuses everything.
template <class One>
Json work(Job& job, const std::string& phase, const One& one)
{
    Run run{job};
    if (run.total < 1) throw freshet::Fatal("total is to be a whole number from 1", "bad_input");
    const auto began = steady_clock::now();
    const auto stretch = kit::scaled(work_before_pause);
    run.tell(job, phase);
    job.log((run.processed == 0 ? "Begun: " : "Taken up again behind entry " + std::to_string(run.processed) + " of ") +
            std::to_string(run.total) + " entries");
    while (run.processed < run.total) {
        job.check();
        try {
            one(run.processed + 1);
            ++run.succeeded;
        } catch (const freshet::Retryable& error) {
            ++run.failed;
            run.last_error = error.what();
            job.log(freshet::LogLevel::warning, error.what());
        }
        ++run.processed;
        job.checkpoint(run.told());
        run.tell(job, phase);
        if (run.processed < run.total && steady_clock::now() - began >= stretch)
            job.release(kit::scaled(pause_length), "paused after a stretch of work");
    }
    return run.told();
}

void fetch(Job& job, const std::string& site, std::int64_t number)
{
    const kit::Answer answer = kit::ask(job, {.url = kit::upstream() + "/" + site + "/" + std::to_string(number)});
    if (answer.status != 200) kit::refuse(site + " " + std::to_string(number), answer);
}

kit::milliseconds pace()
{
    thread_local std::minstd_rand dice{std::random_device{}()};
    return kit::scaled(kit::milliseconds(std::uniform_int_distribution<int>(3000, 4000)(dice)));
}

Json broadcast(Job& job, Sent& sent)
{
    const std::string run = job.tenant() + "/" + job.id();
    return work(job, "sending", [&](std::int64_t number) {
        const std::string recipient = "recipient-" + std::to_string(number);
        if (sent.has(run, recipient)) return;
        const Json message{{"to", recipient}, {"text", "News of business " + job.tenant()}, {"run", job.id()}};
        const kit::Answer answer =
            kit::ask(job, {.url = kit::upstream() + "/messages", .method = "POST", .body = message.dump()});
        if (answer.status != 200) kit::refuse("The message to " + recipient, answer);
        sent.mark(run, recipient);
        if (number < job.input()["total"].whole()) kit::wait(job, pace());
    });
}

} // namespace

int main()
{
    Sent sent{kit::environment("LONGTASKS_DATABASE", "longtasks-worker.db")};
    freshet::WorkerOptions options = kit::options("longtasks-worker", 8);
    options.beat_every = kit::scaled(beat_every);
    freshet::Worker worker{options};
    worker.task("receipt_sync", [](Job& job) {
        return work(job, "reading receipts", [&](std::int64_t number) { fetch(job, "receipts", number); });
    });
    worker.task("broadcast", [&](Job& job) { return broadcast(job, sent); });
    worker.task("recording", [](Job& job) {
        return work(job, "writing down recordings", [&](std::int64_t number) { fetch(job, "recordings", number); });
    });
    return worker.run();
}
