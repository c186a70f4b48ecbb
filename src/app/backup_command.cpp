// SPDX-License-Identifier: Apache-2.0
#include "app/backup_command.hpp"

#include "backup/backup_file.hpp"
#include "cli/target.hpp"
#include "cli/words.hpp"
#include "store/sqlite/lock_file.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <unistd.h>
#include <utility>

namespace freshet {

namespace {

namespace fs = std::filesystem;
using cli::CliContext;
using cli::CliError;
using cli::CliResult;

constexpr Millis drawn_every = 200ms;
constexpr int clear_line_width = 80;

/// The bar of one phase after the other on a terminal; elsewhere nothing. Answers whether to go on.
class Progress {
public:
    explicit Progress(CliContext& context, bool quiet)
        : context_{context}, shown_{context.err_terminal && !quiet}, began_{context.clock.steady()}
    {
    }
    ~Progress() { wipe(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    BackupProgress phase(const std::string& name)
    {
        phase_ = name;
        phase_began_ = context_.clock.steady();
        return [this](std::int64_t done, std::int64_t total) { return tell(done, total); };
    }
    bool tell(std::int64_t done, std::int64_t total)
    {
        const SteadyTime now = context_.clock.steady();
        if (shown_ && now >= next_at_) {
            next_at_ = now + drawn_every;
            draw(done, total, now);
        }
        return !context_.stopped();
    }
    void wipe()
    {
        if (std::exchange(drawn_, false))
            context_.err << '\r' << std::string(clear_line_width, ' ') << '\r' << std::flush;
    }

private:
    void draw(std::int64_t done, std::int64_t total, SteadyTime now)
    {
        cli::BarState bar{.phase = phase_, .elapsed = std::chrono::duration_cast<Millis>(now - began_)};
        if (total > 0) {
            bar.share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
            bar.counted = fmt::format("{}/{} MiB", done >> 20, total >> 20);
            const auto spent = std::chrono::duration_cast<Millis>(now - phase_began_);
            if (done > 0 && spent > 1s) {
                const auto left = Millis{static_cast<std::int64_t>(static_cast<double>(spent.count()) *
                                                                   (1 - *bar.share) / std::max(*bar.share, 0.001))};
                bar.eta = cli::length_words(left);
            }
        }
        context_.err << '\r' << cli::bar_words(bar, std::min(context_.width - 1, clear_line_width)) << std::flush;
        drawn_ = true;
    }

    CliContext& context_;
    const bool shown_;
    bool drawn_ = false;
    std::string phase_;
    SteadyTime began_, phase_began_, next_at_;
};

std::string size_words(std::int64_t bytes)
{
    if (bytes < 1 << 20) return fmt::format("{} KiB", (bytes + 1023) >> 10);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string rows_words(const StoreRows& rows)
{
    return fmt::format("{}, {} in {}, {} ({} live), {}, {}", cli::plural(rows.tenants, "tenant", "tenants"),
                       cli::plural(rows.versions, "version", "versions"), cli::plural(rows.keys, "key", "keys"),
                       cli::plural(rows.jobs, "job", "jobs"), rows.live_jobs,
                       cli::plural(rows.batches, "batch", "batches"), cli::plural(rows.tokens, "token", "tokens"));
}

CliError of_system(std::string_view doing, const fs::path& what, int error)
{
    return {cli::exit_failed, fmt::format("{} {}: {}", doing, what.string(), std::strerror(error)),
            error == ENOSPC ? "free space on that disk" : "look at its rights, or another place"};
}

bool is_there(const fs::path& path)
{
    std::error_code error;
    return fs::exists(fs::symlink_status(path, error));
}

fs::path folder_of(const fs::path& file)
{
    return file.has_parent_path() ? file.parent_path() : fs::path{"."};
}

/// A name is on disk only once its folder is.
void sync_folder(const fs::path& folder)
{
    const Descriptor opened{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!opened || ::fsync(opened.get()) != 0)
        throw BackupFailure{fmt::format("cannot sync the folder {}: {}", folder.string(), std::strerror(errno)),
                            "look at that disk"};
}

CliResult<fs::path> data_dir_of(CliContext& context, const BackupOptions& options)
{
    const auto target = cli::find_target(context, options.common.config);
    if (!target) return std::unexpected(target.error());
    if (!target->local)
        return std::unexpected(CliError{cli::exit_usage,
                                        "a backup is made where the data is, and FRESHET_URL is set to another place",
                                        "on that machine, or unset FRESHET_URL"});
    return fs::path{target->server->data_dir};
}

std::string without_stop(std::string words)
{
    while (words.ends_with('.')) words.pop_back();
    return words;
}

/// Ends of a command that throws: a Failure in words becomes its error.
template <class Work>
CliResult<void> in_words(CliContext& context, Work&& work)
{
    try {
        return std::forward<Work>(work)();
    } catch (const BackupFailure& failure) {
        if (context.stopped()) return std::unexpected(CliError{cli::exit_interrupted, "", ""});
        return std::unexpected(CliError{cli::exit_failed, failure.what(), failure.what_to_try()});
    } catch (const Failure& failure) {
        if (context.stopped()) return std::unexpected(CliError{cli::exit_interrupted, "", ""});
        return std::unexpected(CliError{cli::exit_failed, without_stop(failure.what()), "freshet doctor"});
    }
}

// create

CliResult<void> create(CliContext& context, const BackupOptions& options)
{
    const auto data_dir = data_dir_of(context, options);
    if (!data_dir) return std::unexpected(data_dir.error());
    const fs::path database = database_of(*data_dir), file = options.file;
    if (!is_there(database))
        return std::unexpected(CliError{cli::exit_not_found, fmt::format("there is no store in {}", data_dir->string()),
                                        "--config FILE, of the server whose store is meant"});
    if (!options.force && is_there(file))
        return std::unexpected(CliError{cli::exit_usage, fmt::format("there is a file {} already", file.string()),
                                        "another name, or --force"});
    Progress progress{context, options.common.json};
    const ScratchFile copy{folder_of(file)}, packed{folder_of(file)};
    progress.phase("copy");
    // SQLite does not say how far it is; the size of what it wrote does.
    std::error_code error;
    const auto whole = static_cast<std::int64_t>(fs::file_size(database, error));
    copy_store(database, copy.path(), [&] {
        std::error_code none;
        const auto done = fs::file_size(copy.path(), none);
        return progress.tell(none ? 0 : static_cast<std::int64_t>(done), whole);
    });
    const WallTime now = context.clock.wall();
    const StoreFacts facts = check_store(copy.path());
    Descriptor out{::open(packed.path().c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!out) return std::unexpected(of_system("cannot make", packed.path(), errno));
    const BackupManifest manifest = write_backup(copy.path(), facts, now, out.get(), progress.phase("compress"));
    out.close();
    if (::rename(packed.path().c_str(), file.c_str()) != 0)
        return std::unexpected(of_system("cannot name", file, errno));
    sync_folder(folder_of(file));
    progress.wipe();
    if (options.common.json)
        context.out << manifest_json(manifest) << std::endl;
    else
        context.out << fmt::format("{}  {} (database {})  {}", file.string(), size_words(manifest.bytes),
                                   size_words(manifest.database_bytes), rows_words(manifest.rows))
                    << std::endl;
    return {};
}

// verify

/// Where a database can be unpacked to be looked at: beside the file, else where temporary files go.
fs::path scratch_folder(const fs::path& file)
{
    const fs::path beside = folder_of(file);
    return ::access(beside.c_str(), W_OK | X_OK) == 0 ? beside : fs::temp_directory_path();
}

CliResult<BackupManifest> read_page(const fs::path& file)
{
    if (!is_there(file))
        return std::unexpected(
            CliError{cli::exit_not_found, fmt::format("there is no file {}", file.string()), "ls, or another name"});
    return read_backup_page(file);
}

CliResult<void> verify(CliContext& context, const BackupOptions& options)
{
    const fs::path file = options.file;
    const auto manifest = read_page(file);
    if (!manifest) return std::unexpected(manifest.error());
    Progress progress{context, options.common.json};
    const ScratchFile scratch{scratch_folder(file)};
    verify_backup(file, *manifest, scratch.path(), progress.phase("unpack"));
    progress.wipe();
    if (options.common.json)
        context.out << manifest_json(*manifest) << std::endl;
    else
        context.out << fmt::format("ok  {}  of {}  freshet {}, schema {}  {}", file.string(),
                                   to_rfc3339(manifest->created_at), cli::safe(manifest->freshet), manifest->schema,
                                   rows_words(manifest->rows))
                    << std::endl;
    return {};
}

// restore

/// The old store under another name, as one file or with the log that it could not take in. It stays in place, too,
/// until the new one takes its name: at no moment is there none, of which a server would make an empty one.
fs::path keep_aside(const fs::path& database, WallTime now)
{
    std::string stamp = to_rfc3339(now);
    std::erase_if(stamp, [](char c) { return c == '-' || c == ':' || c == '.'; });
    const fs::path aside = fmt::format("{}.before-{}", database.string(), stamp);
    fold_log(database);
    const fs::path log = database.string() + "-wal";
    if (is_there(log) && ::rename(log.c_str(), (aside.string() + "-wal").c_str()) != 0)
        throw BackupFailure{fmt::format("cannot rename {}: {}", log.string(), std::strerror(errno)),
                            "look at its rights"};
    std::error_code error;
    fs::remove(database.string() + "-shm", error);
    if (::link(database.c_str(), aside.c_str()) != 0 && ::rename(database.c_str(), aside.c_str()) != 0)
        throw BackupFailure{fmt::format("cannot keep {} aside: {}", database.string(), std::strerror(errno)),
                            "look at the rights of data_dir"};
    return aside;
}

CliResult<void> restore(CliContext& context, const BackupOptions& options)
{
    const auto data_dir = data_dir_of(context, options);
    if (!data_dir) return std::unexpected(data_dir.error());
    const auto manifest = read_page(options.file);
    if (!manifest) return std::unexpected(manifest.error());
    std::error_code error;
    fs::create_directories(*data_dir, error);
    if (error) return std::unexpected(of_system("cannot make", *data_dir, error.value()));
    std::unique_ptr<sqlite::LockFile> lock;
    try {
        lock = std::make_unique<sqlite::LockFile>(*data_dir / "freshet.lock");
    } catch (const StoreFailure& failure) {
        return std::unexpected(
            CliError{cli::exit_failed, without_stop(failure.what()), "stop that server, then the same again"});
    }
    const fs::path database = database_of(*data_dir);
    const bool has_old = is_there(database);
    if (has_old && !options.force)
        return std::unexpected(CliError{cli::exit_failed,
                                        fmt::format("there is a store in {} already", data_dir->string()),
                                        "--force, which keeps it aside, or another data_dir"});
    sweep_scratch(*data_dir);
    Progress progress{context, options.common.json};
    const ScratchFile copy{*data_dir};
    const StoreFacts facts = verify_backup(options.file, *manifest, copy.path(), progress.phase("unpack"));
    // The store that is replaced may itself be a restored one: nobody may meet its numbers twice, either.
    const auto old_base = has_old ? numbers_base_of(database) : std::nullopt;
    begin_new_life(copy.path(), std::max(facts.numbers_base, old_base.value_or(0)) + restore_jump);
    const fs::path aside = has_old ? keep_aside(database, context.clock.wall()) : fs::path{};
    if (::rename(copy.path().c_str(), database.c_str()) != 0)
        return std::unexpected(of_system("cannot name", database, errno));
    sync_folder(*data_dir);
    progress.wipe();
    if (options.common.json) {
        JsonOut out;
        out.begin();
        out.text("database", database.string());
        out.text_if("aside", aside.string());
        out.key("backup");
        out.raw(manifest_json(*manifest));
        out.end();
        context.out << out.take() << std::endl;
        return {};
    }
    context.out << fmt::format("restored {} as of {}  {}", database.string(), to_rfc3339(manifest->created_at),
                               rows_words(manifest->rows))
                << std::endl;
    if (has_old) context.err << fmt::format("the store that was there is {}", aside.string()) << std::endl;
    if (has_old && !old_base)
        context.err << "it could not be read, so numbers go on from the backup's alone" << std::endl;
    context.err
        << "numbers go on above those of the backup, cursors are reset, what ran has no lease   try: freshet serve"
        << std::endl;
    return {};
}

int run(CliContext& context, const BackupOptions& options,
        CliResult<void> (*work)(CliContext& context, const BackupOptions& options))
{
    const cli::InterruptGuard guard{context};
    const auto done = in_words(context, [&] { return work(context, options); });
    return done ? cli::exit_done : cli::tell(context, done.error());
}

CLI::App* add_verb(CLI::App* parent, const std::string& name, const std::string& text,
                   const std::shared_ptr<BackupOptions>& options)
{
    CLI::App* verb = parent->add_subcommand(name, text);
    verb->add_option("FILE", options->file, "The backup")->required();
    verb->add_flag("--json", options->common.json, "Print JSON");
    return verb;
}

void add_config(CLI::App* verb, const std::shared_ptr<BackupOptions>& options)
{
    verb->add_option("--config", options->common.config, "The server's config file, which says where its data is")
        ->type_name("FILE");
}

} // namespace

int run_backup_create(CliContext& context, const BackupOptions& options)
{
    return run(context, options, &create);
}
int run_backup_verify(CliContext& context, const BackupOptions& options)
{
    return run(context, options, &verify);
}
int run_backup_restore(CliContext& context, const BackupOptions& options)
{
    return run(context, options, &restore);
}

void add_backup(CLI::App& app, CliContext& context)
{
    CLI::App* backup = app.add_subcommand("backup", "Keep the store in one file, and bring it back");
    backup->require_subcommand(1);

    const auto created = std::make_shared<BackupOptions>();
    CLI::App* create_verb =
        add_verb(backup, "create", "Make a backup, while the server serves or without one", created);
    add_config(create_verb, created);
    create_verb->add_flag("--force", created->force, "Over an existing file");
    create_verb->callback([&context, created] { context.exit_code = run_backup_create(context, *created); });

    const auto verified = std::make_shared<BackupOptions>();
    CLI::App* verify_verb = add_verb(backup, "verify", "Check every byte of a backup and what it holds", verified);
    verify_verb->callback([&context, verified] { context.exit_code = run_backup_verify(context, *verified); });

    const auto restored = std::make_shared<BackupOptions>();
    CLI::App* restore_verb = add_verb(backup, "restore", "Make a backup the store of a server that is down", restored);
    add_config(restore_verb, restored);
    restore_verb->add_flag("--force", restored->force, "Over an existing store, which is kept under another name");
    restore_verb->callback([&context, restored] { context.exit_code = run_backup_restore(context, *restored); });
}

} // namespace freshet
