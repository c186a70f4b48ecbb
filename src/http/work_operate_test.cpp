// SPDX-License-Identifier: Apache-2.0
// Jobs of queues as people and programs see them: enqueued, listed, looked into, operated.
#include "http/work_routes_world.hpp"

#include <gmock/gmock.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;

// --- Enqueueing ---

TEST_F(WorkRoutes, AddOneJobAnswers201AndItsPlace)
{
    send(
        "POST", "/v1/jobs",
        R"({"queue":"mail","input":{"a": 1},"priority":3,"tags":["x"],"unique":{"key":"k","scope":"window","ttl_ms":1000}})");
    auto asked = world.engine.next();
    const auto& add = std::get<AddJobs>(asked.request);
    ASSERT_EQ(add.jobs.size(), 1u);
    EXPECT_EQ(add.jobs[0].input, R"({"a": 1})");
    EXPECT_EQ(add.jobs[0].unique->scope, UniqueScope::window);
    EXPECT_EQ(add.jobs[0].unique->ttl, 1s);
    Added added;
    added.jobs.push_back({std::make_shared<const Job>(task(5)), false});
    world.reply(asked, Answer{added});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.header("location"), "/v1/jobs/" + to_text(JobId{5}));

    send("POST", "/v1/jobs", R"({"queue":"mail","unique":"k"})");
    asked = world.engine.next();
    added.jobs[0].attached = true;
    world.reply(asked, Answer{added});
    const Answered attached = client->read();
    EXPECT_EQ(attached.status, 200);
    EXPECT_EQ(member(attached.body, "/attached"), "true");
}

TEST_F(WorkRoutes, AddAnswersNoMoreThanNamesEachJobWhereThatIsPreferred)
{
    client->send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nPrefer: return=minimal\r\nContent-Type: "
                 "application/json\r\nContent-Length: 35\r\n\r\n[{\"queue\":\"mail\"},{\"queue\":\"mail\"}]");
    auto asked = world.engine.next();
    Added added;
    added.jobs.push_back({std::make_shared<const Job>(task(5)), false});
    added.jobs.push_back({std::make_shared<const Job>(task(6)), true});
    world.reply(asked, Answer{added});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 201);
    EXPECT_EQ(answer.header("preference-applied"), "return=minimal");
    const std::string items = member(answer.body, "/items");
    EXPECT_EQ(items,
              fmt::format(
                  R"([{{"id":"{}","state":"queued","seq":0}},{{"id":"{}","state":"queued","seq":0,"attached":true}}])",
                  to_text(JobId{5}), to_text(JobId{6})));
}

TEST_F(WorkRoutes, AddManyIsOneRequestAndAReplayIsLabelled)
{
    client->send("POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: k1\r\nContent-Type: "
                 "application/json\r\nContent-Length: 35\r\n\r\n[{\"queue\":\"mail\"},{\"queue\":\"mail\"}]"
                 "");
    auto asked = world.engine.next();
    const auto& add = std::get<AddJobs>(asked.request);
    EXPECT_EQ(add.jobs.size(), 2u);
    EXPECT_EQ(add.idempotency->key, "k1");
    Added added;
    added.replayed = true;
    added.jobs.push_back({std::make_shared<const Job>(task(5)), false});
    added.jobs.push_back({std::make_shared<const Job>(task(6)), false});
    world.reply(asked, Answer{added});
    const Answered answer = client->read();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(member(answer.body, "/replayed"), "true");
    EXPECT_EQ(member(answer.body, "/items/1/id"), to_text(JobId{6}));
}

TEST_F(WorkRoutes, AddRefusesWhatItCanNotUse)
{
    expect_bad("/v1/jobs", R"({"input":1})", "/queue: it is missing");
    expect_bad("/v1/jobs", R"({"queue":"mail","priority":4})", "/priority");
    expect_bad("/v1/jobs", R"({"queue":"mail","due_at":"tomorrow"})", "/due_at");
    expect_bad("/v1/jobs", R"({"queue":"mail","unique":{"key":"k","scope":"window"}})", "/unique/ttl_ms");
    expect_bad("/v1/jobs", R"({"queue":"mail","unique":{"key":"k","ttl_ms":5}})", "/unique/ttl_ms");
    expect_bad("/v1/jobs", R"([{"queue":"mail"},{"queue":"mail","colour":1}])", "/1/colour");
    expect_bad("/v1/jobs", "[]", "1 to 1000");
    expect_bad("/v1/jobs", fmt::format(R"({{"queue":"mail","input":"{}"}})", std::string(300'000, 'x')), "262144", 413);
}

// --- Looking at jobs ---

TEST_F(WorkRoutes, TheLogAndTheResultOfAJobAreThere)
{
    Job job = running(5);
    job.state = JobState::succeeded;
    job.result = R"({"sent": 1})";
    job.late = LateResult{3, "w0", R"({"sent":0})", world.clock.wall()};
    auto transaction = world.store.begin();
    transaction->put_job(job, std::nullopt);
    for (int i = 1; i <= 3; ++i)
        transaction->append_log({job.id, i, 7, world.clock.wall(), "info", fmt::format("line {}", i)});
    transaction->commit();
    const std::string path = "/v1/jobs/" + to_text(job.id);
    const Answered page = client->get(path + "/log?limit=2");
    EXPECT_EQ(member(page.body, "/items/1/text"), "line 2");
    EXPECT_EQ(member(page.body, "/next"), "2");
    EXPECT_EQ(member(client->get(path + "/log?after=2").body, "/items/0/text"), "line 3");
    EXPECT_EQ(client->get(path + "/result").body, R"({"sent": 1})");
    EXPECT_EQ(client->get(path + "/result?late=1").body, R"({"sent":0})");
    EXPECT_EQ(client->get("/v1/jobs/" + to_text(JobId{77}) + "/result").status, 404);
}

TEST_F(WorkRoutes, JobsAreListedByKindTagAndTime)
{
    world.tell_jobs({std::make_shared<const Job>(task(5))});
    Job tagged = task((to_ms(world.clock.wall()) + 1000) << 20);
    tagged.tags = {"night"};
    world.tell_jobs({std::make_shared<const Job>(tagged)});
    const Answered all = client->get("/v1/jobs?kind=task");
    EXPECT_EQ(member(all.body, "/counts/queued"), "2");
    EXPECT_EQ(member(client->get("/v1/jobs?tag=night").body, "/items/0/id"), to_text(tagged.id));
    const std::string at = to_rfc3339(world.clock.wall());
    EXPECT_EQ(member(client->get("/v1/jobs?since=" + at).body, "/items/0/id"), to_text(tagged.id));
    EXPECT_EQ(member(client->get("/v1/jobs?since=" + at).body, "/items/1"), "");
    EXPECT_EQ(member(client->get("/v1/jobs?until=" + at).body, "/items/0/id"), to_text(JobId{5}));
    EXPECT_EQ(client->get("/v1/jobs?since=noon").status, 400);
    EXPECT_EQ(client->get("/v1/jobs?kind=big").status, 400);
}

TEST_F(WorkRoutes, ARefreshsLateResultIsMadeReadyBeforeItIsAdopted)
{
    Job job = running(5);
    job.kind = JobKind::refresh;
    job.key = "forecast/eu";
    job.state = JobState::failed;
    job.late = LateResult{3, "w0", R"([{"a":3}])", world.clock.wall()};
    world.tell_jobs({std::make_shared<const Job>(job)});
    client->send("POST /v1/jobs/" + to_text(job.id) +
                 "/adopt HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_FALSE(std::get<AdoptJob>(asked.request).result);
    world.reply(asked, std::unexpected(refused(Refusal::unprepared)));
    auto again = world.engine.next();
    ASSERT_TRUE(std::get<AdoptJob>(again.request).result);
    EXPECT_EQ(std::get<AdoptJob>(again.request).result->body->bytes, R"([{"a":3}])");
    job.state = JobState::succeeded;
    world.reply(again, Answer{std::make_shared<const Job>(job)});
    EXPECT_EQ(member(client->read().body, "/state"), "succeeded");
}

// --- Workers and queues ---

std::shared_ptr<const WorkerView> worker(const std::string& id, const std::string& tenant)
{
    auto made = std::make_shared<WorkerView>();
    made->id = id;
    made->tenant = tenant;
    made->queues = {"mail"};
    made->slots = 4;
    made->jobs.push_back({JobId{5}, 7, std::nullopt});
    return made;
}

TEST_F(WorkRoutes, F9WorkersOfOthersAreNotShown)
{
    auto told = world.notice();
    told->workers = {worker("w1", "default"), worker("w2", "acme"), worker("w3", "*")};
    world.tail.publish(told);
    const Answered answer = client->get("/v1/workers");
    EXPECT_EQ(member(answer.body, "/items/0/id"), "w1");
    EXPECT_EQ(member(answer.body, "/items/0/busy"), "1");
    EXPECT_EQ(member(answer.body, "/items/1"), "");
    EXPECT_EQ(member(answer.body, "/counts/alive"), "1");
    EXPECT_EQ(client->get("/v1/workers/w1").status, 200);
    EXPECT_EQ(client->get("/v1/workers/w2").status, 404);
    client->send("POST /v1/workers/w1/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<DrainWorker>(asked.request).worker, "w1");
    auto drained = std::make_shared<WorkerView>(*worker("w1", "default"));
    drained->state = WorkerView::State::draining;
    told = world.notice();
    told->workers = {drained};
    world.tail.publish(told);
    world.reply(asked, Answer{Done{}});
    EXPECT_EQ(member(client->read().body, "/state"), "draining");
}

TEST_F(WorkRoutes, QueuesShowCountsLimitsAndWhoServesThem)
{
    world.tell_jobs({std::make_shared<const Job>(task(to_ms(world.clock.wall()) << 20))});
    auto told = world.notice();
    told->workers = {worker("w1", "default")};
    world.tail.publish(told);
    const Answered mail = client->get("/v1/queues/mail");
    EXPECT_EQ(mail.status, 200) << mail.body;
    EXPECT_EQ(member(mail.body, "/counts/queued"), "1");
    EXPECT_EQ(member(mail.body, "/workers"), "1");
    EXPECT_EQ(member(mail.body, "/waiting_since"), to_rfc3339(world.clock.wall()));
    EXPECT_THAT(client->get("/v1/queues").body, HasSubstr(R"("name":"forecasts")"));
    EXPECT_EQ(client->get("/v1/queues/none").status, 404);

    send("POST", "/v1/queues/mail/limits", R"({"concurrency":2,"rate":{"count":6,"per_ms":1000}})");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<LimitQueue>(asked.request).rate->count, 6);
    auto transaction = world.store.begin();
    transaction->put_queue_limits({"mail", 2, RateLimit{6, 1s}});
    transaction->put_paused("mail", true);
    transaction->commit();
    world.reply(asked, Answer{Done{}});
    const Answered limited = client->read();
    EXPECT_EQ(member(limited.body, "/limits/concurrency"), "2");
    EXPECT_EQ(member(limited.body, "/limits/set"), "true");
    EXPECT_EQ(member(limited.body, "/paused"), "true");
    expect_bad("/v1/queues/mail/limits", R"({"concurrency":-1})", "/concurrency");
}

TEST_F(WorkRoutes, F9AQueueOfTheConfigAnswersTheTenantsThatUseIt)
{
    auto next = std::make_shared<Definitions>(*world.definitions);
    for (const char* tenant : {"default", "acme"}) next->tenants[tenant].name = tenant;
    for (const char* queue : {"payroll", "letters"}) next->queues[queue].name = queue;
    next->schedules["monthly"] = {"monthly", "payroll", "{}", {}, {"acme"}, -1};
    next->schedules["daily"] = {"daily", "letters", "{}", {}, {}, -1};
    world.reload(next);
    const Answered list = client->get("/v1/queues");
    EXPECT_THAT(list.body, HasSubstr(R"("name":"letters")"));
    EXPECT_THAT(list.body, Not(HasSubstr("payroll")));
    const Answered foreign = client->get("/v1/queues/payroll");
    EXPECT_EQ(foreign.status, 404);
    EXPECT_EQ(ask("POST", "/v1/queues/payroll/pause").status, 404);

    const Answered limits = ask("POST", "/v1/queues/letters/limits", R"({"concurrency":1})");
    EXPECT_EQ(limits.status, 403) << "they hold for acme, too";
    EXPECT_THAT(limits.body, HasSubstr("all tenants"));
    EXPECT_EQ(world.engine.posted(), 0u);

    send("POST", "/v1/queues/letters/pause", "");
    auto asked = world.engine.next();
    EXPECT_EQ(std::get<PauseQueue>(asked.request).tenant, "default");
    auto transaction = world.store.begin();
    transaction->put_paused("acme/letters", true);
    transaction->commit();
    world.reply(asked, Answer{Done{}});
    EXPECT_EQ(member(client->read().body, "/paused"), "false") << "acme's own pause is not ours";
}

// --- Acts on many ---

TEST_F(WorkRoutes, BulkAndResetCountFirstAndActOnlyWhenTold)
{
    send("POST", "/v1/bulk", R"({"action":"delete","filter":{"state":"failed","queue":"mail"}})");
    auto asked = world.engine.next();
    EXPECT_TRUE(std::get<BulkJobs>(asked.request).dry_run);
    EXPECT_EQ(std::get<BulkJobs>(asked.request).action, BulkAction::drop);
    EXPECT_EQ(std::get<BulkJobs>(asked.request).filter.tenant, "default");
    Counted counted;
    counted.count = 3;
    counted.by_queue.push_back({"default", "mail", JobState::failed, 3});
    world.reply(asked, Answer{counted});
    EXPECT_EQ(member(client->read().body, "/by_queue/0/count"), "3");

    send("POST", "/v1/admin/tenants/default/reset", R"({"dry_run":false,"states":["running"]})");
    asked = world.engine.next();
    EXPECT_FALSE(std::get<ResetTenant>(asked.request).dry_run);
    EXPECT_EQ(std::get<ResetTenant>(asked.request).states, std::vector{JobState::running});
    world.reply(asked, Answer{counted});
    EXPECT_EQ(client->read().status, 200);
    expect_bad("/v1/bulk", R"({"action":"delete"})", "/filter: it is missing");
    expect_bad("/v1/bulk", R"({"action":"burn","filter":{}})", "retry, cancel, delete");
    expect_bad("/v1/admin/tenants/default/reset", R"({"states":["failed"]})", "/states/0");
}

TEST_F(WorkRoutes, TheAuditIsListedNewestFirst)
{
    auto transaction = world.store.begin();
    for (const char* action : {"pause", "resume"})
        transaction->put_audit({"default", "ann", action, "mail", "", world.clock.wall()});
    transaction->commit();
    const Answered page = client->get("/v1/audit?limit=1");
    EXPECT_EQ(member(page.body, "/items/0/action"), "resume");
    EXPECT_EQ(member(client->get("/v1/audit?after=" + member(page.body, "/next")).body, "/items/0/action"), "pause");
}

} // namespace
} // namespace freshet::http
