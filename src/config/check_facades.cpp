// SPDX-License-Identifier: Apache-2.0
// What the settings of a facade or page say together: paths that are free, one verb, keys and queues that exist,
// expressions that compile. Pure but for what ConfigChecks asks.
#include "config/reading.hpp"

#include "config/templates.hpp"
#include "model/cron.hpp"
#include "model/facade.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace freshet {

namespace {

// The server's own paths: the first segment with all below it, or a whole path.
constexpr std::array<std::string_view, 5> own_folders{"v1", "console", "elements", "assets", "problems"};
constexpr std::array<std::string_view, 6> own_paths{"", "healthz", "readyz", "metrics", "openapi.json", "elements.js"};
constexpr std::array<std::string_view, 5> list_names{"jobs", "batches", "schedules", "workers", "queues"};
// Headers that the server answers for, or that would break the connection.
constexpr std::array<std::string_view, 9> own_headers{"content-length", "connection", "transfer-encoding",
                                                      "date",           "upgrade",    "content-security-policy",
                                                      "etag",           "set-cookie", "keep-alive"};

bool is_header_name(std::string_view name)
{
    constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != std::string_view::npos;
    });
}

std::string lower(std::string_view text)
{
    std::string out{text};
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

class FacadeCheck {
public:
    FacadeCheck(Reading& reading, const Definitions& definitions, const FacadeDefinition& facade, std::string path)
        : reading_{reading}, definitions_{definitions}, facade_{facade}, path_{std::move(path)}
    {
    }

    void check(const std::optional<PathPattern>& pattern)
    {
        one_verb();
        what_goes_together();
        for (const std::string& key : keys_of({&facade_.read_all, &facade_.refresh_all, &facade_.then, &facade_.keys}))
            check_key(key);
        if (!facade_.read.empty()) check_single_key("read", facade_.read);
        if (!facade_.refresh.empty()) check_single_key("refresh", facade_.refresh);
        if (!facade_.enqueue.empty()) check_queue();
        if (!facade_.call.empty()) check_call();
        for (const std::string& list : facade_.list) check_list(list);
        check_body(pattern);
        check_answer();
        check_tenant();
        check_expressions();
    }

private:
    bool has(std::string_view setting) const { return reading_.has(fmt::format("{}.{}", path_, setting)); }
    void problem(std::string_view setting, std::string what, std::string try_)
    {
        reading_.problem(fmt::format("{}.{}", path_, setting), fmt::format("{}.{} {}", path_, setting, what),
                         std::move(try_));
    }

    static std::vector<std::string> keys_of(std::initializer_list<const std::vector<std::string>*> lists)
    {
        std::vector<std::string> all;
        for (const auto* list : lists) all.insert(all.end(), list->begin(), list->end());
        return all;
    }

    void one_verb()
    {
        std::vector<std::string_view> verbs;
        for (const std::string_view verb : {"read", "read_all", "refresh", "refresh_all", "enqueue", "call"})
            if (has(verb)) verbs.push_back(verb);
        if (verbs.size() > 1)
            problem(verbs[1], fmt::format("stands beside {}; a facade does one thing", verbs[0]),
                    "a second [[facade]], or call for what has no verb");
        const bool looks = has("keys") || has("job") || has("batch") || has("items") || has("list");
        if (verbs.empty() && !looks && !has("respond"))
            reading_.problem(path_, fmt::format("{} does nothing", path_), "read = \"SOURCE\"");
    }

    void needs(std::string_view setting, std::initializer_list<std::string_view> one_of)
    {
        if (!has(setting) || std::ranges::any_of(one_of, [&](std::string_view other) { return has(other); })) return;
        problem(setting, fmt::format("is of use only with {}", fmt::join(one_of, " or ")),
                fmt::format("leave {} out", setting));
    }

    void what_goes_together()
    {
        needs("input", {"enqueue", "call"});
        needs("unique", {"enqueue"});
        needs("on_conflict", {"unique"});
        needs("force_when", {"read"});
        needs("cold", {"read"});
        needs("wait", {"refresh", "refresh_all", "force_when", "call"});
        for (const std::string_view setting : {"on_timeout", "first_attempt"})
            needs(setting, {"refresh", "refresh_all", "force_when"});
        needs("headers_forced", {"refresh", "refresh_all", "force_when"});
        needs("then", {"refresh_all"});
        needs("job_data", {"job"});
        needs("log_end", {"job", "batch"});
        needs("rows_max", {"list", "items"});
        needs("callbacks", {"body"});
        needs("cache", {"read"});
    }

    void check_single_key(std::string_view setting, const std::string& key)
    {
        if (!parse_key_template(key).tenant.empty())
            problem(setting, fmt::format("\"{}\" names a tenant, which only lists of keys do", key),
                    fmt::format("{}_all = [\"{}\"], or tenant = \"...\"", setting, key));
        check_key(key);
    }

    void check_key(const std::string& text)
    {
        const KeyTemplate key = parse_key_template(text);
        const std::string name = key.key.substr(0, key.key.find('/'));
        const std::string at = place_of(text);
        if (const auto held = placeholders(name); held.size() == 1 && name == fmt::format("{{{}}}", held.front())) {
            // Of a capture with listed values each must be a source; any other is looked at when it comes.
            const auto param = std::ranges::find(facade_.params, held.front(), &ParamDeclaration::name);
            if (param == facade_.params.end()) return;
            for (const std::string& value : param->values) check_named(at, text, value, key);
            return;
        }
        check_named(at, text, name, key);
    }

    void check_named(const std::string& at, const std::string& text, const std::string& name, const KeyTemplate& key)
    {
        const SourceDefinition* source = definitions_.source(name);
        if (source == nullptr) {
            if (reading_.has("source." + name)) return;
            std::vector<std::string> names;
            for (const auto& [other, definition] : definitions_.sources) names.push_back(other);
            const std::string near = nearest_name(name, names);
            reading_.problem(at,
                             fmt::format("{} names source \"{}\", which does not exist{}", at, name,
                                         near.empty() ? "" : ", did you mean " + near),
                             near.empty() ? fmt::format("[source.{}]", name.empty() ? "NAME" : name) : near);
            return;
        }
        const auto given = static_cast<std::size_t>(std::ranges::count(key.key, '/'));
        if (given != source->params.size()) {
            std::string whole = name;
            for (const ParamDeclaration& param : source->params) whole += fmt::format("/{{{}}}", param.name);
            reading_.problem(at,
                             fmt::format("{} \"{}\" has {} parameters, and source {} has {}", at, text, given, name,
                                         source->params.size()),
                             whole);
        }
        if (!key.tenant.empty() && key.tenant != "*" && key.tenant.find('{') == std::string::npos)
            check_tenant_name(at, key.tenant);
    }

    // Of which setting this key is: for the place only.
    std::string place_of(const std::string& text) const
    {
        const auto in = [&](const std::vector<std::string>& list) {
            return std::ranges::find(list, text) != list.end();
        };
        const std::string_view setting = text == facade_.read      ? "read"
                                         : text == facade_.refresh ? "refresh"
                                         : in(facade_.read_all)    ? "read_all"
                                         : in(facade_.refresh_all) ? "refresh_all"
                                         : in(facade_.then)        ? "then"
                                                                   : "keys";
        return fmt::format("{}.{}", path_, setting);
    }

    void check_tenant_name(const std::string& at, const std::string& tenant)
    {
        if (definitions_.tenants.empty() ? tenant == "default" : reading_.has("tenant." + tenant)) return;
        reading_.problem(at, fmt::format("{} names tenant \"{}\", which does not exist", at, tenant),
                         fmt::format("[tenant.{}]", tenant));
    }

    void check_tenant()
    {
        if (!facade_.tenant.empty() && facade_.tenant.find('{') == std::string::npos && facade_.tenant != "*")
            check_tenant_name(path_ + ".tenant", facade_.tenant);
        if (facade_.access == "public" && facade_.tenant.empty() && !definitions_.tenants.empty() &&
            !definitions_.tenants.contains("default"))
            problem("access", "is public, and it is not said for which tenant", "tenant = \"NAME\"");
    }

    void check_queue()
    {
        std::vector<std::string> names;
        for (const auto& [name, queue] : definitions_.queues) names.push_back(name);
        for (const auto& [name, source] : definitions_.sources)
            if (source->kind == SourceKind::worker) names.push_back(source->queue);
        std::vector<std::string> wanted{facade_.enqueue};
        const auto held = placeholders(facade_.enqueue);
        if (!held.empty()) {
            // Of a whole capture with listed values each must be a queue; any other template is looked at when asked.
            wanted.clear();
            const auto param = std::ranges::find(facade_.params, held.front(), &ParamDeclaration::name);
            if (param != facade_.params.end() && facade_.enqueue == fmt::format("{{{}}}", held.front()))
                wanted = param->values;
        }
        for (const std::string& name : wanted) {
            if (std::ranges::find(names, name) != names.end() || reading_.has("queue." + name)) continue;
            const std::string near = nearest_name(name, names);
            problem("enqueue",
                    fmt::format("names queue \"{}\", which does not exist{}", name,
                                near.empty() ? "" : ", did you mean " + near),
                    near.empty() ? fmt::format("[queue.{}]", name) : near);
        }
    }

    void check_call()
    {
        const auto pattern = parse_path_pattern(std::string_view{facade_.call}.substr(0, facade_.call.find('?')));
        if (!pattern)
            return problem("call", fmt::format("\"{}\" {}", facade_.call, pattern.error()),
                           "call = \"POST /v1/batches/{id}/cancel\"");
        if (pattern->segments.front().text != "v1")
            return problem("call", fmt::format("\"{}\" is no request of /v1", facade_.call),
                           "call = \"POST /v1/batches/{id}/cancel\"");
        if (!reading_.checks.call) return;
        std::string path;
        for (const PathPattern::Segment& segment : pattern->segments)
            path += segment.is_capture ? "/x" : "/" + segment.text;
        if (const auto words = reading_.checks.call(pattern->method, path))
            problem("call", fmt::format("\"{}\": {}", facade_.call, *words), "look at /openapi.json for what there is");
    }

    void check_list(const std::string& list)
    {
        const std::string name = list.substr(0, list.find('?'));
        if (std::ranges::find(list_names, name) != list_names.end()) return;
        const std::string near = nearest_name(name, {list_names.begin(), list_names.end()});
        problem("list", fmt::format("has \"{}\"; there are {}", name, fmt::join(list_names, ", ")),
                near.empty() ? "list = [\"jobs\"]" : near);
    }

    void check_body(const std::optional<PathPattern>& pattern)
    {
        const bool without = pattern && pattern->method == "GET";
        if (without && has("body")) problem("body", "is of a GET, which has none", "params for its query");
        bool calls_back = false;
        for (const auto& [name, text] : facade_.body) {
            const auto rule = parse_body_rule(text);
            if (!rule)
                problem("body", fmt::format("of {} {}", name, rule.error()), fmt::format("{} = \"text? 1..80\"", name));
            else
                calls_back |= rule->type == BodyRule::Type::callback;
        }
        if (calls_back && facade_.callbacks.empty())
            problem("body", "has a callback, and no URL is let through", "callbacks = [\"https://HOST/PATH\"]");
        for (const std::string& url : facade_.callbacks) {
            const UrlParts parts = split_url(url);
            if ((parts.scheme != "http" && parts.scheme != "https") || parts.authority.empty() || parts.rest.empty())
                problem("callbacks", fmt::format("has \"{}\", which is no URL with a path", url),
                        "\"https://HOST/PATH\"");
        }
    }

    void check_answer()
    {
        const auto whole_status = [](std::string_view text) {
            return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
        };
        if (whole_status(facade_.status) &&
            (facade_.status.size() != 3 || facade_.status < "200" || facade_.status > "599"))
            problem("status", fmt::format("{} is no status", facade_.status), "status = 202");
        for (const auto& [code, status] : facade_.statuses)
            if (!whole_status(status) || status.size() != 3 || status < "200" || status > "599")
                problem("statuses", fmt::format("has \"{}\" for {}; 200 to 599 are taken", status, code),
                        fmt::format("{} = 404", code));
        for (const auto* headers : {&facade_.headers, &facade_.headers_forced})
            for (const auto& [name, value] : *headers) {
                const std::string_view setting = headers == &facade_.headers ? "headers" : "headers_forced";
                const auto own = std::ranges::find(own_headers, lower(name));
                if (!is_header_name(name) || own != own_headers.end())
                    problem(setting, fmt::format("has {}, which cannot be set here", name),
                            fmt::format("leave {} out", name));
                if (value.find_first_of("\r\n") != std::string::npos)
                    problem(setting, fmt::format("has a line end in {}", name), "one line");
            }
        if (facade_.cache.find_first_of("\r\n") != std::string::npos)
            problem("cache", "has a line end", "cache = \"public, max-age=60\"");
        if (!facade_.timezone.empty() && !zone_exists(facade_.timezone))
            problem("timezone", fmt::format("\"{}\" is no time zone of this machine", facade_.timezone),
                    "an IANA zone, such as timezone = \"Asia/Jerusalem\"");
    }

    void check_expressions()
    {
        if (!reading_.checks.jq) return;
        for (const Setting& setting : facade_table().settings) {
            if (setting.type != SettingType::jq || !has(setting.name)) continue;
            const auto text = std::get<std::string>(setting.access.get(&facade_));
            if (const auto words = reading_.checks.jq(text))
                problem(setting.name, fmt::format("is no jq: {}", *words), fmt::format("{} = '.data'", setting.name));
        }
    }

    Reading& reading_;
    const Definitions& definitions_;
    const FacadeDefinition& facade_;
    const std::string path_;
};

// What a path says that more than one facade or page may have an opinion on.
std::optional<PathPattern> check_path(Reading& reading, const std::string& on, const std::string& path,
                                      std::vector<std::pair<PathPattern, std::string>>& taken)
{
    if (on.empty()) return std::nullopt; // told already: it is required
    const std::string at = path + ".on";
    auto pattern = parse_path_pattern(on);
    if (!pattern) {
        reading.problem(at, fmt::format("{} \"{}\" {}", at, on, pattern.error()), "on = \"GET /api/things/{id}\"");
        return std::nullopt;
    }
    const PathPattern::Segment& first = pattern->segments.front();
    const bool folder = std::ranges::find(own_folders, std::string_view{first.text}) != own_folders.end();
    const bool alone =
        pattern->segments.size() == 1 && std::ranges::find(own_paths, std::string_view{first.text}) != own_paths.end();
    if (first.is_capture || folder || alone)
        reading.problem(
            at,
            first.is_capture
                ? fmt::format("{} \"{}\" begins with a capture, which would take the server's own paths", at, on)
                : fmt::format("{} \"{}\" is a path of the server itself", at, on),
            "on = \"GET /api/...\"");
    for (const auto& [other, other_path] : taken)
        if (other.same_shape(*pattern))
            reading.problem(at, fmt::format("{} \"{}\" is answered by {} already", at, on, other_path),
                            "another path, or one of the two");
    taken.emplace_back(*pattern, path);
    return std::move(*pattern);
}

void check_page(Reading& reading, const PageDefinition& page, const std::string& path,
                const std::optional<PathPattern>& pattern)
{
    const auto problem = [&](std::string_view setting, const std::string& what, std::string try_) {
        reading.problem(fmt::format("{}.{}", path, setting), fmt::format("{}.{} {}", path, setting, what),
                        std::move(try_));
    };
    if (pattern && pattern->method != "GET") problem("on", "must be a GET: a page is read", "on = \"GET /dashboard\"");
    std::error_code error;
    const auto folder = (reading.folder / page.dir).lexically_normal();
    if (!page.dir.empty() && !std::filesystem::is_regular_file(folder / page.index, error))
        reading.warning(path + ".dir", fmt::format("{}: there is no {} in {}", path, page.index, page.dir),
                        "build the page first");
    if (page.index.find('/') != std::string::npos || page.index.empty() || page.index.starts_with('.'))
        problem("index", "must be a file's name", "index = \"index.html\"");
    for (const std::string& origin : page.img) {
        const UrlParts parts = split_url(origin);
        const bool good = (parts.scheme == "http" || parts.scheme == "https") && !parts.authority.empty() &&
                          parts.rest.empty() && origin.find_first_of(" ;,'\"") == std::string::npos;
        if (!good) problem("img", fmt::format("has \"{}\", which is no origin", origin), "\"https://HOST\", no path");
    }
    if (page.access == "public" && !page.tenant.empty())
        problem("tenant", "has no meaning on a public page, which is nobody's", "leave tenant out");
}

} // namespace

std::string numbered_path(std::string_view what, std::size_t index)
{
    return fmt::format("{}[{}]", what, index + 1);
}

void check_facades(Reading& reading, const Definitions& definitions, const FacadeSet& facades)
{
    std::vector<std::pair<PathPattern, std::string>> taken;
    for (std::size_t i = 0; i < facades.facades.size(); ++i) {
        const FacadeDefinition& facade = facades.facades[i];
        const std::string path = numbered_path("facade", i);
        // What the settings say together is judged only where each of them could be read.
        const auto own = [&](const ConfigProblem& problem) { return problem.message.starts_with(path); };
        if (std::ranges::any_of(reading.problems, own)) continue;
        FacadeCheck{reading, definitions, facade, path}.check(check_path(reading, facade.on, path, taken));
    }
    for (std::size_t i = 0; i < facades.pages.size(); ++i) {
        const PageDefinition& page = facades.pages[i];
        const std::string path = numbered_path("page", i);
        check_page(reading, page, path, check_path(reading, page.on, path, taken));
    }
}

} // namespace freshet
