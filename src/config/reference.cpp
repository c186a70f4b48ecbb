// SPDX-License-Identifier: Apache-2.0
#include "config/reference.hpp"

#include "config/settings.hpp"

#include <fmt/format.h>
#include <functional>

namespace freshet {

namespace {

// A table with the struct that holds its defaults, and how the file opens it.
struct Section {
    const SettingTable& table;
    void* fresh;
    std::string_view opening;
};

void each_section(const std::function<void(const Section&)>& each)
{
    ServerDefinition server;
    RetentionLimits retention;
    SourceDefinition source;
    QueueDefinition queue;
    TaskSchedule schedule;
    TenantDefinition tenant;
    TokenDefinition token;
    FacadeDefinition facade;
    PageDefinition page;
    each({server_table(), &server, "[server]"});
    each({retention_table(), &retention, "[retention]"});
    each({source_table(), &source, "[source.NAME]"});
    each({queue_table(), &queue, "[queue.NAME]"});
    each({task_schedule_table(), &schedule, "[schedule.NAME]"});
    each({tenant_table(), &tenant, "[tenant.NAME]"});
    each({token_table(), &token, "[token.NAME]"});
    each({facade_table(), &facade, "[[facade]]"});
    each({page_table(), &page, "[[page]]"});
}

std::string_view type_name(const Setting& setting)
{
    switch (setting.type) {
    case SettingType::text: return "text";
    case SettingType::choice: return "word";
    case SettingType::yes_no: return "true or false";
    case SettingType::count: return "number";
    case SettingType::duration: return "duration";
    case SettingType::size: return "size";
    case SettingType::rate: return "rate";
    case SettingType::share: return "percentage";
    case SettingType::secret: return "text or secret";
    case SettingType::text_list: return "list of texts";
    case SettingType::text_table: return "table of texts";
    case SettingType::secret_table: return "table of texts or secrets";
    case SettingType::params: return "table of lists or patterns";
    case SettingType::json: return "value or JSON text";
    case SettingType::jq: return "jq";
    case SettingType::table: return "table";
    }
    return "";
}

std::string choices_text(const Setting& setting, std::string_view between)
{
    std::string text;
    for (const std::string_view choice : setting.choices)
        text += fmt::format("{}{}", text.empty() ? "" : between, choice);
    return text;
}

std::string kinds_text(const Setting& setting)
{
    if (setting.kinds == for_all) return "";
    std::string text;
    const auto& kinds = source_table().find("kind")->choices;
    for (unsigned i = 0; i < kinds.size(); ++i)
        if (setting.kinds >> i & 1U) text += fmt::format("{}{}", text.empty() ? "" : ", ", kinds[i]);
    return text;
}

// "word: GET, POST", "duration, 1s to 10m": what may be written.
std::string takes_text(const Setting& setting)
{
    std::string text{type_name(setting)};
    if (!setting.choices.empty()) text += ": " + choices_text(setting, ", ");
    if (const std::string bounds = bounds_text(setting); !bounds.empty()) text += ", " + bounds;
    return text;
}

std::string marks_text(const Setting& setting)
{
    std::string text;
    const auto add = [&](bool holds, std::string_view words) {
        if (holds) text += fmt::format("{}{}", text.empty() ? "" : "; ", words);
    };
    add(setting.required, "required");
    add(setting.in_defaults, "may stand in [defaults]");
    add(setting.shapes, "a change makes kept data stale");
    return text;
}

void add_help(std::string& out, const Setting& setting, void* fresh, const std::string& path)
{
    const std::string given = default_text(setting, fresh);
    out += fmt::format("  {}  ({}{}{})\n", path, takes_text(setting), given.empty() ? "" : ", default ", given);
    out += fmt::format("      {}\n", setting.text);
    const std::string kinds = kinds_text(setting), marks = marks_text(setting);
    if (!kinds.empty()) out += fmt::format("      For kind {}.\n", kinds);
    if (!marks.empty()) out += fmt::format("      {}.\n", marks);
}

void add_help(std::string& out, const SettingTable& table, void* fresh, const std::string& path, std::string_view topic)
{
    for (const Setting& setting : table.settings) {
        const std::string name = path.empty() ? std::string{setting.name} : fmt::format("{}.{}", path, setting.name);
        const bool asked = topic.empty() || topic == setting.name || topic == name ||
                           topic == fmt::format("{}.{}", table.name, setting.name);
        if (asked) add_help(out, setting, fresh, name);
        if (setting.type == SettingType::table)
            add_help(out, *setting.inside, setting.access.part(fresh), name, asked ? "" : topic);
    }
}

std::string cell(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void add_rows(std::string& out, const SettingTable& table, void* fresh, const std::string& prefix)
{
    for (const Setting& setting : table.settings) {
        const std::string given = default_text(setting, fresh);
        std::string text{setting.text};
        if (const std::string kinds = kinds_text(setting); !kinds.empty()) text += " Kind: " + kinds + ".";
        if (setting.shapes) text += " ◆";
        const std::string shown = setting.required                ? "required"
                                  : given.empty()                 ? ""
                                  : setting.default_words.empty() ? "`" + given + "`"
                                                                  : given;
        out += fmt::format("| `{}{}`{} | {} | {} | {} |\n", prefix, setting.name, setting.in_defaults ? " ◇" : "",
                           cell(takes_text(setting)), cell(shown), cell(text));
        if (setting.type == SettingType::table)
            add_rows(out, *setting.inside, setting.access.part(fresh), fmt::format("{}{}.", prefix, setting.name));
    }
}

} // namespace

std::string config_help(std::string_view topic)
{
    std::string out;
    each_section([&](const Section& section) {
        std::string rows;
        const bool whole = topic.empty() || topic == section.table.name || topic == "config";
        add_help(rows, section.table, section.fresh, "",
                 whole ? ""
                 : topic.starts_with(fmt::format("{}.", section.table.name))
                     ? topic.substr(section.table.name.size() + 1)
                     : topic);
        if (!rows.empty())
            out += fmt::format("{}{}\n  {}\n\n{}", out.empty() ? "" : "\n", section.opening, section.table.text, rows);
    });
    return out;
}

std::string config_reference()
{
    std::string out = R"(# Config reference

This page is printed from the tables in `src/config/tables.cpp`; a test keeps it current
(`FRESHET_WRITE_DOCS=1 freshet_config_test` writes it anew). `freshet help config [SETTING]` shows the same on a terminal.

The file is TOML, `./freshet.toml` unless `--config FILE` says otherwise. A setting that does not exist is refused, with its
line and column. Saving the file reloads it; a file with a mistake in it leaves the old settings running.

- **duration**: `"250ms"`, `"30s"`, `"5m"`, `"1h30m"`, `"7d"`. **size**: `"64KiB"`, `"8MiB"`, `"2GiB"` (1024) or `"8MB"` (1000).
  **rate**: `"6/min"`, `"40/s"`, `"100/h"`, `"10/30s"`, or `"none"`. **percentage**: `"50%"`.
- **secret**: `{ env = "NAME" }` takes it from the server's environment, `{ file = "PATH" }` from a file, each time it is used.
- **{param}** in a template is replaced by the value of a declared parameter.
- Relative paths start at the config file's folder.
- ◇ may stand in `[defaults]`, for every source. ◆ shapes the data: a change makes what is kept stale, and it is fetched anew.
)";
    each_section([&](const Section& section) {
        out += fmt::format("\n## {}\n\n{}\n\n| Setting | Takes | Default | |\n|---|---|---|---|\n", section.opening,
                           section.table.text);
        add_rows(out, section.table, section.fresh, "");
    });
    return out;
}

} // namespace freshet
