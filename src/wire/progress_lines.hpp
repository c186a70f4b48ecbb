// SPDX-License-Identifier: Apache-2.0
#pragma once
// Progress as commands write it, on two ways, and the rule of how often it is passed on.
//
//   fd 3     one JSON object per line: {"phase":"load","done":3,"total":10,"unit":"files","message":"north"}
//   stderr   the same behind "::progress ", or "::progress 3/10 north"; all other lines are the program's words
//
// What cannot be read is no progress; it never fails a run. A phase that is new and has no index of its own follows
// the one before, so that counters may begin again at 0. What would go backwards is dropped (F6).
// Threads: one at a time. Bounds: lines of 16 KiB, texts of 200 bytes, the last 4 KiB of words.

#include "base/time.hpp"
#include "model/progress.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace freshet {

/// Cuts a stream of bytes into lines; one that is too long is dropped as a whole.
class LineCutter {
public:
    /// Calls `take(std::string_view line)` for each complete line, without its line feed.
    template <class Take>
    void feed(std::string_view bytes, Take&& take)
    {
        for (auto end = bytes.find('\n'); end != std::string_view::npos; end = bytes.find('\n')) {
            keep(bytes.substr(0, end));
            if (!too_long_) take(std::string_view{line_});
            line_.clear();
            too_long_ = false;
            bytes.remove_prefix(end + 1);
        }
        keep(bytes);
    }
    /// Takes what stands after the last line feed as a line.
    template <class Take>
    void finish(Take&& take)
    {
        if (!line_.empty() && !too_long_) take(std::string_view{line_});
        line_.clear();
    }
    static constexpr std::size_t line_bytes_max = 16 << 10;

private:
    void keep(std::string_view part);
    std::string line_;
    bool too_long_ = false;
};

/// One line of either form (without "::progress "); `before` gives the phase index of a phase without one.
std::optional<Progress> parse_progress(std::string_view line, const Progress& before);

/// The latest progress of a run and when it is due to be told: at once, but 250 ms after the one before.
class ProgressGate {
public:
    explicit ProgressGate(int attempt) { latest_.attempt = attempt; }
    void line(std::string_view text);
    /// When take() will next have something; nullopt: not before another line.
    std::optional<SteadyTime> due() const;
    /// What is to be told now, once. `last`: the run is over, whatever is held goes out.
    std::optional<Progress> take(SteadyTime now, bool last = false);

private:
    static constexpr Millis gap{250};
    Progress latest_;
    bool any_ = false, untold_ = false;
    SteadyTime next_{};
};

/// stderr: its progress lines go to the gate, of the others the last 4 KiB are kept.
class Words {
public:
    void feed(std::string_view bytes, ProgressGate& gate);
    void finish(ProgressGate& gate);
    const std::string& tail() const { return tail_; }
    bool cut() const { return cut_; }
    static constexpr std::size_t tail_bytes_max = 4 << 10;

private:
    enum class State : std::uint8_t { line_start, held, passing };
    void keep(std::string_view bytes);
    std::string tail_;
    std::string pending_; ///< a line that is a progress line or may still become one
    State state_ = State::line_start;
    bool cut_ = false;
};

} // namespace freshet
