// SPDX-License-Identifier: Apache-2.0
#include "tree.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <regex>

namespace tidy {

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 5> left_out{".git", "build", "data", "node_modules", "dist"};
constexpr std::array<std::string_view, 19> text_endings{
    ".cpp", ".hpp",     ".txt", ".cmake", ".md",  ".toml", ".json", ".sql",  ".sh", ".yaml",
    ".yml", ".service", ".py",  ".ts",    ".mjs", ".html", ".css",  ".conf", ".vcl"};

bool is_text(const fs::path& path)
{
    const std::string name = path.filename().string();
    return std::ranges::find(text_endings, path.extension().string()) != text_endings.end() || name == "dev" ||
           name == "run";
}

File read(const fs::path& path)
{
    File file;
    file.path = path.lexically_relative(FRESHET_TREE).generic_string();
    std::ifstream in(path);
    for (std::string text; std::getline(in, text);) file.lines.push_back({file.lines.size() + 1, text});
    return file;
}

std::vector<File> read_all()
{
    std::vector<File> files;
    for (auto at = fs::recursive_directory_iterator(FRESHET_TREE); at != fs::recursive_directory_iterator(); ++at) {
        const std::string name = at->path().filename().string();
        // A build folder is one by what is in it: an own build directory below the tree may have any name.
        if (at->is_directory() &&
            (std::ranges::find(left_out, name) != left_out.end() || fs::exists(at->path() / "CMakeCache.txt")))
            at.disable_recursion_pending();
        else if (at->is_regular_file() && is_text(at->path()))
            files.push_back(read(at->path()));
    }
    std::ranges::sort(files, {}, &File::path);
    return files;
}

} // namespace

bool File::is_test() const
{
    const std::string name = path.substr(path.rfind('/') + 1);
    return path.starts_with("tests/") || name.ends_with("_test.cpp") || name.starts_with("test_") ||
           name.find("_test_") != std::string::npos;
}

std::string File::floor() const
{
    if (!path.starts_with("src/")) return {};
    const std::size_t end = path.rfind('/');
    return end <= 4 ? std::string() : path.substr(4, end - 4);
}

const std::vector<File>& tree()
{
    static const std::vector<File> files = read_all();
    return files;
}

const File* find_file(std::string_view path)
{
    const auto found = std::ranges::find(tree(), path, &File::path);
    return found == tree().end() ? nullptr : &*found;
}

Include include_of(const Line& line)
{
    static const std::regex form(R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)");
    std::smatch match;
    if (!std::regex_match(line.text, match, form)) return {};
    return {match[2], match[1] == "<"};
}

std::string place(const File& file, const Line& line)
{
    return fmt::format("{}:{}: {}", file.path, line.number, line.text);
}

} // namespace tidy
