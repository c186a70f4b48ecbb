// SPDX-License-Identifier: Apache-2.0
#include "facade/page_files.hpp"

#include "base/hash.hpp"
#include "http/codings.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "model/key.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <utility>

namespace freshet::facade {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t file_bytes_max = 64 << 20;
/// What is longer goes out as it is: to code it at every change would cost more than it saves.
constexpr std::size_t coded_bytes_max = 4 << 20;

struct Kind {
    std::string_view extension, type;
    bool codes = true; ///< false: it is compressed by its nature
};
constexpr std::array<Kind, 20> kinds{{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png", false},
    {".jpg", "image/jpeg", false},
    {".jpeg", "image/jpeg", false},
    {".gif", "image/gif", false},
    {".webp", "image/webp", false},
    {".avif", "image/avif", false},
    {".ico", "image/x-icon"},
    {".txt", "text/plain; charset=utf-8"},
    {".woff", "font/woff", false},
    {".woff2", "font/woff2", false},
    {".wasm", "application/wasm"},
    {".xml", "application/xml"},
}};

constexpr Kind unknown{"", "application/octet-stream", false};

const Kind& kind_of(std::string_view name)
{
    const auto dot = name.rfind('.');
    const std::string_view extension = dot == std::string_view::npos ? std::string_view{} : name.substr(dot);
    const auto* kind = std::ranges::find(kinds, extension, &Kind::extension);
    return kind == kinds.end() ? unknown : *kind;
}

struct FileBytes {
    bool found = false;
    std::string bytes, tag;
};

// Links are followed first, so that one that leads out of the folder is seen.
FileBytes read_file(const std::string& dir, const std::string& name)
{
    FileBytes file;
    std::error_code error;
    const fs::path folder = fs::canonical(dir, error);
    if (error) return file;
    const fs::path path = fs::canonical(folder / name, error);
    if (error || std::ranges::mismatch(folder, path).in1 != folder.end()) return file;
    if (!fs::is_regular_file(path, error) || fs::file_size(path, error) > file_bytes_max || error) return file;
    std::ifstream in{path, std::ios::binary};
    file.bytes.assign(std::istreambuf_iterator<char>{in}, {});
    file.found = in.good() || in.eof();
    file.tag = fmt::format("\"{}\"", to_hex(hash128(file.bytes)));
    return file;
}

Problem nothing_at(std::string_view path)
{
    return http::make_problem(404, "not_found", "No such path",
                              fmt::format("There is nothing at {}.", path.substr(0, 300)), "Look at the address.");
}

// The same bytes are coded once, for whoever comes next, too.
std::shared_ptr<const Body> kept_body(CoreState& state, const http::Core& core, FileBytes& file)
{
    auto body = state.files.find(file.tag, SteadyTime::min());
    if (body) return body;
    auto made = std::make_shared<Body>();
    made->bytes = std::move(file.bytes);
    // Twice its size: with the coding that most readers take.
    state.files.made(file.tag, made, 2 * made->bytes.size(), core.steady());
    return made;
}

void respond_file(http::Core& core, const http::ExchangePtr& exchange, CoreState& state, FileBytes file,
                  std::string_view name, const PageRow& page, bool is_index)
{
    http::HttpResponse response;
    const std::string_view cache = is_index                      ? "no-store, no-cache, must-revalidate"
                                   : is_hashed_name(name)        ? "public, max-age=31536000, immutable"
                                   : page.def.access == "public" ? "public, no-cache"
                                                                 : "private, no-cache";
    const Kind& kind = kind_of(name);
    const bool codes = kind.codes && file.bytes.size() >= http::coded_bytes_min && file.bytes.size() <= coded_bytes_max;
    response.headers.emplace_back("Cache-Control", cache);
    response.headers.emplace_back("Content-Security-Policy", page.policy);
    if (codes) response.headers.emplace_back("Vary", "Accept-Encoding");
    if (!is_index && http::matches_tag(exchange->request().header("if-none-match"), file.tag)) {
        response.status = 304;
        response.headers.emplace_back("ETag", file.tag);
        return exchange->respond(std::move(response));
    }
    response.content_type = kind.type;
    const http::AcceptedCodings accepted =
        codes ? http::accepted_codings(exchange->request().header("accept-encoding")) : http::AcceptedCodings{};
    std::string tag = is_index ? std::string{} : file.tag;
    if (accepted.count == 0) {
        if (!tag.empty()) response.headers.emplace_back("ETag", std::move(tag));
        response.body = std::move(file.bytes);
        return exchange->respond(std::move(response));
    }
    const auto body = kept_body(state, core, file);
    auto finish = [exchange, response = std::move(response), body, tag = std::move(tag), accepted]() mutable {
        const http::Choice choice = http::choose_coding(*body, accepted);
        if (choice.bytes) {
            if (!tag.empty()) tag.insert(tag.size() - 1, fmt::format("-{}", http::coding_word(choice.serve)));
            response.headers.emplace_back("Content-Encoding", http::coding_word(choice.serve));
        }
        if (!tag.empty()) response.headers.emplace_back("ETag", std::move(tag));
        response.shared_body = choice.bytes ? choice.bytes : std::shared_ptr<const std::string>{body, &body->bytes};
        exchange->respond(std::move(response));
    };
    const http::Coding make = http::choose_coding(*body, accepted).make;
    if (!http::begin_coding(*body, make)) return finish();
    core.off_loop([body, make](Reads&) { http::make_coding(*body, make); },
                  [finish](const std::exception_ptr&) mutable { finish(); });
}

} // namespace

// The first of `pages` that has the file.
void send_file(http::Core& core, const http::ExchangePtr& exchange, const std::shared_ptr<CoreState>& state,
               const PageRows& pages, const std::vector<std::string>& names, bool is_index)
{
    struct Found {
        FileBytes file;
        std::size_t page = 0;
    };
    const auto found = std::make_shared<Found>();
    core.off_loop(
        [found, pages, names](Reads&) {
            for (std::size_t i = 0; i < pages.size() && !found->file.found; ++i) {
                found->file = read_file(pages[i]->def.dir, names[i]);
                found->page = i;
            }
        },
        [&core, exchange, state, found, pages, names, is_index](std::exception_ptr error) {
            if (error) return exchange->fail(http::store_problem());
            if (!found->file.found) return exchange->fail(nothing_at(exchange->request().path));
            respond_file(core, exchange, *state, std::move(found->file), names[found->page], *pages[found->page],
                         is_index);
        });
}

bool is_hashed_name(std::string_view name)
{
    name = name.substr(name.rfind('/') + 1);
    const auto dot = name.rfind('.');
    if (dot == std::string_view::npos) return false;
    const std::string_view stem = name.substr(0, dot);
    // Vite writes "index-DiwrgTda.js", others "index.3f9c1a20.js". A hash of Vite may hold '-' and '_' itself.
    const auto mark = stem.find_last_of(".-", stem.size() < 8 ? 0 : stem.size() - 8);
    if (mark == std::string_view::npos) return false;
    const std::string_view hash = stem.substr(mark + 1);
    if (hash.size() < 8 || hash.size() > 64) return false;
    bool digit = false, upper = false, lower = false;
    for (const char c : hash) {
        digit |= c >= '0' && c <= '9';
        upper |= c >= 'A' && c <= 'Z';
        lower |= c >= 'a' && c <= 'z';
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'))
            return false;
    }
    // A word is no hash ("my-dashboard.js"), nor is a date ("report-20261126.json").
    return (digit && (upper || lower)) || (upper && lower);
}

std::optional<std::string> safe_path(std::string_view below)
{
    std::string path;
    while (!below.empty()) {
        const auto slash = below.find('/');
        const auto segment = percent_decode(below.substr(0, slash));
        below.remove_prefix(slash == std::string_view::npos ? below.size() : slash + 1);
        if (!segment || segment->empty() || segment->starts_with('.') ||
            segment->find_first_of(std::string_view{"/\\\0", 3}) != std::string::npos)
            return std::nullopt;
        if (!path.empty()) path += '/';
        path += *segment;
    }
    return path.empty() ? std::nullopt : std::optional{path};
}

} // namespace freshet::facade
