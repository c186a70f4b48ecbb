// SPDX-License-Identifier: Apache-2.0
// freshet-bench-store: how many refreshes a second are acknowledged, each on disk before its answer, by the real engine
// over the real store; what the same rows cost when each is a commit of its own; and whether it matters how much is
// there.
//
// Everything is measured in turn, several rounds, and the median is told: a busy machine then disturbs all alike.

#include "bench/store/refreshes.hpp"
#include "bench/store/rows.hpp"
#include "store/sqlite/sqlite_store.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <CLI/CLI.hpp>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

namespace freshet::bench {

namespace fs = std::filesystem;

namespace {

constexpr std::array callers_at_once{1, 64, 256};
constexpr std::int64_t first_key = 1, first_copied_key = 1'000'000;

struct Options {
    fs::path folder = ".";
    std::vector<std::int64_t> keys{10'000, 200'000};
    int rounds = 5;
    double seconds = 0.4;
};

/// A folder of its own that goes when this ends.
class Folder {
public:
    explicit Folder(const fs::path& where)
    {
        std::string name = (fs::absolute(where) / "freshet-bench-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::runtime_error{fmt::format("no folder below {}: {}", where.string(), std::strerror(errno))};
        path_ = name;
    }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    ~Folder()
    {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

template <class Value>
Value median(std::vector<Value> values)
{
    std::ranges::sort(values);
    return values.at(values.size() / 2);
}

SqliteOptions in_folder(const fs::path& folder)
{
    SqliteOptions options;
    options.data_dir = folder;
    return options;
}

/// What this disk takes for one write of a page with its sync: the least that any commit can cost here.
double sync_seconds(const fs::path& folder)
{
    const int file = ::open((folder / "sync").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (file < 0) throw std::runtime_error{std::strerror(errno)};
    std::array<char, 4096> page{};
    std::vector<double> taken;
    for (int i = 0; i < 200; ++i) {
        const auto begun = std::chrono::steady_clock::now();
        page.fill(static_cast<char>(i));
        if (::pwrite(file, page.data(), page.size(), (i % 64) * 4096) < 0 || ::fdatasync(file) != 0)
            throw std::runtime_error{std::strerror(errno)};
        taken.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
    }
    ::close(file);
    return median(taken);
}

struct Bed {
    std::int64_t keys;
    std::unique_ptr<Store> store;
    std::unique_ptr<Refreshes> refreshes;
};

/// A database with so many keys, each with a version and an ended job: the engine made one, the others are its copies.
fs::path made_database(const fs::path& folder, std::int64_t keys)
{
    {
        const auto store = open_sqlite_store(in_folder(folder));
        Refreshes{*store, first_key, 1}.run(1, 0, 1);
    }
    fs::path file = folder / "freshet.db";
    Rows{file}.copy_refreshes(keys);
    return file;
}

Bed made_bed(const fs::path& folder, std::int64_t keys)
{
    const fs::path own = folder / std::to_string(keys);
    made_database(own, keys);
    Bed bed{keys, open_sqlite_store(in_folder(own)), nullptr};
    bed.refreshes = std::make_unique<Refreshes>(*bed.store, first_copied_key, keys);
    return bed;
}

void print_engine(const Bed& bed, int callers, const std::vector<Measured>& rounds)
{
    std::vector<double> rate, cpu, per_commit;
    for (const Measured& one : rounds) {
        const auto count = static_cast<double>(one.refreshes);
        rate.push_back(count / one.seconds);
        cpu.push_back(one.cpu_seconds / count);
        per_commit.push_back(count / static_cast<double>(one.commits));
    }
    fmt::print("{:>9} {:>8} {:>12.0f} {:>12.1f} {:>12.1f} {:>12.1f}\n", bed.keys, callers, median(rate),
               1e6 / median(rate), 1e6 * median(cpu), median(per_commit));
}

void run(const Options& options)
{
    const Folder folder{options.folder};
    fmt::print("One write of 4 KiB with its fdatasync takes {:.0f} us here.\n", 1e6 * sync_seconds(folder.path()));

    // The plain rows go into a database of their own, made by the same store.
    Rows rows{made_database(folder.path() / "rows", options.keys.front())};
    std::vector<Bed> beds;
    for (const std::int64_t keys : options.keys) beds.push_back(made_bed(folder.path(), keys));

    std::vector<std::vector<Measured>> engine(beds.size() * callers_at_once.size());
    std::vector<double> by_row, by_step;
    for (int round = 0; round < options.rounds; ++round) {
        std::size_t place = 0;
        for (const Bed& bed : beds)
            for (const int callers : callers_at_once)
                engine[place++].push_back(bed.refreshes->run(callers, options.seconds, 0));
        by_row.push_back(rows.seconds_per_refresh(CommitOf::row, options.seconds));
        by_step.push_back(rows.seconds_per_refresh(CommitOf::step, options.seconds));
    }

    fmt::print("\nRefreshes that were acknowledged (asked, claimed, completed; synchronous = FULL), median of {} "
               "rounds of {} s\n",
               options.rounds, options.seconds);
    fmt::print("{:>9} {:>8} {:>12} {:>12} {:>12} {:>12}\n", "keys", "callers", "refreshes/s", "us each", "CPU us each",
               "per commit");
    std::size_t place = 0;
    for (const Bed& bed : beds)
        for (const int callers : callers_at_once) print_engine(bed, callers, engine[place++]);

    const auto rate_of = [&](std::size_t at) {
        std::vector<double> rate;
        for (const Measured& one : engine[at]) rate.push_back(static_cast<double>(one.refreshes) / one.seconds);
        return median(rate);
    };
    fmt::print("\nThe same rows by plain SQLite\n{:<28} {:>12} {:>12} {:>28}\n", "", "refreshes/s", "us each",
               fmt::format("engine, 1 / 64 / 256 callers"));
    for (const auto& [name, taken] :
         {std::pair{"one commit per row (12)", median(by_row)}, std::pair{"one commit per step (3)", median(by_step)}})
        fmt::print(
            "{:<28} {:>12.0f} {:>12.1f} {:>28}\n", name, 1 / taken, 1e6 * taken,
            fmt::format("{:.1f} / {:.1f} / {:.1f} times", rate_of(0) * taken, rate_of(1) * taken, rate_of(2) * taken));
    if (beds.size() < 2) return;
    const std::size_t last = engine.size() - callers_at_once.size();
    fmt::print("\nWith {} keys instead of {}: {:.2f} / {:.2f} / {:.2f} times the refreshes/s\n", beds.back().keys,
               beds.front().keys, rate_of(last) / rate_of(0), rate_of(last + 1) / rate_of(1),
               rate_of(last + 2) / rate_of(2));
}

} // namespace

} // namespace freshet::bench

int main(int argc, char** argv)
{
    freshet::bench::Options options;
    CLI::App app{"Acknowledged refreshes per second, on disk."};
    app.add_option("--folder", options.folder, "Where the databases are made, on the disk that is to be measured")
        ->check(CLI::ExistingDirectory);
    app.add_option("--keys", options.keys, "Keys that exist; each number is a database of its own")
        ->check(CLI::Range(1'000, 10'000'000));
    app.add_option("--rounds", options.rounds, "Rounds")->check(CLI::Range(1, 1'000));
    app.add_option("--seconds", options.seconds, "Of each measurement")->check(CLI::Range(0.01, 60.0));
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::run(options);
    } catch (const std::exception& error) {
        fmt::print(stderr, "freshet-bench-store: {}\n", error.what());
        return 1;
    }
    return 0;
}
