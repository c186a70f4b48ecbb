// SPDX-License-Identifier: Apache-2.0
// Built against the installed SDK: every public header, and a handler that runs.

#include <freshet/job.hpp>
#include <freshet/json.hpp>
#include <freshet/testing.hpp>
#include <freshet/worker.hpp>
#include <ranges>

namespace {

freshet::Json forecast(freshet::Job& job)
{
    std::int64_t sum = 0;
    for (const int day : job.track(std::views::iota(0, 10), "fit")) sum += day;
    return freshet::Json{{"region", job.input()["region"]}, {"sum", sum}};
}

} // namespace

int main()
{
    freshet::Worker worker{{.url = "http://127.0.0.1:7878", .slots = 2}};
    worker.task("forecast", forecast);
    const auto run = freshet::testing::run(forecast, freshet::Json{{"region", "north"}});
    return run.end == freshet::testing::End::succeeded && run.result["sum"].whole() == 45 ? 0 : 1;
}
