// SPDX-License-Identifier: Apache-2.0
// Where config leans on floors below it: the nearest name, cron expressions, time zones.
#include "config/reading.hpp"

#include "model/cron.hpp"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <numeric>

namespace freshet {

std::string nearest_name(std::string_view name, const std::vector<std::string>& names)
{
    std::size_t best = 3;
    std::string nearest;
    for (const std::string& other : names) {
        std::vector<std::size_t> row(other.size() + 1);
        std::iota(row.begin(), row.end(), 0U);
        for (std::size_t i = 1; i <= name.size(); ++i) {
            std::size_t diagonal = row[0]++;
            for (std::size_t j = 1; j <= other.size(); ++j)
                diagonal = std::exchange(
                    row[j], std::min({row[j] + 1, row[j - 1] + 1, diagonal + (name[i - 1] != other[j - 1])}));
        }
        if (row.back() < best && row.back() < std::max(name.size(), other.size()) / 2 + 1)
            best = row.back(), nearest = other;
    }
    return nearest;
}

void check_cron(Reading& reading, const SourceSchedule& schedule, const std::string& path)
{
    if (schedule.cron.empty()) return;
    if (const auto cron = parse_cron(schedule.cron); !cron)
        reading.problem(path + ".cron", fmt::format("{}.cron \"{}\": {}", path, schedule.cron, cron.error()),
                        "cron = \"*/10 6-20 * * MON-FRI\"");
    if (!zone_exists(schedule.timezone))
        reading.problem(path + ".timezone",
                        fmt::format("{}.timezone \"{}\" is no time zone of this machine", path, schedule.timezone),
                        "an IANA zone, such as timezone = \"Asia/Jerusalem\"");
}

} // namespace freshet
