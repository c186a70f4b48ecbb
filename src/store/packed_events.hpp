// SPDX-License-Identifier: Apache-2.0
#pragma once
// Many events in one ledger row: what a commit told one tenant, as bytes that are stored and therefore never change.
//
// Form: per event one byte of kind, one of flags (1: terminal, 2: a job by its values), three lengths of 4 bytes
// (little endian: topic, data, also; of a job by its values: the two parts of pack_told(), and none), then the three
// texts. The row beside it knows the seq of the first; the others follow without holes. Reading trusts nothing: a
// length that does not fit, a kind that is not known or bytes left over make a StoreFailure.

#include "model/event.hpp"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// What an event takes in a row: the unit of trim_ledger()'s bytes_max, the same in every store.
std::size_t packed_bytes(const Event& event);
void pack_event(std::string& row, const Event& event);
/// @param first  the seq of the first event.
/// @throws StoreFailure if the bytes are not what pack_event() made.
std::vector<LedgerEntry> unpack_events(std::string_view row, Seq first);

} // namespace freshet
