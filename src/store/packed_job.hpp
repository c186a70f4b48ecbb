// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a store need not search by of a job or a batch, as bytes: most of it, in a fraction of the room and time that
// columns take. store/packed_fields.hpp tells their form.

#include "model/batch.hpp"
#include "model/event.hpp"
#include "model/job.hpp"

#include <string>
#include <string_view>

namespace freshet {

/// All of a job but id, kind, tenant, queue, key, batch, item, state, priority and due_at.
std::string pack_job(const Job& job);
/// Adds what pack_job() made of a job to one whose other members are set.
/// @throws StoreFailure if the bytes are not what pack_job() made.
void unpack_job(std::string_view row, Job& job);

/// A job as it was told: in two parts, since one has room for no more fields.
struct PackedTold {
    std::string place, job;
};
PackedTold pack_told(const ToldJob& told);
/// @throws StoreFailure if the bytes are not what pack_told() made.
ToldJob unpack_told(std::string_view place, std::string_view job);

/// All of a batch but id, tenant, queue, state, and of its follow-up the input and the items.
std::string pack_batch(const Batch& batch);
/// @throws StoreFailure if the bytes are not what pack_batch() made.
void unpack_batch(std::string_view row, Batch& batch);

} // namespace freshet
