// SPDX-License-Identifier: Apache-2.0
// What every file is held to. A rule that needs judgement is not here; it is in docs/hacking.md.

#include "tree.hpp"

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

namespace {

using testing::IsEmpty;
using tidy::File;
using tidy::Line;

std::vector<std::string> files_that(const std::function<bool(const File&)>& wrong)
{
    std::vector<std::string> found;
    for (const File& file : tidy::tree())
        if (wrong(file)) found.push_back(file.path);
    return found;
}

std::vector<std::string> lines_that(const std::function<bool(const File&, const Line&)>& wrong)
{
    std::vector<std::string> found;
    for (const File& file : tidy::tree())
        for (const Line& line : file.lines)
            if (wrong(file, line)) found.push_back(place(file, line));
    return found;
}

/// The words are put together here, so that this file does not find itself.
std::regex any_word(std::initializer_list<std::string> words)
{
    std::string form = "\\b(";
    for (const std::string& word : words) form += (form.size() > 3 ? "|" : "") + word;
    return std::regex(form + ")\\b");
}

TEST(Style, TheTreeIsFound)
{
    EXPECT_NE(tidy::find_file("src/base/time.hpp"), nullptr);
    EXPECT_NE(tidy::find_file("README.md"), nullptr);
    EXPECT_GT(tidy::tree().size(), 100u);
}

TEST(Style, EverySourceOpensWithItsLicence)
{
    EXPECT_THAT(files_that([](const File& file) {
                    return file.is_cpp() &&
                           (file.lines.empty() || file.lines[0].text != "// SPDX-License-Identifier: Apache-2.0");
                }),
                IsEmpty());
}

TEST(Style, EveryScriptSaysItsLicenceAndStopsAtAnError)
{
    EXPECT_THAT(files_that([](const File& file) {
                    if (file.lines.empty() || file.lines[0].text != "#!/usr/bin/env bash") return false;
                    bool strict = false;
                    for (const Line& line : file.lines) strict = strict || line.text == "set -euo pipefail";
                    return !strict || file.lines.size() < 2 ||
                           file.lines[1].text != "# SPDX-License-Identifier: Apache-2.0";
                }),
                IsEmpty());
}

TEST(Style, EveryHeaderIsIncludedOnce)
{
    EXPECT_THAT(files_that([](const File& file) {
                    return file.is_header() && (file.lines.size() < 2 || file.lines[1].text != "#pragma once");
                }),
                IsEmpty());
}

TEST(Style, NobodyOpensStdAndNoHeaderOpensMoreThanLiterals)
{
    const std::regex of_std(R"(^\s*using namespace std\s*;)"), opens(R"(^using namespace (?!\S*_literals;))");
    EXPECT_THAT(lines_that([&](const File& file, const Line& line) {
                    if (!file.is_cpp()) return false;
                    return std::regex_search(line.text, of_std) ||
                           (file.is_header() && std::regex_search(line.text, opens));
                }),
                IsEmpty());
}

TEST(Style, NothingIsLeftForLater)
{
    const std::regex marks = any_word({"TO"
                                       "DO",
                                       "FIX"
                                       "ME",
                                       "X"
                                       "XX",
                                       "HA"
                                       "CK"});
    EXPECT_THAT(lines_that([&](const File&, const Line& line) { return std::regex_search(line.text, marks); }),
                IsEmpty());
}

TEST(Style, NoTestIsSwitchedOff)
{
    const std::regex off("^(TEST|TEST_F|TEST_P)\\(.*DIS"
                         "ABLED_");
    EXPECT_THAT(lines_that([&](const File& file, const Line& line) {
                    return file.is_cpp() && std::regex_search(line.text, off);
                }),
                IsEmpty());
}

TEST(Style, NoFileKnowsThePathsOfOneMachine)
{
    const std::regex paths("(^|[^A-Za-z0-9_.}/-])/(wo"
                           "rk|ro"
                           "ot|fa"
                           "rm|tm"
                           "p)/");
    EXPECT_THAT(lines_that([&](const File&, const Line& line) { return std::regex_search(line.text, paths); }),
                IsEmpty());
}

TEST(Style, OnlyBaseAsksTheSystemForTheTime)
{
    const std::regex asks(R"((system_clock|steady_clock)::now\(|\bgettimeofday\(|\bclock_gettime\()");
    EXPECT_THAT(lines_that([&](const File& file, const Line& line) {
                    const std::string floor = file.floor();
                    const bool decides =
                        floor == "model" || floor == "wire" || floor.starts_with("store") || floor == "engine";
                    return decides && !file.is_test() && std::regex_search(line.text, asks);
                }),
                IsEmpty());
}

/// Outside of these floors a test may have to wait for a process of its own.
TEST(Style, NoTestSleepsWhereTimeIsAParameter)
{
    const std::regex sleeps("sleep_"
                            "for|sleep_"
                            "until|\\bu"
                            "sleep\\(");
    EXPECT_THAT(lines_that([&](const File& file, const Line& line) {
                    const std::string floor = file.floor();
                    const bool outside =
                        floor.empty() || floor.starts_with("runners") || floor == "runtime" || floor == "app";
                    return !outside && file.is_test() && std::regex_search(line.text, sleeps);
                }),
                IsEmpty());
}

} // namespace
