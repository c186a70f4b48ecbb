// SPDX-License-Identifier: Apache-2.0
// Bytes that are kept back on the disk, and what is said and let go when it fills.
#include "app/disk_reserve.hpp"

#include "base/folder_world.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace freshet {
namespace {

constexpr std::int64_t mib = 1 << 20;

class Reserve : public testing::Test {
protected:
    Reserve()
    {
        reserve.emplace(folder_.path(), [this] { return std::optional{free}; });
    }
    std::string look()
    {
        now += 1s;
        return reserve->look(now);
    }
    /// Bytes that are kept back on the real disk.
    std::int64_t held() const
    {
        std::error_code error;
        const auto size = std::filesystem::file_size(folder_.path() / "freshet.reserve", error);
        return error ? 0 : static_cast<std::int64_t>(size);
    }

    test::Folder folder_;
    std::int64_t free = 1000 * mib;
    SteadyTime now{1h};
    std::optional<DiskReserve> reserve;
};

TEST_F(Reserve, KeepsItsBytesWhileThereIsRoom)
{
    EXPECT_EQ(look(), "");
    EXPECT_EQ(held(), DiskReserve::bytes);
}

TEST_F(Reserve, GivesItsBytesUpAndSaysSoWhenTheDiskIsFull)
{
    look();
    free = 15 * mib;
    const std::string words = look();
    EXPECT_NE(words.find("full (15 MiB left)"), std::string::npos) << words;
    EXPECT_EQ(held(), 0);
    EXPECT_EQ(reserve->words(), words);
}

TEST_F(Reserve, TakesItsBytesBackBeforeNewWork)
{
    look();
    free = 5 * mib;
    look();
    free = 69 * mib; // what it gave up itself
    EXPECT_NE(look(), "") << "its own bytes are no room";
    free = 95 * mib;
    EXPECT_NE(look(), "") << "not at the same line";
    free = 97 * mib;
    EXPECT_EQ(look(), "");
    EXPECT_EQ(held(), DiskReserve::bytes);
}

TEST_F(Reserve, IsFullFromTheStartOnADiskWithoutRoomForIt)
{
    free = 70 * mib;
    EXPECT_NE(look(), "");
    EXPECT_EQ(held(), 0);
}

TEST_F(Reserve, KeepsWhatTheProcessBeforeKept)
{
    look();
    free = 20 * mib; // beside the reserve
    reserve.emplace(folder_.path(), [this] { return std::optional{free}; });
    EXPECT_EQ(look(), "");
    EXPECT_EQ(held(), DiskReserve::bytes);
}

TEST_F(Reserve, LooksNowAndThenAndAtOnceAfterAFailure)
{
    look();
    free = 1 * mib;
    EXPECT_EQ(reserve->look(now + 100ms), "");
    reserve->note_failure();
    EXPECT_NE(reserve->look(now + 101ms), "");
}

} // namespace
} // namespace freshet
