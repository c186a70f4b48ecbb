// SPDX-License-Identifier: Apache-2.0
#pragma once
// 64 MiB of the disk that holds data_dir, kept back so that a full disk still lets what runs come to its end.
//
// It is a file of that size, `freshet.reserve`. When little room is left the file gives up its bytes: ends, beats and
// acknowledgements are written into them, and new work is refused in words. When there is room again the bytes are
// taken back first, and then new work is taken on. Threads: look() and note_failure() one, the engine's; words() any.

#include "base/time.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

namespace freshet {

class DiskReserve {
public:
    static constexpr std::int64_t bytes = 64LL << 20;
    /// Less than this beside the reserve is no room for new work.
    static constexpr std::int64_t room_least = 16LL << 20;
    static constexpr Millis looked_every = 200ms;

    /// Bytes that this user may still write there; nullopt: the disk does not say.
    using FreeBytes = std::function<std::optional<std::int64_t>()>;

    /// @param free  empty: of the disk that holds data_dir.
    explicit DiskReserve(std::filesystem::path data_dir, FreeBytes free = {});

    /// Looks at the disk now and then, gives up or takes back. @return words(): of why no new work is taken on; empty:
    /// there is room.
    std::string look(SteadyTime now);
    /// A commit failed: the next look is at once.
    void note_failure() { next_look_ = SteadyTime{}; }

    std::string words() const;

private:
    void set(std::string words);
    bool take();
    void give_up();

    const std::filesystem::path file_;
    const FreeBytes free_;
    bool held_ = false;
    SteadyTime next_look_;
    mutable std::mutex mutex_;
    std::string words_; ///< guarded by mutex_
};

} // namespace freshet
