// SPDX-License-Identifier: Apache-2.0
#pragma once
// The tables and how they came to be: numbered migrations, each one transaction that also moves user_version.

#include "store/sqlite/connection.hpp"

#include <string>

namespace freshet::sqlite {

/// The user_version that this build writes.
int newest_schema();
/// Brings the database to newest_schema(). @param path  for words only.
/// @throws StoreFailure if the schema is newer than this build, or the file is another program's.
void migrate(Connection& connection, const std::string& path);

/// What tells this store's numbers from those of its lives before a restore: StoreReads tells both.
struct Life {
    std::uint64_t epoch = 1;
    std::int64_t numbers_base = 0;
};
Life stored_life(Connection& connection);
/// A new epoch, in the open transaction.
void begin_life(Connection& connection, std::int64_t numbers_base);

} // namespace freshet::sqlite
