// SPDX-License-Identifier: Apache-2.0
#include "wire/diff.hpp"

#include "wire/canonical.hpp"

#include <chrono>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>
#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace freshet {
namespace {

using testing::HasSubstr;

constexpr std::size_t plenty = 1 << 20;

Diff diff_by(std::vector<std::string> key, std::string_view before, std::string_view after,
             std::vector<std::string> ignore = {})
{
    return diff(before, after, {std::move(key), std::move(ignore)}, plenty).value();
}

TEST(Diff, MatchesRowsByTheirKeyWhateverTheirOrder)
{
    const Diff made = diff_by({"id"}, R"([{"id":1,"n":"a"},{"id":2,"n":"b"},{"id":3,"n":"c"}])",
                              R"([{"id":3,"n":"c"},{"id":1,"n":"x"},{"id":4,"n":"d"}])");
    EXPECT_EQ(made.counts, (DiffCounts{.added = 1, .removed = 1, .changed = 1, .total = 3}));
    EXPECT_EQ(made.moved, 1);
    EXPECT_EQ(
        made.json,
        R"({"added":[{"id":4,"n":"d"}],"removed":[{"id":2,"n":"b"}],"changed":[{"key":{"id":1},"before":{"id":1,"n":"a"},)"
        R"("after":{"id":1,"n":"x"},"paths":["/n"]}],"moved":1,"counts":{"added":1,"removed":1,"changed":1,"total":3}})");
}

TEST(Diff, MatchesRowsWithoutAKeyByTheirWholeContentAndHowOftenItIsThere)
{
    const Diff made = diff_by({}, "[1,1,2]", "[2,1,3]");
    EXPECT_EQ(made.counts, (DiffCounts{.added = 1, .removed = 1, .total = 3}));
    EXPECT_THAT(made.json, HasSubstr(R"("added":[3],"removed":[1])"));
}

TEST(Diff, PairsRowsThatShareAKeyByEqualContentBeforeTheirOrder)
{
    // The first of three twins went: nothing else changed.
    const Diff made =
        diff_by({"id"}, R"([{"id":1,"n":1},{"id":1,"n":2},{"id":1,"n":3}])", R"([{"id":1,"n":2},{"id":1,"n":3}])");
    EXPECT_EQ(made.counts, (DiffCounts{.removed = 1, .total = 2}));
    EXPECT_THAT(made.json, HasSubstr(R"("removed":[{"id":1,"n":1}])"));
}

TEST(Diff, PairsTheRestOfRowsThatShareAKeyInTheirOrder)
{
    std::string before = "[", after = "[";
    for (int i = 0; i < 8; ++i) {
        before += fmt::format("{}{{\"id\":1,\"n\":{}}}", i == 0 ? "" : ",", i);
        after += fmt::format("{}{{\"id\":1,\"n\":{}}}", i == 0 ? "" : ",", i + 10);
    }
    const Diff made = diff_by({"id"}, before + "]", after + "]");
    EXPECT_EQ(made.counts, (DiffCounts{.changed = 8, .total = 8}));
    for (int i = 0; i < 8; ++i)
        EXPECT_THAT(made.json,
                    HasSubstr(fmt::format(R"("before":{{"id":1,"n":{}}},"after":{{"id":1,"n":{}}})", i, i + 10)));
}

TEST(Diff, ShowsNothingOfIgnoredPaths)
{
    const auto before = R"([{"id":1,"seen":"a","meta":{"at":1,"by":"x"},"tags":[{"t":1,"u":1}]}])";
    const auto after = R"([{"id":1,"seen":"b","meta":{"at":2,"by":"x"},"tags":[{"t":1,"u":2}]}])";
    EXPECT_EQ(diff_by({"id"}, before, after, {"seen", "/meta/at", "tags.*.u"}).counts, (DiffCounts{.total = 1}));
    const auto lists = diff_by({"id"}, R"([{"id":1,"t":[1,2],"n":1}])", R"([{"id":1,"t":[3,4],"n":2}])", {"t.*"});
    EXPECT_THAT(lists.json, HasSubstr(R"("paths":["/n"])"));
    const Diff shown = diff_by({"id"}, before, after, {".seen"});
    EXPECT_EQ(shown.counts.changed, 1);
    EXPECT_THAT(shown.json, HasSubstr(R"("paths":["/meta/at","/tags/0/u"])"));
}

TEST(Diff, TakesADocumentThatIsNoListAsOneRow)
{
    const Diff made = diff_by({}, R"({"a":1,"b":{"c/d":[1,2]}})", R"({"a":1,"b":{"c/d":[1,3]},"e":0})");
    EXPECT_EQ(made.counts, (DiffCounts{.changed = 1, .total = 1}));
    EXPECT_THAT(made.json, HasSubstr(R"("paths":["/b/c~1d/1","/e"])"));
    EXPECT_EQ(diff_by({}, "null", "7").counts, (DiffCounts{.added = 1, .total = 1}));
    EXPECT_EQ(diff_by({}, R"({"a":1})", "[1,2]").counts, (DiffCounts{.added = 2, .removed = 1, .total = 2}));
}

TEST(Diff, SaysNothingOfEqualContentInAnotherSpelling)
{
    const Diff made = diff_by({"id"}, R"([{"id":1,"x":2}])", R"([{"x":2.0,"id":1e0}])");
    EXPECT_EQ(made.counts, (DiffCounts{.total = 1}));
}

TEST(Diff, CountsWhatOnlyMoved)
{
    const Diff made = diff_by({}, "[1,2,3,4]", "[4,1,2,3]");
    EXPECT_EQ(made.counts, (DiffCounts{.total = 4}));
    EXPECT_EQ(made.moved, 1);
}

TEST(Diff, CutsItsListsAtTheBoundButNotItsCounts)
{
    std::string before = "[", after = "[";
    for (int i = 0; i < 2000; ++i) {
        before += fmt::format("{}{{\"id\":{},\"v\":1}}", i == 0 ? "" : ",", i);
        after += fmt::format("{}{{\"id\":{},\"v\":2}}", i == 0 ? "" : ",", i + 1000);
    }
    const Diff made = diff(before + "]", after + "]", {{"id"}, {}}, 4096).value();
    EXPECT_TRUE(made.truncated);
    EXPECT_LE(made.json.size(), 4096u);
    EXPECT_EQ(made.counts, (DiffCounts{.added = 1000, .removed = 1000, .changed = 1000, .total = 2000}));
    EXPECT_TRUE(canonical_json(made.json).has_value());
    for (const char* list : {"\"added\":[{", "\"removed\":[{", "\"changed\":[{"})
        EXPECT_THAT(made.json, HasSubstr(list)) << "each list has its share";
}

TEST(Diff, RefusesWhatIsNoJson)
{
    EXPECT_FALSE(diff("{", "[]", {}, plenty).has_value());
    EXPECT_FALSE(json_patch("[]", "").has_value());
}

TEST(Diff, ComparesAHundredThousandRowsWithinASecond)
{
    std::string before = "[", after = "[";
    for (int i = 0; i < 100'000; ++i) {
        before += fmt::format("{}{{\"id\":{},\"name\":\"row {}\",\"price\":{}.5,\"tags\":[\"a\",\"b\"]}}",
                              i == 0 ? "" : ",", i, i, i % 977);
        after += fmt::format("{}{{\"id\":{},\"name\":\"row {}\",\"price\":{}.5,\"tags\":[\"a\",\"b\"]}}",
                             i == 0 ? "" : ",", 100'000 - i, i, i % 971);
    }
    const auto began = std::clock();
    const Diff made = diff(before + "]", after + "]", {{"id"}, {}}, plenty).value();
    const double seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
    EXPECT_EQ(made.counts.total, 100'000);
    // Ten times what it takes, so that only a quadratic step fails here; sanitizers and a busy machine do not.
    EXPECT_LT(seconds, 5.0);
    RecordProperty("cpu_ms", static_cast<int>(seconds * 1000));
}

// RFC 6902 as a reader applies it: the three operations that we write.
class Patched {
public:
    explicit Patched(std::string_view json) { document_.Parse(json.data(), json.size()); }

    void apply(std::string_view patch)
    {
        rapidjson::Document operations;
        operations.Parse(patch.data(), patch.size());
        ASSERT_TRUE(operations.IsArray());
        for (const auto& operation : operations.GetArray()) apply(operation);
    }
    std::string text() const
    {
        rapidjson::StringBuffer buffer;
        rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
        document_.Accept(writer);
        return buffer.GetString();
    }

private:
    void apply(const rapidjson::Value& operation)
    {
        const std::string name = operation["op"].GetString(), path = operation["path"].GetString();
        const rapidjson::Pointer pointer{path.c_str(), path.size()};
        ASSERT_TRUE(pointer.IsValid()) << path;
        if (name == "replace") {
            ASSERT_NE(pointer.Get(document_), nullptr) << path << " is not there";
            pointer.Set(document_, operation["value"]);
            return;
        }
        const std::string parent_path = path.substr(0, path.rfind('/'));
        rapidjson::Value* parent = rapidjson::Pointer{parent_path.c_str(), parent_path.size()}.Get(document_);
        ASSERT_NE(parent, nullptr) << path;
        const auto& last = pointer.GetTokens()[pointer.GetTokenCount() - 1];
        if (parent->IsObject()) {
            ASSERT_EQ(pointer.Get(document_) != nullptr, name == "remove") << path;
            if (name == "remove")
                parent->RemoveMember(last.name);
            else
                pointer.Set(document_, operation["value"]);
            return;
        }
        ASSERT_TRUE(parent->IsArray() && last.index <= parent->Size()) << path;
        if (name == "remove") {
            ASSERT_LT(last.index, parent->Size()) << path;
            parent->Erase(parent->Begin() + last.index);
            return;
        }
        parent->PushBack(rapidjson::Value{operation["value"], document_.GetAllocator()}, document_.GetAllocator());
        for (rapidjson::SizeType i = parent->Size() - 1; i > last.index; --i) (*parent)[i].Swap((*parent)[i - 1]);
    }

    rapidjson::Document document_;
};

std::string patched(std::string_view before, std::string_view patch)
{
    Patched document{before};
    document.apply(patch);
    return document.text();
}

TEST(JsonPatch, SaysOnlyWhatIsDifferent)
{
    EXPECT_EQ(
        json_patch(
            R"({"a":1,"b":[1,2,3],"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})",
            R"({"b":[2,3,4],"c":0,"long":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"})")
            .value(),
        R"([{"op":"remove","path":"/a"},{"op":"remove","path":"/b/0"},{"op":"add","path":"/b/2","value":4},{"op":"add","path":"/c","value":0}])");
    EXPECT_EQ(json_patch("[1.0]", "[1]").value(), "[]");
}

TEST(JsonPatch, ReplacesTheWholeWhereThatIsShorter)
{
    EXPECT_EQ(json_patch("[1,2,3,4,5,6,7,8,9]", "[]").value(), R"([{"op":"replace","path":"","value":[]}])");
    EXPECT_EQ(patched("[1,2,3,4,5,6,7,8,9]", R"([{"op":"replace","path":"","value":[]}])"), "[]");
}

// Small values from a small alphabet, so that equal rows, moved rows and twins are common.
std::string some_value(int depth)
{
    const int kind = *rc::gen::inRange(0, depth > 0 ? 7 : 5);
    if (kind == 0) return "null";
    if (kind == 1) return *rc::gen::element<std::string>("true", "0.5", "-3", "\"a\\/~\"", "\"é\"");
    if (kind < 5) return std::to_string(*rc::gen::inRange(0, 4));
    const int count = *rc::gen::inRange(0, 5);
    std::string json = kind == 5 ? "[" : "{";
    std::vector<std::string> names{"a", "b/c", "~d", "items", "é"};
    for (int i = 0; i < count; ++i) {
        if (i > 0) json += ",";
        if (kind == 6) json += "\"" + names[static_cast<std::size_t>(i)] + "\":";
        json += some_value(depth - 1);
    }
    return json + (kind == 5 ? "]" : "}");
}

std::string some_rows()
{
    const int count = *rc::gen::inRange(0, 12);
    std::string json = "[";
    for (int i = 0; i < count; ++i)
        json += fmt::format("{}{{\"id\":{},\"v\":{}}}", i == 0 ? "" : ",", *rc::gen::inRange(0, 8), some_value(1));
    return json + "]";
}

RC_GTEST_PROP(JsonPatch, MakesTheNewOfTheOld, ())
{
    // Padding keeps the whole document from being the shorter patch every time.
    const std::string padding = R"(,")" + std::string(400, 'x') + R"("])";
    const std::string before = "[" + some_value(3) + padding, after = "[" + some_value(3) + padding;
    RC_LOG() << before << "\n" << after << "\n";
    const std::string patch = json_patch(before, after).value();
    RC_LOG() << patch << "\n";
    RC_ASSERT(canonical_json(patched(before, patch)).value() == canonical_json(after).value());
}

RC_GTEST_PROP(JsonPatch, MakesTheNewRowsOfTheOld, ())
{
    const std::string before = some_rows(), after = some_rows();
    RC_ASSERT(canonical_json(patched(before, json_patch(before, after).value())).value() ==
              canonical_json(after).value());
}

RC_GTEST_PROP(Diff, AddsUp, ())
{
    const std::string before = some_rows(), after = some_rows();
    const bool keyed = *rc::gen::arbitrary<bool>();
    const Diff made = diff_by(keyed ? std::vector<std::string>{"id"} : std::vector<std::string>{}, before, after);
    const DiffCounts& counts = made.counts;
    RC_ASSERT(rows_of(before) - counts.removed + counts.added == rows_of(after));
    RC_ASSERT(counts.total == rows_of(after));
    RC_ASSERT(counts.changed <= counts.total - counts.added);
    RC_ASSERT(keyed || counts.changed == 0);
    const bool same = content_of(before)->hash == content_of(after)->hash;
    RC_ASSERT(same == (counts.added + counts.removed + counts.changed + made.moved == 0));
    // The other way round added and removed change places.
    const Diff back = diff_by(keyed ? std::vector<std::string>{"id"} : std::vector<std::string>{}, after, before);
    RC_ASSERT(back.counts.added == counts.removed && back.counts.removed == counts.added &&
              back.counts.changed == counts.changed);
    rapidjson::Document document;
    document.Parse(made.json.c_str());
    RC_ASSERT(document["added"].Size() == counts.added && document["removed"].Size() == counts.removed &&
              document["changed"].Size() == counts.changed);
}

} // namespace
} // namespace freshet
