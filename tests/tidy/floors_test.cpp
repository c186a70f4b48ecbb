// SPDX-License-Identifier: Apache-2.0
// The directions of the floors. The table below is the floor plan: model decides, store keeps, engine does, runners
// fetch, http speaks, app wires. CMake links accordingly; here every #include is read, also of headers that CMake would
// let through.

#include "tree.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <regex>
#include <set>

namespace {

using tidy::File;
using tidy::Line;
using Folders = std::set<std::string>;

/// What each folder of src/ sees besides itself.
const std::map<std::string, Folders>& floor_plan()
{
    static const std::map<std::string, Folders> plan = [] {
        const auto with = [](Folders below, const Folders& more) {
            below.insert(more.begin(), more.end());
            return below;
        };
        std::map<std::string, Folders> floors;
        floors["base"] = {};
        floors["model"] = {"base"};
        floors["wire"] = with(floors["model"], {"model"});
        floors["store"] = with(floors["model"], {"model"});
        floors["store/sqlite"] = with(floors["store"], {"store"});
        floors["store/postgres"] = floors["store/sqlite"];
        floors["backup"] = with(floors["store/sqlite"], {"store/sqlite", "wire"});
        floors["engine"] = with(floors["store"], {"store", "wire"});
        floors["runtime"] = {"base"};
        floors["runners/shape"] = with(floors["wire"], {"wire"});
        floors["runners/sql"] = with(floors["engine"], {"engine"});
        floors["runners/http"] = with(floors["runners/sql"], {"runners/shape"});
        floors["runners/command"] = floors["runners/http"];
        floors["http/streams"] = with(floors["engine"], {"engine"});
        floors["http"] = with(floors["http/streams"], {"http/streams", "runtime"});
        floors["facade"] = with(floors["http"], {"http", "runners/shape"});
        floors["config"] = {"base", "model", "wire"};
        floors["cli"] = {"base", "model", "wire", "config"};
        Folders all;
        for (const auto& [folder, below] : floors) all.insert(folder);
        floors["app"] = all;
        return floors;
    }();
    return plan;
}

struct Library {
    std::string header; ///< what its headers begin with
    Folders floors;     ///< who may include them
};

/// Headers that stay in few places: those of what is slow to compile, or would be a second way to the ground.
const std::vector<Library>& libraries()
{
    static const std::vector<Library> table{
        {"boost/beast", {"http", "http/streams", "app"}},
        {"boost/", {"runtime", "http", "http/streams", "app"}},
        {"sqlite3", {"store/sqlite", "runners/sql"}},
        {"libpq", {"store/postgres", "runners/sql"}},
        {"curl/", {"runners/http", "cli"}},
        {"libxml/", {"runners/shape"}},
        {"jq.h", {"runners/shape"}},
        {"jv.h", {"runners/shape"}},
        {"toml++/", {"config"}},
        {"CLI/", {"cli", "app"}},
        {"spdlog/", {"base"}},
        {"date/", {"model"}},
        {"zstd", {"http", "backup"}},
        {"brotli/", {"http"}},
        {"xxhash", {"base"}},
    };
    return table;
}

std::vector<std::string> findings(const std::function<std::string(const File&, const std::string&, bool)>& judge)
{
    std::vector<std::string> found;
    for (const File& file : tidy::tree()) {
        if (!file.is_cpp() || file.floor().empty()) continue;
        for (const Line& line : file.lines) {
            const tidy::Include include = tidy::include_of(line);
            if (include.name.empty()) continue;
            const std::string why = judge(file, include.name, include.angle);
            if (!why.empty()) found.push_back(place(file, line) + "   " + why);
        }
    }
    return found;
}

std::string folder_of(const std::string& path)
{
    const std::size_t end = path.rfind('/');
    return end == std::string::npos ? std::string() : path.substr(0, end);
}

TEST(Floors, EachIncludesOnlyWhatLiesBelowIt)
{
    EXPECT_THAT(findings([](const File& file, const std::string& name, bool angle) -> std::string {
                    const auto floor = floor_plan().find(file.floor());
                    if (angle || floor == floor_plan().end()) return {};
                    const std::string to = folder_of(name);
                    if (to == file.floor() || floor->second.contains(to)) return {};
                    return fmt::format("{} may see {}", file.floor(), fmt::join(floor->second, ", "));
                }),
                testing::IsEmpty());
}

TEST(Floors, NamesProjectHeadersFromSrcSoThatTheFloorShows)
{
    EXPECT_THAT(findings([](const File&, const std::string& name, bool angle) -> std::string {
                    if (angle || tidy::find_file("src/" + name) != nullptr) return {};
                    return "there is no such file below src/";
                }),
                testing::IsEmpty());
}

TEST(Floors, KeepTheHeadersOfLibrariesWhereTheyBelong)
{
    EXPECT_THAT(findings([](const File& file, const std::string& name, bool) -> std::string {
                    if (file.is_test()) return {};
                    for (const Library& library : libraries()) {
                        if (!name.starts_with(library.header)) continue;
                        if (library.floors.contains(file.floor())) return {};
                        return fmt::format("only {} may", fmt::join(library.floors, ", "));
                    }
                    return {};
                }),
                testing::IsEmpty());
}

TEST(Floors, AreEachOneTargetAndInThePlan)
{
    const File* const cmake = tidy::find_file("src/CMakeLists.txt");
    ASSERT_NE(cmake, nullptr);
    Folders targets, folders;
    const std::regex form(R"(^freshet_floor\(\s*\w+\s+([a-z_/]+).*)");
    std::smatch match;
    for (const Line& line : cmake->lines)
        if (std::regex_match(line.text, match, form)) targets.insert(match[1]);
    for (const File& file : tidy::tree())
        if (file.is_cpp() && !file.floor().empty()) folders.insert(file.floor());
    for (const std::string& folder : folders) {
        EXPECT_TRUE(targets.contains(folder)) << "src/" << folder << " is no target of src/CMakeLists.txt";
        EXPECT_TRUE(floor_plan().contains(folder)) << "src/" << folder << " is not in the floor plan of this test";
    }
}

/// Every freshet_* that a floor links, by the folder it stands for.
TEST(Floors, LinkOnlyWhatThePlanLetsThemSee)
{
    const File* const cmake = tidy::find_file("src/CMakeLists.txt");
    ASSERT_NE(cmake, nullptr);
    std::string text;
    for (const Line& line : cmake->lines)
        if (!line.text.starts_with("#")) text += line.text + " ";
    const std::regex call(R"(freshet_floor\(\s*(\w+)\s+([a-z_/]+)([^)]*)\))"), target(R"(freshet_(\w+))");
    std::map<std::string, std::string> folder_of_target;
    for (auto at = std::sregex_iterator(text.begin(), text.end(), call); at != std::sregex_iterator(); ++at)
        folder_of_target[(*at)[1]] = (*at)[2];
    for (auto at = std::sregex_iterator(text.begin(), text.end(), call); at != std::sregex_iterator(); ++at) {
        const std::string folder = (*at)[2], links = (*at)[3];
        if (!floor_plan().contains(folder)) continue;
        for (auto to = std::sregex_iterator(links.begin(), links.end(), target); to != std::sregex_iterator(); ++to)
            EXPECT_TRUE(floor_plan().at(folder).contains(folder_of_target[(*to)[1]]))
                << folder << " links " << (*to)[0];
    }
}

TEST(Floors, NothingInSrcKnowsTheStandInAndTheStandInKnowsNothingOfSrc)
{
    for (const File& file : tidy::tree()) {
        if (!file.path.starts_with("examples/") || !file.is_cpp()) continue;
        for (const Line& line : file.lines) {
            const tidy::Include include = tidy::include_of(line);
            EXPECT_FALSE(!include.name.empty() && !include.angle && tidy::find_file("src/" + include.name) != nullptr)
                << place(file, line);
        }
    }
    EXPECT_THAT(findings([](const File&, const std::string& name, bool) -> std::string {
                    return name.find("examples/") == std::string::npos ? "" : "src/ knows no example";
                }),
                testing::IsEmpty());
}

} // namespace
