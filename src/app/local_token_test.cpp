// SPDX-License-Identifier: Apache-2.0
#include "app/local_token.hpp"

#include "base/failure.hpp"

#include <fstream>
#include <gmock/gmock.h>
#include <sys/stat.h>

namespace freshet {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path;
    Folder()
    {
        std::string name = (fs::temp_directory_path() / "freshet-token-XXXXXX").string();
        path = mkdtemp(name.data());
    }
    ~Folder() { fs::remove_all(path); }
};

unsigned mode_of(const fs::path& file)
{
    struct stat is{};
    return stat(file.c_str(), &is) == 0 ? is.st_mode & 0777 : 0;
}

TEST(LocalToken, IsInAFileThatOnlyItsOwnerCanRead)
{
    const Folder folder;
    const std::string token = local_token(folder.path);
    EXPECT_EQ(token.size(), 76u);
    EXPECT_EQ(mode_of(folder.path / "cli-token"), 0600u);
    std::string line;
    std::getline(std::ifstream{folder.path / "cli-token"}, line);
    EXPECT_EQ(line, token);
}

TEST(LocalToken, IsKeptOverARestartAndDiffersPerFolder)
{
    const Folder one, two;
    const std::string token = local_token(one.path);
    EXPECT_EQ(local_token(one.path), token);
    EXPECT_NE(local_token(two.path), token);
}

TEST(LocalToken, IsMadeAnewWhenOthersCouldHaveReadItOrItIsBroken)
{
    const Folder folder;
    const std::string first = local_token(folder.path);
    fs::permissions(folder.path / "cli-token", fs::perms{0644});
    const std::string second = local_token(folder.path);
    EXPECT_NE(second, first);
    EXPECT_EQ(mode_of(folder.path / "cli-token"), 0600u);
    std::ofstream{folder.path / "cli-token"} << "short\n";
    EXPECT_NE(local_token(folder.path), second);
}

TEST(LocalToken, SaysWhereItCannotBeWritten)
{
    const Folder folder;
    EXPECT_THROW(local_token(folder.path / "missing"), Failure);
}

} // namespace
} // namespace freshet
