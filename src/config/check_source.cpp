// SPDX-License-Identifier: Apache-2.0
// What the settings of one source say together: templates against declared parameters, what a kind needs, when it
// runs, and what would work but hardly as meant.
#include "config/reading.hpp"

#include "config/templates.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <regex>

namespace freshet {

namespace {

bool is_token(std::string_view text)
{
    constexpr std::string_view extra = "!#$%&'*+-.^_`|~";
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               extra.find(c) != std::string_view::npos;
    });
}

bool same_word(std::string_view a, std::string_view b)
{
    return std::ranges::equal(a, b, [](char x, char y) { return (x | 0x20) == (y | 0x20); });
}

class SourceCheck {
public:
    SourceCheck(Reading& reading, const SourceDefinition& source, const std::string& path)
        : reading_{reading}, source_{source}, path_{path}
    {
    }

    void run()
    {
        switch (source_.kind) {
        case SourceKind::http: check_http(); break;
        case SourceKind::command: check_command(); break;
        case SourceKind::sql: check_sql(); break;
        case SourceKind::worker: used_ = names_of_params(); break;
        }
        check_params_used();
        check_shape();
        check_tags();
        check_schedule();
        warn();
    }

private:
    std::string at(std::string_view setting) const { return fmt::format("{}.{}", path_, setting); }
    bool has(std::string_view setting) const { return reading_.has(at(setting)); }
    void problem(std::string_view setting, std::string_view what, std::string try_)
    {
        reading_.problem(at(setting), fmt::format("{}.{} {}", path_, setting, what), std::move(try_));
    }

    const ParamDeclaration* param(std::string_view name) const
    {
        const auto found = std::ranges::find(source_.params, name, &ParamDeclaration::name);
        return found == source_.params.end() ? nullptr : &*found;
    }
    std::vector<std::string> names_of_params() const
    {
        std::vector<std::string> names;
        for (const ParamDeclaration& declared : source_.params) names.push_back(declared.name);
        return names;
    }

    // Notes the placeholders of a text as used. `strict`: one that is not declared is a problem, as in a URL or a bound
    // value; in a body or an argument braces are common, and what is not declared is text.
    void use(std::string_view setting, std::string_view text, bool strict)
    {
        for (std::string& name : placeholders(text)) {
            if (param(name) != nullptr) {
                used_.push_back(std::move(name));
            } else if (strict) {
                const std::string near = nearest_name(name, names_of_params());
                problem(setting, fmt::format("has {{{}}}, which params does not declare", name),
                        near.empty() ? fmt::format("params = {{ {} = [\"...\"] }}", name)
                                     : fmt::format("{{{}}}", near));
            }
        }
    }

    void check_params_used()
    {
        for (const ParamDeclaration& declared : source_.params) {
            if (std::ranges::find(used_, declared.name) != used_.end()) continue;
            const std::string_view where = source_.kind == SourceKind::http      ? "url"
                                           : source_.kind == SourceKind::command ? "run"
                                                                                 : "bind";
            problem("params",
                    fmt::format("declares {}, which {} does not use: all its values would be the same data",
                                declared.name, where),
                    fmt::format("{{{}}} in {}", declared.name, where));
        }
    }

    void check_http();
    void check_authority(std::string_view authority);
    void check_headers();
    void check_paging();
    void check_command();
    void check_sql();
    void check_shape();
    void check_tags();
    void check_schedule();
    void warn();

    Reading& reading_;
    const SourceDefinition& source_;
    const std::string& path_;
    std::vector<std::string> used_;
};

void SourceCheck::check_http()
{
    const HttpDefinition& http = source_.http;
    if (!http.url.empty()) {
        const UrlParts parts = split_url(http.url);
        if (parts.scheme != "http" && parts.scheme != "https")
            problem("url", "must begin with http:// or https://", "url = \"https://...\"");
        else if (parts.authority.empty())
            problem("url", "names no host", "url = \"https://HOST/PATH\"");
        const bool odd =
            std::ranges::any_of(http.url, [](char c) { return static_cast<unsigned char>(c) <= ' ' || c == '\x7f'; });
        if (odd) problem("url", "holds a space or a control character", "%20 for a space");
        check_authority(parts.authority);
        use("url", http.url, true);
    }
    if (!http.body.empty() && http.method != "POST") problem("body", "is sent with POST only", "method = \"POST\"");
    use("body", http.body, false);
    check_headers();
    check_paging();
    if (!http.proxy.empty() && split_url(http.proxy).authority.empty())
        problem("proxy", "is no address", "proxy = \"http://HOST:PORT\"");
}

// Who is asked is the config's business: a value of a reader may choose among hosts that are listed, never name one.
void SourceCheck::check_authority(std::string_view authority)
{
    for (const std::string& name : placeholders(authority)) {
        const ParamDeclaration* declared = param(name);
        if (declared != nullptr && declared->values.empty())
            problem("url", fmt::format("has {{{}}} in the host: a pattern would let readers choose whom to ask", name),
                    fmt::format("params = {{ {} = [\"the\", \"hosts\"] }}", name));
    }
    if (authority.find('@') != std::string_view::npos)
        problem("url", "holds a user or password", "headers = { Authorization = { env = \"NAME\" } }");
}

void SourceCheck::check_headers()
{
    constexpr std::array<std::string_view, 7> ours{
        "Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Expect"};
    for (const auto& [name, secret] : source_.http.headers) {
        if (!is_token(name))
            problem("headers", fmt::format("has \"{}\", which is no header name", name), "letters, digits and -");
        if (std::ranges::any_of(ours, [&](std::string_view word) { return same_word(word, name); }))
            problem("headers", fmt::format("sets {}, which the connection decides", name),
                    fmt::format("leave {} out", name));
        if (secret.from == Secret::From::literal && secret.text.find_first_of("\r\n") != std::string::npos)
            problem("headers", fmt::format("has a line end in {}", name), "one line");
    }
}

void SourceCheck::check_paging()
{
    const Paging& paging = source_.http.paging;
    const bool needs_next = paging.kind == PagingKind::next || paging.kind == PagingKind::cursor;
    const bool needs_param = paging.kind == PagingKind::page || paging.kind == PagingKind::cursor;
    if (needs_next && paging.next.empty()) problem("paging", "of this kind needs next", "next = \".next\"");
    if (needs_param && paging.param.empty()) problem("paging", "of this kind needs param", "param = \"page\"");
    if (!needs_next && !paging.next.empty())
        problem("paging", "has next, which this kind does not use", "kind = \"next\"");
    if (!needs_param && !paging.param.empty())
        problem("paging", "has param, which this kind does not use", "kind = \"page\"");
}

void SourceCheck::check_command()
{
    const CommandDefinition& command = source_.command;
    if (!command.run.empty()) {
        if (command.run[0].empty()) problem("run", "names no program", "run = [\"df\", \"-h\"]");
        for (const std::string& name : placeholders(command.run[0]))
            if (param(name) != nullptr)
                problem("run", fmt::format("lets {{{}}} choose the program", name), "the program's own name first");
        if (command.run.size() == 1 && command.run[0].find(' ') != std::string::npos)
            reading_.warning(
                at("run"),
                fmt::format("{}.run is one text with spaces: it is a program's name, no shell splits it", path_),
                "run = [\"program\", \"argument\"]");
    }
    for (const std::string& argument : command.run) use("run", argument, false);
    for (const auto& [name, secret] : command.env)
        if (name.empty() || name.find_first_of(std::string_view{"=\0", 2}) != std::string::npos)
            problem("env", fmt::format("has \"{}\", which is no variable's name", name), "NAME = \"value\"");
    // A value such as "--output=x" is an option to most programs.
    for (const std::string& argument : command.run) {
        for (const ParamDeclaration& declared : source_.params) {
            if (declared.pattern.empty() || !argument.starts_with("{" + declared.name + "}")) continue;
            const std::regex pattern{declared.pattern, std::regex::ECMAScript};
            constexpr std::array<const char*, 4> options{"-", "-a", "--a", "--help"};
            if (std::ranges::none_of(options, [&](const char* option) { return std::regex_match(option, pattern); }))
                continue;
            reading_.warning(at("params"),
                             fmt::format("{}: a value of {} may begin with -, which the command may take for an option",
                                         path_, declared.name),
                             "a pattern that begins with [A-Za-z0-9], or \"--\" before it in run");
        }
    }
}

void SourceCheck::check_sql()
{
    const SqlDefinition& sql = source_.sql;
    const std::vector<std::string> asked = sql_names(sql.query);
    for (const std::string& name : placeholders(sql.query))
        if (param(name) != nullptr)
            problem("query", fmt::format("has {{{}}}: values are bound, never pasted", name),
                    fmt::format(":{} and bind = {{ {} = \"{{{}}}\" }}", name, name, name));
    std::vector<std::string> bound;
    for (const auto& [name, text] : sql.bind) {
        bound.push_back(name);
        use("bind", text, true);
        if (std::ranges::find(asked, name) == asked.end())
            problem("bind", fmt::format("has {}, which query does not ask for", name),
                    fmt::format(":{} in query", name));
    }
    for (const std::string& name : asked)
        if (!sql.query.empty() && std::ranges::find(bound, name) == bound.end())
            problem("query", fmt::format("asks for :{}, which bind does not give", name),
                    fmt::format("bind = {{ {} = \"...\" }}", name));
    const Secret& database = sql.database;
    const bool known = database.from != Secret::From::literal || database.text.empty() ||
                       database.text.starts_with("sqlite:") || database.text.starts_with("postgres://") ||
                       database.text.starts_with("postgresql://");
    if (!known) problem("database", "must begin with sqlite: or postgres://", "database = \"sqlite:data.db\"");
}

void SourceCheck::check_shape()
{
    const InputFormat format = source_.format;
    const bool markup = format == InputFormat::auto_detect || format == InputFormat::html || format == InputFormat::xml;
    if (!source_.rows.empty() && !markup)
        problem("rows", "is XPath, for HTML and XML only", "format = \"html\", or select (jq) instead of rows");
    if (!source_.cells.empty() && source_.rows.empty()) problem("cells", "needs rows", "rows = \"//tr\"");
    for (const auto& [name, xpath] : source_.cells)
        if (name.empty() || xpath.empty())
            problem("cells", fmt::format("has an empty name or XPath (\"{}\")", name), "name = \".//b\"");
    const bool blind = format == InputFormat::html || format == InputFormat::xml;
    if (blind && has("format") && source_.rows.empty())
        problem("format", "of HTML or XML needs rows", "rows = \"//tr\"");
    for (const std::string& field : source_.key)
        if (field.empty()) problem("key", "has an empty field name", "key = [\"id\"]");
}

void SourceCheck::check_tags()
{
    constexpr std::size_t bytes_max = 64;
    for (const std::string& tag : source_.tags)
        if (tag.empty() || tag.size() > bytes_max)
            return problem("tags", fmt::format("takes words of 1 to {} bytes", bytes_max), "tags = [\"market\"]");
}

void SourceCheck::check_schedule()
{
    const SourceSchedule& schedule = source_.schedule;
    if (has("every") && has("schedule"))
        problem("every", "and schedule stand side by side; one of them decides", "leave one out");
    check_cron(reading_, schedule, at("schedule"));
    if (source_.fresh_for_forced > Millis{0} && source_.fresh_for_forced < source_.fresh_for)
        reading_.warning(at("fresh_for_forced"),
                         fmt::format("{}: data that a person asked for would be stale sooner than other data", path_),
                         fmt::format("fresh_for_forced = \"{}\"", to_text(source_.fresh_for)));
    if (source_.retry.max_wait < source_.retry.wait)
        problem(
            "retry",
            fmt::format("has max_wait {} below wait {}", to_text(source_.retry.max_wait), to_text(source_.retry.wait)),
            fmt::format("max_wait = \"{}\"", to_text(source_.retry.wait)));
}

void SourceCheck::warn()
{
    const Millis every = source_.schedule.every;
    // Four thirds of the interval leave room for the fetch itself and for the spread over many keys.
    const std::string better = fmt::format("fresh_for = \"{}\"", to_text(Millis{every.count() * 4 / 3}));
    if (every > source_.fresh_for + source_.overdue_after)
        reading_.warning(
            at("every"),
            fmt::format("source {}: every {} is longer than fresh_for {} and overdue_after {}: overdue by design",
                        source_.name, to_text(every), to_text(source_.fresh_for), to_text(source_.overdue_after)),
            better);
    else if (every > source_.fresh_for)
        reading_.warning(at("every"),
                         fmt::format("source {}: every {} is longer than fresh_for {}: stale by design", source_.name,
                                     to_text(every), to_text(source_.fresh_for)),
                         better);
    if (every.count() > 0 && source_.run_limit > every && source_.schedule.overlap == OverlapRule::allow)
        reading_.warning(at("overlap"),
                         fmt::format("source {}: attempts may take {} and begin every {}, side by side", source_.name,
                                     to_text(source_.run_limit), to_text(every)),
                         "overlap = \"skip\"");
    if (has("edge") && !source_.is_public)
        reading_.warning(at("edge"),
                         fmt::format("source {}: edge is for public sources; it does nothing here", source_.name),
                         "public = true");
}

} // namespace

void check_source(Reading& reading, const SourceDefinition& source, const std::string& path)
{
    SourceCheck{reading, source, path}.run();
}

} // namespace freshet
