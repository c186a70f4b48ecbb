// SPDX-License-Identifier: Apache-2.0
#include "base/running_hash.hpp"

#include <new>
#include <xxhash.h>

namespace freshet {

struct RunningHash::State {
    State() : xxh{XXH3_createState()}
    {
        if (xxh == nullptr) throw std::bad_alloc{};
        XXH3_128bits_reset(xxh);
    }
    ~State() { XXH3_freeState(xxh); }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    XXH3_state_t* xxh;
};

RunningHash::RunningHash() : state_{std::make_unique<State>()} {}
RunningHash::~RunningHash() = default;

void RunningHash::add(std::string_view bytes)
{
    XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

Hash128 RunningHash::value() const
{
    const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
    return {hash.high64, hash.low64};
}

} // namespace freshet
