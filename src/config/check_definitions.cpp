// SPDX-License-Identifier: Apache-2.0
// What the tables of a config say together: who comes after whom, whose sources are whose, where the server listens.
#include "config/reading.hpp"

#include "config/templates.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

std::vector<std::string> names_of(const Definitions& definitions)
{
    std::vector<std::string> names;
    for (const auto& [name, source] : definitions.sources) names.push_back(name);
    return names;
}

// A source that is named somewhere and does not exist. One that was refused for another reason is not told twice.
void check_named_source(Reading& reading, const Definitions& definitions, const std::string& name,
                        const std::string& path)
{
    if (definitions.source(name) != nullptr || reading.has("source." + name)) return;
    const std::string near = nearest_name(name, names_of(definitions));
    reading.problem(path,
                    fmt::format("{} names source \"{}\", which does not exist{}", path, name,
                                near.empty() ? "" : ", did you mean " + near),
                    near.empty() ? fmt::format("[source.{}]", name.empty() ? "NAME" : name) : near);
}

// Follows `after` from one source; a name that comes again is a cycle. Depth is bounded by the number of sources.
class CycleCheck {
public:
    CycleCheck(Reading& reading, const Definitions& definitions) : reading_{reading}, definitions_{definitions} {}

    void visit(const SourceDefinition& source)
    {
        if (std::ranges::find(done_, source.name) != done_.end()) return;
        const auto open = std::ranges::find(trail_, source.name);
        if (open != trail_.end()) {
            std::string words;
            for (auto at = open; at != trail_.end(); ++at) words += *at + " -> ";
            reading_.problem(fmt::format("source.{}.after", source.name),
                             fmt::format("after goes in a circle: {}{}", words, source.name), "leave one of these out");
            return;
        }
        trail_.push_back(source.name);
        for (const std::string& name : source.after)
            if (const SourceDefinition* next = definitions_.source(name)) visit(*next);
        trail_.pop_back();
        done_.push_back(source.name);
    }

private:
    Reading& reading_;
    const Definitions& definitions_;
    std::vector<std::string> trail_, done_;
};

void check_server(Reading& reading, const ServerDefinition& server)
{
    const auto listen = parse_listen(server.listen);
    if (!listen)
        reading.problem("server.listen", fmt::format("server.listen must be HOST:PORT, not \"{}\"", server.listen),
                        "listen = \"127.0.0.1:7878\"");
    else if (!listen->loopback() && !server.behind_proxy)
        reading.problem("server.listen",
                        fmt::format("server.listen {} is open to others, and the server speaks no TLS", server.listen),
                        "listen = \"127.0.0.1:7878\", or behind_proxy = true and a proxy with TLS before it");
    if (server.data_dir.empty())
        reading.problem("server.data_dir", "server.data_dir must not be empty", "data_dir = \"./data\"");
    const UrlParts url = split_url(server.public_url);
    if (!server.public_url.empty() && ((url.scheme != "http" && url.scheme != "https") || url.authority.empty() ||
                                       url.rest.find_first_of("?#") != std::string_view::npos))
        reading.problem("server.public_url", "server.public_url must be an http or https address without query",
                        "public_url = \"https://HOST/PATH\"");
    for (const std::string& origin : server.origins) {
        const UrlParts parts = split_url(origin);
        if ((parts.scheme != "http" && parts.scheme != "https") || parts.authority.empty() || !parts.rest.empty())
            reading.problem("server.origins", fmt::format("server.origins has \"{}\", which is no origin", origin),
                            "\"https://HOST\", no path");
    }
    for (const auto& [name, address] : server.consoles) {
        const UrlParts parts = split_url(address);
        if (name.empty() || (parts.scheme != "http" && parts.scheme != "https") || parts.authority.empty())
            reading.problem("server.consoles",
                            fmt::format("server.consoles has \"{}\" = \"{}\", which is no address", name, address),
                            "staging = \"https://HOST/console/\"");
    }
}

// One copy can not follow what there are several of: whose new data would it be fetched after?
void check_shared(Reading& reading, const Definitions& definitions, const SourceDefinition& source)
{
    if (!source.shared) return;
    if (definitions.tenants.empty())
        reading.warning(fmt::format("source.{}.shared", source.name),
                        fmt::format("source {}: shared does nothing without tenants", source.name),
                        "[tenant.NAME], or leave it out");
    for (const std::string& before : source.after) {
        const SourceDefinition* other = definitions.source(before);
        if (other == nullptr || other->shared) continue;
        reading.problem(fmt::format("source.{}.after", source.name),
                        fmt::format("source {} is shared and comes after {}, of which each tenant has its own copy",
                                    source.name, before),
                        fmt::format("shared = true in [source.{}], or not in [source.{}]", before, source.name));
    }
}

void check_tenants(Reading& reading, const Definitions& definitions)
{
    for (const auto& [name, tenant] : definitions.tenants) {
        const std::string path = fmt::format("tenant.{}", name);
        for (const std::string& source : tenant.sources)
            check_named_source(reading, definitions, source, path + ".sources");
    }
    for (const auto& [name, token] : definitions.tokens) {
        const std::string path = fmt::format("token.{}", name);
        const bool known = token.tenant == "*" || token.tenant.empty() || reading.has("tenant." + token.tenant) ||
                           (definitions.tenants.empty() && token.tenant == "default");
        if (!known)
            reading.problem(path + ".tenant",
                            fmt::format("{} speaks for tenant \"{}\", which does not exist", path, token.tenant),
                            fmt::format("[tenant.{}]", token.tenant));
    }
    if (definitions.tenants.empty()) return;
    for (const auto& [name, source] : definitions.sources) {
        const bool listed = std::ranges::any_of(definitions.tenants, [&](const auto& entry) {
            const auto& sources = entry.second.sources;
            return sources.empty() || std::ranges::find(sources, name) != sources.end();
        });
        if (!listed)
            reading.warning("source." + name, fmt::format("no tenant lists source {}: nobody can read it", name),
                            "sources = [...] of a tenant");
    }
}

} // namespace

void check_definitions(Reading& reading, const Definitions& definitions, bool alone)
{
    check_server(reading, definitions.server);
    CycleCheck cycles{reading, definitions};
    for (const auto& [name, source] : definitions.sources) {
        for (const std::string& before : source->after)
            check_named_source(reading, definitions, before, fmt::format("source.{}.after", name));
        cycles.visit(*source);
        check_shared(reading, definitions, *source);
    }
    check_tenants(reading, definitions);
    check_schedules(reading, definitions);
    const bool nothing =
        alone && definitions.sources.empty() && definitions.queues.empty() && definitions.schedules.empty();
    if (nothing && reading.problems.empty())
        reading.warning("source", "there is no source: nothing will be served",
                        "[source.NAME], or freshet init for an example");
}

} // namespace freshet
