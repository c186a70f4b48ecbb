// SPDX-License-Identifier: Apache-2.0
#include "cli/job_words.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::cli {

namespace {

std::string upper(std::string text)
{
    std::ranges::transform(text, text.begin(),
                           [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    return text;
}

std::string counted_words(const Json& progress)
{
    if (progress["done"].null()) return {};
    if (progress["total"].null())
        return fmt::format("{}{}{}", progress["done"].whole(), progress["unit"].text().empty() ? "" : " ",
                           safe(progress["unit"].text()));
    return fmt::format("{}/{}", progress["done"].whole(), progress["total"].whole());
}

std::string ago_words(const Json& at, WallTime now)
{
    const auto instant = from_rfc3339(at.text());
    return instant ? length_words(now - *instant) + " ago" : std::string{};
}

const std::string& phase_of(const Json& job)
{
    return job["progress"]["phase"].text();
}

} // namespace

bool job_ended(const Json& job)
{
    const std::string& state = job["state"].text();
    return state == "succeeded" || state == "failed" || state == "cancelled";
}

std::optional<double> job_share(const Json& job)
{
    const Json& progress = job["progress"];
    const double total = progress["total"].number();
    if (job["state"].text() == "succeeded") return 1.0;
    if (total <= 0) return std::nullopt;
    return std::min(progress["done"].number() / total, 0.999);
}

BarState job_bar(const Json& job, Millis elapsed)
{
    BarState bar{job_share(job), phase_of(job), counted_words(job["progress"]), {}, elapsed};
    if (bar.phase.empty()) bar.phase = job["state"].text();
    if (const Json& eta = job["eta"]; !eta.null())
        bar.eta = range_words(Millis{eta["low_ms"].whole()}, Millis{eta["high_ms"].whole()});
    return bar;
}

std::string progress_words(const Json& job)
{
    std::string words;
    const auto add = [&](const std::string& part) {
        if (!part.empty()) words += (words.empty() ? "" : "  ") + part;
    };
    if (job_ended(job)) return words;
    if (const auto share = job_share(job)) add(fmt::format("{} %", static_cast<int>(*share * 100)));
    const std::string counted = counted_words(job["progress"]);
    add(safe(phase_of(job)) + (phase_of(job).empty() || counted.empty() ? "" : " ") + counted);
    if (const Json& eta = job["eta"]; !eta.null())
        add("ETA " + range_words(Millis{eta["low_ms"].whole()}, Millis{eta["high_ms"].whole()}));
    return words;
}

std::string job_line(const Json& job, WallTime now, bool color)
{
    const std::string& state = job["state"].text();
    std::string line =
        safe(job["id"].text()) + "  " + safe(job["key"].text().empty() ? job["queue"].text() : job["key"].text());
    line += "  " + (color ? state_words(state, true) : upper(safe(state)));
    const auto add = [&](std::string_view gap, const std::string& part) {
        if (!part.empty()) line += std::string{gap} + part;
    };
    add("  ", progress_words(job));
    if (job["outcome"].kind() == Json::Kind::text) add("  ", safe(job["outcome"].text()));
    if (!job["ver"].null()) add("  ", fmt::format("v{}", job["ver"].whole()));
    if (const std::string& worker = job["worker"].text(); !worker.empty() && !job_ended(job)) {
        const std::string beat = ago_words(job["beat_at"], now);
        add("   ", fmt::format("worker {}{}", safe(worker), beat.empty() ? "" : " (beat " + beat + ")"));
    }
    add("   ", attempt_words(job));
    if (job_ended(job))
        add("   ", ago_words(job["finished_at"], now));
    else if (state == "queued" || state == "retrying" || state == "scheduled" || state == "paused")
        add("   ", safe(job["why"]["text"].text()));
    add("   ", safe(job["error"]["message"].text()));
    return line;
}

std::string attempt_words(const Json& job)
{
    const std::int64_t attempt = job["attempt"].whole(), most = job["attempts_max"].whole();
    if (most > 0) return fmt::format("attempt {} of {}", attempt, most);
    return attempt > 1 ? fmt::format("attempt {}", attempt) : std::string{};
}

std::string receipt_words(const Json& job, Millis took)
{
    const std::string& outcome = job["outcome"].text();
    std::string words = outcome == "unchanged"
                            ? fmt::format("checked, nothing new, in {}", length_words(took))
                            : fmt::format("{} in {}", outcome.empty() ? "done" : safe(outcome), length_words(took));
    const std::int64_t base = job["base_ver"].whole(), ver = job["ver"].whole();
    if (ver > 0 && base > 0 && base != ver)
        words += fmt::format("   v{} -> v{}", base, ver);
    else if (ver > 0)
        words += fmt::format("   v{}", ver);
    if (const std::string counts = counts_words(job["counts"]); !counts.empty()) words += "   " + counts;
    return words;
}

} // namespace freshet::cli
