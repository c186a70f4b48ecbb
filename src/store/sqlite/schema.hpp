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
std::uint64_t stored_epoch(Connection& connection);

} // namespace freshet::sqlite
