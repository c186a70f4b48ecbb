// SPDX-License-Identifier: Apache-2.0
#include "config/load.hpp"

#include "config/reading.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <regex>

namespace freshet {

namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t file_bytes_max = 4 << 20;

// Names of the API's own actions: as a source's name they would make a path that reads two ways.
constexpr std::array<std::string_view, 5> action_words{"refresh", "versions", "diff", "held", "explain"};
constexpr std::array<std::string_view, 10> top_words{"server",   "retention", "defaults", "source", "queue",
                                                     "schedule", "tenant",    "token",    "facade", "page"};

bool good_name(std::string_view name)
{
    const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-'; };
    return !name.empty() && name.size() <= 64 && std::ranges::all_of(name, good);
}

// Calls `each(name, node, path)` for every well-named table of [what.NAME].
template <class Each>
void each_named(Reading& reading, const TomlNode& root, std::string_view what, Each&& each)
{
    const TomlEntry* all = root.find(what);
    if (all == nullptr) return;
    if (all->node.kind != TomlNode::Kind::table) {
        reading.problem(all->at, fmt::format("{} must be tables of the form [{}.NAME]", what, what),
                        fmt::format("[{}.NAME]", what));
        return;
    }
    for (const TomlEntry& entry : all->node.entries) {
        const std::string path = fmt::format("{}.{}", what, entry.name);
        reading.places[path] = entry.at;
        if (entry.node.kind != TomlNode::Kind::table) {
            reading.problem(entry.at, fmt::format("{} must be a table", path),
                            fmt::format("[{}.NAME] on a line of its own", what));
        } else if (!good_name(entry.name)) {
            reading.problem(entry.at,
                            fmt::format("\"{}\" is no name: 1 to 64 of a-z, 0-9, _ and - are taken", entry.name),
                            fmt::format("[{}.name-like_this]", what));
        } else {
            each(entry.name, entry.node, path);
        }
    }
}

// Reads every table of [[what]] into `into`.
template <class Definition>
void read_numbered(Reading& reading, const TomlNode& root, std::string_view what, const SettingTable& table,
                   std::vector<Definition>& into)
{
    const TomlEntry* all = root.find(what);
    if (all == nullptr) return;
    const bool tables = all->node.kind == TomlNode::Kind::list && std::ranges::all_of(all->node.items, [](auto& item) {
                            return item.kind == TomlNode::Kind::table;
                        });
    if (!tables)
        return reading.problem(all->at, fmt::format("{} must be tables of the form [[{}]]", what, what),
                               fmt::format("[[{}]]", what));
    for (const TomlNode& node : all->node.items) {
        const std::string path = numbered_path(what, into.size());
        reading.places[path] = node.at;
        read_settings(reading, node, table, &into.emplace_back(), path);
    }
}

void check_top(Reading& reading, const TomlNode& root)
{
    for (const TomlEntry& entry : root.entries) {
        if (std::ranges::find(top_words, entry.name) != top_words.end()) continue;
        std::string near = nearest_name(entry.name, {top_words.begin(), top_words.end()});
        if (near == "source" || near == "queue" || near == "schedule" || near == "tenant" || near == "token")
            near += ".NAME";
        reading.problem(
            entry.at,
            fmt::format("there is no table \"{}\"{}", entry.name, near.empty() ? "" : ", did you mean " + near),
            near.empty()                         ? "freshet help config"
            : near == "facade" || near == "page" ? fmt::format("[[{}]]", near)
                                                 : fmt::format("[{}]", near));
    }
}

// A table that may stand once: [server], [retention], [defaults].
void read_single(Reading& reading, const TomlNode& root, const char* name, const SettingTable& table, void* into,
                 bool defaults)
{
    const TomlEntry* entry = root.find(name);
    if (entry == nullptr) return;
    reading.places[name] = entry->at;
    if (entry->node.kind != TomlNode::Kind::table)
        reading.problem(entry->at, fmt::format("{} must be a table", name), fmt::format("[{}]", name));
    else
        read_settings(reading, entry->node, table, into, name, for_all, defaults);
}

fs::path absolute_from(const fs::path& folder, const std::string& path)
{
    const fs::path given{path};
    return (given.is_absolute() ? given : fs::absolute(folder) / given).lexically_normal();
}

void resolve(const fs::path& folder, Secret& secret)
{
    if (secret.from == Secret::From::file) secret.text = absolute_from(folder, secret.text).string();
}

// "sqlite:data.db" as written in the file; what stands in a variable is not seen here.
void resolve_database(const fs::path& folder, Secret& database)
{
    constexpr std::string_view scheme = "sqlite:";
    resolve(folder, database);
    if (database.from != Secret::From::literal || !database.text.starts_with(scheme)) return;
    const std::string path = database.text.substr(scheme.size());
    if (path.empty() || path.starts_with(":memory:") || path.starts_with("//")) return;
    database.text = std::string{scheme} + absolute_from(folder, path).string();
}

void resolve_paths(const fs::path& folder, SourceDefinition& source)
{
    for (auto& [name, secret] : source.http.headers) resolve(folder, secret);
    for (auto& [name, secret] : source.command.env) resolve(folder, secret);
    if (!source.http.ca_file.empty()) source.http.ca_file = absolute_from(folder, source.http.ca_file).string();
    if (source.kind == SourceKind::command)
        source.command.directory = absolute_from(folder, source.command.directory).string();
    resolve_database(folder, source.sql.database);
}

void warn_of_secret(Reading& reading, const std::string& path, const Secret& secret)
{
    if (secret.from == Secret::From::env && !reading.environment(secret.text))
        reading.warning(path, fmt::format("{}: the environment variable {} is not set", path, secret.text),
                        fmt::format("export {}=...", secret.text));
    std::error_code error;
    if (secret.from == Secret::From::file && !fs::exists(secret.text, error))
        reading.warning(path, fmt::format("{}: there is no file {}", path, secret.text),
                        "write it, readable by the server alone");
}

void warn_of_secrets(Reading& reading, const SourceDefinition& source, const std::string& path)
{
    for (const auto& [name, secret] : source.http.headers) warn_of_secret(reading, path + ".headers", secret);
    for (const auto& [name, secret] : source.command.env) warn_of_secret(reading, path + ".env", secret);
    if (source.kind == SourceKind::sql) warn_of_secret(reading, path + ".database", source.sql.database);
}

void read_source(Reading& reading, Definitions& into, SourceDefinition source, const std::string& name,
                 const TomlNode& node, const std::string& path)
{
    if (std::ranges::find(action_words, name) != action_words.end()) {
        reading.problem(path, fmt::format("a source must not be called {}: that is a word of the API", name),
                        fmt::format("[source.{}-data]", name));
        return;
    }
    source.name = source.queue = name;
    // The kind is read first: it decides which settings there are.
    const TomlEntry* kind = node.find("kind");
    const auto& kinds = source_table().find("kind")->choices;
    const auto known = kind == nullptr ? kinds.end() : std::ranges::find(kinds, std::string_view{kind->node.text});
    const std::size_t before = reading.problems.size();
    read_settings(reading, node, source_table(), &source, path,
                  known == kinds.end() ? for_all : bit_of(static_cast<SourceKind>(known - kinds.begin())), false);
    if (known == kinds.end()) {
        // Without a kind only that is wrong; what each kind needs would be noise.
        const auto noise = [&](const ConfigProblem& problem) {
            return problem.message.starts_with(path + " needs ") && problem.message != path + " needs kind";
        };
        const auto first = reading.problems.begin() + static_cast<std::ptrdiff_t>(before);
        reading.problems.erase(std::remove_if(first, reading.problems.end(), noise), reading.problems.end());
        return;
    }
    if (source.kind == SourceKind::worker && source.queue.empty()) source.queue = name;
    // What the settings say together is judged only where each of them could be read.
    if (reading.problems.size() == before) check_source(reading, source, path);
    source.hash = definition_hash(source);
    resolve_paths(reading.folder, source);
    warn_of_secrets(reading, source, path);
    into.sources.emplace(name, std::make_shared<const SourceDefinition>(std::move(source)));
}

void read_token(Reading& reading, Definitions& into, const std::string& name, const TomlNode& node,
                const std::string& path)
{
    static const std::regex shape{"sha256:[0-9a-f]{64}"};
    TokenDefinition token;
    token.name = name;
    read_settings(reading, node, token_table(), &token, path);
    if (!token.sha256.empty() && !std::regex_match(token.sha256, shape))
        reading.problem(path + ".hash", path + ".hash must be sha256: and 64 lower-case hex digits",
                        "printf %s TOKEN | sha256sum");
    token.sha256.erase(0, std::string_view{"sha256:"}.size());
    into.tokens.emplace(name, std::move(token));
}

Definitions read_all(Reading& reading, const TomlNode& root, FacadeSet& facades)
{
    Definitions definitions;
    check_top(reading, root);
    read_single(reading, root, "server", server_table(), &definitions.server, false);
    read_single(reading, root, "retention", retention_table(), &definitions.retention, false);
    SourceDefinition defaults;
    read_single(reading, root, "defaults", source_table(), &defaults, true);
    each_named(reading, root, "source", [&](const std::string& name, const TomlNode& node, const std::string& path) {
        read_source(reading, definitions, defaults, name, node, path);
    });
    each_named(reading, root, "queue", [&](const std::string& name, const TomlNode& node, const std::string& path) {
        QueueDefinition queue;
        queue.name = name;
        read_settings(reading, node, queue_table(), &queue, path);
        definitions.queues.emplace(name, std::move(queue));
    });
    each_named(reading, root, "schedule", [&](const std::string& name, const TomlNode& node, const std::string& path) {
        TaskSchedule schedule;
        schedule.name = name;
        read_settings(reading, node, task_schedule_table(), &schedule, path);
        definitions.schedules.emplace(name, std::move(schedule));
    });
    each_named(reading, root, "tenant", [&](const std::string& name, const TomlNode& node, const std::string& path) {
        TenantDefinition tenant;
        tenant.name = name;
        read_settings(reading, node, tenant_table(), &tenant, path);
        definitions.tenants.emplace(name, std::move(tenant));
    });
    each_named(reading, root, "token", [&](const std::string& name, const TomlNode& node, const std::string& path) {
        read_token(reading, definitions, name, node, path);
    });
    read_numbered(reading, root, "facade", facade_table(), facades.facades);
    read_numbered(reading, root, "page", page_table(), facades.pages);
    return definitions;
}

std::string read_file(const fs::path& file, std::string& error)
{
    std::error_code code;
    const auto size = fs::file_size(file, code);
    if (code)
        error = code.message();
    else if (size > file_bytes_max)
        error = "it is larger than 4 MiB";
    std::ifstream in{file, std::ios::binary};
    std::string text;
    if (error.empty() && !in) error = "it cannot be opened";
    if (error.empty()) text.assign(std::istreambuf_iterator<char>{in}, {});
    if (error.empty() && in.bad()) error = "it cannot be read";
    return text;
}

ConfigProblem unreadable(const std::string& error)
{
    return {0, 0, fmt::format("the config file cannot be read: {}", error), "freshet init"};
}

} // namespace

Environment process_environment()
{
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>{value};
    };
}

ConfigPlace Reading::place(std::string_view path) const
{
    for (;;) {
        if (const auto found = places.find(path); found != places.end()) return found->second;
        const auto dot = path.rfind('.');
        if (dot == std::string_view::npos) return {};
        path = path.substr(0, dot);
    }
}

void Reading::problem(ConfigPlace at, std::string message, std::string try_)
{
    problems.push_back({at.line, at.column, std::move(message), std::move(try_)});
}

void Reading::warning(std::string_view path, std::string message, std::string try_)
{
    const ConfigPlace at = place(path);
    warnings.push_back({at.line, at.column, std::move(message), std::move(try_)});
}

ConfigResult parse_config(std::string_view text, const fs::path& folder, const Environment& environment,
                          const ConfigChecks& checks)
{
    auto root = parse_toml(text);
    if (!root) return std::unexpected(std::vector{std::move(root.error())});
    Reading reading{environment, folder.empty() ? fs::path{"."} : folder, {}, {}, {}, checks};
    FacadeSet facades;
    Definitions definitions = read_all(reading, *root, facades);
    check_definitions(reading, definitions, facades.facades.empty() && facades.pages.empty());
    check_facades(reading, definitions, facades);
    const auto by_place = [](const ConfigProblem& problem) { return std::pair{problem.line, problem.column}; };
    std::ranges::stable_sort(reading.problems, {}, by_place);
    std::ranges::stable_sort(reading.warnings, {}, by_place);
    if (!reading.problems.empty()) return std::unexpected(std::move(reading.problems));
    definitions.server.data_dir = absolute_from(reading.folder, definitions.server.data_dir).string();
    for (PageDefinition& page : facades.pages) page.dir = absolute_from(reading.folder, page.dir).string();
    return LoadedConfig{std::make_shared<const Definitions>(std::move(definitions)),
                        std::make_shared<const FacadeSet>(std::move(facades)), std::move(reading.warnings)};
}

ConfigResult load_config(const fs::path& file, const Environment& environment, const ConfigChecks& checks)
{
    std::string error;
    const std::string text = read_file(file, error);
    if (!error.empty()) return std::unexpected(std::vector{unreadable(error)});
    return parse_config(text, file.parent_path(), environment, checks);
}

std::expected<ServerDefinition, std::vector<ConfigProblem>> load_server(const fs::path& file)
{
    std::string error;
    const std::string text = read_file(file, error);
    if (!error.empty()) return std::unexpected(std::vector{unreadable(error)});
    auto root = parse_toml(text);
    if (!root) return std::unexpected(std::vector{std::move(root.error())});
    const Environment environment = process_environment();
    const ConfigChecks unasked;
    Reading reading{environment, file.parent_path().empty() ? fs::path{"."} : file.parent_path(), {}, {}, {}, unasked};
    ServerDefinition server;
    read_single(reading, *root, "server", server_table(), &server, false);
    if (!reading.problems.empty()) return std::unexpected(std::move(reading.problems));
    server.data_dir = absolute_from(reading.folder, server.data_dir).string();
    return server;
}

std::expected<std::string, std::string> read_secret(const Secret& secret, const Environment& environment)
{
    if (secret.from == Secret::From::literal) return secret.text;
    if (secret.from == Secret::From::env) {
        if (auto value = environment(secret.text)) return std::move(*value);
        return std::unexpected(fmt::format("the environment variable {} is not set", secret.text));
    }
    std::string error, text = read_file(secret.text, error);
    if (!error.empty()) return std::unexpected(fmt::format("the file {} cannot be read: {}", secret.text, error));
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

} // namespace freshet
