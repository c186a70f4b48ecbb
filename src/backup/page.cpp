// SPDX-License-Identifier: Apache-2.0
#include "backup/page.hpp"

#include "base/assert.hpp"
#include "wire/json_out.hpp"

#include <charconv>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet {

namespace {

/// A skippable frame of zstd, in its own order of bytes, and the length of what follows: 4088.
constexpr std::string_view frame_head{"\x5f\x2a\x4d\x18\xf8\x0f\x00\x00", 8};
constexpr std::string_view name = "freshet backup\n";
constexpr std::size_t hash_digits = 32;
constexpr std::size_t json_at = frame_head.size() + name.size() + hash_digits + 1;

[[noreturn]] void refuse(const std::string& words)
{
    throw BackupFailure{words, "another backup, or make a new one"};
}

std::optional<Hash128> parse_hash(std::string_view digits)
{
    if (digits.size() != hash_digits) return std::nullopt;
    Hash128 hash;
    const char* middle = digits.data() + hash_digits / 2;
    const auto high = std::from_chars(digits.data(), middle, hash.high, 16);
    const auto low = std::from_chars(middle, middle + hash_digits / 2, hash.low, 16);
    if (high.ptr != middle || low.ptr != middle + hash_digits / 2) return std::nullopt;
    return hash;
}

/// Reads members in any order; what is missing or wrong is told by `well`.
struct Members {
    simdjson::dom::object object;
    bool well = true;

    std::int64_t whole(std::string_view member)
    {
        std::int64_t value = 0;
        well = object[member].get(value) == simdjson::SUCCESS && well;
        return value;
    }
    std::string text(std::string_view member)
    {
        std::string_view value;
        well = object[member].get(value) == simdjson::SUCCESS && well;
        return std::string{value};
    }
};

} // namespace

std::string manifest_json(const BackupManifest& m)
{
    JsonOut out;
    out.begin();
    out.whole("format", m.format);
    out.whole("schema", m.schema);
    out.text("freshet", m.freshet);
    out.time("created_at", m.created_at);
    out.unsigned_whole("epoch", m.epoch);
    out.whole("numbers_base", m.numbers_base);
    out.whole("database_bytes", m.database_bytes);
    out.whole("bytes", m.bytes);
    out.text("checksum", to_hex(m.checksum));
    out.begin("rows");
    out.whole("tenants", m.rows.tenants);
    out.whole("keys", m.rows.keys);
    out.whole("versions", m.rows.versions);
    out.whole("jobs", m.rows.jobs);
    out.whole("live_jobs", m.rows.live_jobs);
    out.whole("batches", m.rows.batches);
    out.whole("tokens", m.rows.tokens);
    out.whole("payloads", m.rows.payloads);
    out.end();
    out.end();
    return out.take();
}

std::string make_page(const BackupManifest& manifest)
{
    std::string json = manifest_json(manifest) + "\n";
    FRESHET_ASSERT(json.size() <= backup_page_bytes - json_at);
    json.resize(backup_page_bytes - json_at, ' ');
    return fmt::format("{}{}{}\n{}", frame_head, name, to_hex(hash128(json)), json);
}

BackupManifest parse_page(std::string_view page)
{
    if (!page.starts_with(frame_head) || !page.substr(frame_head.size()).starts_with(name))
        refuse("this is no backup of freshet's");
    if (page.size() < backup_page_bytes) refuse("the backup is cut short: even its first page is not whole");
    const std::string_view json = page.substr(json_at, backup_page_bytes - json_at);
    // As text: a digit has one form, and no byte may be another.
    if (page.substr(frame_head.size() + name.size(), hash_digits) != to_hex(hash128(json)) || page[json_at - 1] != '\n')
        refuse("the backup is damaged: its first page does not have its checksum");

    simdjson::dom::parser parser;
    Members members{.object = {}};
    if (parser.parse(json.data(), json.size()).get(members.object) != simdjson::SUCCESS)
        refuse("the backup is damaged: its first page can not be read");
    BackupManifest m;
    m.format = static_cast<int>(members.whole("format"));
    if (!members.well || m.format != backup_format)
        throw BackupFailure{fmt::format("the backup has format {}, and this freshet ({}) knows format {}", m.format,
                                        FRESHET_VERSION, backup_format),
                            "the freshet that made it, or a newer one"};
    m.schema = static_cast<int>(members.whole("schema"));
    m.freshet = members.text("freshet");
    if (members.well && m.schema > newest_store_schema())
        throw BackupFailure{
            fmt::format("the backup is of freshet {} with schema version {}, and this freshet ({}) knows "
                        "versions up to {}",
                        m.freshet, m.schema, FRESHET_VERSION, newest_store_schema()),
            "the freshet that made it, or a newer one"};
    const auto created_at = from_rfc3339(members.text("created_at"));
    m.epoch = static_cast<std::uint64_t>(members.whole("epoch"));
    m.numbers_base = members.whole("numbers_base");
    m.database_bytes = members.whole("database_bytes");
    m.bytes = members.whole("bytes");
    const auto checksum = parse_hash(members.text("checksum"));
    Members rows{.object = {}};
    rows.well = members.object["rows"].get(rows.object) == simdjson::SUCCESS;
    if (rows.well)
        m.rows = {rows.whole("tenants"),   rows.whole("keys"),    rows.whole("versions"), rows.whole("jobs"),
                  rows.whole("live_jobs"), rows.whole("batches"), rows.whole("tokens"),   rows.whole("payloads")};
    if (!members.well || !rows.well || !created_at || !checksum)
        refuse("the backup is damaged: its first page does not say what it must");
    m.created_at = *created_at;
    m.checksum = *checksum;
    return m;
}

} // namespace freshet
