// SPDX-License-Identifier: Apache-2.0
#pragma once
// The server's config file over time: read at the start, read anew when it was saved or when somebody asks.
//
// What a reload finds wrong is told and changes nothing. Life: one per server. Threads: one.

#include "config/load.hpp"
#include "runtime/file_watch.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

namespace freshet {

/// What the command line lays over the file.
struct ConfigOverlay {
    std::string listen; ///< empty: as in the file
    double speed = 1.0;
};

class ConfigFile {
public:
    ConfigFile(std::filesystem::path file, ConfigOverlay overlay);

    /// Reads it, with the overlay applied.
    ConfigResult load();

    /// To poll for; -1: saves are not noticed.
    int watch_fd() const { return watch_.fd(); }
    /// Call when watch_fd() is readable.
    void watched(SteadyTime now);
    /// A reload was asked for by a person: also when the text is the same as before.
    void ask() { asked_ = true; }
    /// When reload() is next worth a call; nullopt: not until something is saved.
    std::optional<SteadyTime> due() const;

    /// Reads it anew if that is due. Logs what is wrong with it, and what needs a restart.
    /// @return definitions to put in force; null: nothing changed, or it is wrong.
    std::shared_ptr<const Definitions> reload(SteadyTime now);
    /// Those that belong to what was last read without a mistake.
    const std::shared_ptr<const FacadeSet>& facades() const { return facades_; }
    /// They could not be put in force: reload() gives them again a little later.
    void again(SteadyTime now) { asked_ = true, not_before_ = now + retry_after; }

private:
    static constexpr Millis settle_for = 150ms; ///< editors write in several steps
    static constexpr Millis retry_after = 500ms;

    std::string text() const;

    const std::filesystem::path file_;
    const ConfigOverlay overlay_;
    FileWatch watch_;
    std::string last_text_;                       ///< as last read, good or bad
    std::shared_ptr<const Definitions> in_force_; ///< the last good ones
    std::shared_ptr<const FacadeSet> facades_;
    std::optional<SteadyTime> saved_at_;
    SteadyTime not_before_;
    bool asked_ = false;
};

/// Names of settings that differ and that only a start reads.
std::vector<std::string> needs_restart(const ServerDefinition& running, const ServerDefinition& next);

} // namespace freshet
