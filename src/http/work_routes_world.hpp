// SPDX-License-Identifier: Apache-2.0
#pragma once
// For tests: the routes of remote work over real sockets, with an engine that does what the test says.

#include "http/test_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <simdjson.h>

namespace freshet::http {

inline std::string member(const std::string& json, std::string_view pointer)
{
    simdjson::dom::parser parser;
    simdjson::dom::element root, value;
    if (parser.parse(json).get(root) != simdjson::SUCCESS || root.at_pointer(pointer).get(value) != simdjson::SUCCESS)
        return {};
    std::string_view text;
    if (value.get(text) == simdjson::SUCCESS) return std::string{text};
    return simdjson::minify(value);
}

class WorkRoutes : public testing::Test {
protected:
    WorkRoutes()
    {
        world.routes = all_routes();
        auto& forecast = world.source("forecast");
        forecast.kind = SourceKind::worker;
        forecast.queue = "forecasts";
        forecast.params = {{"area", {"eu", "us"}, ""}};
        forecast.bytes_max = 1 << 20;
        world.start();
        client.emplace(world.port());
    }

    static void send(RawClient& to, const std::string& method, const std::string& target, const std::string& body)
    {
        to.send(fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: "
                            "{}\r\n\r\n{}",
                            method, target, body.size(), body));
    }
    void send(const std::string& method, const std::string& target, const std::string& body)
    {
        send(*client, method, target, body);
    }
    Answered ask(const std::string& method, const std::string& target, const std::string& body = "")
    {
        return client->ask(method, target, "", body);
    }
    Job task(std::int64_t id)
    {
        Job job = world.job(id, "");
        job.kind = JobKind::task;
        job.key.clear();
        job.queue = "mail";
        job.input = R"({"to":"a"})";
        return job;
    }
    Job running(std::int64_t id)
    {
        Job job = task(id);
        job.state = JobState::running;
        job.attempt = 1;
        job.fence = 7;
        job.worker = "w1";
        job.began_at = world.clock.wall();
        job.lease_until = world.clock.wall() + 30s;
        return job;
    }
    /// The same, a refresh of the source whose data workers bring.
    Job running_refresh(std::int64_t id)
    {
        Job job = running(id);
        job.kind = JobKind::refresh;
        job.key = "forecast/eu";
        return job;
    }
    /// The engine says that a result is not made ready; gives what it is told then.
    auto told_again()
    {
        auto asked = world.engine.next();
        EndedWork unready;
        unready.jobs.emplace_back(std::unexpected(refused(Refusal::unprepared)));
        world.reply(asked, Answer{unready});
        return world.engine.next();
    }
    static Refused refused(Refusal refusal, std::string words = {})
    {
        return {refusal, std::move(words), {}, {}, 0, {}};
    }
    /// The body is refused before the engine hears of it.
    void expect_bad(const std::string& target, const std::string& body, const std::string& words, int status = 400)
    {
        const Answered answer = ask("POST", target, body);
        EXPECT_EQ(answer.status, status) << body;
        EXPECT_THAT(answer.body, testing::HasSubstr(words)) << body;
        EXPECT_EQ(world.engine.posted(), 0u) << body;
    }

    World world;
    std::optional<RawClient> client;
};

} // namespace freshet::http
