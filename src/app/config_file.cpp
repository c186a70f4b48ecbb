// SPDX-License-Identifier: Apache-2.0
#include "app/config_file.hpp"

#include "app/config_checks.hpp"
#include "base/log.hpp"
#include "config/settings.hpp"
#include "config/units.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <utility>

namespace freshet {

namespace {

/// What only a start reads stays as it runs, so that everybody who looks sees what is true.
void keep_running(ServerDefinition& next, const ServerDefinition& running)
{
    next.listen = running.listen;
    next.data_dir = running.data_dir;
    next.loops = running.loops;
    next.cache_bytes = running.cache_bytes;
    next.log = running.log;
}

} // namespace

std::vector<std::string> needs_restart(const ServerDefinition& running, const ServerDefinition& next)
{
    std::vector<std::string> names;
    if (next.listen != running.listen) names.emplace_back("listen");
    if (next.data_dir != running.data_dir) names.emplace_back("data_dir");
    if (next.loops != running.loops) names.emplace_back("loops");
    if (next.cache_bytes != running.cache_bytes) names.emplace_back("cache");
    if (next.log != running.log) names.emplace_back("log");
    return names;
}

ConfigFile::ConfigFile(std::filesystem::path file, ConfigOverlay overlay)
    : file_{std::move(file)}, overlay_{std::move(overlay)}, watch_{file_}
{
}

std::string ConfigFile::text() const
{
    std::ifstream in{file_, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

ConfigResult ConfigFile::load()
{
    last_text_ = text();
    ConfigResult result = load_config(file_, process_environment(), config_checks());
    if (!result) return result;
    Definitions laid_over =
        overlay_.speed == 1.0 ? *result->definitions : apply_speed(*result->definitions, overlay_.speed);
    if (!overlay_.listen.empty()) {
        const auto address = parse_listen(overlay_.listen);
        if (!address || (!address->loopback() && !laid_over.server.behind_proxy))
            return std::unexpected(
                std::vector{ConfigProblem{0, 0,
                                          fmt::format("--listen {} is {}", overlay_.listen,
                                                      address ? "open to others, without a proxy" : "no address"),
                                          address ? "behind_proxy = true in [server], and a proxy with TLS before it"
                                                  : "--listen 127.0.0.1:7878"}});
        laid_over.server.listen = overlay_.listen;
    }
    result->definitions = std::make_shared<const Definitions>(std::move(laid_over));
    if (overlay_.speed != 1.0)
        result->facades = std::make_shared<const FacadeSet>(apply_speed(*result->facades, overlay_.speed));
    facades_ = result->facades;
    if (!in_force_) in_force_ = result->definitions;
    return result;
}

void ConfigFile::watched(SteadyTime now)
{
    if (watch_.changed()) saved_at_ = now;
}

std::optional<SteadyTime> ConfigFile::due() const
{
    if (asked_) return not_before_;
    if (saved_at_) return *saved_at_ + settle_for;
    return std::nullopt;
}

std::shared_ptr<const Definitions> ConfigFile::reload(SteadyTime now)
{
    if (const auto at = due(); !at || now < *at) return nullptr;
    saved_at_.reset();
    // A neighbour in the folder was saved, or the same text once more.
    if (!std::exchange(asked_, false) && text() == last_text_) return nullptr;

    auto result = load();
    if (!result) {
        for (const ConfigProblem& problem : result.error())
            log::error("config is wrong; the old one stays in force", {{"problem", to_line(problem, file_.string())}});
        return nullptr;
    }
    for (const ConfigProblem& problem : result->warnings)
        log::warn("config", {{"problem", to_line(problem, file_.string())}});
    for (const std::string& name : needs_restart(in_force_->server, result->definitions->server))
        log::warn("config: this setting takes effect at the next start", {{"setting", "server." + name}});
    Definitions next = *result->definitions;
    keep_running(next.server, in_force_->server);
    in_force_ = std::make_shared<const Definitions>(std::move(next));
    return in_force_;
}

} // namespace freshet
