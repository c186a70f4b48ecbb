// SPDX-License-Identifier: Apache-2.0
// Browsers that sign in, over real sockets; and what they load.
#include "http/gate.hpp"
#include "http/session.hpp"
#include "http/test_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <simdjson.h>

namespace freshet::http {
namespace {

using testing::HasSubstr;
using testing::Not;

std::string member(const std::string& json, std::string_view pointer)
{
    simdjson::dom::parser parser;
    std::string_view text;
    if (parser.parse(json).at_pointer(pointer).get(text) != simdjson::SUCCESS) return "";
    return std::string{text};
}

std::string bearer(const std::string& token)
{
    return "Authorization: Bearer " + token + "\r\n";
}

TEST(Cookie, IsFoundAmongOthersByItsWholeName)
{
    EXPECT_EQ(cookie_value("a=1; freshet=x; b=2", "freshet"), "x");
    EXPECT_EQ(cookie_value("freshet=x=y", "freshet"), "x=y");
    EXPECT_EQ(cookie_value("afreshet=1; freshet_2=3", "freshet"), "");
    EXPECT_EQ(cookie_value("", "freshet"), "");
}

TEST(SignInLinks, AreTakenOnceAndInTheirTime)
{
    constexpr WallTime noon = from_ms(1'800'000'000'000);
    SignInLinks links;
    links.put("a", Caller{"page", "default", Role::viewer, false}, noon);
    links.put("b", Caller{"page", "default", Role::viewer, false}, noon);
    EXPECT_EQ(links.take("a", noon)->name, "page");
    EXPECT_FALSE(links.take("a", noon).has_value());
    EXPECT_FALSE(links.take("b", noon + sign_in_link_lives + 1ms).has_value());
    EXPECT_FALSE(links.take("c", noon).has_value());
}

struct BrowserSession : testing::Test {
    BrowserSession()
    {
        world.routes = all_routes();
        world.local_token = "cli-token";
        world.definitions->tokens["op"] = {"op", "default", Role::operator_, false, sha256_hex("op-secret")};
        world.definitions->server.origins = {"https://app.example"};
    }
    Answered ask(const std::string& method, const std::string& target, const std::string& headers = "",
                 const std::string& body = "")
    {
        return RawClient{world.port()}.ask(method, target, headers, body);
    }
    void tell_tokens()
    {
        auto made = world.notice();
        made->tokens = std::make_shared<const std::vector<TokenRecord>>(kept);
        world.tail.publish(std::move(made));
    }
    // Asks, and plays the engine that keeps or drops the session.
    Answered with_engine(const std::string& method, const std::string& target, const std::string& headers,
                         const std::string& body = "")
    {
        std::thread engine{[&] {
            auto posted = world.engine.next();
            if (const auto* put = std::get_if<PutToken>(&posted.request)) kept.push_back(put->token);
            if (const auto* revoke = std::get_if<RevokeToken>(&posted.request))
                std::erase_if(kept, [&](const TokenRecord& token) { return token.name == revoke->name; });
            tell_tokens();
            world.reply(posted, Answer{Done{}});
        }};
        Answered answer = ask(method, target, headers, body);
        engine.join();
        return answer;
    }
    std::string sign_in()
    {
        const Answered answer = with_engine("POST", "/v1/session", "", R"({"token":"op-secret"})");
        EXPECT_EQ(answer.status, 200) << answer.body;
        set_cookie = answer.header("set-cookie");
        return "Cookie: x=1; " + set_cookie.substr(0, set_cookie.find(';')) + "\r\n";
    }
    World world;
    std::vector<TokenRecord> kept;
    std::string set_cookie;
};

TEST_F(BrowserSession, ComesByATokenAndIsKeptByHashOnly)
{
    world.start();
    EXPECT_EQ(ask("GET", "/v1/me").status, 401);
    const std::string cookie = sign_in();
    EXPECT_THAT(set_cookie, HasSubstr("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"));
    EXPECT_THAT(set_cookie, Not(HasSubstr("Secure")));
    ASSERT_EQ(kept.size(), 1u);
    const std::string secret = set_cookie.substr(set_cookie.find('=') + 1, 68);
    EXPECT_EQ(kept[0].sha256, sha256_hex(secret));
    EXPECT_EQ(kept[0].tenant, "default");
    const Answered me = ask("GET", "/v1/me", cookie);
    EXPECT_EQ(member(me.body, "/name"), "op");
    EXPECT_THAT(me.body, HasSubstr("\"session\":true"));
    EXPECT_EQ(ask("GET", "/v1/me", bearer(secret)).status, 401);
    EXPECT_EQ(ask("GET", "/v1/tokens", cookie).status, 403);
}

TEST_F(BrowserSession, IsNotRememberedByAConnectionThatOthersShare)
{
    world.start();
    world.publish("prices", "[1]");
    const std::string cookie = sign_in();
    RawClient proxy{world.port()};
    EXPECT_EQ(proxy.get("/v1/data/prices", cookie).status, 200);
    EXPECT_EQ(proxy.get("/v1/data/prices").status, 401);
}

TEST_F(BrowserSession, ChangesNothingForAForeignPage)
{
    world.start();
    const std::string cookie = sign_in();
    const std::string pause = "/v1/sources/none/pause";
    EXPECT_EQ(ask("POST", pause, cookie + "Origin: http://localhost\r\n").status, 404);
    EXPECT_EQ(ask("POST", pause, cookie + "Origin: http://localhost:9999\r\n").status, 403);
    EXPECT_EQ(ask("POST", pause, cookie + "Sec-Fetch-Site: same-site\r\n").status, 403);
    // A listed page may send, but not in the name of who sits before it.
    EXPECT_EQ(ask("POST", pause, cookie + "Origin: https://app.example\r\n").status, 401);
    EXPECT_EQ(ask("GET", "/v1/me", cookie + "Origin: https://app.example\r\n").status, 401);
    EXPECT_EQ(ask("POST", "/v1/session", "Origin: https://evil.example\r\n", R"({"token":"op-secret"})").status, 403);
}

TEST_F(BrowserSession, EndsByItsOwnHand)
{
    world.start();
    const std::string cookie = sign_in();
    const Answered out = with_engine("DELETE", "/v1/session", cookie);
    EXPECT_EQ(out.status, 204);
    EXPECT_THAT(out.header("set-cookie"), HasSubstr("=; Path=/; Max-Age=0;"));
    EXPECT_EQ(ask("GET", "/v1/me", cookie).status, 401);
    EXPECT_EQ(ask("DELETE", "/v1/session", cookie).status, 204);
}

TEST_F(BrowserSession, ComesByALinkOnce)
{
    world.start();
    const Answered made = ask("POST", "/v1/session/links", bearer("op-secret"));
    ASSERT_EQ(made.status, 201) << made.body;
    const std::string body = fmt::format(R"({{"link":"{}"}})", member(made.body, "/link"));
    EXPECT_EQ(member(made.body, "/href"), "/console/#link=" + member(made.body, "/link"));
    const Answered in = with_engine("POST", "/v1/session", "", body);
    EXPECT_EQ(member(in.body, "/name"), "op");
    EXPECT_EQ(ask("POST", "/v1/session", "", body).status, 401);
    EXPECT_EQ(ask("POST", "/v1/session/links").status, 401);
    for (const char* bad : {"[]", "{}", R"({"token":1})", R"({"token":"a","link":"b"})", R"({"more":"a"})"})
        EXPECT_EQ(ask("POST", "/v1/session", "", bad).status, 400) << bad;
}

TEST_F(BrowserSession, IsBoundToThePrefixAndToTls)
{
    world.definitions->server.public_url = "https://example.org/tools/freshet";
    world.start();
    sign_in();
    EXPECT_THAT(set_cookie, HasSubstr("; Path=/;")) << "by a name of this machine, past the proxy";
    RawClient client{world.port()};
    std::thread engine{[&] {
        auto posted = world.engine.next();
        world.reply(posted, Answer{Done{}});
    }};
    const std::string body = R"({"token":"op-secret"})";
    client.send(fmt::format("POST /tools/freshet/v1/session HTTP/1.1\r\nHost: example.org\r\nContent-Type: "
                            "application/json\r\nContent-Length: {}\r\n\r\n{}",
                            body.size(), body));
    const Answered answer = client.read();
    engine.join();
    EXPECT_THAT(answer.header("set-cookie"), HasSubstr("; Path=/tools/freshet;"));
    EXPECT_THAT(answer.header("set-cookie"), HasSubstr("; Secure"));
}

// --- What a browser loads ---

constexpr EmbeddedFile page{.name = "console/index.html",
                            .content_type = "text/html; charset=utf-8",
                            .bytes = "<link href=\"../assets/a-1.css\"><script src=\"../assets/a-1.js\"></script>"};
constexpr EmbeddedFile entry{.name = "elements.js",
                             .content_type = "text/javascript; charset=utf-8",
                             .bytes = "export * from \"./assets/a-1.js\";",
                             .tag = "abc",
                             .gzip = "zipped"};
constexpr EmbeddedFile asset{.name = "assets/a-1.js",
                             .content_type = "text/javascript; charset=utf-8",
                             .hashed = true,
                             .bytes = "plain",
                             .gzip = "zipped",
                             .br = "brotli"};
constexpr EmbeddedFile docs{
    .name = "elements/index.html", .content_type = "text/html; charset=utf-8", .bytes = "<p>docs"};
constexpr std::array web{asset, page, entry, docs};

struct Pages : BrowserSession {
    Pages()
    {
        world.start();
        world.services->web = web;
    }
};

TEST_F(Pages, OfTheConsoleAreOneDocumentThatFindsItsFilesFromAnyDepth)
{
    for (const auto& [path, up] :
         {std::pair{"/console/", "../"}, {"/console/jobs", "../"}, {"/console/jobs/j_1", "../../"}}) {
        const Answered answer = ask("GET", path);
        EXPECT_EQ(answer.status, 200);
        EXPECT_EQ(answer.body,
                  fmt::format("<link href=\"{0}assets/a-1.css\"><script src=\"{0}assets/a-1.js\"></script>", up));
        EXPECT_EQ(answer.header("cache-control"), "no-store");
        EXPECT_THAT(answer.header("content-security-policy"), HasSubstr("default-src 'self'"));
        EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
    }
    EXPECT_EQ(ask("GET", "/").header("location"), "/console/");
    EXPECT_EQ(ask("GET", "/console").status, 302);
    EXPECT_EQ(ask("GET", "/elements/").body, "<p>docs");
}

TEST_F(Pages, SendFilesInTheBestCodingThatTheReaderTakes)
{
    EXPECT_EQ(ask("GET", "/assets/a-1.js").body, "plain");
    EXPECT_EQ(ask("GET", "/assets/a-1.js", "Accept-Encoding: gzip, deflate\r\n").body, "zipped");
    const Answered best = ask("GET", "/assets/a-1.js", "Accept-Encoding: gzip, deflate, br, zstd\r\n");
    EXPECT_EQ(best.body, "brotli");
    EXPECT_EQ(best.header("content-encoding"), "br");
    EXPECT_EQ(best.header("vary"), "Accept-Encoding");
    EXPECT_THAT(best.header("cache-control"), HasSubstr("immutable"));
    EXPECT_EQ(ask("GET", "/assets/a-2.js").status, 404);
    EXPECT_EQ(ask("GET", "/assets/index.html").status, 404);
}

TEST_F(Pages, GiveTheElementsToEveryPageAndRevalidateThem)
{
    for (const char* origin : {"https://any.example", "https://app.example"}) {
        const Answered answer = ask("GET", "/elements.js", fmt::format("Origin: {}\r\n", origin));
        EXPECT_EQ(answer.header("access-control-allow-origin"), "*") << origin;
        EXPECT_EQ(answer.header("cache-control"), "no-cache");
        EXPECT_EQ(answer.header("etag"), "\"abc\"");
    }
    EXPECT_EQ(ask("GET", "/elements.js", "Accept-Encoding: gzip\r\n").header("etag"), "\"abc-gzip\"");
    EXPECT_EQ(ask("GET", "/elements.js", "Accept-Encoding: gzip\r\nIf-None-Match: \"abc-gzip\"\r\n").status, 304);
    EXPECT_EQ(ask("GET", "/elements.js", "If-None-Match: \"abd\"\r\n").status, 200);
}

TEST_F(Pages, TakeATokenOutOfTheAddress)
{
    const Answered in = with_engine("GET", "/console/jobs?state=failed&token=op-secret", "");
    EXPECT_EQ(in.status, 303);
    EXPECT_EQ(in.header("location"), "/console/jobs?state=failed");
    EXPECT_THAT(in.header("set-cookie"), HasSubstr("HttpOnly"));
    EXPECT_EQ(in.header("referrer-policy"), "no-referrer");
    const Answered wrong = ask("GET", "/console/?token=wrong");
    EXPECT_EQ(wrong.status, 303);
    EXPECT_EQ(wrong.header("location"), "/console/");
    EXPECT_EQ(wrong.header("set-cookie"), "");
}

TEST_F(Pages, SayWhatIsMissingInABinaryWithoutThem)
{
    world.services->web = {};
    const Answered answer = ask("GET", "/console/jobs/x");
    EXPECT_EQ(answer.status, 404);
    EXPECT_THAT(answer.body, HasSubstr("Node"));
    EXPECT_THAT(answer.body, HasSubstr("\"../../assets/help-"));
    EXPECT_EQ(ask("GET", "/elements.js").status, 404);
}

} // namespace
} // namespace freshet::http
