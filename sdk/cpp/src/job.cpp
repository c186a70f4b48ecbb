// SPDX-License-Identifier: Apache-2.0
#include "freshet/job.hpp"

#include "attempt.hpp"
#include "utf8.hpp"

#include <algorithm>
#include <simdjson.h>

namespace freshet {
inline namespace sdk_v1 {

namespace {

constexpr std::size_t log_lines_max = 1'000, log_bytes_max = 256 << 10, log_line_bytes_max = 8 << 10;
constexpr std::size_t text_bytes_max = 1'024, checkpoint_bytes_max = 64 << 10;

/// What was said last, without a copy where nothing changed.
struct Told {
    std::int64_t done = 0;
    std::optional<std::int64_t> total;
    std::string_view phase, unit, message;
    int phases = 0;
};

void set(std::string& kept, std::string_view text)
{
    text = text.substr(0, text_bytes_max);
    if (kept != text) kept = text;
}

/// Takes `next` if it goes forward. A phase of another name begins anew.
bool advance(detail::Said& said, const Told& next)
{
    Progress& kept = said.progress;
    const bool same_phase = !said.any_progress || kept.phase == next.phase.substr(0, text_bytes_max);
    if (said.any_progress && same_phase && next.done < kept.done) return false;
    if (said.any_progress && !same_phase) ++said.phase_index;
    said.any_progress = true;
    kept.done = std::max<std::int64_t>(next.done, 0);
    kept.total = next.total;
    set(kept.phase, next.phase);
    set(kept.unit, next.unit);
    set(kept.message, next.message);
    if (next.phases > 0) kept.phases = next.phases;
    ++said.progress_said;
    return true;
}

void tell(detail::Attempt& attempt, const Told& told)
{
    {
        const std::lock_guard lock{attempt.mutex};
        if (!advance(attempt.said, told)) return;
    }
    attempt.something_to_tell();
}

void leave(detail::Attempt& attempt, std::string json)
{
    if (json.size() > checkpoint_bytes_max)
        throw std::length_error{"a checkpoint has " + std::to_string(json.size()) + " bytes; at most " +
                                std::to_string(checkpoint_bytes_max) + " can be kept"};
    if (attempt.on_checkpoint) attempt.on_checkpoint(json);
    {
        const std::lock_guard lock{attempt.mutex};
        attempt.said.checkpoint = std::move(json);
        ++attempt.said.checkpoint_said;
    }
    attempt.something_to_tell();
}

/// One bad value would have the whole call refused that also tells of others.
void must_be_json(std::string_view text, std::string_view what)
{
    simdjson::dom::parser parser;
    if (const auto error = parser.parse(text.data(), text.size()).error(); error != simdjson::SUCCESS)
        throw std::invalid_argument{std::string{what} + " is no JSON: " + simdjson::error_message(error)};
}

} // namespace

Result Result::of_text(std::string json)
{
    must_be_json(json, "a result");
    Result result;
    result.text_ = std::move(json);
    return result;
}

Job::Job(std::shared_ptr<detail::Attempt> attempt) : attempt_{std::move(attempt)} {}

const Json& Job::input() const
{
    std::call_once(attempt_->input_parsed, [this] { attempt_->input = Json::parse(attempt_->claimed.input); });
    return attempt_->input;
}
const std::string& Job::input_text() const
{
    return attempt_->claimed.input;
}
const std::string& Job::id() const
{
    return attempt_->claimed.id;
}
const std::string& Job::queue() const
{
    return attempt_->claimed.queue;
}
const std::string& Job::tenant() const
{
    return attempt_->claimed.tenant;
}
const std::string& Job::worker() const
{
    return attempt_->claimed.worker;
}
std::uint64_t Job::fence() const
{
    return attempt_->claimed.fence;
}
int Job::attempt() const
{
    return attempt_->claimed.attempt;
}
int Job::generation() const
{
    return attempt_->claimed.generation;
}
std::string Job::deadline_at() const
{
    return attempt_->claimed.deadline_at;
}

const Json& Job::checkpoint() const
{
    std::call_once(attempt_->checkpoint_parsed, [this] {
        if (!attempt_->claimed.checkpoint.empty()) attempt_->checkpoint = Json::parse(attempt_->claimed.checkpoint);
    });
    return attempt_->checkpoint;
}
void Job::checkpoint(const Json& state)
{
    leave(*attempt_, state.dump());
}
void Job::checkpoint_text(std::string json)
{
    must_be_json(json, "a checkpoint");
    leave(*attempt_, std::move(json));
}

void Job::progress(std::int64_t done, std::optional<std::int64_t> total, std::string_view phase,
                   std::string_view message)
{
    if (attempt_->on_progress) attempt_->on_progress({done, total, std::string{phase}, {}, std::string{message}});
    tell(*attempt_, {done, total, phase, {}, message, 0});
}
void Job::progress(const Progress& progress)
{
    if (attempt_->on_progress) attempt_->on_progress(progress);
    tell(*attempt_, {progress.done, progress.total, progress.phase, progress.unit, progress.message, progress.phases});
}

std::stop_token Job::stop_token() const
{
    return attempt_->stop.get_token();
}
StopReason Job::stop_reason() const
{
    return attempt_->stop_reason.load();
}
void Job::check() const
{
    if (const StopReason reason = stop_reason(); reason != StopReason::none) throw Stopped{reason};
}

void Job::release(std::chrono::milliseconds wait, std::string reason)
{
    throw Released{wait, std::move(reason)};
}

void Job::log(LogLevel level, std::string_view text)
{
    const std::string line = detail::valid_utf8(text.substr(0, log_line_bytes_max));
    if (attempt_->on_log) attempt_->on_log(line);
    {
        const std::lock_guard lock{attempt_->mutex};
        detail::Said& said = attempt_->said;
        // A log that cannot be sent as fast as it is written loses its newest lines and says how many.
        if (said.log.size() >= log_lines_max || said.log_bytes + line.size() > log_bytes_max) {
            ++said.log_dropped;
            return;
        }
        said.log_bytes += line.size();
        said.log.push_back({level, line});
    }
    attempt_->something_to_tell();
}

namespace detail {

namespace {

Ended failed(std::string error_class, std::string code, const char* message)
{
    Ended end;
    end.how = Ended::How::failed;
    end.error_class = std::move(error_class);
    end.code = std::move(code);
    end.message = message;
    return end;
}

Ended ended_by(const Stopped& stopped)
{
    switch (stopped.reason) {
    case StopReason::lost: return {.how = Ended::How::discarded};
    case StopReason::shutdown: return {.how = Ended::How::released};
    case StopReason::cancelled:
    case StopReason::none: break;
    }
    return failed("cancelled", "cancelled", "stopped, as the cancel asked for");
}

} // namespace

Ended call_handler(const std::function<Result(Job&)>& handler, const std::shared_ptr<Attempt>& attempt)
{
    try {
        Job job{attempt};
        return {.how = Ended::How::completed, .result = handler(job).text()};
    } catch (const Stopped& stopped) {
        return ended_by(stopped);
    } catch (const Released& released) {
        return {.how = Ended::How::released, .wait = released.wait, .reason = released.reason};
    } catch (const Fatal& error) {
        return failed("fatal", error.code(), error.what());
    } catch (const Retryable& error) {
        Ended end = failed("retryable", error.code(), error.what());
        end.retry_after = error.retry_after();
        return end;
    } catch (const RateLimited& error) {
        Ended end = failed("rate_limited", error.code(), error.what());
        end.retry_after = error.retry_after();
        return end;
    } catch (const std::exception& error) {
        return failed("retryable", "error", error.what());
    } catch (...) {
        return failed("retryable", "error", "the handler threw something that is no std::exception");
    }
}

} // namespace detail

} // namespace sdk_v1
} // namespace freshet
