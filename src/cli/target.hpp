// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which server a command speaks to, and with which token.
//
// FRESHET_URL, else `listen` of --config FILE or ./freshet.toml, else 127.0.0.1:7878. FRESHET_TOKEN, else the file
// `cli-token` in data_dir; that file belongs to the server of that config and is never sent to FRESHET_URL. A token of
// all tenants speaks of the one that --tenant, else FRESHET_TENANT names, where a command names none.

#include "cli/context.hpp"

#include <optional>
#include <string>

namespace freshet::cli {

struct Target {
    std::string url;                        ///< without a slash at its end; may have a path prefix
    std::string token;                      ///< empty: none
    std::string tenant;                     ///< empty: the token's
    std::filesystem::path config;           ///< the file that was read; empty: none
    std::optional<ServerDefinition> server; ///< its [server]; absent with FRESHET_URL
    bool local = false;                     ///< this machine's, by its config
};

/// Exit code 2 for an address that is none, a named file that cannot be read, or a [server] with mistakes.
CliResult<Target> find_target(const CliContext& context, const std::string& config_file,
                              const std::string& tenant = {});

/// The address in the one form that a URL takes: "0.0.0.0" becomes loopback, IPv6 gets its brackets.
std::string url_of_listen(std::string_view listen);

} // namespace freshet::cli
