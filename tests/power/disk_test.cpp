// SPDX-License-Identifier: Apache-2.0
#include "power/disk.hpp"

#include <gtest/gtest.h>

#include <set>

namespace freshet::power {
namespace {

constexpr Disk::OpenAs named{.create = true, .syncs_names = true};

std::string content(Disk& disk, const std::string& path)
{
    const auto handle = disk.open(path, {});
    if (!handle) return "no file";
    std::string bytes(static_cast<std::size_t>(disk.size(*handle)), '\0');
    disk.read(*handle, bytes.data(), static_cast<std::int64_t>(bytes.size()), 0);
    return bytes;
}

TEST(PowerDisk, KeepsWhatWasSynced)
{
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Disk disk{seed};
        auto file = disk.open("a", named);
        EXPECT_TRUE(disk.write(*file, "safe", 0));
        EXPECT_TRUE(disk.sync(*file));
        disk.cut_power();
        disk.power_on();
        EXPECT_EQ(content(disk, "a"), "safe");
    }
}

TEST(PowerDisk, LosesAnyPartOfWhatWasNotSynced)
{
    std::set<std::string> fates;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
        Disk disk{seed};
        auto file = disk.open("a", named);
        EXPECT_TRUE(disk.write(*file, std::string(3 * sector_bytes, '.'), 0));
        EXPECT_TRUE(disk.sync(*file));
        EXPECT_TRUE(disk.write(*file, "1", 0));
        EXPECT_TRUE(disk.write(*file, std::string(2 * sector_bytes, '2'), sector_bytes));
        disk.cut_power();
        disk.power_on();
        const std::string left = content(disk, "a");
        ASSERT_EQ(left.size(), std::size_t{3 * sector_bytes});
        fates.insert({left.front(), left[sector_bytes], left.back()});
    }
    EXPECT_EQ(fates, (std::set<std::string>{"...", "1..", ".2.", "12.", "..2", "1.2", ".22", "122"}));
}

TEST(PowerDisk, MayLoseANameThatNoSyncOfTheDirectoryFollowed)
{
    std::set<std::string> fates;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Disk disk{seed};
        auto old = disk.open("old", named);
        EXPECT_TRUE(disk.sync(*old));
        auto made = disk.open("made", {.create = true});
        EXPECT_TRUE(disk.sync(*made));
        EXPECT_TRUE(disk.remove("old", false));
        disk.cut_power();
        disk.power_on();
        fates.insert(content(disk, "old") + "," + content(disk, "made"));
    }
    EXPECT_EQ(fates, (std::set<std::string>{",", "no file,", ",no file", "no file,no file"}));
}

TEST(PowerDisk, FailsEveryCallOfAHandleThatIsOlderThanTheCut)
{
    Disk disk{1};
    auto file = disk.open("a", named);
    disk.cut_power_after(2);
    EXPECT_TRUE(disk.write(*file, "x", 0));
    EXPECT_FALSE(disk.sync(*file));
    EXPECT_FALSE(disk.is_on());
    EXPECT_FALSE(disk.write(*file, "y", 0));
    EXPECT_FALSE(disk.open("a", named).has_value());
    disk.power_on();
    EXPECT_FALSE(disk.write(*file, "y", 0));
    EXPECT_EQ(disk.size(*file), -1);
}

} // namespace
} // namespace freshet::power
