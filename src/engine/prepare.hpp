// SPDX-License-Identifier: Apache-2.0
#pragma once
// Makes a flight's result ready for the engine: hashed by content, counted, compared with the version it would replace.
//
// Pure; runs on a pool thread, so that the engine thread never reads a document. Whether the result is published, held
// or refused is the engine's decision: here is only told what it is.

#include "engine/requests.hpp"

namespace freshet {

/// A diff longer than this is left out: readers fetch it by its href.
inline constexpr std::size_t event_diff_bytes_max = 32 << 10;

/// @param data    the source's answer, shaped. Its bytes become the body as they are.
/// @param source  the definition it was fetched under; with `key`, rows that it does not name make a wrong shape.
/// @param base_ver, base  the published version; 0 and null where there is none.
/// @return counts against `base` (all added without one, none where the content is the same). A text that is no JSON
///         is a wrong shape, too, with words.
PreparedResult prepare(FlightData data, const SourceDefinition& source, std::int64_t base_ver, const Body* base);

} // namespace freshet
