// SPDX-License-Identifier: Apache-2.0
#include "cli/fake_server.hpp"
#include "cli/test_world.hpp"

#include <gmock/gmock.h>

namespace freshet::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

FakeAnswer json(int status, const std::string& body)
{
    return {status, {{"Content-Type", "application/json"}}, body};
}

TEST(TokenNew, PrintsTheTokenAloneOnStdoutAndWordsOnStderr)
{
    FakeServer server{[](const FakeRequest&) {
        return json(201, R"({"name":"page","tenant":"acme","role":"viewer","token":"fsh_00ff"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"token", "new", "page", "--tenant", "acme", "--expires-in", "30d"}), exit_done);
    EXPECT_EQ(world.out.str(), "fsh_00ff\n");
    EXPECT_THAT(world.err.str(), HasSubstr("viewer of tenant acme"));
    EXPECT_THAT(world.err.str(), Not(HasSubstr("fsh_00ff")));
    const FakeRequest asked = server.requests().at(0);
    EXPECT_EQ(asked.method + " " + asked.path, "POST /v1/tokens");
    EXPECT_EQ(asked.header("content-type"), "application/json");
    EXPECT_EQ(world.run({"token", "new", "page", "--json"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr(R"("token":"fsh_00ff")"));
}

TEST(TokenNew, RefusesARoleThatThereIsNot)
{
    TestWorld world;
    EXPECT_EQ(world.run({"token", "new", "page", "--role", "king"}), exit_usage);
    EXPECT_EQ(world.run({"token", "new"}), exit_usage);
}

TEST(TokenList, ShowsWhatEachTokenIsOf)
{
    FakeServer server{[](const FakeRequest&) {
        return json(200, R"({"items":[{"name":"a","tenant":"*","role":"admin","refresh":true,"made_by":"cli"},
            {"name":"f","tenant":"acme","role":"viewer","refresh":false,"read_only":true,
             "expires_at":"2027-01-01T00:00:00.000Z"}],"next":"f"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"token", "list"}), exit_done);
    EXPECT_THAT(world.out.str(), HasSubstr("a     *       admin"));
    EXPECT_THAT(world.out.str(), HasSubstr("the config file"));
    EXPECT_THAT(world.err.str(), HasSubstr("more: --after f"));
}

TEST(Console, PrintsALinkAloneOnStdout)
{
    FakeServer server{[](const FakeRequest&) {
        return json(201, R"({"link":"fsl_1","href":"/console/#link=fsl_1","expires_at":"2027-01-01T00:00:00.000Z"})");
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"console"}), exit_done);
    EXPECT_EQ(world.out.str(), server.url() + "/console/#link=fsl_1\n");
    EXPECT_THAT(world.err.str(), HasSubstr("until 2027"));
    EXPECT_EQ(server.requests().at(0).method + " " + server.requests().at(0).path, "POST /v1/session/links");
}

TEST(TokenRevoke, EndsWithTheCodeOfWhatTheServerSays)
{
    FakeServer server{[](const FakeRequest& request) -> FakeAnswer {
        if (request.path == "/v1/tokens/page") return {204, {}, ""};
        return {404,
                {{"Content-Type", "application/problem+json"}},
                R"({"code":"not_found","detail":"There is no token x here.","try":"GET /v1/tokens"})"};
    }};
    TestWorld world{server.url()};
    EXPECT_EQ(world.run({"token", "revoke", "page"}), exit_done);
    EXPECT_EQ(server.requests().at(0).method, "DELETE");
    EXPECT_EQ(world.run({"token", "revoke", "x"}), exit_not_found);
    EXPECT_THAT(world.err.str(), HasSubstr("There is no token x here"));
}

} // namespace
} // namespace freshet::cli
