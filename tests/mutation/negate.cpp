// SPDX-License-Identifier: Apache-2.0
// freshet-negate FIRST OUT LIST FILE...: copies sources with every condition made negatable.
//
// Each condition of an if, a while or a for gets a number and becomes negated(number, condition); the number in the
// environment variable FRESHET_NEGATE turns that one round while the program runs. So all mutants are compiled once.
// Conditions of `if constexpr` and of ?: stay as they are. LIST gets one line per condition: number, file, line, text.
// It reads text, not C++: what it cannot place is left alone, and the compiler has the last word.
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

/// Where a literal or comment that begins at `at` ends; `at` itself if none begins there.
std::size_t skip_opaque(std::string_view text, std::size_t at)
{
    const auto until = [&](std::string_view end, std::size_t from) {
        const auto found = text.find(end, from);
        return found == std::string_view::npos ? text.size() : found + end.size();
    };
    if (text.substr(at, 2) == "//") return until("\n", at);
    if (text.substr(at, 2) == "/*") return until("*/", at + 2);
    if (text.substr(at, 2) == "R\"") {
        const auto open = text.find('(', at);
        const std::string end = fmt::format("){}\"", text.substr(at + 2, open - at - 2));
        return until(end, open);
    }
    const bool digit_separator = text[at] == '\'' && at > 0 && std::isalnum(static_cast<unsigned char>(text[at - 1]));
    if (text[at] == '"' || (text[at] == '\'' && !digit_separator)) {
        for (std::size_t i = at + 1; i < text.size(); ++i) {
            if (text[i] == '\\')
                ++i;
            else if (text[i] == text[at])
                return i + 1;
        }
    }
    return at;
}

/// The place behind the bracket that closes the one at `open`, and the semicolons between that lie in no deeper one.
struct Parens {
    std::size_t end = 0;
    std::vector<std::size_t> semicolons;
};
std::optional<Parens> match(std::string_view text, std::size_t open)
{
    Parens parens;
    int depth = 0;
    for (std::size_t i = open; i < text.size(); ++i) {
        if (const std::size_t behind = skip_opaque(text, i); behind != i) {
            i = behind - 1;
            continue;
        }
        const char c = text[i];
        if (c == '(' || c == '[' || c == '{') ++depth;
        if (c == ')' || c == ']' || c == '}') {
            if (--depth == 0) {
                parens.end = i + 1;
                return parens;
            }
        }
        if (c == ';' && depth == 1) parens.semicolons.push_back(i);
    }
    return std::nullopt;
}

std::string one_line(std::string_view text)
{
    return std::regex_replace(std::string{text}, std::regex{"\\s+"}, " ");
}

std::string trimmed(std::string text)
{
    return std::regex_replace(text, std::regex{"^ +| +$"}, "");
}

/// The condition made negatable; nullopt where it is none that could be.
std::optional<std::string> negatable(int number, const std::string& condition, bool of_if)
{
    static const std::regex declares{R"(^\s*(?:const\s+)?[\w:<>,\s]+[*&]?\s+[*&]?(\w+)\s*=[^=][\s\S]*$)"};
    if (trimmed(one_line(condition)).empty()) return std::nullopt;
    std::smatch found;
    const bool declared = std::regex_match(condition, found, declares);
    if (declared && !of_if) return std::nullopt; // only an if may declare first and ask then
    if (declared)
        return fmt::format("{}; freshet::mutation::negated({}, static_cast<bool>({}))", condition, number,
                           found[1].str());
    return fmt::format("freshet::mutation::negated({}, static_cast<bool>({}))", number, condition);
}

bool is_word(char c)
{
    return std::isalnum(static_cast<unsigned char>(c)) || c == '_';
}

class Rewriter {
public:
    Rewriter(int first, std::ofstream& list) : number_{first}, list_{list} {}

    std::string rewrite(const std::string& text, const std::string& file)
    {
        std::string out = "#include \"mutation/negated.hpp\"\n#line 1\n";
        std::size_t done = 0;
        for (std::size_t i = 0; i < text.size(); ++i) {
            if (const std::size_t behind = skip_opaque(text, i); behind != i) {
                i = behind - 1;
                continue;
            }
            if (i > 0 && is_word(text[i - 1])) continue;
            for (const std::string_view word : {"if (", "while (", "for ("}) {
                if (text.compare(i, word.size(), word) != 0) continue;
                const std::size_t open = i + word.size() - 1;
                const auto parens = match(text, open);
                if (!parens) continue;
                std::size_t begin = open + 1, end = parens->end - 1;
                if (word == "for (") {
                    if (parens->semicolons.size() != 2) break; // over a range
                    begin = parens->semicolons[0] + 1;
                    end = parens->semicolons[1];
                } else if (!parens->semicolons.empty()) {
                    begin = parens->semicolons.back() + 1;
                }
                const std::string condition = text.substr(begin, end - begin);
                if (const auto changed = negatable(number_, condition, word == "if (")) {
                    out.append(text, done, begin - done);
                    out += ' ' + *changed;
                    done = end;
                    const auto line =
                        std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(begin), '\n') + 1;
                    list_ << fmt::format("{}\t{}\t{}\t{}\n", number_++, file, line, trimmed(one_line(condition)));
                }
                i = end - 1; // conditions of lambdas inside are left alone
                break;
            }
        }
        out.append(text, done);
        return out;
    }

private:
    int number_;
    std::ofstream& list_;
};

} // namespace

int main(int argc, char** argv)
{
    if (argc < 5) {
        fmt::print(stderr, "usage: freshet-negate FIRST OUT LIST FILE...\n");
        return 2;
    }
    std::filesystem::create_directories(argv[2]);
    std::ofstream list{argv[3]};
    Rewriter rewriter{std::stoi(argv[1]), list};
    for (int i = 4; i < argc; ++i) {
        const std::filesystem::path path{argv[i]};
        std::ifstream in{path};
        const std::string text{std::istreambuf_iterator<char>{in}, {}};
        std::ofstream{std::filesystem::path{argv[2]} / path.filename()} << rewriter.rewrite(
            text, fmt::format("{}/{}", path.parent_path().filename().string(), path.filename().string()));
    }
}
