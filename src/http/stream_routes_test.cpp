// SPDX-License-Identifier: Apache-2.0
// Streams and polls over real sockets: state, changes, resume, topics that are added, and how they end.
#include "http/status_routes_world.hpp"

#include <gmock/gmock.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class StreamRoutes : public StatusRoutes {
protected:
    /// Reads until the text has come.
    static bool wait_for(RawClient& reader, const std::string& text)
    {
        while (reader.buffer().find(text) == std::string::npos)
            if (!reader.fill()) return false;
        return true;
    }
};

TEST_F(StreamRoutes, StreamStateThenChanges)
{
    change("prices", R"([{"id":1}])");
    RawClient reader{world.port()};
    send_get(reader, "/v1/stream?topic=data%2Fprices");
    answer_fence();
    ASSERT_TRUE(wait_for(reader, "event: live"));
    EXPECT_THAT(reader.buffer(), HasSubstr("text/event-stream"));
    EXPECT_THAT(reader.buffer(), HasSubstr("Cache-Control: no-store, no-transform"));
    EXPECT_THAT(reader.buffer(), HasSubstr("X-Accel-Buffering: no"));
    EXPECT_THAT(reader.buffer(), HasSubstr(R"("data":[{"id":1}])"));
    change("prices", R"([{"id":2}])");
    ASSERT_TRUE(wait_for(reader, "id: 1:2\nevent: change"));

    RawClient again{world.port()};
    send_get(again, "/v1/stream?topic=data%2Fprices&cursor=1:0", "Last-Event-ID: 1:1\r\n");
    ASSERT_TRUE(wait_for(again, "id: 1:2\nevent: change"));
    EXPECT_THAT(again.buffer(), HasSubstr(R"("resume":"ok")"));
    EXPECT_THAT(again.buffer(), Not(HasSubstr("event: snapshot")));
}

TEST_F(StreamRoutes, RefuseAStreamOfNothingWithAProblem)
{
    EXPECT_EQ(get("/v1/stream?topic=data/nothing").status, 404);
    EXPECT_EQ(get("/v1/stream").status, 400);
    EXPECT_EQ(get("/v1/stream?topic=freshness&colour=red").status, 400);
}

TEST_F(StreamRoutes, SayGoodbyeOnAStreamWhereTroublePasses)
{
    world.engine.full = true; // the engine has no room to say where it stands
    RawClient reader{world.port()};
    send_get(reader, "/v1/stream?topic=freshness");
    EXPECT_TRUE(reader.closed());
    EXPECT_THAT(reader.buffer(), StartsWith("HTTP/1.1 200"));
    EXPECT_THAT(reader.buffer(), HasSubstr("retry: "));
    EXPECT_THAT(reader.buffer(), HasSubstr("event: goodbye"));
}

TEST_F(StreamRoutes, SayGoodbyeOnEveryStreamWhenTheServerStops)
{
    RawClient reader{world.port()};
    send_get(reader, "/v1/stream?topic=freshness");
    answer_fence();
    ASSERT_TRUE(wait_for(reader, "event: live"));
    world.server->stop();
    EXPECT_TRUE(reader.closed());
    EXPECT_THAT(reader.buffer(), HasSubstr(R"("reason":"stopping")"));
}

TEST_F(StreamRoutes, AnswerAPollAtOnceWithStateThenWhenSomethingComes)
{
    change("prices", "[1]");
    RawClient reader{world.port()};
    send_get(reader, "/v1/poll?topic=data/prices");
    answer_fence();
    Json first{reader.read().body};
    EXPECT_EQ(first.text("/resume"), "new");
    EXPECT_EQ(first.text("/events/0/event"), "snapshot");
    EXPECT_EQ(first.text("/cursor"), "1:1");
    send_get(reader, "/v1/poll?topic=data/prices&cursor=1:1");
    change("prices", "[2]");
    Json second{reader.read().body};
    EXPECT_EQ(second.text("/resume"), "ok");
    EXPECT_EQ(second.text("/events/0/event"), "change");
    EXPECT_EQ(second.text("/events/0/id"), "1:2");
    EXPECT_EQ(second.text("/cursor"), "1:2");
}

TEST_F(StreamRoutes, TellThePresentStateToAPollThatWaitsForNoNews)
{
    change("prices", "[1]");
    RawClient reader{world.port()};
    send_get(reader, "/v1/poll?topic=data/prices&wait=0");
    // Others are served meanwhile: a time of nothing is long over when the state is known.
    EXPECT_EQ(ask("GET", "/v1/data/prices").status, 200);
    answer_fence();
    Json present{reader.read().body};
    EXPECT_EQ(present.text("/events/0/event"), "snapshot");
    EXPECT_EQ(present.text("/cursor"), "1:1");
}

TEST_F(StreamRoutes, AnswerAPollWithNothingWhenItsTimeIsUp)
{
    change("prices", "[1]");
    RawClient reader{world.port()};
    send_get(reader, "/v1/poll?topic=data/prices&cursor=1:1&wait=0");
    answer_fence();
    Json empty{reader.read().body};
    EXPECT_EQ(empty.count("/events"), 0u);
    EXPECT_EQ(empty.text("/cursor"), "1:1");
}

TEST_F(StreamRoutes, AddTopicsToAnOpenStream)
{
    change("rows", "[7]");
    RawClient reader{world.port()};
    send_get(reader, "/v1/stream?topic=data/prices");
    answer_fence();
    ASSERT_TRUE(wait_for(reader, "event: live"));
    const auto at = reader.buffer().find("\"stream\":\"") + 10;
    const std::string name = reader.buffer().substr(at, reader.buffer().find('"', at) - at);
    const Answered changed = ask("PATCH", "/v1/streams/" + name, R"({"add":["data/rows"]})");
    EXPECT_EQ(changed.status, 200);
    EXPECT_EQ(Json{changed.body}.text("/topics/1"), "data/rows");
    EXPECT_TRUE(wait_for(reader, "\"data\":[7]"));
    EXPECT_EQ(ask("PATCH", "/v1/streams/s_other-0-1", R"({"add":["data/rows"]})").status, 404);
    EXPECT_EQ(ask("PATCH", "/v1/streams/" + name, R"({"more":[]})").status, 400);
}

} // namespace
} // namespace freshet::http
