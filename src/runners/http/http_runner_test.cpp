// SPDX-License-Identifier: Apache-2.0
// What a source answers and what becomes of it, over real sockets on loopback.
#include "runners/http/test_world.hpp"

#include <cstdlib>

namespace freshet::test {

namespace {

TestServer::Handler always(std::string bytes)
{
    return [bytes = std::move(bytes)](Peer& peer, const std::string&) { peer.send(bytes); };
}

TestServer::Handler once_and_close(std::string bytes)
{
    return [bytes = std::move(bytes)](Peer& peer, const std::string&) {
        peer.send(bytes);
        peer.close();
    };
}

FlightFailure failure_at(TestServer::Handler handler)
{
    TestServer server{std::move(handler)};
    World world;
    return failure_of(world.fetch(source_at(server.url("/rates?key=s3cret"))));
}

} // namespace

TEST(HttpRunner, FetchesShapesAndSaysWhatItTook)
{
    TestServer server{always(
        answer("200 OK", R"({"at":"2026-11-24T15:00:00Z","rates":[{"c":"USD"}]})",
               "Content-Type: application/json\r\nETag: \"v1\"\r\nLast-Modified: Tue, 24 Nov 2026 15:00:00 GMT\r\n"))};
    World world;
    SourceDefinition source = source_at(server.url());
    source.select = ".rates";
    source.as_of = ".at";
    const FlightData data = data_of(world.fetch(source));
    EXPECT_EQ(data.json, R"([{"c":"USD"}])");
    EXPECT_EQ(data.as_of, from_rfc3339("2026-11-24T15:00:00Z"));
    EXPECT_EQ(data.validators, (Validators{"\"v1\"", "Tue, 24 Nov 2026 15:00:00 GMT"}));
    EXPECT_EQ(data.facts.source_status, 200);
    EXPECT_EQ(data.facts.bytes_in, 51);
    std::string phases;
    for (const PhaseTime& phase : data.facts.phases) phases += phase.name + ' ';
    EXPECT_HAS(phases, "connect wait read shape ");
}

TEST(HttpRunner, FillsParametersIntoUrlAndBody)
{
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    SourceDefinition source = source_at(server.url("/r/{base}?q={base}"));
    source.params = {{"base", {}, ".*"}};
    source.http.method = "POST";
    source.http.body = R"({"base": "{base}"})";
    data_of(world.fetch(source, [](FlightOrder& order) { order.params = {"a \"b"}; }));
    const std::string request = server.requests().at(0);
    EXPECT_HAS(request, "POST /r/a%20%22b?q=a%20%22b HTTP/1.1\r\n");
    EXPECT_HAS(request, "Content-Type: application/json\r\n");
    EXPECT_HAS(request, "\r\n\r\n{\"base\": \"a \\\"b\"}");
}

TEST(HttpRunner, SendsConfiguredHeadersAndNamesAMissingSecretButNoValue)
{
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    ::setenv("FRESHET_TEST_TOKEN", "Bearer abc", 1);
    SourceDefinition source = source_at(server.url());
    source.http.headers = {{"Authorization", {Secret::From::env, "FRESHET_TEST_TOKEN"}},
                           {"X-Plain", {Secret::From::literal, "y"}}};
    data_of(world.fetch(source));
    EXPECT_HAS(server.requests().at(0), "Authorization: Bearer abc\r\n");
    EXPECT_HAS(server.requests().at(0), "X-Plain: y\r\n");

    ::unsetenv("FRESHET_TEST_TOKEN");
    const FlightFailure missing = failure_of(world.fetch(source));
    EXPECT_EQ(missing.error_class, ErrorClass::fatal);
    EXPECT_EQ(missing.code, "secret_missing");
    EXPECT_HAS(missing.message, "FRESHET_TEST_TOKEN");

    ::setenv("FRESHET_TEST_TOKEN", "abc\r\nX-Evil: 1", 1);
    const FlightFailure broken = failure_of(world.fetch(source));
    EXPECT_EQ(broken.code, "bad_header");
    EXPECT_FALSE(has(broken.message, "abc"));
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpRunner, SendsCredentialsOfTheUrlAsBasicAndNeverShowsThem)
{
    TestServer server{always(answer("401 Unauthorized", ""))};
    World world;
    const FlightFailure end =
        failure_of(world.fetch(source_at("http://me:pw@127.0.0.1:" + std::to_string(server.port()) + "/")));
    EXPECT_HAS(server.requests().at(0), "Authorization: Basic bWU6cHc=\r\n");
    EXPECT_FALSE(has(end.message, "pw"));
    EXPECT_EQ(end.error_class, ErrorClass::fatal);
    EXPECT_EQ(end.code, "unauthorized");
    EXPECT_HAS(end.message, "check this source's headers here");
}

TEST(HttpRunner, EndsUnchangedOnA304ToItsValidators)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        peer.send(has(request, "If-None-Match: \"v1\"") ? "HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"
                                                        : answer("200 OK", "[1]"));
    }};
    World world;
    const auto known = [](FlightOrder& order) { order.validators = {"\"v1\"", "Tue, 24 Nov 2026 15:00:00 GMT"}; };
    const FlightEnd end = world.fetch(source_at(server.url()), known);
    ASSERT_TRUE(std::holds_alternative<FlightUnchanged>(end));
    EXPECT_EQ(std::get<FlightUnchanged>(end).facts.source_status, 304);
    EXPECT_HAS(server.requests().at(0), "If-Modified-Since: Tue, 24 Nov 2026 15:00:00 GMT\r\n");
    EXPECT_FALSE(has(server.requests().at(0), "no-cache"));
}

TEST(HttpRunner, TellsCachesNoCacheWhenForcedAndStillAsksConditionally)
{
    TestServer server{always("HTTP/1.1 304 Not Modified\r\n\r\n")};
    World world;
    const FlightEnd end = world.fetch(source_at(server.url()), [](FlightOrder& order) {
        order.forced = true;
        order.validators.etag = "\"v1\"";
    });
    EXPECT_TRUE(std::holds_alternative<FlightUnchanged>(end));
    EXPECT_HAS(server.requests().at(0), "Cache-Control: no-cache\r\n");
    EXPECT_HAS(server.requests().at(0), "Pragma: no-cache\r\n");
    EXPECT_HAS(server.requests().at(0), "If-None-Match: \"v1\"\r\n");
}

TEST(HttpRunner, DoesNotBelieveA304ThatItDidNotAskFor)
{
    const FlightFailure end = failure_at(always("HTTP/1.1 304 Not Modified\r\n\r\n"));
    EXPECT_EQ(end.code, "http_status");
    EXPECT_EQ(end.error_class, ErrorClass::retryable);
    EXPECT_EQ(end.facts.source_status, 304);
}

TEST(HttpRunner, JudgesEachStatusByTheTable)
{
    struct Row {
        const char* status;
        ErrorClass error_class;
        const char* code;
    };
    using enum ErrorClass;
    for (const Row& row : std::vector<Row>{{"202 Accepted", retryable, "blocked"},
                                           {"204 No Content", retryable, "bad_input"},
                                           {"206 Partial Content", retryable, "truncated"},
                                           {"300 Multiple Choices", retryable, "http_status"},
                                           {"400 Bad Request", fatal, "http_status"},
                                           {"401 Unauthorized", fatal, "unauthorized"},
                                           {"403 Forbidden", retryable, "blocked"},
                                           {"404 Not Found", fatal, "http_status"},
                                           {"407 Proxy", fatal, "unauthorized"},
                                           {"408 Request Timeout", retryable, "http_status"},
                                           {"410 Gone", fatal, "http_status"},
                                           {"422 Unprocessable", fatal, "http_status"},
                                           {"425 Too Early", retryable, "http_status"},
                                           {"429 Too Many Requests", rate_limited, "rate_limited"},
                                           {"500 Internal", retryable, "http_status"},
                                           {"503 Unavailable", retryable, "http_status"},
                                           {"599 Strange", retryable, "http_status"},
                                           {"302 Found", retryable, "redirect"}}) {
        const FlightFailure end = failure_at(always(answer(row.status, "")));
        EXPECT_EQ(end.error_class, row.error_class) << row.status;
        EXPECT_EQ(end.code, row.code) << row.status;
        EXPECT_EQ(end.facts.source_status, std::stoi(row.status));
        EXPECT_HAS(end.message, "GET http://127.0.0.1:");
        EXPECT_HAS(end.message, "/rates?key=… answered " + std::string{row.status}.substr(0, 3));
        EXPECT_FALSE(has(end.message, "s3cret"));
    }
}

TEST(HttpRunner, DoesNotWaitForTheBodyOfAFailure)
{
    const FlightFailure end = failure_at([](Peer& peer, const std::string&) {
        peer.send("HTTP/1.1 500 Internal\r\nContent-Length: 1000\r\n\r\nhalf");
        peer.wait_until_gone();
    });
    EXPECT_EQ(end.code, "http_status");
}

TEST(HttpRunner, HonoursRetryAfterOfA429AndA503InBothForms)
{
    const FlightFailure seconds = failure_at(always(answer("429 Too Many", "", "Retry-After: 120\r\n")));
    EXPECT_EQ(seconds.retry_after, 2min);
    EXPECT_HAS(seconds.message, "it asks us to wait 2m");
    const FlightFailure date = failure_at(always(answer(
        "503 Busy", "", "Date: Tue, 24 Nov 2026 12:00:00 GMT\r\nRetry-After: Tue, 24 Nov 2026 12:00:30 GMT\r\n")));
    EXPECT_EQ(date.retry_after, 30s);
    EXPECT_EQ(failure_at(always(answer("429 Too Many", "", "Retry-After: 999999999\r\n"))).retry_after, 24h);
    EXPECT_EQ(failure_at(always(answer("429 Too Many", ""))).retry_after, std::nullopt);
}

TEST(HttpRunner, RefusesAnEmptyBodyAndHtmlWhereJsonWasDeclared)
{
    const FlightFailure empty = failure_at(always(answer("200 OK", "")));
    EXPECT_EQ(empty.code, "bad_input");
    EXPECT_HAS(empty.message, "empty body");
    const FlightFailure html =
        failure_at(always(answer("200 OK", "<!doctype html><p>Log in</p>", "Content-Type: text/html\r\n")));
    EXPECT_EQ(html.code, "wrong_type");
    EXPECT_EQ(html.error_class, ErrorClass::retryable);
    EXPECT_EQ(html.facts.source_status, 200);
}

TEST(HttpRunner, NamesEachWayAConnectionFails)
{
    const FlightFailure reset = failure_at([](Peer& peer, const std::string&) {
        const linger now{1, 0};
        ::setsockopt(peer.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
        peer.close();
    });
    EXPECT_EQ(reset.code, "reset");
    const FlightFailure nothing = failure_at([](Peer& peer, const std::string&) { peer.close(); });
    EXPECT_EQ(nothing.code, "reset");
    EXPECT_HAS(nothing.message, "closed without an answer");
    const FlightFailure garbage = failure_at(once_and_close("220 mail.example.com ESMTP\r\n"));
    EXPECT_EQ(garbage.code, "bad_input");
    EXPECT_HAS(garbage.message, "does not speak HTTP");

    int closed_port = 0;
    {
        const TestServer gone{always("")};
        closed_port = gone.port();
    }
    World world;
    const FlightFailure refused =
        failure_of(world.fetch(source_at("http://127.0.0.1:" + std::to_string(closed_port) + "/")));
    EXPECT_EQ(refused.code, "connect");
    EXPECT_EQ(refused.error_class, ErrorClass::retryable);
    EXPECT_HAS(refused.message, "Connection refused");
    const FlightFailure unknown = failure_of(world.fetch(source_at("http://nowhere.test/")));
    EXPECT_EQ(unknown.code, "dns");
}

TEST(HttpRunner, KnowsAnAnswerThatWasCutShort)
{
    const FlightFailure length = failure_at(once_and_close("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,2]"));
    EXPECT_EQ(length.code, "truncated");
    const FlightFailure chunk =
        failure_at(once_and_close("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1,2]\r\n"));
    EXPECT_EQ(chunk.code, "truncated");
    EXPECT_EQ(chunk.error_class, ErrorClass::retryable);
}

TEST(HttpRunner, RefusesAPrivateAddressBeforeItConnectsAndSaysHowToAllowIt)
{
    TestServer server{always(answer("200 OK", "[]"))};
    HttpLimits limits;
    limits.names = {"inside.test:" + std::to_string(server.port()) + ":10.1.2.3,127.0.0.1"};
    World world{limits};
    SourceDefinition source = source_at(server.url());
    source.http.allow_private = false;
    for (const std::string host :
         {"127.0.0.1", "localhost", "2130706433", "0x7f.1", "inside.test", "[::ffff:127.0.0.1]"}) {
        source.http.url = "http://" + host + ":" + std::to_string(server.port()) + "/";
        const FlightFailure end = failure_of(world.fetch(source));
        EXPECT_EQ(end.code, "private_address") << host;
        EXPECT_EQ(end.error_class, ErrorClass::fatal);
        EXPECT_HAS(end.message, "allow_private = true in source rates");
    }
    EXPECT_EQ(server.connections(), 0);
}

TEST(HttpRunner, DoesNotUseAConnectionThatWasOpenedWhilePrivateRangesWereAllowed)
{
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    SourceDefinition source = source_at(server.url());
    data_of(world.fetch(source));
    source.http.allow_private = false;
    EXPECT_EQ(failure_of(world.fetch(source)).code, "private_address");
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST(HttpRunner, UsesAnOpenConnectionAgainWithinASourceOnly)
{
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    SourceDefinition source = source_at(server.url());
    for (int i = 0; i < 3; ++i) data_of(world.fetch(source));
    EXPECT_EQ(server.connections(), 1);
    source.name = "other";
    data_of(world.fetch(source));
    EXPECT_EQ(server.connections(), 2);
}

TEST(HttpRunner, IgnoresTheProxiesOfTheEnvironment)
{
    ::setenv("http_proxy", "http://127.0.0.1:1", 1);
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    data_of(world.fetch(source_at(server.url())));
    ::unsetenv("http_proxy");
}

TEST(HttpRunner, GoesThroughItsProxyAndRefusesPrivateTargetsThere)
{
    TestServer proxy{always(answer("200 OK", "[1]"))};
    World world;
    SourceDefinition source = source_at("http://public.example/a");
    source.http.allow_private = false; // the proxy itself was named by whoever wrote the config
    source.http.proxy = proxy.url();
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1]");
    EXPECT_HAS(proxy.requests().at(0), "GET http://public.example/a HTTP/1.1\r\n");
    source.http.url = "http://10.0.0.1/a";
    EXPECT_EQ(failure_of(world.fetch(source)).code, "private_address");
    source.http.url = "http://localhost/a";
    EXPECT_EQ(failure_of(world.fetch(source)).code, "private_address");
    EXPECT_EQ(proxy.requests().size(), 1u);
}

TEST(HttpRunner, TellsProgressForwardsOnly)
{
    TestServer server{always(answer("200 OK", "[]"))};
    World world;
    const JobId job = world.start(source_at(server.url()), [](FlightOrder& order) { order.attempt = 2; });
    world.sink.wait(job);
    const auto told = world.sink.told(job);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.front().phase, "connect");
    EXPECT_EQ(told.front().attempt, 2);
    for (std::size_t i = 1; i < told.size(); ++i) EXPECT_TRUE(moves_forward(told[i - 1], told[i]));
}

} // namespace freshet::test
