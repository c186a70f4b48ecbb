// SPDX-License-Identifier: Apache-2.0
// Asks for a refresh and follows its job to the end. The POST never waits by itself: the job is polled (long poll by
// seq), so that a proxy's patience does not matter and a terminal has a bar.
#include "cli/client.hpp"
#include "cli/commands.hpp"
#include "cli/job_words.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <random>
#include <thread>

namespace freshet::cli {

namespace {

constexpr Millis poll_max = 20s;     // the longest wait that is asked of one poll
constexpr Millis poll_terminal = 1s; // on a terminal, so that the bar moves
constexpr Millis answer_time = 15s;  // what an answer may take beyond the wait asked for

// One per command: a POST that is sent again after a broken connection must not start a second flight.
std::string idempotency_key()
{
    std::random_device device;
    std::string key = "cli-";
    for (int i = 0; i < 4; ++i) key += fmt::format("{:08x}", device());
    return key;
}

// An id goes into a path and onto a terminal: nothing but letters and digits may be in it.
bool good_id(std::string_view id)
{
    return id.starts_with("j_") &&
           std::ranges::all_of(id, [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; });
}

std::string job_of(const HttpAnswer& answer)
{
    std::string id = answer.freshet().param("outcome", "id");
    if (id.empty()) id = answer.freshet().param("refresh", "id");
    const std::string_view location = answer.header("location");
    if (const auto at = location.rfind("/jobs/"); at != std::string_view::npos) id = location.substr(at + 6);
    if (id.empty())
        if (const auto body = Json::parse(answer.body)) id = (*body)["id"].text();
    return good_id(id) ? id : std::string{};
}

class Refresh {
public:
    Refresh(CliContext& context, const RefreshOptions& options, const Target& target)
        : context_{context}, options_{options}, client_{context, target}, began_{context.clock.steady()}
    {
        if (context.err_terminal && !options.common.json) client_.on_tick([this] { draw(); });
    }
    ~Refresh() { wipe(); }
    Refresh(const Refresh&) = delete;
    Refresh& operator=(const Refresh&) = delete;

    CliResult<void> run(const std::string& path)
    {
        auto asked = ask(path);
        if (!asked) return std::unexpected(asked.error());
        id_ = job_of(*asked);
        if (id_.empty())
            return std::unexpected(
                CliError{exit_failed, fmt::format("the answer for {} names no job", options_.key), "freshet doctor"});
        const Dictionary freshet = asked->freshet();
        joined_ = freshet.yes("joined");
        callers_ = freshet.whole("callers").value_or(0);
        if (options_.wait.count() == 0) return say_asked(*asked);
        return follow();
    }

private:
    Millis elapsed() const { return std::chrono::duration_cast<Millis>(context_.clock.steady() - began_); }

    CliResult<HttpAnswer> ask(const std::string& path)
    {
        const HttpRequest request{.method = "POST",
                                  .path = path + "/refresh",
                                  .headers = {{"Prefer", "respond-async"}, {"Idempotency-Key", idempotency_key()}}};
        auto answer = client_.ask(request);
        // Once more where the connection broke; the key makes it the same request.
        if (!answer && answer.error().exit_code != exit_interrupted) answer = client_.ask(request);
        if (answer && !answer->ok()) return std::unexpected(error_of(*answer, options_.key));
        return answer;
    }

    CliResult<void> say_asked(const HttpAnswer& answer)
    {
        if (options_.common.json) {
            context_.out << json_one_line(answer.body).value_or("null") << std::endl;
            return {};
        }
        context_.out << id_ << std::endl;
        context_.err << fmt::format("{} {}; not waited for.   try: freshet jobs show {}", options_.key, who(), id_)
                     << std::endl;
        return {};
    }

    CliResult<void> follow()
    {
        std::int64_t seq = -1;
        for (;;) {
            const Millis left = options_.wait - elapsed();
            const Millis poll = std::clamp(
                context_.err_terminal ? std::min(left, poll_terminal) : std::min(left, poll_max), Millis{0}, poll_max);
            auto answer = client_.ask(poll_request(seq, poll));
            if (!answer && answer.error().exit_code == exit_interrupted) return std::unexpected(answer.error());
            if (answer && answer->ok()) {
                body_ = std::move(answer->body);
                if (auto job = Json::parse(body_)) job_ = std::move(*job);
                seq = std::max(seq, job_["seq"].whole(-1));
                if (goes_on_with_another())
                    seq = -1;
                else if (job_ended(job_))
                    return say_ended();
                draw();
            } else if (answer && answer->status < 500 && answer->status != 429) {
                return std::unexpected(error_of(*answer, id_));
            } else {
                // A restart of the server: the job is on disk and goes on.
                trouble_ = answer ? error_of(*answer, id_) : answer.error();
                std::this_thread::sleep_for(std::min<Millis>(250ms, std::max(left, Millis{0})));
            }
            if (context_.stopped()) return std::unexpected(CliError{exit_interrupted, "interrupted", {}});
            if (options_.wait <= elapsed()) return say_pending();
        }
    }

    // A job that a newer one took the place of: who waited for it waits for that one.
    bool goes_on_with_another()
    {
        const std::string& next = job_["superseded_by"].text();
        if (!job_ended(job_) || !good_id(next) || next == id_) return false;
        id_ = next;
        return true;
    }

    HttpRequest poll_request(std::int64_t seq, Millis poll) const
    {
        HttpRequest request{.path = "/v1/jobs/" + id_, .timeout = poll + answer_time};
        if (seq < 0 || poll < 50ms) return request; // the first look does not wait
        request.path += fmt::format("?after_seq={}", seq);
        request.headers.emplace_back("Prefer", fmt::format("wait={}", (poll.count() + 999) / 1000));
        return request;
    }

    std::string who() const
    {
        const std::int64_t others = std::max<std::int64_t>(callers_ - 1, 0);
        if (joined_)
            return others == 0
                       ? "joined a refresh"
                       : fmt::format("joined a refresh, with {}", plural(others, "other caller", "other callers"));
        return others == 0 ? "started by you"
                           : fmt::format("started by you, {} joined", plural(others, "other caller", "other callers"));
    }

    CliResult<void> say_pending()
    {
        wipe();
        if (job_.null() && trouble_) return std::unexpected(*trouble_);
        if (options_.common.json && !body_.empty()) context_.out << json_one_line(body_).value_or("null") << std::endl;
        return std::unexpected(CliError{
            exit_timed_out,
            fmt::format("{} is still being refreshed after {}; it goes on as {}", options_.key,
                        length_words(options_.wait), id_),
            fmt::format("freshet refresh {} --wait {}, which joins it", options_.key, to_text(options_.wait * 2))});
    }

    CliResult<void> say_ended()
    {
        wipe();
        // Others may have joined meanwhile.
        callers_ = std::max(callers_, job_["callers"].whole());
        if (options_.common.json) context_.out << json_one_line(body_).value_or("null") << std::endl;
        const std::string& outcome = job_["outcome"].text();
        const bool good =
            outcome == "updated" || outcome == "unchanged" || (outcome.empty() && job_["state"].text() == "succeeded");
        if (!good) return std::unexpected(failure(outcome));
        if (!options_.common.json)
            context_.out << who() << " … " << paint(receipt_words(job_, elapsed()), "32", context_.color) << std::endl;
        return {};
    }

    CliError failure(const std::string& outcome) const
    {
        std::string kept;
        if (const auto at = from_rfc3339(job_["last_good"]["checked_at"].text()))
            kept = fmt::format("; showing {} data", clock_words(*at, context_.clock.wall()));
        if (outcome == "held" || !job_["held"].null()) {
            const std::string reason = job_["held"]["reason"].text();
            return {exit_failed,
                    fmt::format("{}: the new result is held ({}), the good one stays{}", options_.key,
                                reason.empty() ? "it looks wrong" : reason, kept),
                    fmt::format("freshet jobs show {}, then accept or discard it", id_)};
        }
        std::string reason = job_["error"]["message"].text();
        if (reason.empty()) reason = job_["why"]["text"].text();
        if (reason.empty()) reason = job_["state"].text();
        while (reason.ends_with('.')) reason.pop_back();
        return {
            exit_failed,
            fmt::format("{} {}: {}{}", options_.key, outcome.empty() ? job_["state"].text() : outcome, reason, kept),
            fmt::format("freshet jobs show {}", id_)};
    }

    void draw()
    {
        if (!context_.err_terminal || options_.common.json) return;
        context_.err << "\r\x1b[K" << bar_words(job_bar(job_, elapsed()), context_.width) << std::flush;
        drawn_ = true;
    }
    void wipe()
    {
        if (std::exchange(drawn_, false)) context_.err << "\r\x1b[K" << std::flush;
    }

    CliContext& context_;
    const RefreshOptions& options_;
    HttpClient client_;
    SteadyTime began_;
    std::string id_, body_;
    Json job_;
    bool joined_ = false, drawn_ = false;
    std::int64_t callers_ = 0;
    std::optional<CliError> trouble_;
};

CliResult<void> refresh(CliContext& context, const RefreshOptions& options)
{
    const auto path = key_path(options.key);
    if (!path) return std::unexpected(path.error());
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    return Refresh{context, options, *target}.run(*path);
}

} // namespace

int run_refresh(CliContext& context, const RefreshOptions& options)
{
    const InterruptGuard guard{context};
    const auto done = refresh(context, options);
    return done ? exit_done : tell(context, done.error());
}

} // namespace freshet::cli
