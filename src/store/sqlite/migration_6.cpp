// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrations.hpp"

namespace freshet::sqlite {

void migrate_to_6(Connection& connection)
{
    connection.execute("ALTER TABLE tokens ADD COLUMN queues TEXT NOT NULL DEFAULT ''");
}

} // namespace freshet::sqlite
