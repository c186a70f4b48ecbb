// SPDX-License-Identifier: Apache-2.0
// One table of the file against its declaration: unknown names, wrong types, units and ranges, in words.
#include "config/reading.hpp"

#include "config/units.hpp"
#include "wire/canonical.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <regex>

namespace freshet {

namespace {

using Kind = TomlNode::Kind;

// What a type looks like in the file: what it is called, and an example.
struct TypeWords {
    std::string_view what, example;
};

TypeWords type_words(SettingType type)
{
    switch (type) {
    case SettingType::text: return {"a text in quotes", "\"...\""};
    case SettingType::choice: return {"a word in quotes", "\"...\""};
    case SettingType::yes_no: return {"true or false", "true"};
    case SettingType::count: return {"a whole number", "10"};
    case SettingType::duration:
        return {"a length of time in quotes, such as \"90s\", \"5m\", \"2h\" or \"7d\"", "\"30s\""};
    case SettingType::size: return {"a size in quotes, such as \"64KiB\" or \"8MiB\"", "\"8MiB\""};
    case SettingType::rate: return {"a rate in quotes, such as \"6/min\" or \"40/s\"", "\"6/min\""};
    case SettingType::share: return {"a percentage in quotes, such as \"50%\"", "\"50%\""};
    case SettingType::secret: return {"a text, { env = \"NAME\" } or { file = \"PATH\" }", "{ env = \"NAME\" }"};
    case SettingType::text_list: return {"a list of texts", "[\"a\", \"b\"]"};
    case SettingType::text_table: return {"a table of texts", "{ name = \"text\" }"};
    case SettingType::secret_table: return {"a table of texts or secrets", "{ Name = { env = \"NAME\" } }"};
    case SettingType::params: return {"a table of lists or patterns", "{ name = [\"A\", \"B\"] }"};
    case SettingType::json: return {"a value without dates, or JSON in a text", "{ name = \"value\" }"};
    case SettingType::jq: return {"a jq expression in quotes", "'.data'"};
    case SettingType::table: return {"a table", "{ ... }"};
    }
    return {"something else", ""};
}

class TableReader {
public:
    TableReader(Reading& reading, const std::string& path) : reading_{reading}, path_{path} {}

    /// The value of one setting; nullopt after a problem was noted.
    std::optional<SettingValue> read(const Setting& setting, const TomlEntry& entry);

    void wrong_type(const Setting& setting, const TomlNode& node)
    {
        const TypeWords words = type_words(setting.type);
        complain(setting, node.at, fmt::format("must be {}, not {}", words.what, words_for(node.kind)),
                 fmt::format("{} = {}", setting.name, words.example));
    }

private:
    void complain(const Setting& setting, ConfigPlace at, std::string_view what, std::string try_)
    {
        reading_.problem(at, fmt::format("{}.{} {}", path_, setting.name, what), std::move(try_));
    }
    std::optional<SettingValue> read_text(const Setting& setting, const TomlNode& node);
    std::optional<SettingValue> read_quantity(const Setting& setting, const TomlNode& node);
    std::optional<std::int64_t> in_bounds(const Setting& setting, std::int64_t value, ConfigPlace at);
    std::optional<SettingValue> read_choice(const Setting& setting, const TomlNode& node);
    std::optional<SettingValue> read_list(const Setting& setting, const TomlNode& node);
    std::optional<SettingValue> read_pairs(const Setting& setting, const TomlNode& node);
    std::optional<Secret> read_secret(const Setting& setting, const TomlNode& node);
    std::optional<SettingValue> read_params(const Setting& setting, const TomlNode& node);
    std::optional<ParamDeclaration> read_param(const Setting& setting, const TomlEntry& entry);
    std::optional<SettingValue> read_json(const Setting& setting, const TomlNode& node);
    bool fits(const Setting& setting, std::size_t count, ConfigPlace at);

    Reading& reading_;
    const std::string& path_;
};

std::optional<SettingValue> TableReader::read(const Setting& setting, const TomlEntry& entry)
{
    const TomlNode& node = entry.node;
    switch (setting.type) {
    case SettingType::text: return read_text(setting, node);
    case SettingType::choice: return read_choice(setting, node);
    case SettingType::yes_no:
        if (node.kind == Kind::yes_no) return SettingValue{node.yes};
        break;
    case SettingType::count:
        if (node.kind == Kind::whole) {
            const auto value = in_bounds(setting, node.whole, node.at);
            return value ? std::optional<SettingValue>{*value} : std::nullopt;
        }
        break;
    case SettingType::duration:
    case SettingType::size:
    case SettingType::rate:
    case SettingType::share: return read_quantity(setting, node);
    case SettingType::secret:
        if (auto secret = read_secret(setting, node)) return SettingValue{std::move(*secret)};
        return std::nullopt;
    case SettingType::text_list: return read_list(setting, node);
    case SettingType::text_table:
    case SettingType::secret_table: return read_pairs(setting, node);
    case SettingType::params: return read_params(setting, node);
    case SettingType::json: return read_json(setting, node);
    case SettingType::jq:
        if (node.kind == Kind::whole) return SettingValue{std::to_string(node.whole)};
        return read_text(setting, node);
    case SettingType::table: break;
    }
    wrong_type(setting, node);
    return std::nullopt;
}

bool TableReader::fits(const Setting& setting, std::size_t count, ConfigPlace at)
{
    if (count <= static_cast<std::size_t>(setting.max)) return true;
    complain(setting, at, fmt::format("holds {}; at most {} are taken", count, setting.max), "make it shorter");
    return false;
}

std::optional<SettingValue> TableReader::read_text(const Setting& setting, const TomlNode& node)
{
    if (node.kind != Kind::text) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    if (node.text.find('\0') != std::string::npos) {
        complain(setting, node.at, "holds a NUL", "leave it out");
        return std::nullopt;
    }
    if (setting.required && node.text.empty()) {
        complain(setting, node.at, "must not be empty", fmt::format("{} = \"...\"", setting.name));
        return std::nullopt;
    }
    if (!fits(setting, node.text.size(), node.at)) return std::nullopt;
    return node.text;
}

std::optional<std::int64_t> TableReader::in_bounds(const Setting& setting, std::int64_t value, ConfigPlace at)
{
    if (value >= setting.min && value <= setting.max) return value;
    const std::string bounds = bounds_text(setting);
    complain(setting, at, fmt::format("must be {}", bounds.empty() ? "0 or more" : bounds),
             fmt::format("a value within {}", bounds));
    return std::nullopt;
}

std::optional<SettingValue> TableReader::read_quantity(const Setting& setting, const TomlNode& node)
{
    const bool bare_zero = node.kind == Kind::whole && node.whole == 0 && setting.type != SettingType::rate;
    if (node.kind != Kind::text && !bare_zero) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    if (setting.type == SettingType::rate) {
        if (const auto rate = parse_rate(node.text)) return SettingValue{*rate};
    } else if (setting.type == SettingType::share) {
        if (const auto share = parse_share(bare_zero ? "0%" : node.text)) return SettingValue{*share};
    } else if (setting.type == SettingType::size) {
        if (const auto size = parse_size(bare_zero ? "0" : node.text)) {
            const auto value = in_bounds(setting, *size, node.at);
            return value ? std::optional<SettingValue>{*value} : std::nullopt;
        }
    } else if (const auto length = parse_duration(bare_zero ? "0s" : node.text)) {
        const auto value = in_bounds(setting, length->count(), node.at);
        return value ? std::optional<SettingValue>{Millis{*value}} : std::nullopt;
    }
    const TypeWords words = type_words(setting.type);
    complain(setting, node.at, fmt::format("must be {}, not \"{}\"", words.what, node.text),
             fmt::format("{} = {}", setting.name, words.example));
    return std::nullopt;
}

std::optional<SettingValue> TableReader::read_choice(const Setting& setting, const TomlNode& node)
{
    if (node.kind != Kind::text) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    const auto found = std::ranges::find(setting.choices, std::string_view{node.text});
    // Of a setting whose value is kept as a word the word itself travels; read_settings() knows which.
    if (found != setting.choices.end()) return SettingValue{static_cast<std::int64_t>(found - setting.choices.begin())};
    const std::vector<std::string> names{setting.choices.begin(), setting.choices.end()};
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    const std::string near = nearest_name(node.text, names);
    complain(setting, node.at, fmt::format("must be one of {}, not \"{}\"", list, node.text),
             fmt::format("{} = \"{}\"", setting.name, near.empty() ? names.front() : near));
    return std::nullopt;
}

std::optional<SettingValue> TableReader::read_list(const Setting& setting, const TomlNode& node)
{
    const bool texts = node.kind == Kind::list &&
                       std::ranges::all_of(node.items, [](const TomlNode& item) { return item.kind == Kind::text; });
    if (!texts) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    if (!fits(setting, node.items.size(), node.at)) return std::nullopt;
    if (static_cast<std::int64_t>(node.items.size()) < setting.min) {
        complain(setting, node.at, "must not be empty", fmt::format("{} = [\"...\"]", setting.name));
        return std::nullopt;
    }
    std::vector<std::string> list;
    for (const TomlNode& item : node.items) {
        if (item.text.find('\0') != std::string::npos || item.text.size() > 64 * 1024) {
            complain(setting, item.at, "holds a text with a NUL or of more than 64 KiB", "leave it out");
            return std::nullopt;
        }
        list.push_back(item.text);
    }
    return list;
}

std::optional<Secret> TableReader::read_secret(const Setting& setting, const TomlNode& node)
{
    if (node.kind == Kind::text) {
        if (node.text.find('\0') == std::string::npos && !(setting.required && node.text.empty()))
            return Secret{Secret::From::literal, node.text};
        complain(setting, node.at, "must be neither empty nor hold a NUL", fmt::format("{} = \"...\"", setting.name));
        return std::nullopt;
    }
    const bool one = node.kind == Kind::table && node.entries.size() == 1 && node.entries[0].node.kind == Kind::text;
    if (!one || (node.entries[0].name != "env" && node.entries[0].name != "file") ||
        node.entries[0].node.text.empty()) {
        complain(setting, node.at, fmt::format("must be {}", type_words(SettingType::secret).what),
                 fmt::format("{} = {{ env = \"NAME\" }}", setting.name));
        return std::nullopt;
    }
    return Secret{node.entries[0].name == "env" ? Secret::From::env : Secret::From::file, node.entries[0].node.text};
}

std::optional<SettingValue> TableReader::read_pairs(const Setting& setting, const TomlNode& node)
{
    if (node.kind != Kind::table) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    if (!fits(setting, node.entries.size(), node.at)) return std::nullopt;
    TextPairs texts;
    SecretPairs secrets;
    for (const TomlEntry& entry : node.entries) {
        if (setting.type == SettingType::secret_table) {
            auto secret = read_secret(setting, entry.node);
            if (!secret) return std::nullopt;
            secrets.emplace_back(entry.name, std::move(*secret));
        } else if (entry.node.kind == Kind::text) {
            texts.emplace_back(entry.name, entry.node.text);
        } else if (entry.node.kind == Kind::whole) {
            texts.emplace_back(entry.name, std::to_string(entry.node.whole));
        } else {
            complain(setting, entry.node.at,
                     fmt::format("has {} for {}; it takes texts", words_for(entry.node.kind), entry.name),
                     fmt::format("{} = \"...\"", entry.name));
            return std::nullopt;
        }
    }
    if (setting.type == SettingType::secret_table) return secrets;
    return texts;
}

std::optional<SettingValue> TableReader::read_params(const Setting& setting, const TomlNode& node)
{
    if (node.kind != Kind::table) {
        wrong_type(setting, node);
        return std::nullopt;
    }
    if (!fits(setting, node.entries.size(), node.at)) return std::nullopt;
    std::vector<ParamDeclaration> params;
    for (const TomlEntry& entry : node.entries) {
        auto param = read_param(setting, entry);
        if (!param) return std::nullopt;
        params.push_back(std::move(*param));
    }
    return params;
}

std::optional<ParamDeclaration> TableReader::read_param(const Setting& setting, const TomlEntry& entry)
{
    static const std::regex name_shape{"[A-Za-z_][A-Za-z0-9_-]{0,63}"};
    const auto bad = [&](ConfigPlace at, std::string what, std::string try_) {
        reading_.problem(at, fmt::format("{}.{}.{} {}", path_, setting.name, entry.name, what), std::move(try_));
        return std::nullopt;
    };
    if (!std::regex_match(entry.name, name_shape))
        return bad(entry.at, "is no name for a parameter", "letters, digits, _ and -, a letter first");
    ParamDeclaration param{entry.name, {}, {}};
    if (entry.node.kind == Kind::text) {
        param.pattern = entry.node.text;
        if (param.pattern.empty())
            return bad(entry.node.at, "has an empty pattern, which no value matches", "\"[a-z]{1,16}\"");
        try {
            const std::regex compiled{param.pattern, std::regex::ECMAScript};
        } catch (const std::regex_error& error) {
            return bad(entry.node.at, fmt::format("has a pattern that is no regular expression: {}", error.what()),
                       "an ECMAScript expression in single quotes, such as 'ur\\d{1,12}'");
        }
        return param;
    }
    if (entry.node.kind != Kind::list || entry.node.items.empty())
        return bad(entry.node.at, "must be a list of values or a pattern",
                   fmt::format("{} = [\"A\", \"B\"]", entry.name));
    for (const TomlNode& item : entry.node.items) {
        const std::string& value = item.text;
        const bool good = item.kind == Kind::text && !value.empty() && value.size() <= 128 && value != "." &&
                          value != ".." && value.find_first_of(std::string_view{"/\\\0", 3}) == std::string::npos;
        if (!good)
            return bad(item.at, "has a value that no key can hold",
                       "texts of 1 to 128 bytes without / and \\, not . or ..");
        if (std::ranges::find(param.values, value) != param.values.end())
            return bad(item.at, fmt::format("names \"{}\" twice", value), "leave one out");
        param.values.push_back(value);
    }
    return param;
}

// False where the value has no form in JSON: a date, or a number that is none.
bool write_json(JsonOut& out, const TomlNode& node)
{
    switch (node.kind) {
    case Kind::text: out.text(node.text); return true;
    case Kind::whole: out.whole(node.whole); return true;
    case Kind::real: out.raw(fmt::format("{}", node.real)); return std::isfinite(node.real);
    case Kind::yes_no: out.raw(node.yes ? "true" : "false"); return true;
    case Kind::time: return false;
    case Kind::list:
        out.begin_list();
        for (const TomlNode& item : node.items)
            if (!write_json(out, item)) return false;
        out.end_list();
        return true;
    case Kind::table:
        out.begin();
        for (const TomlEntry& entry : node.entries) {
            out.key(entry.name);
            if (!write_json(out, entry.node)) return false;
        }
        out.end();
        return true;
    }
    return false;
}

std::optional<SettingValue> TableReader::read_json(const Setting& setting, const TomlNode& node)
{
    std::string json = node.text;
    if (node.kind != Kind::text) {
        JsonOut out;
        if (!write_json(out, node)) {
            complain(setting, node.at, "holds a date, a time or a number that JSON does not have",
                     "a text in quotes instead");
            return std::nullopt;
        }
        json = out.take();
    }
    if (const auto read = canonical_json(json); !read) {
        complain(setting, node.at, fmt::format("is no JSON: {}", read.error()),
                 fmt::format("{} = {{ name = \"value\" }}", setting.name));
        return std::nullopt;
    }
    if (!fits(setting, json.size(), node.at)) return std::nullopt;
    return json;
}

std::vector<std::string> names_of(const SettingTable& table, unsigned kinds, bool defaults)
{
    std::vector<std::string> names;
    for (const Setting& setting : table.settings)
        if ((setting.kinds & kinds) && (!defaults || setting.in_defaults)) names.emplace_back(setting.name);
    return names;
}

std::string kinds_text(unsigned kinds)
{
    const SettingTable& source = source_table();
    std::string text;
    for (unsigned i = 0; i < 4; ++i)
        if (kinds >> i & 1U) text += fmt::format("{}{}", text.empty() ? "" : ", ", source.find("kind")->choices[i]);
    return text;
}

// True if the setting may stand here; what is wrong is noted otherwise.
bool belongs(Reading& reading, const TomlEntry& entry, const Setting* setting, const SettingTable& table,
             const std::string& path, unsigned kinds, bool defaults)
{
    if (setting == nullptr) {
        const std::string near = nearest_name(entry.name, names_of(table, kinds, defaults));
        reading.problem(
            entry.at,
            fmt::format("{} has no setting \"{}\"{}", path, entry.name, near.empty() ? "" : ", did you mean " + near),
            near.empty() ? fmt::format("freshet help config {}", table.name) : near);
        return false;
    }
    if (defaults && !setting->in_defaults) {
        reading.problem(entry.at, fmt::format("{} belongs to one source, not to [defaults]", entry.name),
                        fmt::format("move it into a [source.NAME]"));
        return false;
    }
    if (!(setting->kinds & kinds)) {
        reading.problem(entry.at,
                        fmt::format("{}.{} is for kind {}, and this source is of kind {}", path, entry.name,
                                    kinds_text(setting->kinds), kinds_text(kinds)),
                        fmt::format("leave {} out", entry.name));
        return false;
    }
    return true;
}

} // namespace

void read_settings(Reading& reading, const TomlNode& node, const SettingTable& table, void* into,
                   const std::string& path, unsigned kinds, bool defaults)
{
    TableReader reader{reading, path};
    for (const TomlEntry& entry : node.entries) {
        const Setting* setting = table.find(entry.name);
        if (!belongs(reading, entry, setting, table, path, kinds, defaults)) continue;
        const std::string setting_path = path + "." + entry.name;
        reading.places[setting_path] = entry.at;
        if (setting->type == SettingType::table) {
            if (entry.node.kind != Kind::table)
                reader.wrong_type(*setting, entry.node);
            else
                read_settings(reading, entry.node, *setting->inside, setting->access.part(into), setting_path);
            continue;
        }
        auto value = reader.read(*setting, entry);
        if (!value) continue;
        // A choice that the struct keeps as a word.
        if (setting->type == SettingType::choice && std::holds_alternative<std::string>(setting->access.get(into)))
            value = std::string{setting->choices[static_cast<std::size_t>(std::get<std::int64_t>(*value))]};
        setting->access.put(into, std::move(*value));
    }
    if (defaults) return;
    for (const Setting& setting : table.settings) {
        if (!setting.required || !(setting.kinds & kinds) || node.find(setting.name) != nullptr) continue;
        reading.problem(path, fmt::format("{} needs {}", path, setting.name),
                        fmt::format("{} = {}", setting.name,
                                    setting.choices.empty() ? std::string{type_words(setting.type).example}
                                                            : fmt::format("\"{}\"", setting.choices.front())));
    }
}

} // namespace freshet
