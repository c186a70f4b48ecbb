// SPDX-License-Identifier: Apache-2.0
#include "wire/views.hpp"

#include "model/day.hpp"
#include "wire/json_out.hpp"

#include <gmock/gmock.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace freshet {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

const WallTime t0 = *from_rfc3339("2026-11-24T16:00:00Z");

rapidjson::Document read(const std::string& json)
{
    rapidjson::Document document;
    document.Parse(json.c_str());
    EXPECT_FALSE(document.HasParseError()) << json;
    return document;
}

SourceDefinition a_source()
{
    SourceDefinition source;
    source.name = source.queue = "rates";
    source.params = {{"base", {"EUR"}, {}}};
    source.fresh_for = 5min;
    source.hash = 77;
    return source;
}

KeyRecord a_record()
{
    KeyRecord record;
    record.tenant = "default";
    record.key = "rates/EUR";
    record.source = "rates";
    record.gen = 108, record.ver = 42;
    record.has_data = true;
    record.data_fence = 900;
    record.definition = 77;
    record.rows = 12, record.bytes = 2048;
    record.checked_at = t0;
    record.changed_at = t0 - 1h;
    record.trigger = Trigger::schedule;
    record.seq = 905;
    return record;
}

Job a_job(JobState state)
{
    Job job;
    job.id = {(1LL << 20) * 5};
    job.tenant = "default";
    job.queue = "rates", job.key = "rates/EUR";
    job.state = state;
    job.requested_at = job.due_at = t0;
    job.requested_by = "token:ops";
    job.seq = 33;
    if (state == JobState::queued) return job;
    job.attempt = 1, job.fence = 31;
    job.worker = "builtin-x/http";
    job.began_at = t0 + 1s;
    job.progress.attempt = 1;
    if (is_terminal(state))
        job.finished_at = t0 + 3s;
    else
        job.lease_until = t0 + 31s, job.beat_at = t0 + 1s;
    return job;
}

TEST(Meta, HoldsEveryFieldOfItsShapeInItsForm)
{
    const KeyRecord record = a_record();
    const SourceDefinition source = a_source();
    EXPECT_EQ(
        meta_json({.record = &record, .source = &source, .params = {"EUR"}}, t0 + 23s),
        R"({"key":"rates/EUR","tenant":"default","source":"rates","params":{"base":"EUR"},"gen":108,"ver":42,"state":"fresh","refreshing":false,)"
        R"("paused":false,"held":false,"from_cache":true,"trigger":"schedule","as_of":"2026-11-24T16:00:00.000Z","as_of_by":"fetch",)"
        R"("checked_at":"2026-11-24T16:00:00.000Z","changed_at":"2026-11-24T15:00:00.000Z","stale_at":"2026-11-24T16:05:00.000Z",)"
        R"("overdue_at":"2026-11-24T17:05:00.000Z","age_ms":23000,"rows":12,"bytes":2048,"attempts":0,"now":"2026-11-24T16:00:23.000Z","seq":905})");
}

TEST(Meta, SaysNothingOfDataThatIsNotThere)
{
    KeyRecord record = a_record();
    record.has_data = false;
    const SourceDefinition source = a_source();
    const auto meta = read(meta_json({.record = &record, .source = &source}, t0));
    EXPECT_STREQ(meta["state"].GetString(), "empty");
    for (const char* name :
         {"as_of", "checked_at", "age_ms", "stale_at", "trigger", "rows", "retry_at", "refresh", "error"})
        EXPECT_FALSE(meta.HasMember(name)) << name;
    EXPECT_EQ(meta["gen"].GetInt64(), 108) << "the floor stays";
}

TEST(Meta, ShowsTheFlightAndTheError)
{
    KeyRecord record = a_record();
    record.attempts = 2, record.retry_at = t0 + 10min;
    record.error = ErrorInfo{ErrorClass::retryable, "connect", "connection refused"};
    const SourceDefinition source = a_source();
    const auto meta = read(meta_json(
        {.record = &record, .source = &source, .flight = MetaFlight{{1LL << 20}, true, t0 + 5min, "read"}}, t0 + 6min));
    EXPECT_STREQ(meta["state"].GetString(), "failing");
    EXPECT_TRUE(meta["refreshing"].GetBool());
    EXPECT_STREQ(meta["refresh"]["id"].GetString(), to_text(JobId{1LL << 20}).c_str());
    EXPECT_STREQ(meta["refresh"]["phase"].GetString(), "read");
    EXPECT_STREQ(meta["error"]["class"].GetString(), "retryable");
    EXPECT_STREQ(meta["why"]["code"].GetString(), "failing");
    EXPECT_STREQ(meta["why"]["text"].GetString(), "connection refused");
    EXPECT_THAT(meta["why"]["clears"].GetString(), HasSubstr("2026-11-24T16:10:00.000Z"));
}

TEST(Meta, OfARemovedSourceIsStaleAndSaysSo)
{
    const KeyRecord record = a_record();
    const auto meta = read(meta_json({.record = &record}, t0));
    EXPECT_STREQ(meta["state"].GetString(), "stale");
    EXPECT_STREQ(meta["why"]["code"].GetString(), "source_removed");
}

// Each reason has a row: what is changed of a good record, and the code that a reader is told.
TEST(Why, NamesTheReasonOfAKeyThatHasToGoFirst)
{
    struct Case {
        const char* code;
        void (*change)(KeyRecord&);
        bool paused = false;
    };
    const auto empty = [](KeyRecord& r) { r.has_data = false; };
    const Case cases[]{
        {"age", [](KeyRecord&) {}},
        {"never_fetched", [](KeyRecord& r) { r.has_data = false, r.gen = r.ver = 0; }},
        {"deleted", empty},
        {"purged", [](KeyRecord& r) { r.stale_seq = r.data_fence; }},
        {"definition_changed", [](KeyRecord& r) { r.definition = 78; }},
        {"failing", [](KeyRecord& r) { r.attempts = 1; }},
        {"failing", [](KeyRecord& r) { r.attempts = 1, r.definition = 78, r.has_data = false; }},
        {"parked", [](KeyRecord& r) { r.attempts = 1, r.parked = true; }},
        {"source_open",
         [](KeyRecord& r) {
             r.attempts = 1,
             r.error = ErrorInfo{ErrorClass::retryable, "source_open", "the source failed 5 times in a row"};
         }},
        {"held",
         [](KeyRecord& r) {
             r.attempts = 1, r.last_outcome = Outcome::held, r.held = HeldResult{.reason = HeldReason::shrunk};
         }},
        {"paused", [](KeyRecord& r) { r.attempts = 1; }, true},
    };
    for (const Case& one : cases) {
        KeyRecord record = a_record();
        one.change(record);
        const SourceDefinition source = a_source();
        const auto why = why_of(MetaInput{.record = &record, .source = &source, .paused = one.paused}, t0 + 6min);
        ASSERT_TRUE(why) << one.code;
        EXPECT_EQ(why->code, one.code);
        EXPECT_FALSE(why->text.empty() || why->clears.empty()) << one.code;
    }
}

TEST(Why, SaysNothingOfAFreshKeyAndSinceWhenOfAnOldOne)
{
    const KeyRecord record = a_record();
    const SourceDefinition source = a_source();
    EXPECT_FALSE(why_of(MetaInput{.record = &record, .source = &source}, t0 + 5min));
    EXPECT_EQ(why_of(MetaInput{.record = &record, .source = &source}, t0 + 6min)->since, t0 + 5min);
}

TEST(Why, NamesTheReasonOfAJobThatWaits)
{
    struct Case {
        const char* code;
        JobState state;
        void (*change)(Job&);
        bool paused = false;
    };
    const Case cases[]{
        {"waiting_slot", JobState::queued, [](Job&) {}},
        {"scheduled", JobState::queued, [](Job& j) { j.due_at = t0 + 1h; }},
        {"retrying", JobState::queued,
         [](Job& j) {
             j.due_at = t0 + 1h, j.attempt = 1, j.error = ErrorInfo{{}, "timeout", "no answer within 30 s"};
         }},
        {"source_open", JobState::queued,
         [](Job& j) { j.due_at = t0 + 1h, j.error = ErrorInfo{{}, "source_open", "it failed 5 times in a row"}; }},
        {"behind", JobState::queued, [](Job& j) { j.behind = {9LL << 20}; }},
        {"paused", JobState::queued, [](Job& j) { j.behind = {9LL << 20}; }, true},
        {"cancelling", JobState::running, [](Job& j) { j.cancel_requested_at = t0 + 2s; }},
        {"slow", JobState::running, [](Job& j) { j.took_p95 = 5s; }},
        {"timeout", JobState::failed, [](Job& j) { j.error = ErrorInfo{{}, "timeout", "no answer within 30 s"}; }},
        {"superseded", JobState::cancelled, [](Job& j) { j.superseded_by = {9LL << 20}; }},
        {"cancelled", JobState::cancelled, [](Job&) {}},
    };
    for (const Case& one : cases) {
        Job job = a_job(one.state);
        one.change(job);
        const auto why = why_of(job, one.paused, t0 + 10s);
        ASSERT_TRUE(why) << one.code;
        EXPECT_EQ(why->code, one.code);
        EXPECT_FALSE(why->text.empty() || why->clears.empty()) << one.code;
    }
    EXPECT_FALSE(why_of(a_job(JobState::running), false, t0 + 10s));
    EXPECT_FALSE(why_of(a_job(JobState::succeeded), false, t0 + 10s));
}

// A page in another language says the same from the code and these.
TEST(Why, TellsTheValuesOfItsWordsByName)
{
    KeyRecord record = a_record();
    record.next_at = t0 + 20min;
    const SourceDefinition source = a_source();
    const auto values = [&](const MetaInput& input) {
        const auto meta = read(meta_json(input, t0 + 6min));
        rapidjson::StringBuffer text;
        rapidjson::Writer<rapidjson::StringBuffer> writer{text};
        meta["why"]["values"].Accept(writer);
        return std::string{text.GetString()};
    };
    EXPECT_EQ(values({.record = &record, .source = &source}),
              R"({"at":"2026-11-24T16:20:00.000Z","fresh_for_ms":300000})");
    record.attempts = 1, record.retry_at = t0 + 7min;
    record.error = ErrorInfo{ErrorClass::retryable, "connect", "connection refused"};
    EXPECT_EQ(values({.record = &record, .source = &source}),
              R"({"error":"connect","message":"connection refused","at":"2026-11-24T16:07:00.000Z"})");
    record.last_outcome = Outcome::held, record.held = HeldResult{.reason = HeldReason::shrunk, .rows = 2};
    EXPECT_EQ(values({.record = &record, .source = &source}), R"({"reason":"shrunk","rows":2,"rows_before":12})");

    Job job = a_job(JobState::failed);
    job.late = LateResult{.worker = "w-1", .at = t0 + 5s};
    EXPECT_NE(why_of(job, false, t0 + 10s)->clears.find("too late"), std::string::npos);
    EXPECT_EQ(std::get<WallTime>(why_of(job, false, t0 + 10s)->values.back().value), t0 + 5s);
}

TEST(JobView, DerivesTheTimeLeftFromWhatEarlierRunsTook)
{
    Job job = a_job(JobState::running);
    EXPECT_FALSE(read(job_json(job, false, t0 + 11s)).HasMember("eta")) << "none without history";
    job.took_p50 = 45s, job.took_p90 = 60s, job.took_p95 = 70s;
    const auto early = read(job_json(job, false, t0 + 11s));
    EXPECT_EQ(early["eta"]["low_ms"].GetInt64(), 35'000);
    EXPECT_EQ(early["eta"]["high_ms"].GetInt64(), 50'000);
    EXPECT_FALSE(early["flags"]["slow"].GetBool());
    EXPECT_EQ(read(job_json(job, false, t0 + 51s))["eta"]["low_ms"].GetInt64(), 0);
    EXPECT_FALSE(read(job_json(job, false, t0 + 1min + 6s)).HasMember("eta")) << "past p90";
    EXPECT_FALSE(read(job_json(job, false, t0 + 1min + 6s))["flags"]["slow"].GetBool()) << "not past p95";
    const auto late = read(job_json(job, false, t0 + 1min + 12s));
    EXPECT_FALSE(late.HasMember("eta"));
    EXPECT_TRUE(late["flags"]["slow"].GetBool());
    job.state = JobState::succeeded;
    EXPECT_FALSE(read(job_json(job, false, t0 + 1min + 12s))["flags"]["slow"].GetBool());
}

TEST(JobView, F6NeverSaysAHundredPercentBeforeTheEnd)
{
    Job job = a_job(JobState::running);
    job.progress = {.attempt = 1,
                    .phase = "fit",
                    .phase_index = 1,
                    .phases = 2,
                    .done = 310,
                    .total = 500,
                    .unit = {},
                    .message = {}};
    EXPECT_EQ(read(job_json(job, false, t0 + 2s))["progress"]["percent"].GetInt(), 62);
    EXPECT_STREQ(read(job_json(job, false, t0 + 2s))["progress"]["phase"].GetString(), "fit");
    job.progress.done = 500;
    EXPECT_EQ(read(job_json(job, false, t0 + 2s))["progress"]["percent"].GetInt(), 99);
    EXPECT_STREQ(read(job_json(job, false, t0 + 2s))["progress"]["phase"].GetString(), "finalizing");
    job.progress.phase_index = 0;
    EXPECT_STREQ(read(job_json(job, false, t0 + 2s))["progress"]["phase"].GetString(), "fit")
        << "another phase follows";
    job.state = JobState::succeeded;
    EXPECT_EQ(read(job_json(job, false, t0 + 2s))["progress"]["percent"].GetInt(), 100);
    job.progress.total.reset();
    EXPECT_FALSE(read(job_json(job, false, t0 + 2s))["progress"].HasMember("percent")) << "none without a total";
}

TEST(JobView, TellsTheReportedWord)
{
    Job job = a_job(JobState::queued);
    EXPECT_STREQ(read(job_json(job, false, t0))["state"].GetString(), "queued");
    EXPECT_STREQ(read(job_json(job, true, t0))["state"].GetString(), "paused");
    job.due_at = t0 + 8s, job.attempt = 1;
    const auto retrying = read(job_json(job, false, t0));
    EXPECT_STREQ(retrying["state"].GetString(), "retrying");
    EXPECT_STREQ(retrying["retry_at"].GetString(), "2026-11-24T16:00:08.000Z");
    EXPECT_FALSE(read(job_json(job, false, t0 + 8s)).HasMember("retry_at"));
}

TEST(Receipt, IsTheJobWithTheParts)
{
    const KeyRecord record = a_record();
    ReceiptInput input;
    input.gen = 109, input.ver = 43, input.base_ver = 42;
    input.counts = DiffCounts{.added = 1, .removed = 0, .changed = 3, .total = 13};
    input.phases = {{"connect", 40ms}, {"read", 300ms}};
    input.bytes = 999, input.rows = 13, input.source_status = 200;
    input.notes = {"stopped at 100 pages; the source has more"};
    Job job = a_job(JobState::succeeded);
    job.outcome = Outcome::updated, job.callers = 3, job.trigger = Trigger::manual;
    job.receipt = receipt_parts_json(input);
    const auto receipt = read(receipt_json(job, false, t0 + 4s));
    EXPECT_STREQ(receipt["state"].GetString(), "succeeded");
    EXPECT_STREQ(receipt["outcome"].GetString(), "updated");
    EXPECT_STREQ(receipt["trigger"].GetString(), "manual");
    EXPECT_EQ(receipt["callers"].GetInt(), 3);
    EXPECT_EQ(receipt["gen"].GetInt(), 109);
    EXPECT_EQ(receipt["base_ver"].GetInt(), 42);
    EXPECT_EQ(receipt["counts"]["changed"].GetInt(), 3);
    EXPECT_STREQ(receipt["phases"][1]["name"].GetString(), "read");
    EXPECT_EQ(receipt["phases"][1]["ms"].GetInt(), 300);
    EXPECT_FALSE(receipt.HasMember("last_good"));

    ReceiptInput held;
    held.held_reason = HeldReason::shrunk, held.held_rows = 4;
    held.last_good = &record, held.last_good_href = "/v1/data/rates/EUR";
    job.receipt = receipt_parts_json(held);
    const auto of_held = read(receipt_json(job, false, t0 + 4s));
    EXPECT_STREQ(of_held["held"]["reason"].GetString(), "shrunk");
    EXPECT_EQ(of_held["last_good"]["gen"].GetInt(), 108);
    EXPECT_STREQ(of_held["last_good"]["href"].GetString(), "/v1/data/rates/EUR");
    EXPECT_FALSE(of_held.HasMember("gen"));
}

TEST(Receipt, IsTheJobAloneWhereThePartsAreBroken)
{
    Job job = a_job(JobState::failed);
    job.receipt = "{\"gen\":";
    EXPECT_FALSE(read(receipt_json(job, false, t0)).HasMember("gen"));
}

TEST(Events, CarryTopicAndSeqAndADiffOrAnHref)
{
    const std::string with_diff = change_event_json("data/a", R"({"gen":2})", Outcome::updated, 1,
                                                    DiffCounts{.added = 1, .total = 1}, R"({"added":[1]})", "/x", 9);
    EXPECT_EQ(
        with_diff,
        R"({"topic":"data/a","meta":{"gen":2},"outcome":"updated","base":1,"counts":{"added":1,"removed":0,"changed":0,"total":1},"diff":{"added":[1]},"seq":9})");
    EXPECT_THAT(change_event_json("data/a", "{}", {}, 0, {}, "", "/x", 9), HasSubstr(R"("href":"/x")"));
    EXPECT_EQ(job_event_json("job/j_1", R"({"id":"j_1"})", 4), R"({"topic":"job/j_1","job":{"id":"j_1"},"seq":4})");
}

TEST(Problems, LeaveOutWhatIsNotSaid)
{
    EXPECT_EQ(problem_json({.status = 404}), R"({"status":404})");
    Problem problem{.status = 429,
                    .code = "limited",
                    .title = "Too often",
                    .detail = "6 per minute",
                    .try_ = "wait",
                    .type_base = "https://h/problems/"};
    problem.joined = false, problem.retry_at = t0, problem.last_good = R"({"gen":1})";
    EXPECT_EQ(
        problem_json(problem),
        R"({"type":"https://h/problems/limited","title":"Too often","status":429,"detail":"6 per minute","code":"limited",)"
        R"("joined":false,"retry_at":"2026-11-24T16:00:00.000Z","last_good":{"gen":1},"try":"wait"})");
}

TEST(JsonOut, AlwaysWritesJsonWhateverASourceSaid)
{
    JsonOut out;
    out.begin();
    out.text("message", "bad \xff\xc3 byte \"quoted\"\n\xe2\x82\xac");
    out.end();
    EXPECT_EQ(out.take(), "{\"message\":\"bad \xEF\xBF\xBD\xEF\xBF\xBD byte \\\"quoted\\\"\\n\xe2\x82\xac\"}");
}

TEST(SmallViews, HoldTheirFields)
{
    AttemptRecord attempt{.job = {1LL << 20},
                          .attempt = 2,
                          .fence = 44,
                          .worker = "w",
                          .began_at = t0,
                          .finished_at = {},
                          .end = AttemptEnd::lost,
                          .error = {}};
    EXPECT_THAT(attempt_json(attempt),
                HasSubstr(R"("attempt":2,"fence":44,"worker":"w","began_at":"2026-11-24T16:00:00.000Z","end":"lost")"));
    EXPECT_THAT(fire_json({"default", "rates", t0, t0 + 1s, "skipped", "it runs still", {}}),
                Not(HasSubstr("\"job\"")));
    EXPECT_THAT(version_json({.ver = 3, .gen = 9, .changed_at = t0}, "/v"), HasSubstr(R"("ver":3,"gen":9)"));
    KeyRecord record = a_record();
    const SourceDefinition source = a_source();
    record.last_job = {1LL << 20}, record.last_outcome = Outcome::unchanged;
    const auto row = read(freshness_row_json({.record = &record, .source = &source}, t0));
    EXPECT_EQ(row["fresh_for_ms"].GetInt64(), 300'000);
    EXPECT_STREQ(row["last"]["outcome"].GetString(), "unchanged");
    EXPECT_EQ(row["seq"].GetInt64(), 905);
}

TEST(FreshnessRow, HasAStripOfTheLastTwentyFourHoursWhoseLastIsTheRunningOne)
{
    KeyRecord record = a_record();
    record.day = day_with(record.day, Outcome::updated, t0 - 24h);
    record.day = day_with(record.day, Outcome::failed, t0 - 2h);
    record.day = day_with(record.day, Outcome::unchanged, t0 - 1h);
    record.day = day_with(record.day, Outcome::failed, t0 - 1h);
    const SourceDefinition source = a_source();
    const auto strip = [&](WallTime now) {
        const auto row = read(freshness_row_json({.record = &record, .source = &source}, now));
        rapidjson::StringBuffer text;
        rapidjson::Writer<rapidjson::StringBuffer> writer{text};
        row["strip"].Accept(writer);
        EXPECT_EQ(row["strip"].Size(), 24U);
        return std::string{text.GetString()};
    };
    EXPECT_THAT(strip(t0), EndsWith(R"(null,{"failed":1},{"unchanged":1,"failed":1},null])"));
    EXPECT_THAT(strip(t0 + 1h), EndsWith(R"(null,{"failed":1},{"unchanged":1,"failed":1},null,null])"));
    EXPECT_THAT(strip(t0), Not(HasSubstr("updated"))) << "what is older than a day is not on it";
}

} // namespace
} // namespace freshet
