// SPDX-License-Identifier: Apache-2.0
#include "engine/prepare.hpp"

#include "wire/canonical.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::HasSubstr;

FlightData answer(std::string json)
{
    FlightData data;
    data.json = std::move(json);
    data.validators.etag = "\"e1\"";
    data.facts.source_status = 200;
    return data;
}

SourceDefinition keyed_by(std::string field)
{
    SourceDefinition source;
    source.name = "sales";
    source.key = {std::move(field)};
    return source;
}

std::shared_ptr<const Body> body_of(std::string json)
{
    return prepare(answer(std::move(json)), {}, 0, nullptr).body;
}

TEST(Prepare, LeavesTheBytesAsTheSourceGaveThemAndKeepsTheFacts)
{
    const PreparedResult result = prepare(answer("[ {\"b\":1.0, \"a\":2} ]"), {}, 0, nullptr);
    EXPECT_EQ(result.body->bytes, "[ {\"b\":1.0, \"a\":2} ]");
    EXPECT_EQ(result.body->rows, 1);
    EXPECT_EQ(result.data.validators.etag, "\"e1\"");
    EXPECT_EQ(result.data.facts.source_status, 200);
    EXPECT_TRUE(result.data.json.empty());
}

TEST(Prepare, CountsEveryRowAsAddedWhereThereWasNothing)
{
    const PreparedResult result = prepare(answer("[1,2,3]"), {}, 0, nullptr);
    EXPECT_EQ(result.counts, (DiffCounts{.added = 3, .total = 3}));
    EXPECT_EQ(result.base_ver, 0);
    EXPECT_TRUE(result.diff.empty());
}

TEST(Prepare, SaysNothingChangedWhenOnlyTheSpellingDid)
{
    const auto base = body_of(R"([{"a":1,"b":2}])");
    const PreparedResult result = prepare(answer(R"([ {"b":2.0, "a":1} ])"), {}, 7, base.get());
    EXPECT_EQ(result.body->hash, base->hash);
    EXPECT_EQ(result.counts, (DiffCounts{.total = 1}));
    EXPECT_EQ(result.base_ver, 7);
    EXPECT_TRUE(result.diff.empty());
}

TEST(Prepare, ComparesWithTheVersionItWouldReplaceByTheSourcesKey)
{
    const auto base = body_of(R"([{"id":1,"n":"a"},{"id":2,"n":"b"}])");
    const PreparedResult result =
        prepare(answer(R"([{"id":3,"n":"c"},{"id":1,"n":"x"}])"), keyed_by("id"), 7, base.get());
    EXPECT_FALSE(result.wrong_shape);
    EXPECT_EQ(result.counts, (DiffCounts{.added = 1, .removed = 1, .changed = 1, .total = 2}));
    EXPECT_THAT(result.diff, HasSubstr(R"("changed":[{"key":{"id":1})"));
}

TEST(Prepare, LeavesOutADiffThatIsTooLongForAnEventButKeepsItsCounts)
{
    std::string rows = "[0";
    for (int i = 1; i < 20'000; ++i) rows += fmt::format(",{}", i);
    const auto base = body_of("[-1]");
    const PreparedResult result = prepare(answer(rows + "]"), {}, 1, base.get());
    EXPECT_EQ(result.counts, (DiffCounts{.added = 20'000, .removed = 1, .total = 20'000}));
    EXPECT_TRUE(result.diff.empty());
}

TEST(Prepare, CallsRowsThatTheDeclaredKeyDoesNotNameAWrongShapeAndSaysWhichOne)
{
    const auto shape_of = [](std::string json) { return prepare(answer(std::move(json)), keyed_by("id"), 0, nullptr); };
    EXPECT_THAT(shape_of(R"([{"id":1},7])").shape_message, HasSubstr("row 2 is no object"));
    EXPECT_THAT(shape_of(R"([{"id":1},{"name":"x"}])").shape_message, HasSubstr("row 2 has no key field \"id\""));
    EXPECT_THAT(shape_of(R"([{"id":null}])").shape_message, HasSubstr("null in its key field \"id\""));
    EXPECT_THAT(shape_of(R"([{"id":4},{"id":5},{"id":4}])").shape_message,
                HasSubstr("rows 1 and 3 have the same key: id = 4"));
    EXPECT_TRUE(shape_of(R"([{"id":4},{"id":4}])").wrong_shape);
    EXPECT_FALSE(shape_of(R"([{"id":4},{"id":5}])").wrong_shape);
    EXPECT_FALSE(shape_of("[]").wrong_shape);
}

TEST(Prepare, CallsATextThatIsNoJsonAWrongShapeInsteadOfFailing)
{
    const PreparedResult result = prepare(answer("<html>"), {}, 0, nullptr);
    EXPECT_TRUE(result.wrong_shape);
    EXPECT_THAT(result.shape_message, HasSubstr("not JSON"));
}

} // namespace
} // namespace freshet
