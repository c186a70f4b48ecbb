// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who got a message of which run, in a database of the worker's own: a broadcast that goes on skips them.
//
// Life: one per worker. Threads: any. A recipient is marked after the message was taken, so that at most the one that
// was under way when a worker died may go twice.

#include <memory>
#include <mutex>
#include <string>

struct sqlite3;

class Sent {
public:
    /// @throws std::runtime_error if the file cannot be opened.
    explicit Sent(const std::string& file);
    ~Sent();
    Sent(const Sent&) = delete;
    Sent& operator=(const Sent&) = delete;

    bool has(const std::string& run, const std::string& recipient);
    void mark(const std::string& run, const std::string& recipient);

private:
    std::mutex mutex_;
    sqlite3* database_ = nullptr;
};
