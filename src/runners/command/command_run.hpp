// SPDX-License-Identifier: Apache-2.0
#pragma once
// One run of a command as the server sees it: what it has written so far and how it ended.
//
// Life: made with its pipes; read() for each pipe that has something; ended() once the warden reported (or was lost),
// which takes what is still in the pipes and gives the verdict. Decides nothing about time and tells nobody: that is
// CommandRunner's. Threads: the runner's. Always holds: output_ is at most the source's bytes_max.

#include "runners/command/command_line.hpp"
#include "runners/command/spawner.hpp"
#include "wire/progress_lines.hpp"

#include <optional>
#include <string>

namespace freshet {

class CommandRun {
public:
    enum class Pipe : std::uint8_t { control, out, err, progress };

    CommandRun(const FlightOrder& order, CommandLine line);

    /// Opens the pipes and queues the order for the warden. nullopt when done.
    std::optional<FlightFailure> prepare(Millis grace);
    const RunPipes& pipes() const { return pipes_; }
    /// The child's ends belong to the child now.
    void sent();
    /// Asks for SIGTERM to the group and SIGKILL after the grace; once.
    void terminate();

    /// Takes what a pipe has and closes it at its end; false when the output passes bytes_max.
    bool read(Pipe pipe);
    /// The warden's word; nullopt: not there yet. A warden that went away without one is reported as lost.
    struct Report {
        bool lost = false;
        WardenReport report;
    };
    std::optional<Report> take_report();
    /// Takes the rest of the pipes, closes all, and says why there is no result; nullopt: there is one.
    std::optional<FlightFailure> ended(const Report& report);

    ProgressGate& gate() { return gate_; }
    const ProgressGate& gate() const { return gate_; }
    std::string take_output() { return std::move(output_); }
    /// How messages name it: the program as declared.
    const std::string& shown() const { return line_.arguments.front(); }
    FlightFailure failure(ErrorClass error_class, std::string_view code, std::string_view what) const;
    FlightFailure too_large() const;
    std::int64_t bytes_in() const { return bytes_in_; }
    int source_status() const { return source_status_; }
    int strays() const { return strays_; }

private:
    bool read_some(Descriptor& fd, Pipe pipe, int rounds);
    bool take(Pipe pipe, std::string_view bytes);
    std::optional<FlightFailure> verdict(const WardenReport& report);
    FlightFailure not_started(const WardenReport& report) const;
    std::string last_words() const;

    std::string source_, directory_;
    std::int64_t bytes_max_, memory_max_;
    CommandLine line_;
    RunPipes pipes_;
    std::string output_;
    Words words_;
    LineCutter progress_lines_;
    ProgressGate gate_;
    std::int64_t bytes_in_ = 0;
    int source_status_ = 0, strays_ = 0;
    bool too_large_ = false, terminating_ = false;
};

} // namespace freshet
