// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a program says while it works on a job, cut into lines: progress, checkpoints, words.
//
//   fd 3     {"done":3,"total":10,"phase":"fit"}, also with "checkpoint": anything
//   stderr   the same behind "::progress ", or "::progress 3/10 north"; all other lines are words
//
// Life: one per program. One thread. No header of the SDK here: its names and the model's are the same words.

#include "wire/progress_lines.hpp"

#include <functional>
#include <string>
#include <string_view>

namespace freshet::cli {

class ChildLines {
public:
    struct Heard {
        std::function<void(std::string_view line)> word;
        std::function<void(const Progress& progress)> progress;
        std::function<void(const std::string& json)> checkpoint;
    };
    ChildLines(int attempt, Heard heard) : heard_{std::move(heard)} { progress_.attempt = attempt; }

    void from_stderr(std::string_view bytes);
    void from_progress(std::string_view bytes);
    void finish();
    /// The last words, for an error.
    const std::string& last_word() const { return last_; }

private:
    void word_line(std::string_view line);
    void progress_line(std::string_view line);

    Heard heard_;
    LineCutter words_, lines_;
    Progress progress_;
    std::string last_;
};

} // namespace freshet::cli
