// SPDX-License-Identifier: Apache-2.0
#pragma once
// One function per schema version that ever was released, each from the version before it. They run inside the
// transaction that moves user_version, and keep the words of their time: SQL and rows as they were then.

#include "store/sqlite/connection.hpp"

namespace freshet::sqlite {

void migrate_to_1(Connection& connection);
/// Jobs become few columns and a packed record; batches, tags, logs, tokens, limits, resets and schedules come.
void migrate_to_2(Connection& connection);
/// Ended jobs and batches are found by tenant and counted; sources that the config lost are noted.
void migrate_to_3(Connection& connection);
/// A key holds what the tries of its last 24 hours came to.
void migrate_to_4(Connection& connection);
/// What live jobs bring along and what the lines of all of them take is counted by tenant, beside what ended.
void migrate_to_5(Connection& connection);
/// Short tokens may name queues.
void migrate_to_6(Connection& connection);

} // namespace freshet::sqlite
