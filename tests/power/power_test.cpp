// SPDX-License-Identifier: Apache-2.0
// F10: what was acknowledged survives a power cut at any moment, and the check can tell when it does not.
#include "base/log.hpp"
#include "power/crash.hpp"
#include "power/disk.hpp"

#include <gtest/gtest.h>

namespace freshet::power {
namespace {

constexpr std::uint64_t histories = 50;
constexpr int cuts_each = 12;

TEST(PowerCut, TakesNothingThatWasAcknowledged)
{
    HistoryReport sum;
    for (std::uint64_t seed = 1; seed <= histories; ++seed) {
        const HistoryReport report = run_history({.seed = seed, .cuts = cuts_each});
        ASSERT_EQ(report.loss, "") << "seed " << seed;
        sum.cuts += report.cuts;
        sum.acknowledged += report.acknowledged;
        sum.under_way_kept += report.under_way_kept;
        sum.under_way_lost += report.under_way_lost;
        sum.checkpoints_at_least += report.checkpoints_at_least;
    }
    EXPECT_GE(sum.cuts, 500);
    EXPECT_GT(sum.acknowledged, 1000);
    EXPECT_GT(sum.checkpoints_at_least, 10);
    // Cuts fell on both sides of the moment at which a commit is on disk.
    EXPECT_GT(sum.under_way_lost, 10);
    EXPECT_GT(sum.under_way_kept, 0);
    RecordProperty("acknowledged", static_cast<int>(sum.acknowledged));
    RecordProperty("under_way_kept", static_cast<int>(sum.under_way_kept));
}

TEST(PowerCutDeathTest, EndsTheProcessAtACommitThatTheDeviceRefuses)
{
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto commit_without_power = [] {
        log::set_up(log::Level::error);
        Disk disk{1};
        const auto store = open_sqlite_store({.data_dir = "data", .vfs = disk.vfs_name()});
        const auto t = store->begin();
        t->put_paused("prices", true);
        disk.cut_power();
        t->commit();
    };
    EXPECT_EXIT(commit_without_power(), testing::ExitedWithCode(74), "the disk failed");
}

TEST(PowerCut, FindsTheLogOfACommitWrittenInFewPieces)
{
    Disk disk{1};
    const auto store = open_sqlite_store({.data_dir = "data", .vfs = disk.vfs_name()});
    const auto before = disk.counts();
    const auto t = store->begin();
    t->put_payload(std::string(256 << 10, 'p'));
    t->commit();
    const auto after = disk.counts();
    EXPECT_EQ(after.syncs - before.syncs, 1);
    EXPECT_LE(after.changes - before.changes, 8) << "64 pages in two calls each would be 128";
}

TEST(PowerCut, FindsTheFirstCommitBehindACheckpointSyncedOnce)
{
    Disk disk{1};
    const auto store = open_sqlite_store({.data_dir = "data", .vfs = disk.vfs_name()});
    const auto commit = [&](std::size_t bytes) {
        const auto before = disk.counts().syncs;
        {
            const auto t = store->begin();
            t->put_payload(std::string(bytes, 'p'));
            t->commit();
        }
        return disk.counts().syncs - before;
    };
    commit(wal_bytes_kept);
    const auto before = disk.counts().syncs;
    store->settle();
    EXPECT_GE(disk.counts().syncs - before, 3) << "log, database, head of the log";
    EXPECT_EQ(commit(100), 1);
}

int histories_with_a_loss(HistoryOptions options)
{
    int found = 0;
    for (options.seed = 1; options.seed <= 20; ++options.seed) found += run_history(options).loss.empty() ? 0 : 1;
    return found;
}

TEST(PowerCut, IsSeenToTakeCommitsThatWereNotSynced)
{
    EXPECT_GE(histories_with_a_loss({.cuts = cuts_each, .synchronous = Synchronous::off}), 15);
}

TEST(PowerCut, IsSeenToTakeCommitsThatWereAnsweredTooEarly)
{
    EXPECT_GE(histories_with_a_loss({.cuts = cuts_each, .answer_before_commit = true}), 15);
}

} // namespace
} // namespace freshet::power
