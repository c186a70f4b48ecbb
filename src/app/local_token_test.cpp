// SPDX-License-Identifier: Apache-2.0
// The token that the server leaves in its data folder for commands of the same machine.
#include "app/local_token.hpp"

#include "base/failure.hpp"
#include "base/folder_world.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace freshet {
namespace {

namespace fs = std::filesystem;

unsigned mode_of(const fs::path& file)
{
    struct stat is{};
    return stat(file.c_str(), &is) == 0 ? is.st_mode & 0777 : 0;
}

TEST(LocalToken, IsInAFileThatOnlyItsOwnerCanRead)
{
    const test::Folder folder;
    const std::string token = local_token(folder.path());
    EXPECT_EQ(token.size(), 76u);
    EXPECT_EQ(mode_of(folder.path() / "cli-token"), 0600u);
    std::string line;
    std::getline(std::ifstream{folder.path() / "cli-token"}, line);
    EXPECT_EQ(line, token);
}

TEST(LocalToken, IsKeptOverARestartAndDiffersPerFolder)
{
    const test::Folder one, two;
    const std::string token = local_token(one.path());
    EXPECT_EQ(local_token(one.path()), token);
    EXPECT_NE(local_token(two.path()), token);
}

TEST(LocalToken, IsMadeAnewWhenOthersCouldHaveReadItOrItIsBroken)
{
    const test::Folder folder;
    const std::string first = local_token(folder.path());
    fs::permissions(folder.path() / "cli-token", fs::perms{0644});
    const std::string second = local_token(folder.path());
    EXPECT_NE(second, first);
    EXPECT_EQ(mode_of(folder.path() / "cli-token"), 0600u);
    std::ofstream{folder.path() / "cli-token"} << "short\n";
    EXPECT_NE(local_token(folder.path()), second);
}

TEST(LocalToken, SaysWhereItCannotBeWritten)
{
    const test::Folder folder;
    EXPECT_THROW(local_token(folder.path() / "missing"), Failure);
}

} // namespace
} // namespace freshet
