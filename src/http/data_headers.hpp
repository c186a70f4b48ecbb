// SPDX-License-Identifier: Apache-2.0
#pragma once
// The metadata of a key as headers: Freshet, Age, ETag, Cache-Status, Cache-Control, Vary (spec "The wire contract"
// §1). Pure: one function of the view, the policy and now, used by the cached path and by every other answer alike, so
// that the two cannot disagree. Threads: any.

#include "engine/view.hpp"
#include "http/negotiate.hpp"
#include "http/response_head.hpp"
#include "model/freshness.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace freshet::http {

/// How the answer came about, for Cache-Status.
enum class Found : std::uint8_t {
    hit,
    hit_ignored, ///< the request asked to force, which a GET does not get
    waited,      ///< it waited for a flight that began for it or before it
    refreshed,   ///< answer to a refresh
};

struct DataPicture {
    const KeyView* view = nullptr;
    const SourceDefinition* source = nullptr;
    Freshness freshness;
    WallTime now;
    bool is_public = false;   ///< asked on the path that shared caches may store
    bool has_origins = false; ///< CORS is configured: Vary says so
    bool no_store = false;
    Found found = Found::hit;
    std::string_view outcome; ///< of a refresh, ready to append: "outcome=updated;id=..., joined=?1"
};

/// The dictionary of RFC 8941: state, gen, ver, as-of, checked, next, attempts, retry-at, refresh, paused, held.
std::string freshet_header(const DataPicture& picture);

/// Everything beside Content-Type and Content-Length. `coding` names what Content-Encoding and ETag are of.
Headers data_headers(const DataPicture& picture, Coding coding);

/// The instant up to which the headers hold: the next full second, or an earlier change of the state.
WallTime headers_hold_until(const Freshness& freshness, WallTime now);

/// True where a GET of this state starts a refresh behind the reader's back: old data, nothing running, not told to
/// wait.
bool wants_refresh(const KeyView& view, const Freshness& freshness, WallTime now);

/// Seconds up to `at` from now, rounded up, at least 1: the form of Retry-After.
std::int64_t seconds_until(WallTime at, WallTime now);

} // namespace freshet::http
