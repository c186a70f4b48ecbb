// SPDX-License-Identifier: Apache-2.0
#include "model/zone.hpp"

#include <algorithm>
#include <date/ptz.h>
#include <date/tz.h>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace freshet {

namespace {

// Zone files list transitions up to 2037 at most; from 2037-01-01 on only the footer's rule is asked.
constexpr ZoneInstant footer_from{std::chrono::seconds{2'114'380'800}};

// The last line of a TZif file of version 2 or later: a POSIX TZ text, or nothing for zones that have no rule.
std::optional<std::string> footer_of(const std::string& name)
{
    std::ifstream file{"/usr/share/zoneinfo/" + name, std::ios::binary};
    const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
    if (bytes.size() < 3 || bytes.back() != '\n') return std::nullopt;
    const auto before = bytes.rfind('\n', bytes.size() - 2);
    if (before == std::string::npos || before + 2 >= bytes.size()) return std::nullopt;
    return bytes.substr(before + 1, bytes.size() - before - 2);
}

class SystemZone final : public Zone {
public:
    explicit SystemZone(const date::time_zone& zone) : zone_{zone}
    {
        if (const auto footer = footer_of(zone.name())) rule_.emplace(*footer);
    }

    ZoneRange range(ZoneInstant at) const override
    {
        if (rule_ && at >= footer_from) {
            const auto info = rule_->get_info(at);
            return {std::max(info.begin, footer_from), info.end, info.offset};
        }
        const auto info = zone_.get_info(at);
        return {info.begin, rule_ ? std::min(info.end, footer_from) : info.end, info.offset};
    }

private:
    const date::time_zone& zone_;
    std::optional<Posix::time_zone> rule_;
};

} // namespace

const Zone* find_zone(std::string_view name)
{
    static std::mutex mutex;
    static std::map<std::string, std::unique_ptr<SystemZone>, std::less<>> known;
    const std::lock_guard lock{mutex};
    if (const auto found = known.find(name); found != known.end()) return found->second.get();
    if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos) return nullptr;
    try {
        auto zone = std::make_unique<SystemZone>(*date::locate_zone(name));
        return known.emplace(name, std::move(zone)).first->second.get();
    } catch (const std::runtime_error&) {
        return nullptr;
    }
}

} // namespace freshet
