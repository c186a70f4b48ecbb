// SPDX-License-Identifier: Apache-2.0
#include "http/data_headers.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace freshet::http {

namespace {

std::int64_t epoch_seconds(WallTime at)
{
    return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
}

std::int64_t whole_seconds(Millis length)
{
    return std::chrono::floor<std::chrono::seconds>(length).count();
}

std::string cache_status(const DataPicture& picture)
{
    std::string text = "freshet";
    const Freshness& freshness = picture.freshness;
    switch (picture.found) {
    case Found::hit:
    case Found::hit_ignored: text += "; hit"; break;
    case Found::waited: text += "; fwd=miss; stored"; break;
    case Found::refreshed: text += "; fwd=request; stored"; break;
    }
    if (freshness.stale_at) text += fmt::format("; ttl={}", whole_seconds(*freshness.stale_at - picture.now));
    if (picture.found == Found::hit_ignored)
        text += "; detail=no-cache-ignored";
    else if (picture.found == Found::hit && freshness.state != SnapshotState::fresh)
        text += "; detail=swr";
    return text;
}

// Age is sent beside it and counts against max-age, so that what is meant as "so much longer" starts from it.
std::string edge_control(const DataPicture& picture)
{
    const Freshness& freshness = picture.freshness;
    const std::int64_t age = whole_seconds(freshness.age);
    if (freshness.state != SnapshotState::fresh) return fmt::format("max-age={}, stale-if-error=86400", age + 1);
    const Millis left = std::clamp<Millis>(*freshness.stale_at - picture.now, 0ms, picture.source->edge);
    return fmt::format("max-age={}, stale-while-revalidate=600, stale-if-error=86400", age + whole_seconds(left));
}

} // namespace

std::string freshet_header(const DataPicture& picture)
{
    const KeyRecord& record = picture.view->record;
    std::string text =
        fmt::format("state={}, gen={}, ver={}", to_text(picture.freshness.state), record.gen, record.ver);
    auto out = std::back_inserter(text);
    if (record.has_data && record.as_of) fmt::format_to(out, ", as-of={}", epoch_seconds(*record.as_of));
    if (record.has_data && record.checked_at) fmt::format_to(out, ", checked={}", epoch_seconds(*record.checked_at));
    if (record.next_at) fmt::format_to(out, ", next={}", epoch_seconds(*record.next_at));
    if (record.attempts > 0) fmt::format_to(out, ", attempts={}", record.attempts);
    if (record.attempts > 0 && record.retry_at) fmt::format_to(out, ", retry-at={}", epoch_seconds(*record.retry_at));
    if (const auto& flight = picture.view->flight)
        fmt::format_to(out, ", refresh={};id=\"{}\"", flight->running ? "running" : "queued", to_text(flight->id));
    else
        text += ", refresh=idle";
    if (picture.view->paused) text += ", paused";
    if (record.held) text += ", held";
    if (!picture.outcome.empty()) (text += ", ") += picture.outcome;
    return text;
}

Headers data_headers(const DataPicture& picture, Coding coding)
{
    const KeyRecord& record = picture.view->record;
    Headers headers;
    headers.reserve(10);
    if (coding != Coding::identity) headers.emplace_back("Content-Encoding", coding_word(coding));
    headers.emplace_back("ETag", entity_tag(record.ver, record.hash.high, coding));
    headers.emplace_back("Age", fmt::to_string(whole_seconds(picture.freshness.age)));
    headers.emplace_back("Freshet", freshet_header(picture));
    headers.emplace_back("Cache-Status", cache_status(picture));
    if (picture.no_store) {
        headers.emplace_back("Cache-Control", "no-store");
    } else {
        headers.emplace_back("Cache-Control", picture.is_public ? "public, no-cache" : "private, no-cache");
        if (picture.is_public) headers.emplace_back("CDN-Cache-Control", edge_control(picture));
    }
    std::string vary = picture.is_public ? "Accept-Encoding" : "Authorization, Cookie, Accept-Encoding";
    if (picture.has_origins) vary += ", Origin";
    headers.emplace_back("Vary", std::move(vary));
    return headers;
}

WallTime headers_hold_until(const Freshness& freshness, WallTime now)
{
    const WallTime next_second = std::chrono::floor<std::chrono::seconds>(now) + std::chrono::seconds{1};
    return freshness.holds_until ? std::min<WallTime>(next_second, *freshness.holds_until) : next_second;
}

bool wants_refresh(const KeyView& view, const Freshness& freshness, WallTime now)
{
    if (freshness.state == SnapshotState::fresh || view.flight || view.paused) return false;
    return !(view.record.retry_at && *view.record.retry_at > now);
}

std::int64_t seconds_until(WallTime at, WallTime now)
{
    return std::max<std::int64_t>(std::chrono::ceil<std::chrono::seconds>(at - now).count(), 1);
}

} // namespace freshet::http
