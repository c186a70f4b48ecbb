// SPDX-License-Identifier: Apache-2.0
// api/state-vectors.json against the freshness rule, against what meta says, and against the rule by which clients go
// on from a meta that they were told: the same table is the test of every SDK.
#include "wire/views.hpp"

#include <fstream>
#include <gtest/gtest.h>
#include <rapidjson/document.h>
#include <sstream>

namespace freshet {
namespace {

using Value = rapidjson::Value;

rapidjson::Document table()
{
    std::ifstream in{STATE_VECTORS};
    std::stringstream text;
    text << in.rdbuf();
    rapidjson::Document document;
    document.Parse(text.str().c_str());
    return document;
}

std::string text_of(const Value& object, const char* name)
{
    return object.HasMember(name) ? object[name].GetString() : "";
}

std::optional<WallTime> time_of(const Value& object, const char* name)
{
    return from_rfc3339(text_of(object, name));
}

std::uint64_t definition_of(const Value& object)
{
    const std::string name = text_of(object, "definition");
    return name.empty() ? 0 : hash64(name);
}

KeyRecord record_of(const Value& value)
{
    KeyRecord record;
    record.key = record.source = "sales";
    record.gen = record.ver = value["has_data"].GetBool() ? 1 : 0;
    record.has_data = value["has_data"].GetBool();
    record.checked_at = time_of(value, "checked_at");
    record.trigger = parse_trigger(text_of(value, "trigger")).value();
    record.attempts = value["attempts"].GetInt();
    record.data_fence = value["data_fence"].GetUint64();
    record.stale_seq = value["stale_seq"].GetUint64();
    record.definition = definition_of(value);
    return record;
}

SourceDefinition policy_of(const Value& value)
{
    SourceDefinition source;
    source.fresh_for = Millis{value["fresh_for_ms"].GetInt64()};
    source.overdue_after = Millis{value["overdue_after_ms"].GetInt64()};
    source.fresh_for_forced = Millis{value["fresh_for_forced_ms"].GetInt64()};
    source.hash = definition_of(value);
    return source;
}

// What a client makes of a meta when time goes by, from the instants in it alone.
std::string client_state(const Value& meta, WallTime now)
{
    const std::string told = text_of(meta, "state");
    const bool past_stale = told == "fresh" && now > *time_of(meta, "stale_at");
    if (past_stale && meta["attempts"].GetInt() > 0) return "failing";
    if (told == "stale" || past_stale) return now > *time_of(meta, "overdue_at") ? "overdue" : "stale";
    return told;
}

template <class Each>
void each_case(Each&& each)
{
    const rapidjson::Document document = table();
    ASSERT_TRUE(document.IsObject());
    ASSERT_GE(document["cases"].Size(), 15u);
    for (const Value& one : document["cases"].GetArray()) {
        SCOPED_TRACE(text_of(one, "name"));
        each(one, record_of(one["record"]), policy_of(one["policy"]));
    }
}

TEST(StateVectors, F2AreWhatTheFreshnessRuleSays)
{
    each_case([](const Value& one, const KeyRecord& record, const SourceDefinition& source) {
        for (const Value& moment : one["moments"].GetArray()) {
            SCOPED_TRACE(text_of(moment, "now"));
            const Freshness freshness = derive_freshness(record, source, *time_of(moment, "now"));
            EXPECT_EQ(to_text(freshness.state), text_of(moment, "state"));
            EXPECT_EQ(freshness.age.count(), moment.HasMember("age_ms") ? moment["age_ms"].GetInt64() : 0);
            EXPECT_EQ(freshness.holds_until, time_of(moment, "holds_until"));
            EXPECT_EQ(freshness.stale_at, time_of(one, "stale_at"));
            EXPECT_EQ(freshness.overdue_at, time_of(one, "overdue_at"));
        }
    });
}

TEST(StateVectors, HoldTheirStateUpToHoldsUntilAndChangeItThere)
{
    each_case([](const Value& one, const KeyRecord& record, const SourceDefinition& source) {
        for (const Value& moment : one["moments"].GetArray()) {
            const Freshness at = derive_freshness(record, source, *time_of(moment, "now"));
            if (!at.holds_until) continue;
            EXPECT_EQ(derive_freshness(record, source, *at.holds_until - Millis{1}).state, at.state);
            EXPECT_NE(derive_freshness(record, source, *at.holds_until).state, at.state);
        }
    });
}

TEST(StateVectors, F2AreWhatAClientMakesOfAnyEarlierMeta)
{
    each_case([](const Value& one, const KeyRecord& record, const SourceDefinition& source) {
        const auto& moments = one["moments"];
        for (rapidjson::SizeType told = 0; told < moments.Size(); ++told) {
            rapidjson::Document meta;
            meta.Parse(meta_json({.record = &record, .source = &source}, *time_of(moments[told], "now")).c_str());
            EXPECT_EQ(text_of(meta, "state"), text_of(moments[told], "state"));
            for (rapidjson::SizeType later = told; later < moments.Size(); ++later)
                EXPECT_EQ(client_state(meta, *time_of(moments[later], "now")), text_of(moments[later], "state"))
                    << told << " -> " << later;
        }
    });
}

} // namespace
} // namespace freshet
