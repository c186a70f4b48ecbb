// SPDX-License-Identifier: Apache-2.0
// Whether what the config names is there: each origin that is fetched from and each database, once. A connection is
// made and closed; nothing is asked, so that no site counts it as a request.
#include "cli/doctor.hpp"

#include "cli/words.hpp"

#include <curl/curl.h>
#include <fmt/format.h>
#include <map>
#include <memory>
#include <unistd.h>

namespace freshet::cli {

namespace {

constexpr long connect_ms = 3000;
constexpr std::size_t probes_max = 50;

void add(Findings& findings, Grade grade, std::string what, std::string try_ = {})
{
    findings.push_back({grade, std::move(what), std::move(try_)});
}

std::string part_of(CURLU* url, CURLUPart part, unsigned flags = 0)
{
    char* text = nullptr;
    if (curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
    std::string out = text;
    curl_free(text);
    return out;
}

/// HOST:PORT of a URL; empty where a parameter stands in it.
std::string address_of(const std::string& url, std::string_view default_port)
{
    const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), &curl_url_cleanup);
    const std::string origin = url.substr(0, url.find_first_of("/?#", url.find("://") + 3));
    if (origin.contains('{') ||
        curl_url_set(parsed.get(), CURLUPART_URL, origin.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
        return {};
    const std::string host = part_of(parsed.get(), CURLUPART_HOST);
    std::string port = part_of(parsed.get(), CURLUPART_PORT, default_port.empty() ? CURLU_DEFAULT_PORT : 0U);
    if (port.empty()) port = default_port;
    return host.empty() || port.empty() ? std::string{} : host + ":" + port;
}

/// Empty, or why nobody is there.
std::string refusal_of(const std::string& address)
{
    const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
    char error[CURL_ERROR_SIZE] = {};
    curl_easy_setopt(curl.get(), CURLOPT_URL, ("http://" + address).c_str());
    curl_easy_setopt(curl.get(), CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, connect_ms);
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, error);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code == CURLE_OK) return {};
    return *error != '\0' ? error : curl_easy_strerror(code);
}

void check_file(Findings& findings, const std::string& source, const std::string& file, int& well)
{
    if (access(file.c_str(), F_OK) != 0)
        add(findings, Grade::warn, fmt::format("the database of source {} is not there: {}", source, file),
            "start what writes it, or look at the source's database");
    else if (access(file.c_str(), R_OK) != 0)
        add(findings, Grade::fail,
            fmt::format("the database of source {} cannot be read by this user: {}", source, file),
            "chown or chmod it");
    else
        ++well;
}

} // namespace

void check_upstreams(Findings& findings, const CliContext& context, const Definitions& definitions)
{
    int well = 0;
    // Each address once, with the sources that need it.
    std::map<std::string, std::vector<std::string>> addresses;
    for (const auto& [name, source] : definitions.sources) {
        if (source->kind == SourceKind::http) {
            // A proxy is what is spoken to.
            const std::string& url = source->http.proxy.empty() ? source->http.url : source->http.proxy;
            if (const std::string address = address_of(url, {}); !address.empty()) addresses[address].push_back(name);
        } else if (source->kind == SourceKind::sql) {
            const auto database = read_secret(source->sql.database, context.environment);
            if (!database) continue; // told of as a warning of the config
            constexpr std::string_view file = "sqlite:";
            if (database->starts_with(file))
                check_file(findings, name, database->substr(file.size()), well);
            else if (const std::string address = address_of(*database, "5432"); !address.empty())
                addresses[address].push_back(name);
        }
    }
    for (const auto& [address, sources] : addresses) {
        if (context.stopped() || findings.size() > probes_max) return;
        const std::string why = refusal_of(address);
        if (why.empty()) {
            ++well;
            continue;
        }
        std::string names;
        for (const std::string& name : sources) names += (names.empty() ? "" : ", ") + name;
        add(findings, Grade::fail,
            fmt::format("nothing answers at {}, which {} {}: {}", address, names,
                        sources.size() == 1 ? "needs" : "need", why),
            fmt::format("look at that machine, or at [source.{}]", sources[0]));
    }
    if (well > 0) add(findings, Grade::ok, plural(well, "upstream", "upstreams"));
}

} // namespace freshet::cli
