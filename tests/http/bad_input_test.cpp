// SPDX-License-Identifier: Apache-2.0
// Bad input on every route of remote work, from outside: unknown members, wrong types, no JSON, too large, a spent
// fence, another tenant, another queue, an expired token, a role that may not. The right status, a problem that says
// what to do, and nothing changed.

#include "tests/http/harness.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

const Headers json{{"Content-Type", "application/json"}};

// One route of remote work, with a body that it takes and one in which a value has the wrong type, and where that is.
// @ID and @FENCE stand for the job that is held.
struct WorkRoute {
    std::string method, path, body, mistyped, place;
    bool many = false;          ///< answers per job
    std::size_t most = 1 << 20; ///< bytes of the body
};

const std::vector<WorkRoute>& routes()
{
    static const std::vector<WorkRoute> all{
        {"POST", "/v1/work/claim", R"({"worker":"w1","queues":["mail"]})",
         R"({"worker":"w1","queues":["mail"],"slots":"four"})", "/slots"},
        {"POST", "/v1/work/beat", R"({"worker":"w1","jobs":[{"id":"@ID","fence":@FENCE}]})",
         R"({"worker":"w1","jobs":[{"id":"@ID","fence":"@FENCE"}]})", "/jobs/0/fence", true},
        {"POST", "/v1/work/complete", R"({"worker":"w1","jobs":[{"id":"@ID","fence":@FENCE,"result":1}]})",
         R"({"worker":"w1","jobs":{"id":"@ID","fence":@FENCE,"result":1}})", "/jobs", true},
        {"POST", "/v1/work/fail",
         R"({"worker":"w1","jobs":[{"id":"@ID","fence":@FENCE,"error":{"class":"fatal","message":"no"}}]})",
         R"({"worker":"w1","jobs":[{"id":"@ID","fence":@FENCE,"error":{"class":"broken"}}]})", "/jobs/0/error/class",
         true},
        {"POST", "/v1/work/release", R"({"worker":"w1","jobs":[{"id":"@ID","fence":@FENCE}]})",
         R"({"worker":7,"jobs":[{"id":"@ID","fence":@FENCE}]})", "/worker", true},
        {"POST", "/v1/work/@ID/complete", R"({"fence":@FENCE,"result":1})", R"({"fence":true,"result":1})", "/fence"},
        {"POST", "/v1/work/@ID/fail", R"({"fence":@FENCE,"error":{"class":"fatal","message":"no"}})",
         R"({"fence":@FENCE,"error":"no"})", "/error"},
        {"POST", "/v1/work/@ID/release", R"({"fence":@FENCE})", R"({"fence":@FENCE,"wait_ms":"1s"})", "/wait_ms"},
        {"POST", "/v1/work/@ID/log", R"({"fence":@FENCE,"lines":[{"text":"hello"}]})",
         R"({"fence":@FENCE,"lines":["hello"]})", "/lines/0"},
        {"PUT", "/v1/work/@ID/result?fence=@FENCE", R"([1])", "", "", false, 64 << 20},
    };
    return all;
}

class BadInput : public testing::Test {
protected:
    BadInput()
        : server{"[tenant.acme]\n[tenant.blue]\n[queue.mail]\nlease = \"10m\"\n[queue.other]\n"},
          admin{server.client(server.local_token())}, held_by{server.client(token("hand", "acme", "worker"))}
    {
        id = held_by.post("/v1/jobs", json, R"({"queue":"mail","input":[1]})").json("/id").value_or("");
        fence = held_by.post("/v1/work/claim", json, R"({"worker":"w1","queues":["mail"],"wait":10})")
                    .json("/jobs/0/fence")
                    .value_or("");
        EXPECT_FALSE(id.empty() || fence.empty());
        before = state();
    }

    std::string token(const std::string& name, const std::string& tenant, const std::string& role,
                      const std::string& more = "")
    {
        const Answer made =
            admin.post("/v1/tokens", json,
                       fmt::format(R"({{"name":"{}","tenant":"{}","role":"{}"{}}})", name, tenant, role, more));
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json("/token").value_or("");
    }

    // What any of these calls could have changed: the job, its log, the counters of its queue.
    std::string state()
    {
        const Answer job = admin.get("/v1/jobs/" + id + "?tenant=acme");
        const Answer log = admin.get("/v1/jobs/" + id + "/log?tenant=acme");
        const Answer queue = admin.get("/v1/jobs?tenant=acme&queue=mail");
        std::string all = log.json("/items/0/text").value_or("no log");
        for (const char* member :
             {"/state", "/seq", "/fence", "/attempt", "/lease_until", "/result", "/late_result/at"})
            all += fmt::format(" {}={}", member, job.json(member).value_or("none"));
        for (const char* member : {"/queued", "/running", "/succeeded", "/failed", "/cancelled"})
            all += fmt::format(" {}={}", member, queue.json(std::string{"/counts"} + member).value_or("none"));
        return all;
    }

    std::string filled(std::string text, const std::string& with_fence) const
    {
        const auto put = [&](std::string_view mark, const std::string& value) {
            for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark))
                text.replace(at, mark.size(), value);
        };
        put("@ID", id);
        put("@FENCE", with_fence);
        return text;
    }

    Answer ask(Client& by, const WorkRoute& route, const std::string& body, const Headers& headers = json)
    {
        return by.ask(route.method, filled(route.path, fence), headers, body);
    }

    void expect_problem(const WorkRoute& route, const std::string& what, const Answer& answer, int status,
                        const std::string& code)
    {
        const std::string where = fmt::format("{} {}: {}", route.method, route.path, what);
        EXPECT_EQ(answer.status, status) << where << " " << answer.body << answer.error;
        EXPECT_EQ(answer.json("/code"), code) << where << " " << answer.body;
        EXPECT_FALSE(answer.json("/try").value_or("").empty()) << where << " " << answer.body;
        EXPECT_EQ(state(), before) << where;
    }

    Server server;
    Client admin, held_by;
    std::string id, fence, before;
};

TEST_F(BadInput, OfBodiesIsRefusedInWordsAndChangesNothing)
{
    for (const WorkRoute& route : routes()) {
        const std::string good = filled(route.body, fence);
        const bool raw = route.method == "PUT"; // the body is the result itself
        expect_problem(route, "no JSON", ask(held_by, route, "{"), 400, "bad_body");
        expect_problem(route, "no content type", ask(held_by, route, good, {{"Content-Type", "text/plain"}}), 415,
                       "content_type");
        expect_problem(route, "too large", ask(held_by, route, "\"" + std::string(route.most, 'x') + "\""), 413,
                       "body_too_large");
        if (raw) continue;
        expect_problem(route, "an unknown member",
                       ask(held_by, route, good.substr(0, good.size() - 1) + R"(,"colour":"red"})"), 400, "bad_body");
        const Answer mistyped = ask(held_by, route, filled(route.mistyped, fence));
        expect_problem(route, "a wrong type", mistyped, 400, "bad_body");
        EXPECT_THAT(mistyped.body, testing::HasSubstr(route.place)) << "where it is: " << route.path;
        expect_problem(route, "a list", ask(held_by, route, "[]"), 400, "bad_body");
        expect_problem(route, "nothing", ask(held_by, route, "{}"), 400, "bad_body");
    }
}

TEST_F(BadInput, OfCallersIsRefusedInWordsAndChangesNothing)
{
    Client none = server.client(), viewer = server.client(token("eye", "acme", "viewer")),
           brief = server.client(token("brief", "acme", "worker", R"(,"expires_in":1)"));
    ask_until([&] { return brief.get("/v1/me"); }, [](const Answer& answer) { return answer.status == 401; });
    for (const WorkRoute& route : routes()) {
        const std::string good = filled(route.body, fence);
        expect_problem(route, "no token", ask(none, route, good), 401, "token_missing");
        expect_problem(route, "an expired token", ask(brief, route, good), 401, "token_expired");
        expect_problem(route, "a viewer", ask(viewer, route, good), 403, "forbidden");
    }
}

TEST_F(BadInput, F9OfAnotherTenantOrQueueReachesNothing)
{
    Client blue = server.client(token("blue-hand", "blue", "worker"));
    for (const WorkRoute& route : routes()) {
        const std::string good = filled(route.body, fence);
        const Answer answer = ask(blue, route, good);
        const std::string where = fmt::format("{} {} {}", route.method, route.path, answer.body);
        if (route.path == "/v1/work/claim") {
            EXPECT_EQ(answer.status, 200) << where;
            EXPECT_FALSE(answer.json("/jobs/0/id")) << where;
        } else if (route.path == "/v1/work/beat") {
            EXPECT_EQ(answer.json("/jobs/0/answer"), "lost") << where;
        } else if (route.many) {
            EXPECT_EQ(answer.json("/jobs/0/problem/code"), "not_found") << where;
        } else {
            expect_problem(route, "another tenant", answer, 404, "not_found");
        }
        EXPECT_EQ(state(), before) << where;
    }
    // A worker of another queue does not get it, and cannot speak for it without its fence.
    const Answer waiting = held_by.post("/v1/jobs", json, R"({"queue":"mail"})");
    const Answer none = held_by.post("/v1/work/claim", json, R"({"worker":"w2","queues":["other"]})");
    EXPECT_EQ(none.status, 200) << none.body;
    EXPECT_FALSE(none.json("/jobs/0/id")) << none.body;
    EXPECT_EQ(held_by.get("/v1/jobs/" + waiting.json("/id").value_or("")).json("/state"), "queued");
}

TEST_F(BadInput, F7OfASpentFenceIsRefusedInWordsAndChangesNothing)
{
    // The job goes back and is claimed anew: the first fence is spent.
    const std::string spent = fence;
    ASSERT_EQ(held_by.post("/v1/work/" + id + "/release", json, fmt::format(R"({{"fence":{}}})", spent)).status, 200);
    admin.post("/v1/jobs/" + id + "/run?tenant=acme");
    fence = held_by.post("/v1/work/claim", json, R"({"worker":"w2","queues":["mail"],"wait":10})")
                .json("/jobs/0/fence")
                .value_or("");
    ASSERT_GT(std::stoll("0" + fence), std::stoll(spent));
    for (const WorkRoute& route : routes()) {
        if (route.path == "/v1/work/claim") continue;
        before = state();
        const Answer answer = held_by.ask(route.method, filled(route.path, spent), json, filled(route.body, spent));
        const std::string where = fmt::format("{} {} {}", route.method, route.path, answer.body);
        if (route.path == "/v1/work/beat") {
            EXPECT_EQ(answer.json("/jobs/0/answer"), "lost") << where;
        } else if (route.many) {
            EXPECT_EQ(answer.status, 200) << where;
            EXPECT_EQ(answer.json("/jobs/0/problem/code"), "lease_lost") << where;
            EXPECT_FALSE(answer.json("/jobs/0/problem/try").value_or("").empty()) << where;
        } else {
            EXPECT_EQ(answer.status, 409) << where;
            EXPECT_EQ(answer.json("/code"), "lease_lost") << where;
            EXPECT_FALSE(answer.json("/try").value_or("").empty()) << where;
        }
        const Answer job = admin.get("/v1/jobs/" + id + "?tenant=acme");
        EXPECT_EQ(job.json("/state"), "running") << where;
        EXPECT_EQ(job.json("/fence"), fence) << where;
        EXPECT_EQ(admin.get("/v1/jobs/" + id + "/log?tenant=acme").json("/items/0/text"), std::nullopt) << where;
        // A late result is kept for a person; nothing else is.
        if (route.path.find("complete") == std::string::npos) {
            EXPECT_EQ(state(), before) << where;
        }
    }
}

} // namespace
} // namespace freshet::outside
