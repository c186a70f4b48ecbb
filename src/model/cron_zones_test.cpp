// SPDX-License-Identifier: Apache-2.0
// Every zone of the machine, every year from 2020 to 2040: what the clocks that are set forward and back make of a
// schedule, held against a second reading of the rules.
//
// The oracle knows nothing of cron.cpp and zone.cpp: it asks the C library what each minute's wall clock shows, and so
// has for each wall-clock minute the instants that show it: none (a gap), one, or two (a fold). The rules follow from
// that count. Only the hours around a transition are walked; between transitions the noons of a month stand for all.
#include "model/cron.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <map>
#include <set>

namespace freshet {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t minute = 60, hour = 3600, day = 24 * hour;
constexpr std::int64_t from_2020 = 1'577'836'800, to_2041 = 2'240'611'200;
/// The largest jump of these years has three hours (Antarctica/Casey).
constexpr std::int64_t around = 8 * hour;

/// The zones that the C library reads from the machine's database, one name for each different file.
std::vector<std::string> all_zones()
{
    const fs::path root = "/usr/share/zoneinfo";
    std::map<std::string, std::string> by_bytes;
    for (auto at = fs::recursive_directory_iterator{root}; at != fs::recursive_directory_iterator{}; ++at) {
        const std::string name = at->path().lexically_relative(root).string();
        // "right" counts leap seconds, which no wall clock of ours does; "posix" holds the same files once more.
        if (name == "right" || name == "posix") at.disable_recursion_pending();
        // "Factory" says that nobody has chosen a zone.
        if (!at->is_regular_file() || name == "localtime" || name == "posixrules" || name == "Factory") continue;
        std::ifstream file{at->path(), std::ios::binary};
        const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
        if (!bytes.starts_with("TZif")) continue;
        auto [known, fresh] = by_bytes.emplace(bytes, name);
        if (!fresh) known->second = std::min(known->second, name);
    }
    std::vector<std::string> names;
    for (const auto& [bytes, name] : by_bytes) names.push_back(name);
    std::ranges::sort(names);
    return names;
}

/// The C library's wall clock, in the zone that was set last. Ends with the zone it found.
class LibraryClock {
public:
    LibraryClock()
    {
        if (const char* before = std::getenv("TZ")) before_ = before;
    }
    ~LibraryClock()
    {
        before_ ? setenv("TZ", before_->c_str(), 1) : unsetenv("TZ");
        tzset();
    }
    void set(const std::string& zone)
    {
        setenv("TZ", (":" + zone).c_str(), 1);
        tzset();
    }
    /// What the wall shows, as if it were UTC.
    std::int64_t local(std::int64_t at) const
    {
        const std::time_t time = at;
        std::tm shown{};
        localtime_r(&time, &shown);
        return at + shown.tm_gmtoff;
    }
    std::int64_t offset(std::int64_t at) const { return local(at) - at; }
    /// The instants from 2020 to 2040 at which the wall clock jumps: looked for by the day, then halved.
    std::vector<std::int64_t> jumps() const
    {
        std::vector<std::int64_t> found;
        std::int64_t before = offset(from_2020);
        for (std::int64_t at = from_2020 + day; at < to_2041; at += day) {
            const std::int64_t now = offset(at);
            if (now == before) continue;
            std::int64_t low = at - day, high = at; // low shows `before`, high does not
            while (high - low > 1) {
                const std::int64_t middle = low + (high - low) / 2;
                (offset(middle) == before ? low : high) = middle;
            }
            found.push_back(high);
            before = now;
        }
        return found;
    }

private:
    std::optional<std::string> before_;
};

/// A schedule of every day, as the minutes of the day at which it is due.
struct Daily {
    std::string cron;
    bool each_real_hour = false;
    std::set<std::int64_t> minutes; ///< of the day
};

Daily fixed(std::int64_t minute_of_day)
{
    const std::int64_t of = ((minute_of_day % 1440) + 1440) % 1440;
    return {fmt::format("{} {} * * *", of % 60, of / 60), false, {of}};
}

std::vector<Daily> dailies(std::int64_t wall_before, std::int64_t wall_after)
{
    const std::int64_t low = std::min(wall_before, wall_after) / minute;
    const std::int64_t high = std::max(wall_before, wall_after) / minute;
    std::vector<Daily> all{fixed(low - 1),  fixed(low),  fixed(low + 1),  fixed((low + high) / 2),
                           fixed(high - 1), fixed(high), fixed(high + 1), fixed(low + 13 * 60)};
    // Three times of one hour and the next: several may fall into one gap, and one upon its end.
    const std::int64_t begin = ((low / 60) % 24 + 24) % 24, end = std::min<std::int64_t>(begin + 1, 23);
    Daily several{fmt::format("*/20 {}-{} * * *", begin, end), false, {}};
    for (std::int64_t h = begin; h <= end; ++h)
        for (const std::int64_t m : {0, 20, 40}) several.minutes.insert(h * 60 + m);
    all.push_back(several);
    Daily star{"25,55 * * * *", true, {}};
    for (std::int64_t h = 0; h < 24; ++h) star.minutes.insert({h * 60 + 25, h * 60 + 55});
    all.push_back(star);
    return all;
}

/// Which instants show a wall-clock minute, for some hours around a jump.
class Neighbourhood {
public:
    Neighbourhood(const LibraryClock& clock, std::int64_t jump) : jump_{jump}, begin{jump - around}, end{jump + around}
    {
        for (std::int64_t at = begin - begin % minute; at < end; at += minute) shown_[clock.local(at)].push_back(at);
        first_wall_ = clock.local(begin - begin % minute);
        last_wall_ = clock.local(end);
    }

    /// Fires within the neighbourhood by the letter of the rules.
    std::set<std::int64_t> fires(const Daily& daily, GapRule gap, FoldRule fold) const
    {
        std::set<std::int64_t> due;
        for (std::int64_t wall = first_wall_; wall < last_wall_; wall += minute) {
            if (!daily.minutes.contains((wall % day + day) % day / minute)) continue;
            const auto found = shown_.find(wall);
            if (found == shown_.end()) {
                if (!daily.each_real_hour && gap == GapRule::shift) due.insert(jump_);
                continue;
            }
            const auto& instants = found->second;
            if (daily.each_real_hour || fold == FoldRule::both)
                due.insert(instants.begin(), instants.end());
            else
                due.insert(fold == FoldRule::first ? instants.front() : instants.back());
        }
        return due;
    }

private:
    std::int64_t jump_;

public:
    const std::int64_t begin, end;

private:
    std::map<std::int64_t, std::vector<std::int64_t>> shown_;
    std::int64_t first_wall_ = 0, last_wall_ = 0;
};

std::string words(const std::set<std::int64_t>& instants)
{
    std::string out;
    for (const std::int64_t at : instants) out += (out.empty() ? "" : ", ") + to_rfc3339(from_ms(at * 1000));
    return out;
}

std::set<std::int64_t> fires_between(const Cron& cron, const std::string& zone, GapRule gap, FoldRule fold,
                                     std::int64_t from, std::int64_t to)
{
    std::set<std::int64_t> due;
    for (WallTime last = from_ms(from * 1000 - 1);;) {
        const auto next = next_cron_fire(cron, zone, gap, fold, last);
        if (!next || next->at >= from_ms(to * 1000)) return due;
        due.insert(to_ms(next->at) / 1000);
        last = next->at;
    }
}

TEST(CronZones, GapsAndFoldsOfEveryZoneAndYearFireByTheRules)
{
    LibraryClock clock;
    std::int64_t jumps = 0, schedules = 0;
    const std::vector<std::string> zones = all_zones();
    for (const std::string& zone : zones) {
        ASSERT_TRUE(zone_exists(zone)) << zone;
        clock.set(zone);
        for (const std::int64_t jump : clock.jumps()) {
            ++jumps;
            const Neighbourhood near{clock, jump};
            for (const Daily& daily : dailies(clock.local(jump - 1) + 1, clock.local(jump))) {
                const Cron cron = parse_cron(daily.cron).value();
                for (const GapRule gap : {GapRule::shift, GapRule::skip})
                    for (const FoldRule fold : {FoldRule::first, FoldRule::last, FoldRule::both}) {
                        ++schedules;
                        const auto due = near.fires(daily, gap, fold);
                        const auto fired = fires_between(cron, zone, gap, fold, near.begin, near.end);
                        ASSERT_EQ(fired, due)
                            << zone << " \"" << daily.cron << "\" gap " << static_cast<int>(gap) << " fold "
                            << static_cast<int>(fold) << "\nfired " << words(fired) << "\ndue   " << words(due);
                    }
            }
        }
    }
    // That the walk was not an empty one.
    EXPECT_GT(zones.size(), 250u);
    EXPECT_GT(jumps, 3'000);
    EXPECT_GT(schedules, 180'000);
}

TEST(CronZones, BetweenTheJumpsEveryMonthOfEveryZoneFiresByTheWallClock)
{
    LibraryClock clock;
    const Cron noons = parse_cron("0 12 1,15 * *").value();
    for (const std::string& zone : all_zones()) {
        clock.set(zone);
        const auto fired = fires_between(noons, zone, GapRule::shift, FoldRule::first, from_2020, to_2041);
        EXPECT_GE(fired.size(), 21u * 24 - 1) << zone;
        for (const std::int64_t at : fired) {
            const std::time_t time = at;
            std::tm shown{};
            localtime_r(&time, &shown);
            ASSERT_TRUE(shown.tm_hour == 12 && shown.tm_min == 0 && (shown.tm_mday == 1 || shown.tm_mday == 15))
                << zone << ' ' << to_rfc3339(from_ms(at * 1000));
        }
    }
}

} // namespace
} // namespace freshet
