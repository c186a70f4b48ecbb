// SPDX-License-Identifier: Apache-2.0
#pragma once
// A worker: takes jobs of its queues from a freshet server and works on them.
//
//   #include <freshet/worker.hpp>
//
//   int main()
//   {
//       freshet::Worker worker{{.url = "http://127.0.0.1:7878", .slots = 4}};
//       worker.task("forecast", [](freshet::Job& job) {
//           for (const int step : job.track(std::views::iota(0, 500), "fit")) fit(step);
//           return freshet::Json{{"region", job.input()["region"]}};
//       });
//       return worker.run();                       // SIGTERM: takes no more, finishes or hands back
//   }
//
// Life: make it, register tasks, run() once. Threads: run() starts its own: one claims, one beats (busy handlers cannot
// hold it up), one tells ends, and one per slot that is in use works. A server that is away is waited for; jobs that
// run go on meanwhile, and their results are told when it is back.

#include <freshet/job.hpp>

#include <functional>
#include <memory>
#include <type_traits>

namespace freshet {
inline namespace sdk_v1 {

struct WorkerOptions {
    std::string url;   ///< empty: FRESHET_URL, else http://127.0.0.1:7878
    std::string token; ///< empty: FRESHET_TOKEN; without any the server speaks to its own machine until it has tokens
    std::string id;    ///< empty: host name and process id. One worker per id.
    int slots = 4;     ///< handlers that run at once, 1 to 1,000
    /// Jobs that are claimed before a slot is free for them, 0 to 1,000: for jobs of milliseconds, which would
    /// otherwise wait for the next claim. They count as running, and go back if the worker ends before it began them.
    int ahead = 0;
    /// The longest between two signs of life of a job; 0: a third of its lease, which is also the most.
    std::chrono::milliseconds beat_every{0};
    std::chrono::milliseconds grace{20'000};    ///< after SIGTERM: for running jobs to end by themselves
    std::chrono::milliseconds stop_wait{5'000}; ///< after the grace: for handlers to notice that they are to stop
    bool signals = true;                        ///< SIGTERM and SIGINT end run(); the second one ends the grace
    /// What the worker has to say about itself, one line each; empty: stderr.
    std::function<void(std::string_view)> say;
};

using Handler = std::function<Result(Job&)>;

class Worker {
public:
    /// @throws std::invalid_argument if a number is out of its range or the url is none.
    explicit Worker(WorkerOptions options = {});
    ~Worker();
    Worker(Worker&&) noexcept;
    Worker& operator=(Worker&&) noexcept;

    /// Registers what works on the jobs of a queue: a function of Job& that answers a Json, a Result, or nothing.
    template <class Function>
    Worker& task(std::string queue, Function function)
    {
        if constexpr (std::is_void_v<std::invoke_result_t<Function&, Job&>>)
            return add(std::move(queue), [function = std::move(function)](Job& job) mutable {
                function(job);
                return Result{};
            });
        else
            return add(std::move(queue), Handler{std::move(function)});
    }

    /// Works until it is told to stop.
    /// @return 0 ended as asked · 1 some jobs could neither end nor be handed back · 4 the server does not let us in
    /// @throws std::logic_error without a task, or if it ran before.
    int run();
    /// As a SIGTERM does: takes no more, lets what runs end within `grace`. A second call, like a second signal, means
    /// hurry: the grace is over, handlers are told to stop at once. A third one ends `stop_wait`, too. Threads: any.
    void stop();

    const std::string& id() const;

private:
    Worker& add(std::string queue, Handler handler);
    class Core;
    std::shared_ptr<Core> core_;
};

} // namespace sdk_v1
} // namespace freshet
