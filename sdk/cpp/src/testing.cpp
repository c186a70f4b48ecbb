// SPDX-License-Identifier: Apache-2.0
#include "freshet/testing.hpp"

#include "attempt.hpp"

namespace freshet {
inline namespace sdk_v1 {
namespace testing {

namespace {

End end_of(const detail::Ended& ended)
{
    using How = detail::Ended::How;
    switch (ended.how) {
    case How::completed: return End::succeeded;
    case How::released: return End::released;
    case How::discarded: return End::stopped;
    case How::failed: break;
    }
    if (ended.error_class == "fatal") return End::fatal;
    if (ended.error_class == "rate_limited") return End::rate_limited;
    return ended.error_class == "cancelled" ? End::stopped : End::retryable;
}

} // namespace

Ran run(const Handler& handler, const Json& input, const Given& given)
{
    detail::Claimed claimed;
    claimed.id = "j_0000000000001";
    claimed.queue = "test";
    claimed.tenant = "default";
    claimed.worker = "test";
    claimed.fence = 1;
    claimed.attempt = given.attempt;
    claimed.input = input.dump();
    if (!given.checkpoint.null()) claimed.checkpoint = given.checkpoint.dump();
    const auto attempt = std::make_shared<detail::Attempt>(std::move(claimed));

    Ran ran;
    std::mutex mutex; // a handler may have threads of its own
    const auto stop_if_due = [&] {
        if (given.stop_after && ran.progress.size() >= *given.stop_after) attempt->request_stop(given.stop_reason);
    };
    stop_if_due();
    attempt->on_progress = [&](const Progress& progress) {
        const std::lock_guard lock{mutex};
        ran.progress.push_back(progress);
        stop_if_due();
    };
    attempt->on_checkpoint = [&](const std::string& json) {
        const std::lock_guard lock{mutex};
        ran.checkpoints.push_back(Json::parse(json));
    };
    attempt->on_log = [&](const std::string& line) {
        const std::lock_guard lock{mutex};
        ran.log.push_back(line);
    };

    const detail::Ended ended = detail::call_handler(handler, attempt);
    ran.end = end_of(ended);
    // A handler that let a stop through was stopped, whatever a worker then tells the server.
    if (ended.how == detail::Ended::How::released && ended.reason.empty() && ended.wait.count() == 0 &&
        attempt->stop_reason.load() == StopReason::shutdown)
        ran.end = End::stopped;
    if (ran.end == End::succeeded) ran.result = Json::parse(ended.result);
    ran.code = ended.code;
    ran.message = ended.how == detail::Ended::How::released ? ended.reason : ended.message;
    ran.wait = ended.how == detail::Ended::How::released ? ended.wait
                                                         : ended.retry_after.value_or(std::chrono::milliseconds{0});
    return ran;
}

} // namespace testing
} // namespace sdk_v1
} // namespace freshet
