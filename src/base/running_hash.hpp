// SPDX-License-Identifier: Apache-2.0
#pragma once
// hash128() of bytes that come piece by piece. One thread, one value.

#include "base/hash.hpp"

#include <memory>
#include <string_view>

namespace freshet {

class RunningHash {
public:
    RunningHash();
    ~RunningHash();
    RunningHash(const RunningHash&) = delete;
    RunningHash& operator=(const RunningHash&) = delete;

    void add(std::string_view bytes);
    /// Of all that was added so far.
    Hash128 value() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace freshet
