// SPDX-License-Identifier: Apache-2.0
#pragma once
// Files for the writing connection whose write-ahead log is written in few large pieces.
//
// SQLite writes a page of the log in two calls, its head of 24 bytes and the page; a group commit has hundreds, and the
// calls cost more than the bytes. Here what follows one another in the log is gathered and goes out in one write,
// before the sync that makes it a commit. Everything else is the base's.
// Always holds: nothing waits when a sync begins, when the log's bytes or size are asked for, or when it is closed; so
// with synchronous = FULL other connections, which learn of a commit after its sync, never miss a byte. What could not
// be written is dropped with the error: SQLite rolls that transaction back and writes its place anew.
// Threads: that of the connection.

#include <memory>
#include <string>

namespace freshet::sqlite {

/// Registered for as long as this lives, which must be longer than any connection that opens with it.
class GatheredWal {
public:
    /// @param base  name of a registered sqlite3_vfs; empty: the system's. @throws StoreFailure there is none.
    explicit GatheredWal(const std::string& base);
    ~GatheredWal();
    GatheredWal(const GatheredWal&) = delete;
    GatheredWal& operator=(const GatheredWal&) = delete;

    /// What to open with.
    const std::string& vfs() const;

private:
    struct Registered;
    std::unique_ptr<Registered> registered_;
};

} // namespace freshet::sqlite
