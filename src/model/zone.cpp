// SPDX-License-Identifier: Apache-2.0
#include "model/zone.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <date/ptz.h>
#include <date/tz.h>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <regex>
#include <string>
#include <string_view>

namespace freshet {

namespace {

// What a TZif file of version 2 or later says of the time beyond its list: from the last listed transition on the POSIX
// TZ text of its last line holds. Zones without a rule have no text there, or one without daylight time.
struct Footer {
    ZoneInstant from;
    std::string rule;
};

std::uint64_t big_endian(std::string_view bytes)
{
    std::uint64_t value = 0;
    for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
}

// Source: RFC 8536 §3. The six counts of a header, in the order in which they stand there.
struct TzifCounts {
    std::size_t isut, isstd, leap, time, type, chars;

    explicit TzifCounts(std::string_view header)
        : isut{count(header, 0)}, isstd{count(header, 1)}, leap{count(header, 2)}, time{count(header, 3)},
          type{count(header, 4)}, chars{count(header, 5)}
    {
    }
    std::size_t block_bytes(std::size_t instant_bytes) const
    {
        return time * (instant_bytes + 1) + type * 6 + chars + leap * (instant_bytes + 4) + isstd + isut;
    }

private:
    static std::size_t count(std::string_view header, std::size_t index)
    {
        return static_cast<std::size_t>(big_endian(header.substr(20 + index * 4, 4)));
    }
};

std::optional<Footer> footer_of(const std::string& name)
{
    constexpr std::size_t header_bytes = 44;
    std::ifstream file{"/usr/share/zoneinfo/" + name, std::ios::binary};
    const std::string text{std::istreambuf_iterator<char>{file}, {}};
    const std::string_view bytes{text};
    if (bytes.size() < header_bytes || bytes.substr(0, 4) != "TZif" || bytes[4] < '2') return std::nullopt;
    const std::size_t second = header_bytes + TzifCounts{bytes}.block_bytes(4);
    if (bytes.size() < second + header_bytes) return std::nullopt;
    const TzifCounts counts{bytes.substr(second)};
    const std::size_t list = second + header_bytes, footer = list + counts.block_bytes(8);
    if (bytes.size() < footer + 2 || bytes[footer] != '\n' || bytes.back() != '\n') return std::nullopt;
    const std::string_view rule = bytes.substr(footer + 1, bytes.size() - footer - 2);
    if (rule.empty() || counts.time == 0) return std::nullopt;
    const auto last = static_cast<std::int64_t>(big_endian(bytes.substr(list + (counts.time - 1) * 8, 8)));
    return Footer{ZoneInstant{std::chrono::seconds{last}}, std::string{rule}};
}

// "-1:30" as seconds; of an absent text, `absent`.
std::chrono::seconds clock_text(const std::string& text, std::chrono::seconds absent)
{
    if (text.empty()) return absent;
    const bool negative = text.front() == '-';
    std::int64_t unit = 3600, sum = 0, part = 0;
    for (const char c : text + ':') {
        if (c == ':')
            sum += part * unit, unit /= 60, part = 0;
        else if (c >= '0' && c <= '9')
            part = part * 10 + (c - '0');
    }
    return std::chrono::seconds{negative ? -sum : sum};
}

std::string clock_text(std::chrono::seconds time)
{
    const std::int64_t all = std::abs(time.count());
    return (time.count() < 0 ? "-" : "") + std::to_string(all / 3600) + ":" + std::to_string(all / 60 % 60) + ":" +
           std::to_string(all % 60);
}

// A rule's transitions may lie before midnight of their day ("M3.5.0/-1", Greenland), which date/ptz.h does not read.
// So the rule is told for a place some hours further east, where it is later on the same instants, and the hours are
// taken off again from the offsets.
class Rule {
public:
    explicit Rule(const std::string& text) : zone_{eastward(text)} {}

    ZoneRange range(ZoneInstant at) const
    {
        const auto info = zone_.get_info(at);
        return {info.begin, info.end, info.offset - east_};
    }

private:
    std::string eastward(const std::string& text)
    {
        static const std::regex shape{"(<[^>]+>|[A-Za-z]+)([-+]?[0-9:]+)(<[^>]+>|[A-Za-z]+)([-+]?[0-9:]+)?"
                                      ",([^,/]+)(/([-+]?[0-9:]+))?,([^,/]+)(/([-+]?[0-9:]+))?"};
        std::smatch part;
        if (!std::regex_match(text, part, shape)) return text; // without daylight time
        const std::chrono::seconds standard = clock_text(part[2], {}), two{7200};
        const std::chrono::seconds daylight = clock_text(part[4], standard - std::chrono::hours{1});
        const std::chrono::seconds begin = clock_text(part[7], two), end = clock_text(part[10], two);
        while (begin + east_ < std::chrono::seconds{0} || end + east_ < std::chrono::seconds{0})
            east_ += std::chrono::hours{1};
        if (east_.count() == 0) return text;
        // POSIX counts offsets westward.
        return part[1].str() + clock_text(standard - east_) + part[3].str() + clock_text(daylight - east_) + "," +
               part[5].str() + "/" + clock_text(begin + east_) + "," + part[8].str() + "/" + clock_text(end + east_);
    }

    std::chrono::seconds east_{0}; ///< before zone_, which is made from it
    Posix::time_zone zone_;
};

class SystemZone final : public Zone {
public:
    explicit SystemZone(const date::time_zone& zone) : zone_{zone}
    {
        if (const auto footer = footer_of(zone.name())) {
            rule_.emplace(footer->rule);
            rule_from_ = footer->from;
        }
    }

    ZoneRange range(ZoneInstant at) const override
    {
        if (rule_ && at >= rule_from_) {
            const ZoneRange range = rule_->range(at);
            return {std::max(range.begin, rule_from_), range.end, range.offset};
        }
        const auto info = zone_.get_info(at);
        return {info.begin, rule_ ? std::min(info.end, rule_from_) : info.end, info.offset};
    }

private:
    const date::time_zone& zone_;
    std::optional<Rule> rule_;
    ZoneInstant rule_from_;
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
