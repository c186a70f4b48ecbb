// SPDX-License-Identifier: Apache-2.0
#pragma once
// A language's test worker (README.md) as a process, and the lines it says.
//
// Life: started by the constructor, killed by the destructor if it still is. Threads: one.

#include "base/time.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <sys/types.h>
#include <vector>

namespace freshet::outside {

/// How to start the test worker of one language; what is missing here, if it cannot be started.
struct Language {
    std::string name;
    std::vector<std::string> command;
    std::map<std::string, std::string> environment;
    std::string missing;
};
/// All of README.md's table.
std::vector<Language> languages();

class TestWorker {
public:
    using Variables = std::map<std::string, std::string>;

    /// Returns when it is ready. @throws std::runtime_error if it ends or says nothing.
    /// @param log  a file that its stderr is added to; empty: the test's own.
    TestWorker(const Language& language, const std::string& url, Variables variables = {}, const std::string& log = {});
    ~TestWorker();
    TestWorker(const TestWorker&) = delete;
    TestWorker& operator=(const TestWorker&) = delete;

    /// The first line that begins so and was not awaited before, in any order of calls; nullopt when `within` is over.
    std::optional<std::string> await(const std::string& beginning, Millis within = Millis{15'000});
    /// True if it said such a line until now.
    bool said(const std::string& beginning);
    /// All that it said until now and that was not awaited.
    std::vector<std::string> take();

    void signal(int number) const;
    /// Time that it computed so far, of all its threads.
    Millis computed() const;
    /// SIGKILL, and waits until it is gone.
    void kill();
    /// Exit code; nullopt if it did not end `within`.
    std::optional<int> await_end(Millis within = Millis{15'000});
    /// SIGTERM and await_end().
    std::optional<int> terminate(Millis within = Millis{15'000});

private:
    bool read_for(Millis within);

    std::string name_;
    pid_t pid_ = -1;
    int out_ = -1;
    std::string rest_;
    std::vector<std::string> lines_; ///< said and not awaited yet
    std::optional<int> exit_code_;
};

} // namespace freshet::outside
