// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/migrations.hpp"

namespace freshet::sqlite {

void migrate_to_4(Connection& connection)
{
    connection.execute("ALTER TABLE keys ADD COLUMN day TEXT NOT NULL DEFAULT ''");
}

} // namespace freshet::sqlite
