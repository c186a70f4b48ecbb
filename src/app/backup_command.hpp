// SPDX-License-Identifier: Apache-2.0
#pragma once
// `freshet backup create | verify | restore`: a store in one file, and back.
//
// create reads the database of data_dir beside a running server, or without one: SQLite gives it one view while the
// server goes on writing, and nobody waits. verify needs no server and no data_dir. restore needs that no server runs.
// One thread.

#include "cli/commands.hpp"

namespace freshet {

struct BackupOptions {
    cli::CommonOptions common;
    std::string file;
    bool force = false; ///< create: over an existing file; restore: over an existing store, which is kept aside
};

int run_backup_create(cli::CliContext& context, const BackupOptions& options);
int run_backup_verify(cli::CliContext& context, const BackupOptions& options);
int run_backup_restore(cli::CliContext& context, const BackupOptions& options);

void add_backup(CLI::App& app, cli::CliContext& context);

} // namespace freshet
