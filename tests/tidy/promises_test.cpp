// SPDX-License-Identifier: Apache-2.0
// The ten promises have a line in the README, and every test that it names exists and carries the promise's number.

#include "tree.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>
#include <set>

namespace {

using tidy::File;
using tidy::Line;

constexpr int promises = 10;

/// "Suite.Case" of every test of the tree.
std::set<std::string> tests_of_the_tree()
{
    std::set<std::string> names;
    const std::regex form(R"(^(?:TEST|TEST_F|TEST_P|RC_GTEST_PROP)\(\s*(\w+)\s*,\s*(\w+).*)");
    std::smatch match;
    for (const File& file : tidy::tree()) {
        if (!file.is_cpp()) continue;
        for (const Line& line : file.lines)
            if (std::regex_match(line.text, match, form)) names.insert(match[1].str() + "." + match[2].str());
    }
    return names;
}

/// The README's row of a promise, or "".
std::string row_of(int promise)
{
    const File* const readme = tidy::find_file("README.md");
    const std::string start = fmt::format("| F{} |", promise);
    if (readme == nullptr) return {};
    for (const Line& line : readme->lines)
        if (line.text.starts_with(start)) return line.text;
    return {};
}

TEST(Promises, HaveALineEachInTheReadme)
{
    for (int promise = 1; promise <= promises; ++promise)
        EXPECT_THAT(row_of(promise), testing::HasSubstr("**")) << "F" << promise;
}

TEST(Promises, NameTestsThatExistAndCarryTheirNumber)
{
    const std::set<std::string> tests = tests_of_the_tree();
    const std::regex name(R"(`(\w+\.\w+)`)");
    for (int promise = 1; promise <= promises; ++promise) {
        const std::string row = row_of(promise), number = fmt::format("F{}", promise);
        const std::regex carries("(^|\\.)" + number + "[A-Z]");
        int named = 0;
        for (auto at = std::sregex_iterator(row.begin(), row.end(), name); at != std::sregex_iterator();
             ++at, ++named) {
            EXPECT_TRUE(tests.contains((*at)[1]))
                << "README names " << (*at)[1] << " for " << number << "; there is no such test";
            EXPECT_TRUE(std::regex_search((*at)[1].str(), carries)) << (*at)[1] << " does not carry " << number;
        }
        EXPECT_GT(named, 0) << "the README names no test for " << number;
    }
}

TEST(Promises, BothCommandsStandInTheReadmeAndCiRunsTheSameTests)
{
    const File* const readme = tidy::find_file("README.md");
    const File* const ci = tidy::find_file(".ci/run");
    ASSERT_NE(readme, nullptr);
    ASSERT_NE(ci, nullptr);
    const auto has_line = [](const File& file, const std::string& text) {
        for (const Line& line : file.lines)
            if (line.text.find(text) != std::string::npos) return true;
        return false;
    };
    EXPECT_TRUE(has_line(*readme, "./dev demo"));
    EXPECT_TRUE(has_line(*readme, "./dev test"));
    EXPECT_TRUE(has_line(*ci, "./dev test"));
}

} // namespace
