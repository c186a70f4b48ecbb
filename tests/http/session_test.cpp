// SPDX-License-Identifier: Apache-2.0
// Browsers that sign in to the real binary: by the link it prints at its start, and under an open stream.
#include "tests/http/harness.hpp"

#include <chrono>
#include <fmt/format.h>
#include <future>
#include <gmock/gmock.h>

namespace freshet::outside {
namespace {

using testing::HasSubstr;

const std::string source = "[source.disk]\nkind = \"command\"\nrun = [\"echo\", \"[1]\"]\nformat = \"json\"\n";
const Headers json{{"Content-Type", "application/json"}};

// The text between `from` and the next of `until`.
std::string between(const std::string& text, const std::string& from, const std::string& until)
{
    const auto at = text.find(from);
    if (at == std::string::npos) return "";
    const auto begin = at + from.size();
    return text.substr(begin, text.find_first_of(until, begin) - begin);
}

std::string cookie_of(const Answer& answer)
{
    return answer.header("set-cookie").substr(0, answer.header("set-cookie").find(';'));
}

TEST(Session, ComesByALinkOfTheCommandLineAndOutlivesARestart)
{
    Server server{source};
    ASSERT_EQ(server.run({"token", "new", "ops", "--role", "operator"}).first, 0);
    const auto [code, printed] = server.run({"console"});
    ASSERT_EQ(code, 0) << printed;
    const std::string body = fmt::format(R"({{"link":"{}"}})", between(printed, "#link=", "\n"));
    const Answer in = server.client().post("/v1/session", json, body);
    ASSERT_EQ(in.status, 200) << in.body;
    EXPECT_EQ(in.json("/name"), "cli");
    EXPECT_EQ(server.client().post("/v1/session", json, body).status, 401) << "a link signs in once";

    const Headers cookie{{"Cookie", cookie_of(in)}};
    EXPECT_EQ(server.client().get("/v1/tokens", cookie).status, 200);
    server.kill();
    server.start();
    EXPECT_EQ(server.client().get("/v1/tokens", cookie).status, 200);
    EXPECT_EQ(server.client().ask("DELETE", "/v1/session", cookie).status, 204);
    EXPECT_EQ(server.client().get("/v1/tokens", cookie).status, 401);
}

TEST(Session, EndsItsStreamsWithinASecondOfItsTokensRevocation)
{
    Server server{source};
    // Another one stays: when a person revokes the last token, this machine's callers are let in again.
    ASSERT_EQ(server.run({"token", "new", "other", "--role", "viewer"}).first, 0);
    const auto [code, printed] = server.run({"token", "new", "page", "--role", "viewer"});
    ASSERT_EQ(code, 0) << printed;
    const std::string token = "fsh_" + between(printed, "fsh_", "\n");
    const Answer in = server.client().post("/v1/session", json, fmt::format(R"({{"token":"{}"}})", token));
    ASSERT_EQ(in.status, 200) << in.body;
    const Headers cookie{{"Cookie", cookie_of(in)}};
    EXPECT_EQ(server.client().get("/v1/me", cookie).json("/role"), "viewer");

    auto stream = std::async(std::launch::async, [&] {
        return server.client().ask("GET", "/v1/stream?topic=freshness", cookie, {}, Millis{20'000});
    });
    // The stream is open once the server counts it.
    for (int tries = 0; tries < 100; ++tries) {
        const std::string text = server.client(server.local_token()).get("/metrics").body;
        if (text.find("freshet_stream_clients 1") != std::string::npos) break;
        std::this_thread::sleep_for(Millis{20});
    }
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(server.run({"token", "revoke", "page"}).first, 0);
    const Answer ended = stream.get();
    EXPECT_LT(std::chrono::steady_clock::now() - began, Millis{1'500});
    EXPECT_THAT(ended.body, HasSubstr("token_revoked"));
    EXPECT_EQ(server.client().get("/v1/me", cookie).status, 401);
}

} // namespace
} // namespace freshet::outside
