// SPDX-License-Identifier: Apache-2.0
#pragma once
// A config file becomes Definitions, or a list of what is wrong with it: all of it, each with line and column.
//
// Pure but for the file that is read and the environment that is asked; nothing is kept. Relative paths in the file
// (data_dir, directory, ca_file, { file = ... }, "sqlite:...") start at the folder of the file, so that it does not
// matter where the server was started; the definition hash is taken before that, so that the folder may move.
// A secret is not read here: only warned of when its variable or file is not there.

#include "config/problem.hpp"
#include "model/definition.hpp"
#include "model/facade.hpp"

#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

/// Answers a variable's value; nullopt if it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's own.
Environment process_environment();

/// What this floor cannot judge by itself and asks of those above it: words for what is wrong, nullopt if all is well.
/// One that is empty is not asked.
struct ConfigChecks {
    std::function<std::optional<std::string>(const std::string& expression)> jq;
    std::function<std::optional<std::string>(std::string_view method, std::string_view path)> call; ///< of /v1
};

struct LoadedConfig {
    std::shared_ptr<const Definitions> definitions;
    std::shared_ptr<const FacadeSet> facades; ///< never null
    std::vector<ConfigProblem> warnings;      ///< it works, but perhaps not as meant
};

using ConfigResult = std::expected<LoadedConfig, std::vector<ConfigProblem>>;

/// Reads a file. One that cannot be read is one problem without a line.
ConfigResult load_config(const std::filesystem::path& file, const Environment& environment = process_environment(),
                         const ConfigChecks& checks = {});
/// Reads a text as if it stood in `folder`.
ConfigResult parse_config(std::string_view text, const std::filesystem::path& folder = ".",
                          const Environment& environment = process_environment(), const ConfigChecks& checks = {});

/// [server] alone, whatever the rest of the file says: what a client needs to find the server, which may well be
/// running an older state of a file that is being edited.
std::expected<ServerDefinition, std::vector<ConfigProblem>> load_server(const std::filesystem::path& file);

/// The secret's value: the literal, or what its variable or file holds now (without a line end at the end of the file).
/// Words otherwise; they never hold the value.
std::expected<std::string, std::string> read_secret(const Secret& secret,
                                                    const Environment& environment = process_environment());

} // namespace freshet
