// SPDX-License-Identifier: Apache-2.0
// What `bind` says and what is bound; and how names become numbers.
#include "runners/sql/bound_values.hpp"

#include "runners/sql/numbered_query.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// What "x" is bound to at 16:00:00.250 UTC, with the parameters user and day.
std::expected<std::string, std::string> bound(std::string text)
{
    SourceDefinition source;
    source.name = "sales";
    source.params = {{"user", {}, ".*"}, {"day", {}, ".*"}};
    source.sql.bind = {{"x", std::move(text)}};
    FlightOrder order;
    order.source = std::make_shared<const SourceDefinition>(source);
    order.params = {"o'neil", "today"};
    order.now = from_rfc3339("2026-11-24T16:00:00.250Z").value();
    const auto values = bound_values(order);
    if (!values) return std::unexpected(values.error().code + ": " + values.error().message);
    return *find_value(*values, "x");
}

std::string numbered(std::string_view query)
{
    const auto result = number_names(query);
    return result ? result->text : "refused: " + result.error();
}

} // namespace

TEST(BoundValues, AreTextsAndTimesFromTheStartOfTheFlight)
{
    EXPECT_EQ(bound("5"), "5");
    EXPECT_EQ(bound(""), "");
    EXPECT_EQ(bound("today"), "2026-11-24");
    EXPECT_EQ(bound("today-30d"), "2026-10-25");
    EXPECT_EQ(bound("today+48h"), "2026-11-26");
    EXPECT_EQ(bound("now"), "2026-11-24T16:00:00.250Z");
    EXPECT_EQ(bound("now-6h"), "2026-11-24T10:00:00.250Z");
    EXPECT_EQ(bound("now+1m30s"), "2026-11-24T16:01:30.250Z");
    for (const char* text : {"todays", "nowhere", "now-or-never", "today -1d", "Today", "now-"})
        EXPECT_EQ(bound(text), text);
}

TEST(BoundValues, TakeParametersAsTheyAre)
{
    EXPECT_EQ(bound("{user}"), "o'neil");
    EXPECT_EQ(bound("%{user}-{day}%"), "%o'neil-today%");
    EXPECT_EQ(bound("{day}"), "today") << "a caller's text is no time word";
    EXPECT_EQ(bound("{other}"), "{other}");
}

TEST(BoundValues, RefuseMistakesInWords)
{
    EXPECT_EQ(bound("now-6x").error(),
              "bad_bind: source sales: x in bind: \"now-6x\" has no length of time behind -; try \"now-30d\"");
    EXPECT_THAT(bound("today-6h").error(), HasSubstr("\"today-6h\" is no whole number of days; try \"now-6h\""));
    EXPECT_THAT(bound(std::string("a\0b", 3)).error(), HasSubstr("NUL byte"));
}

TEST(NumberedQuery, NumbersEachNameOnce)
{
    const auto query =
        number_names("select * from t where a >= :since and b < :until and c > :since and d=:x2").value();
    EXPECT_EQ(query.text, "select * from t where a >= $1 and b < $2 and c > $1 and d=$3");
    EXPECT_THAT(query.names, ElementsAre("since", "until", "x2"));
}

TEST(NumberedQuery, LeavesCastsStringsNamesAndCommentsAlone)
{
    for (const std::string_view query : {
             "select '1'::text, a[1:2], 10::int",
             "select ':a it''s :b', E'it\\'s :c', \"col:d\"",
             "select 1 -- :a ; select\n",
             "select 1 /* :a /* ; :b */ ; :c */ + 1",
             "select $$ :a ; $$, $tag$ :b $$ $tag$",
             "select f(x := 1)",
             "select 'not ended :a",
         }) {
        const auto result = number_names(query);
        ASSERT_TRUE(result) << query << result.error();
        EXPECT_EQ(result->text, query);
        EXPECT_THAT(result->names, IsEmpty()) << query;
    }
    EXPECT_EQ(numbered("select :a::date, 'x' :b"), "select $1::date, 'x' $2");
    EXPECT_EQ(numbered("select a$b:c"), "select a$b$1");
}

TEST(NumberedQuery, TakesOneReadingStatement)
{
    EXPECT_EQ(numbered("/* why */ select 1; -- end\n ;"), "/* why */ select 1 -- end\n ");
    EXPECT_EQ(numbered("(SELECT 1) union (values (2))"), "(SELECT 1) union (values (2))");
    EXPECT_EQ(numbered("select 1; select 2"), "refused: the query is more than one statement; leave one");
    EXPECT_EQ(numbered("select 1; 'x'"), "refused: the query is more than one statement; leave one");
    EXPECT_EQ(numbered("delete from t"),
              "refused: the query begins with delete; only reading statements are run (select, with, values)");
    EXPECT_THAT(numbered("copy t to program 'x'"), HasSubstr("begins with copy"));
    EXPECT_EQ(numbered("select $1"), "refused: the query has $1; name it, as :since, and give it in bind");
    EXPECT_EQ(numbered(" -- nothing"), "refused: the query is empty");
}

} // namespace freshet
