// SPDX-License-Identifier: Apache-2.0
// How SQLite finds rows: by a range of an index, never over a table, and in the order of that index, so that what is
// asked for costs the same whatever else there is.
#include "store/sqlite/connection.hpp"
#include "store/sqlite/job_statements.hpp"
#include "store/sqlite/statements.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

class SqlitePlan : public testing::Test {
protected:
    /// @return the steps of the plan, joined.
    std::string plan_of(const char* sql)
    {
        const std::string explain = std::string{"EXPLAIN QUERY PLAN "} + sql;
        sqlite3_stmt* statement = nullptr;
        EXPECT_EQ(sqlite3_prepare_v2(connection_.raw(), explain.c_str(), -1, &statement, nullptr), SQLITE_OK)
            << sql << "\n"
            << sqlite3_errmsg(connection_.raw());
        std::string plan;
        while (sqlite3_step(statement) == SQLITE_ROW)
            plan += std::string{reinterpret_cast<const char*>(sqlite3_column_text(statement, 3))} + "; ";
        sqlite3_finalize(statement);
        return plan;
    }

private:
    static std::string file_of_a_store(const test::Folder& directory)
    {
        open_sqlite_store({.data_dir = directory.path()});
        return (directory.path() / "freshet.db").string();
    }

    test::Folder directory_;
    sqlite::Connection connection_{file_of_a_store(directory_), ""};
};

TEST_F(SqlitePlan, SearchesOneRangeInTheOrderThatIsAskedFor)
{
    using namespace sqlite::sql;
    for (const char* sql : {read_job,
                            read_live_holders,
                            read_ended_holders,
                            read_claimable,
                            next_queue,
                            next_tenant,
                            next_job_due,
                            read_gated,
                            read_waiting_timers_due,
                            next_waiting_timer,
                            read_running_timers_due,
                            next_running_timer,
                            list_jobs,
                            list_jobs_up,
                            list_jobs_by_key_up,
                            list_items_down,
                            list_batches_up,
                            read_audit_up,
                            list_jobs_by_key,
                            list_items,
                            read_item,
                            read_ended,
                            read_count,
                            read_counts,
                            read_attempts,
                            read_log,
                            read_batch,
                            has_items,
                            list_batches,
                            read_batch_timers_due,
                            next_batch_timer,
                            read_ended_batches,
                            read_batch_texts,
                            update_job,
                            read_record_bytes,
                            read_kept,
                            read_log_before,
                            read_log_bytes,
                            read_live_refresh_keys,
                            update_batch,
                            drop_job,
                            drop_attempts,
                            drop_log,
                            drop_audit,
                            newest_audit_beyond,
                            drop_audit_to,
                            read_audit,
                            read_schedules,
                            next_schedule_due,
                            next_key_due}) {
        const std::string plan = plan_of(sql);
        EXPECT_THAT(plan, AnyOf(HasSubstr("SEARCH"), HasSubstr("SCAN jobs USING INDEX jobs_due"))) << sql;
        EXPECT_THAT(plan, Not(HasSubstr("TEMP B-TREE"))) << sql << "\n" << plan;
    }
}

TEST_F(SqlitePlan, LooksAtAllThatRunsOnlyToListIt)
{
    using namespace sqlite::sql;
    EXPECT_THAT(plan_of(list_running_jobs), HasSubstr("SCAN jobs USING INDEX jobs_running"));
    EXPECT_THAT(plan_of(list_running_jobs_up), HasSubstr("SCAN jobs USING INDEX jobs_running"));
    EXPECT_THAT(plan_of(read_running), HasSubstr("SCAN jobs USING INDEX jobs_running"));
    for (const char* by_tag : {list_jobs_by_tag, list_jobs_by_tag_up})
        EXPECT_THAT(plan_of(by_tag), testing::AllOf(HasSubstr("SEARCH job_tags"), HasSubstr("SEARCH jobs"),
                                                    Not(HasSubstr("TEMP B-TREE"))));
    EXPECT_THAT(plan_of(make_ready), Not(HasSubstr("TEMP B-TREE")));
}

} // namespace
} // namespace freshet::contract
