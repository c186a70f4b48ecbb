// SPDX-License-Identifier: Apache-2.0
#include "cli/target.hpp"

#include "config/units.hpp"

#include <fmt/format.h>
#include <fstream>

namespace freshet::cli {

namespace {

namespace fs = std::filesystem;

// One line of at most 4 KiB; empty if there is no such file or it cannot be read.
std::string read_token(const fs::path& file)
{
    std::ifstream in{file};
    std::string token;
    if (!std::getline(in, token) || token.size() > 4096) return {};
    while (!token.empty() && (token.back() == '\r' || token.back() == ' ')) token.pop_back();
    return token;
}

bool good_url(std::string_view url)
{
    const bool scheme = url.starts_with("http://") || url.starts_with("https://");
    return scheme && url.size() > url.find("://") + 3 && url.find_first_of(" \t\r\n?#@") == std::string_view::npos;
}

} // namespace

std::string url_of_listen(std::string_view listen)
{
    const auto address = parse_listen(listen);
    if (!address) return "http://127.0.0.1:7878";
    const std::string host = address->host == "0.0.0.0" ? "127.0.0.1" : address->host == "::" ? "::1" : address->host;
    return fmt::format("http://{}{}{}:{}", host.contains(':') ? "[" : "", host, host.contains(':') ? "]" : "",
                       address->port);
}

CliResult<Target> find_target(const CliContext& context, const std::string& config_file, const std::string& tenant)
{
    Target target;
    target.token = context.environment("FRESHET_TOKEN").value_or("");
    target.tenant = tenant.empty() ? context.environment("FRESHET_TENANT").value_or("") : tenant;
    if (target.token.find_first_of("\r\n") != std::string::npos)
        return std::unexpected(
            CliError{exit_usage, "FRESHET_TOKEN holds a line end", "export FRESHET_TOKEN=\"$(cat FILE)\""});
    if (auto url = context.environment("FRESHET_URL"); url && !url->empty()) {
        while (url->ends_with('/')) url->pop_back();
        if (!good_url(*url))
            return std::unexpected(CliError{exit_usage, fmt::format("FRESHET_URL \"{}\" is no address", *url),
                                            "export FRESHET_URL=http://127.0.0.1:7878"});
        target.url = *url;
        return target;
    }
    const fs::path file = config_file.empty() ? context.folder / "freshet.toml" : fs::path{config_file};
    std::error_code error;
    if (config_file.empty() && !fs::exists(file, error)) {
        target.server = ServerDefinition{};
        target.server->data_dir = (context.folder / "data").string();
    } else {
        auto server = load_server(file);
        if (!server) {
            const ConfigProblem& problem = server.error().front();
            std::string line = to_line({problem.line, problem.column, problem.message, {}}, file.string());
            line.pop_back();
            return std::unexpected(CliError{exit_usage, line, problem.try_});
        }
        target.config = file;
        target.server = std::move(*server);
    }
    target.local = true;
    target.url = url_of_listen(target.server->listen);
    if (target.token.empty()) target.token = read_token(fs::path{target.server->data_dir} / "cli-token");
    return target;
}

} // namespace freshet::cli
