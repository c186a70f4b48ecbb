// SPDX-License-Identifier: Apache-2.0
#include "store/sqlite/schema.hpp"

#include "store/sqlite/migrations.hpp"

#include <fmt/format.h>

#include <array>
#include <random>

namespace freshet::sqlite {

namespace {

// Numbered from 1 by their place, which is the user_version they lead to. Never edited after a release.
constexpr std::array<void (*)(Connection&), 6> migrations{migrate_to_1, migrate_to_2, migrate_to_3,
                                                          migrate_to_4, migrate_to_5, migrate_to_6};

// "frsh": tells our files from any other SQLite database.
constexpr std::int64_t application_id = 0x66727368;

constexpr char read_application[] = "PRAGMA application_id";
constexpr char read_version[] = "PRAGMA user_version";
constexpr char count_tables[] = "SELECT count(*) FROM sqlite_master";
constexpr char read_epoch[] = "SELECT value FROM meta WHERE name = 'epoch'";
constexpr char read_base[] = "SELECT value FROM meta WHERE name = 'numbers_base'";
constexpr char write_base[] = "INSERT INTO meta (name, value) VALUES ('numbers_base', ?)";
constexpr char drop_life[] = "DELETE FROM meta WHERE name IN ('epoch', 'numbers_base')";
constexpr char write_epoch[] = "INSERT INTO meta (name, value) VALUES ('epoch', ?)";

void write_new_epoch(Connection& connection)
{
    std::random_device random;
    std::int64_t epoch = 0;
    // 53 bits, so that the epoch survives every JSON reader.
    while (epoch == 0) epoch = static_cast<std::int64_t>((std::uint64_t{random()} << 32 | random()) >> 11);
    Query{connection, write_epoch}.bind(epoch).run();
}

} // namespace

int newest_schema()
{
    return static_cast<int>(migrations.size());
}

void migrate(Connection& connection, const std::string& path)
{
    const std::int64_t version = connection.number(read_version);
    if (version > newest_schema())
        throw StoreFailure{
            fmt::format("{} has schema version {}, and this freshet ({}) knows versions up to {}. Run the "
                        "newer freshet again, or restore the backup made before the upgrade.",
                        path, version, FRESHET_VERSION, newest_schema())};
    const bool ours = connection.number(read_application) == application_id;
    if (!ours && (version != 0 || connection.number(count_tables) != 0))
        throw StoreFailure{
            fmt::format("{} is a database of another program. Give freshet a data_dir of its own.", path)};
    for (std::int64_t next = version + 1; next <= newest_schema(); ++next) {
        connection.execute("BEGIN IMMEDIATE");
        try {
            migrations[static_cast<std::size_t>(next - 1)](connection);
            if (next == 1) write_new_epoch(connection);
            connection.execute(
                fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", application_id, next).c_str());
            connection.execute("COMMIT");
        } catch (...) {
            connection.roll_back();
            throw;
        }
    }
}

Life stored_life(Connection& connection)
{
    const auto epoch = static_cast<std::uint64_t>(connection.number(read_epoch));
    if (epoch == 0)
        throw StoreFailure{"the store has no epoch: its meta table is damaged. Restore data_dir from a backup."};
    return {epoch, connection.number(read_base)};
}

void begin_life(Connection& connection, std::int64_t numbers_base)
{
    Query{connection, drop_life}.run();
    write_new_epoch(connection);
    Query{connection, write_base}.bind(numbers_base).run();
}

} // namespace freshet::sqlite
