// SPDX-License-Identifier: Apache-2.0
#pragma once
// Runs a handler as a worker would, without a server: for the tests of whoever writes handlers.
//
//   const auto run = freshet::testing::run(forecast, freshet::Json{{"region", "north"}});
//   EXPECT_EQ(run.end, freshet::testing::End::succeeded);
//   EXPECT_EQ(run.result["region"].text(), "north");
//   EXPECT_EQ(run.progress.back().done, 500);

#include <freshet/worker.hpp>

#include <vector>

namespace freshet {
inline namespace sdk_v1 {
namespace testing {

enum class End : std::uint8_t { succeeded, retryable, fatal, rate_limited, released, stopped };

struct Given {
    int attempt = 1;
    Json checkpoint;
    /// The handler is told to stop once it has told so many progresses; 0: before it begins; absent: never.
    std::optional<std::size_t> stop_after;
    StopReason stop_reason = StopReason::cancelled;
};

struct Ran {
    End end = End::succeeded;
    Json result;                       ///< of succeeded
    std::string code, message;         ///< of an error; message of a release: its reason
    std::chrono::milliseconds wait{0}; ///< of released, and retry_after of rate_limited
    std::vector<Progress> progress;    ///< all that were told, not only those that a worker would send
    std::vector<Json> checkpoints;     ///< likewise
    std::vector<std::string> log;
};

Ran run(const Handler& handler, const Json& input = {}, const Given& given = {});

/// Of a function that answers nothing.
template <class Function>
    requires std::is_void_v<std::invoke_result_t<Function&, Job&>>
Ran run(Function function, const Json& input = {}, const Given& given = {})
{
    return run(Handler{[&function](Job& job) {
                   function(job);
                   return Result{};
               }},
               input, given);
}

} // namespace testing
} // namespace sdk_v1
} // namespace freshet
