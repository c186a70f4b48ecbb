// SPDX-License-Identifier: Apache-2.0
#include "cli/doctor.hpp"

#include "cli/commands.hpp"
#include "cli/words.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fstream>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace freshet::cli {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t free_bytes_fail = 128LL << 20, free_bytes_warn = 1LL << 30;

std::string_view grade_word(Grade grade)
{
    switch (grade) {
    case Grade::fail: return "FAIL";
    case Grade::warn: return "WARN";
    case Grade::ok: return "ok";
    }
    return "";
}

void add(Findings& findings, Grade grade, std::string what, std::string try_ = {})
{
    findings.push_back({grade, std::move(what), std::move(try_)});
}

// The nearest folder above that exists: where a data_dir that is not there yet would be made.
fs::path existing_above(fs::path folder)
{
    std::error_code error;
    while (!folder.empty() && !fs::exists(folder, error) && folder != folder.parent_path())
        folder = folder.parent_path();
    return folder.empty() ? fs::path{"."} : folder;
}

void check_space(Findings& findings, const fs::path& folder)
{
    struct statvfs disk{};
    if (statvfs(folder.c_str(), &disk) != 0) return;
    const auto free = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
    const std::string words = fmt::format("{} MiB are free on the disk of {}", free >> 20, folder.string());
    if (free < free_bytes_fail)
        add(findings, Grade::fail, words + ": writes will be refused", "free some space, or another server.data_dir");
    else if (free < free_bytes_warn)
        add(findings, Grade::warn, words, "free some space");
    else if (disk.f_files > 0 && disk.f_favail < 1000)
        add(findings, Grade::warn,
            fmt::format("the disk of {} has only {} inodes left", folder.string(), disk.f_favail),
            "remove small files");
    else
        add(findings, Grade::ok, "disk space");
}

} // namespace

void check_config(Findings& findings, const CliContext& context, const fs::path& config)
{
    if (config.empty()) {
        add(findings, Grade::warn, "there is no ./freshet.toml", "freshet init");
        return;
    }
    const auto loaded = load_config(config, context.environment);
    const auto& problems = loaded ? loaded->warnings : loaded.error();
    for (const ConfigProblem& problem : problems) {
        std::string line = to_line({problem.line, problem.column, problem.message, {}}, config.string());
        line.pop_back(); // its full stop; the finding ends with its own
        add(findings, loaded ? Grade::warn : Grade::fail, line, problem.try_);
    }
    if (loaded) {
        add(findings, Grade::ok, "config");
        check_upstreams(findings, context, *loaded->definitions);
    }
}

void check_data_dir(Findings& findings, const fs::path& data_dir, const std::string& config_file)
{
    std::error_code error;
    const bool there = fs::exists(data_dir, error);
    const fs::path place = there ? data_dir : existing_above(data_dir);
    if (there && !fs::is_directory(data_dir, error)) {
        add(findings, Grade::fail, fmt::format("data_dir {} is no folder", data_dir.string()),
            "another server.data_dir in " + config_file);
        return;
    }
    if (access(place.c_str(), W_OK | X_OK) != 0) {
        add(findings, Grade::fail, fmt::format("data_dir {} cannot be written by this user", data_dir.string()),
            fmt::format("chown or chmod {}", place.string()));
        return;
    }
    const fs::path token = data_dir / "cli-token";
    const auto rights = fs::status(token, error).permissions();
    if (fs::exists(token, error) && (rights & (fs::perms::group_all | fs::perms::others_all)) != fs::perms::none)
        add(findings, Grade::warn, fmt::format("{} can be read by others", token.string()),
            fmt::format("chmod 600 {}", token.string()));
    add(findings, Grade::ok, there ? "storage" : "storage (made at the first start)");
    check_space(findings, place);
}

namespace {

// A component as text, as truth, or as an object with a state and perhaps words.
void check_component(Findings& findings, const std::string& name, const Json& component)
{
    constexpr std::array<std::string_view, 5> good{"ok", "ready", "up", "healthy", "pass"};
    std::string state = component.text(), message = component["text"].text();
    for (const char* field : {"state", "status"})
        if (state.empty()) state = component[field].text();
    for (const char* field : {"message", "reason"})
        if (message.empty()) message = component[field].text();
    const bool well = component.yes() || component["ready"].yes() || component["ok"].yes() ||
                      std::ranges::find(good, std::string_view{state}) != good.end();
    if (well) return;
    if (message.empty()) message = state.empty() ? "not ready" : state;
    while (message.ends_with('.')) message.pop_back();
    add(findings, Grade::fail, fmt::format("component {}: {}", name, message), "the server's log");
}

} // namespace

int check_components(Findings& findings, const Json& ready)
{
    const Json& components = ready["components"];
    for (const auto& [name, component] : components.members()) check_component(findings, name, component);
    for (const Json& component : components.items()) check_component(findings, component["name"].text(), component);
    return static_cast<int>(components.members().size() + components.items().size());
}

namespace {

// Whose it is, where there is more than one it could be.
std::string of_tenant(const Json& row)
{
    const std::string& tenant = row["tenant"].text();
    return tenant.empty() || tenant == "default" ? std::string{} : " of " + tenant;
}

} // namespace

void check_sources(Findings& findings, const Json& freshness)
{
    const auto now = from_rfc3339(freshness["now"].text());
    int well = 0;
    for (const Json& row : freshness["items"].items()) {
        const std::string& state = row["state"].text();
        const std::string key = row["key"].text(), name = key + of_tenant(row);
        const bool failed = row["error"].kind() == Json::Kind::object;
        // The error is of an earlier try where the last result was held.
        std::string reason = row["last"]["outcome"].text() == "held" ? "" : row["error"]["message"].text();
        if (reason.empty()) reason = row["why"]["text"].text();
        const std::string words = fmt::format("source {}: {}{}{}", name, state, reason.empty() ? "" : ", ", reason);
        const std::string refresh = fmt::format("freshet refresh {} --wait 30s", key);
        // What refreshes by itself is to be fresh all the time: nobody has to look.
        const auto since = from_rfc3339(row["stale_at"].text());
        const bool left_stale = state == "stale" && !row["next_at"].null() && !row["refreshing"].yes() && now &&
                                since && *now - *since > 1min;
        if (state == "failing" || (state == "empty" && failed))
            add(findings, Grade::fail, words,
                row["last"]["job"].text().empty() ? refresh
                                                  : fmt::format("freshet jobs show {}", row["last"]["job"].text()));
        else if (row["held"].yes() || row["held"].kind() == Json::Kind::object)
            add(findings, Grade::warn, fmt::format("source {}: a result is held for a person to decide", name),
                fmt::format("freshet get {} --meta", key));
        else if (row["paused"].yes())
            add(findings, Grade::warn, fmt::format("source {} is paused", name), "resume it");
        else if (state == "overdue")
            add(findings, Grade::warn, words, refresh);
        else if (left_stale)
            add(findings, Grade::warn,
                fmt::format("source {}: stale for {}, though it refreshes by itself", name,
                            length_words(*now - *since)),
                refresh);
        else
            ++well;
    }
    if (well > 0) add(findings, Grade::ok, plural(well, "key", "keys"));
    if (!freshness["next"].null()) add(findings, Grade::ok, "the first 500 keys looked at");
}

std::string findings_words(const Findings& findings, bool color)
{
    std::string out, well;
    for (const Grade grade : {Grade::fail, Grade::warn}) {
        for (const Finding& finding : findings) {
            if (finding.grade != grade) continue;
            out +=
                paint(grade_word(grade), grade == Grade::fail ? "31" : "33", color) + "  " + safe(finding.what) + ".";
            if (!finding.try_.empty()) out += "   try: " + safe(finding.try_);
            out += '\n';
        }
    }
    for (const Finding& finding : findings)
        if (finding.grade == Grade::ok) well += (well.empty() ? "" : ", ") + safe(finding.what);
    if (!well.empty()) out += paint("ok", "32", color) + "    " + well + '\n';
    return out;
}

std::string findings_json(const Findings& findings)
{
    rapidjson::StringBuffer buffer;
    rapidjson::Writer writer{buffer};
    const auto text = [&](const char* name, std::string_view value) {
        writer.Key(name);
        writer.String(value.data(), static_cast<rapidjson::SizeType>(value.size()));
    };
    writer.StartArray();
    for (const Finding& finding : findings) {
        writer.StartObject();
        text("grade", grade_word(finding.grade));
        text("what", finding.what);
        if (!finding.try_.empty()) text("try", finding.try_);
        writer.EndObject();
    }
    writer.EndArray();
    return buffer.GetString();
}

int run_doctor(CliContext& context, const CommonOptions& options)
{
    const InterruptGuard guard{context};
    Findings findings;
    const auto target = find_target(context, options.config, options.tenant);
    if (target) {
        if (target->local) {
            check_config(findings, context, target->config);
            check_data_dir(findings, target->server->data_dir,
                           target->config.empty() ? "freshet.toml" : target->config.string());
        }
        HttpClient client{context, *target};
        check_server(findings, context, client);
    } else {
        add(findings, Grade::fail, target.error().what, target.error().try_);
    }
    if (context.stopped()) return exit_interrupted;
    context.out << (options.json ? findings_json(findings) + "\n" : findings_words(findings, context.color))
                << std::flush;
    return std::ranges::any_of(findings, [](const Finding& finding) { return finding.grade == Grade::fail; })
               ? exit_failed
               : exit_done;
}

} // namespace freshet::cli
