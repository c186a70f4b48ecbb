// SPDX-License-Identifier: Apache-2.0
// The tables as data: units read back, hashes cover what shapes data and nothing else, speed divides, the page is
// current.
#include "config/settings.hpp"

#include "config/load.hpp"
#include "config/reference.hpp"
#include "config/templates.hpp"
#include "config/units.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <iterator>
#include <set>

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Units, ReadSizesAndRefuseOthers)
{
    EXPECT_EQ(parse_size("8MiB"), 8 << 20);
    EXPECT_EQ(parse_size("8MB"), 8'000'000);
    EXPECT_EQ(parse_size("512B"), 512);
    EXPECT_EQ(parse_size("0"), 0);
    for (const char* bad : {"", "8", "MiB", "-1B", "8 MiB", "8mib", "99999999999999TiB", "1.5GiB"})
        EXPECT_FALSE(parse_size(bad)) << bad;
    for (const std::int64_t size : {0LL, 1LL, 1024LL, 1025LL, 8LL << 20, 3LL << 40})
        EXPECT_EQ(parse_size(size_text(size)), size);
}

TEST(Units, ReadRatesAndRefuseOthers)
{
    EXPECT_EQ(parse_rate("6/min")->per, 1min);
    EXPECT_EQ(parse_rate("40/s")->count, 40);
    EXPECT_EQ(parse_rate("10/30s")->per, 30s);
    EXPECT_EQ(parse_rate("none")->count, 0);
    for (const char* bad : {"", "6", "6/", "/min", "0/s", "6/fortnight", "-6/s", "6/0s"})
        EXPECT_FALSE(parse_rate(bad)) << bad;
    for (const char* text : {"6/min", "40/s", "5/d", "10/30s", "none"}) EXPECT_EQ(rate_text(*parse_rate(text)), text);
}

TEST(Units, ReadSharesAndAddresses)
{
    EXPECT_DOUBLE_EQ(*parse_share("12.5%"), 0.125);
    for (const char* bad : {"", "%", "50", "101%", "-1%", "x%", "nan%"}) EXPECT_FALSE(parse_share(bad)) << bad;
    EXPECT_EQ(parse_listen("[::1]:80")->host, "::1");
    EXPECT_TRUE(parse_listen("127.0.0.1:7878")->loopback());
    EXPECT_FALSE(parse_listen("0.0.0.0:7878")->loopback());
    for (const char* bad : {"", "7878", ":80", "h:", "h:x", "h:65536", "::1:80", "a b:1"})
        EXPECT_FALSE(parse_listen(bad)) << bad;
}

TEST(Templates, FindPlaceholdersAndSqlNames)
{
    EXPECT_THAT(placeholders("/{a}/{b-c}?{a}&{}&{1}&{ x }"), ElementsAre("a", "b-c"));
    EXPECT_THAT(sql_names("select ':no', \":no\", x::text, :a -- :no\n/* :no */ , :b, $$ :no $$, $t$ :no $t$ where :a"),
                ElementsAre("a", "b"));
    EXPECT_THAT(sql_names("'open :no"), IsEmpty());
    EXPECT_EQ(split_url("https://h:1/x?y").authority, "h:1");
    EXPECT_EQ(split_url("nothing").scheme, "");
}

// Writes another value than the one that is there, through the accessor alone.
void disturb(const Setting& setting, void* whole)
{
    struct Other {
        SettingValue operator()(std::int64_t value) const { return value == 0 ? std::int64_t{1} : std::int64_t{0}; }
        SettingValue operator()(const std::string& value) const { return value + "x"; }
        SettingValue operator()(double value) const { return value / 2; }
        SettingValue operator()(bool value) const { return !value; }
        SettingValue operator()(Millis value) const { return value + 1s; }
        SettingValue operator()(const RateLimit& value) const { return RateLimit{value.count + 1, value.per}; }
        SettingValue operator()(const Secret& value) const { return Secret{Secret::From::env, value.text + "x"}; }
        SettingValue operator()(const std::vector<std::string>&) const { return std::vector<std::string>{"x"}; }
        SettingValue operator()(const TextPairs&) const { return TextPairs{{"x", "y"}}; }
        SettingValue operator()(const SecretPairs&) const { return SecretPairs{{"x", {Secret::From::env, "Y"}}}; }
        SettingValue operator()(const std::vector<ParamDeclaration>&) const
        {
            return std::vector<ParamDeclaration>{{"x", {}, "y"}};
        }
    };
    setting.access.put(whole, std::visit(Other{}, setting.access.get(whole)));
}

using PartOf = std::function<void*(SourceDefinition&)>;

void check_hashes(const SettingTable& table, const PartOf& part_of, std::set<std::uint64_t>& seen)
{
    const std::uint64_t plain = definition_hash(SourceDefinition{});
    for (const Setting& setting : table.settings) {
        if (setting.type == SettingType::table) {
            check_hashes(
                *setting.inside, [&](SourceDefinition& source) { return setting.access.part(part_of(source)); }, seen);
            continue;
        }
        SourceDefinition source;
        disturb(setting, part_of(source));
        const std::uint64_t hash = definition_hash(source);
        if (setting.shapes)
            EXPECT_TRUE(seen.insert(hash).second) << setting.name;
        else
            EXPECT_EQ(hash, plain) << setting.name;
    }
}

TEST(DefinitionHash, CoversWhatShapesDataAndNoPolicy)
{
    std::set<std::uint64_t> seen{definition_hash(SourceDefinition{})};
    check_hashes(source_table(), [](SourceDefinition& source) -> void* { return &source; }, seen);
    EXPECT_GT(seen.size(), 20U);
}

TEST(DefinitionHash, IsNotWhichParameterValuesAreAllowed)
{
    SourceDefinition narrow, wide;
    narrow.params = {{"base", {"USD"}, ""}};
    wide.params = {{"base", {"USD", "EUR"}, ""}};
    EXPECT_EQ(definition_hash(narrow), definition_hash(wide));
}

TEST(DefinitionHash, NeverChangesForADefinitionThatIsKept)
{
    // Stored with every snapshot: another value here makes every user's data stale after an upgrade.
    SourceDefinition source;
    source.http.url = "https://example.com/{base}";
    source.params = {{"base", {"USD"}, ""}};
    source.select = ".rates";
    EXPECT_EQ(fmt::format("{:016x}", definition_hash(source)), "e8ed8277191c578e");
}

TEST(Speed, DividesDurationsButNotWhatBoundsOneAttempt)
{
    const auto good = parse_config(
        "[source.a]\nkind='command'\nrun=['df']\nfresh_for='10m'\nevery='1h'\nrun_limit='30s'\ncold_wait='5s'\n"
        "lease='30s'\nmanual_limit='6/min'\nretry={wait='50ms'}\n[queue.q]\ncancel_grace='1m'",
        "/x");
    ASSERT_TRUE(good.has_value()) << to_lines(good.error(), "t");
    const Definitions fast = apply_speed(*good->definitions, 60);
    const SourceDefinition& source = *fast.source("a");
    EXPECT_EQ(source.fresh_for, 10s);
    EXPECT_EQ(source.schedule.every, 1min);
    EXPECT_EQ(source.run_limit, 30s);
    EXPECT_EQ(source.cold_wait, 5s);
    EXPECT_EQ(source.lease, 1s);
    EXPECT_EQ(source.manual_limit.per, 1s);
    EXPECT_EQ(source.retry.wait, 1ms);
    EXPECT_EQ(source.fresh_for_forced, 0ms);
    EXPECT_EQ(fast.queues.at("q").cancel_grace, 1s);
    EXPECT_EQ(fast.speed, 60);
    EXPECT_EQ(good->definitions->source("a")->fresh_for, 10min);
    EXPECT_EQ(source.hash, good->definitions->source("a")->hash);
}

void check_table(const SettingTable& table)
{
    std::set<std::string_view> names;
    for (const Setting& setting : table.settings) {
        EXPECT_TRUE(names.insert(setting.name).second) << setting.name;
        EXPECT_TRUE(setting.text.ends_with('.')) << setting.name;
        EXPECT_EQ(setting.type == SettingType::choice, !setting.choices.empty()) << setting.name;
        if (setting.type == SettingType::table) check_table(*setting.inside);
    }
}

TEST(Tables, HaveNoNameTwiceAndATextForEach)
{
    for (const SettingTable* table :
         {&server_table(), &retention_table(), &source_table(), &queue_table(), &tenant_table(), &token_table()})
        check_table(*table);
}

TEST(Tables, SpellTheirWordsInTheOrderOfTheEnumerations)
{
    const auto word = [](const char* name, auto value) {
        return value_text(*source_table().find(name), SettingValue{static_cast<std::int64_t>(value)});
    };
    EXPECT_EQ(word("kind", SourceKind::worker), "\"worker\"");
    EXPECT_EQ(word("format", InputFormat::xml), "\"xml\"");
    EXPECT_EQ(word("on_overdue", OverduePolicy::wait), "\"wait\"");
    EXPECT_EQ(word("overlap", OverlapRule::allow), "\"allow\"");
    EXPECT_EQ(word("misfire", MisfireRule::all), "\"all\"");
    EXPECT_EQ(word("gap", GapRule::skip), "\"skip\"");
    EXPECT_EQ(word("fold", FoldRule::both), "\"both\"");
}

TEST(Reference, HelpsWithATableASettingAndNothing)
{
    EXPECT_THAT(config_help("fresh_for"), HasSubstr("default \"1m\""));
    EXPECT_THAT(config_help("retry.wait"), HasSubstr("retry.wait"));
    EXPECT_THAT(config_help("source.lease"), HasSubstr("1s to 10m"));
    EXPECT_THAT(config_help("server"), HasSubstr("data_dir"));
    EXPECT_EQ(config_help("nonsense"), "");
}

TEST(Reference, PageIsCurrent)
{
    const auto page = std::filesystem::path{FRESHET_SOURCE_DIR} / "docs/reference/config.md";
    if (std::getenv("FRESHET_WRITE_DOCS") != nullptr) std::ofstream{page, std::ios::binary} << config_reference();
    std::ifstream in{page, std::ios::binary};
    const std::string written{std::istreambuf_iterator<char>{in}, {}};
    EXPECT_TRUE(written == config_reference()) << "write it anew: FRESHET_WRITE_DOCS=1 freshet_config_test";
}

} // namespace
} // namespace freshet
