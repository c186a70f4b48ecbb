// SPDX-License-Identifier: Apache-2.0
// What happens when the config file is saved, well or badly.
#include "app/config_file.hpp"

#include "base/folder_world.hpp"

#include <fstream>
#include <gmock/gmock.h>

namespace freshet {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

constexpr const char* good =
    "[source.disk]\nkind = \"command\"\nrun = [\"df\"]\nformat = \"table\"\nfresh_for = \"10m\"\n";

struct World {
    test::Folder folder;
    SteadyTime now{Millis{1'000'000}};

    fs::path file() const { return folder.path() / "freshet.toml"; }
    void save(const std::string& text) const { std::ofstream{file()} << text; }
    /// A save, noticed and settled.
    std::shared_ptr<const Definitions> reload_after(ConfigFile& config, const std::string& text)
    {
        save(text);
        config.watched(now);
        now += 1s;
        return config.reload(now);
    }
};

TEST(ConfigFile, ASaveIsReadOnceTheEditorIsDone)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {}};
    ASSERT_TRUE(config.load());
    EXPECT_EQ(config.due(), std::nullopt);

    world.save(std::string{good} + "[source.more]\nkind = \"command\"\nrun = [\"id\"]\nformat = \"text\"\n");
    config.watched(world.now);
    ASSERT_TRUE(config.due());
    EXPECT_EQ(config.reload(world.now), nullptr); // not yet
    const auto next = config.reload(*config.due());
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->sources.size(), 2u);
    EXPECT_EQ(config.due(), std::nullopt);
}

TEST(ConfigFile, ANeighbourOrTheSameTextChangesNothing)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {}};
    ASSERT_TRUE(config.load());
    std::ofstream{world.folder.path() / "other"} << "x";
    EXPECT_EQ(world.reload_after(config, good), nullptr);
    config.ask(); // a person wants it: environment and files that it names may have changed
    EXPECT_NE(config.reload(world.now), nullptr);
}

TEST(ConfigFile, ABrokenOneIsNotPutInForceAndTheNextGoodOneIs)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {}};
    ASSERT_TRUE(config.load());
    EXPECT_EQ(world.reload_after(config, "[source.disk]\nkind = \"comand\"\n"), nullptr);
    EXPECT_NE(world.reload_after(config, good), nullptr);
}

TEST(ConfigFile, WhatOnlyAStartReadsKeepsItsValue)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {}};
    const auto first = config.load();
    ASSERT_TRUE(first);
    const auto next = world.reload_after(
        config, std::string{"[server]\nlisten = \"127.0.0.1:9999\"\ndata_dir = \"elsewhere\"\nloops = 3\n"} + good);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->server.listen, first->definitions->server.listen);
    EXPECT_EQ(next->server.data_dir, first->definitions->server.data_dir);
    EXPECT_EQ(next->server.loops, first->definitions->server.loops);
}

TEST(ConfigFile, NamesTheSettingsThatNeedAStart)
{
    ServerDefinition next;
    next.listen = "127.0.0.1:9999";
    next.loops = 3;
    next.origins = {"https://example.com"}; // this one is read from the definitions in force
    EXPECT_THAT(needs_restart(ServerDefinition{}, next), ElementsAre("listen", "loops"));
}

TEST(ConfigFile, ListenAndSpeedOfTheCommandLineLieOverTheFile)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {.listen = "127.0.0.1:4242", .speed = 60}};
    const auto loaded = config.load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->definitions->server.listen, "127.0.0.1:4242");
    EXPECT_EQ(loaded->definitions->speed, 60);
    EXPECT_EQ(loaded->definitions->source("disk")->fresh_for, 10s);
    const auto next = world.reload_after(config, std::string{good} + "\n# more\n");
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(next->source("disk")->fresh_for, 10s);
}

TEST(ConfigFile, AListenThatIsOpenToOthersIsRefused)
{
    World world;
    world.save(good);
    EXPECT_FALSE((ConfigFile{world.file(), {.listen = "0.0.0.0:80"}}.load()));
    EXPECT_FALSE((ConfigFile{world.file(), {.listen = "nonsense"}}.load()));
}

TEST(ConfigFile, WhatCouldNotBePutInForceIsGivenAgainALittleLater)
{
    World world;
    world.save(good);
    ConfigFile config{world.file(), {}};
    ASSERT_TRUE(config.load());
    config.again(world.now);
    EXPECT_EQ(config.reload(world.now), nullptr);
    EXPECT_NE(config.reload(*config.due()), nullptr);
}

} // namespace
} // namespace freshet
