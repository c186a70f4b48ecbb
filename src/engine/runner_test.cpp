// SPDX-License-Identifier: Apache-2.0
// Where the values of secrets come from when a flight begins.
#include "engine/runner.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

namespace freshet {
namespace {

TEST(Secrets, ComeFromTheTextTheEnvironmentOrTheFirstLineOfAFile)
{
    EXPECT_EQ(resolve({Secret::From::literal, "abc"}), "abc");

    ASSERT_EQ(setenv("FRESHET_TEST_SECRET", "of the environment", 1), 0);
    EXPECT_EQ(resolve({Secret::From::env, "FRESHET_TEST_SECRET"}), "of the environment");
    ASSERT_EQ(setenv("FRESHET_TEST_SECRET", "changed since", 1), 0);
    EXPECT_EQ(resolve({Secret::From::env, "FRESHET_TEST_SECRET"}), "changed since") << "looked up at each flight";
    unsetenv("FRESHET_TEST_SECRET");

    const std::filesystem::path file = testing::TempDir() + "freshet-secret-" + std::to_string(getpid());
    std::ofstream{file} << "of the file\nand a note\n";
    EXPECT_EQ(resolve({Secret::From::file, file.string()}), "of the file");
    std::ofstream{file, std::ios::trunc};
    EXPECT_EQ(resolve({Secret::From::file, file.string()}), std::nullopt) << "an empty file is no secret";
    std::filesystem::remove(file);
}

TEST(Secrets, ThatAreMissingAreNone)
{
    unsetenv("FRESHET_TEST_SECRET");
    EXPECT_EQ(resolve({Secret::From::env, "FRESHET_TEST_SECRET"}), std::nullopt);
    EXPECT_EQ(resolve({Secret::From::file, testing::TempDir() + "freshet-no-such-file"}), std::nullopt);
}

} // namespace
} // namespace freshet
