// SPDX-License-Identifier: Apache-2.0
// Answers that are too large, too strange or shaped by a program that does not end: each fails in words, and nothing is
// left behind. Shaping runs in real children here (main_test.cpp).
#include "runners/http/test_world.hpp"
#include "runners/shape/pool_call.hpp"
#include "runners/shape/test_children.hpp"

#include <libdeflate.h>
#include <malloc.h>

namespace freshet::test {

namespace {

ShapePoolOptions children_of_ours(Millis run_max = 30s)
{
    ShapePoolOptions options;
    options.executable = "/proc/self/exe";
    options.limits.run_max = run_max;
    options.limits.memory_bytes_max = 64UL << 20;
    return options;
}

// Sends chunks until the other side has had enough.
void send_without_end(Peer& peer, std::string_view head)
{
    peer.send(std::string{head} + "Transfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "10000\r\n" + std::string(0x10000, '1') + "\r\n";
    while (peer.send(chunk)) {
    }
    peer.close();
}

std::string gzipped(const std::string& text)
{
    libdeflate_compressor* compressor = libdeflate_alloc_compressor(9);
    std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
    out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
    libdeflate_free_compressor(compressor);
    return out;
}

std::string as_gzip(const std::string& text)
{
    return answer("200 OK", gzipped(text), "Content-Type: application/json\r\nContent-Encoding: gzip\r\n");
}

FlightFailure failure_at(TestServer::Handler handler, std::int64_t bytes_max = 1 << 20)
{
    TestServer server{std::move(handler)};
    World world;
    SourceDefinition source = source_at(server.url("/big"));
    source.bytes_max = bytes_max;
    return failure_of(world.fetch(source));
}

} // namespace

TEST(Hostile, ABodyOfTenGigabytesEndsByItsAnnouncement)
{
    const FlightFailure end = failure_at([](Peer& peer, const std::string&) {
        peer.send("HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n[");
        peer.wait_until_gone();
        peer.close();
    });
    EXPECT_EQ(end.code, "too_large");
    EXPECT_EQ(end.error_class, ErrorClass::retryable);
    EXPECT_HAS(end.message, "the answer is larger than 1 MiB (max_bytes of source rates)");
    EXPECT_LE(end.facts.bytes_in, 1);
}

TEST(Hostile, ABodyWithoutEndEndsAtTheBound)
{
    const FlightFailure end =
        failure_at([](Peer& peer, const std::string&) { send_without_end(peer, "HTTP/1.1 200 OK\r\n"); });
    EXPECT_EQ(end.code, "too_large");
    EXPECT_LE(end.facts.bytes_in, (1 << 20) + (1 << 17));
}

TEST(Hostile, ABodyOfExactlyTheBoundIsTaken)
{
    const std::string body = '"' + std::string(998, 'x') + '"';
    TestServer server{[&](Peer& peer, const std::string&) { peer.send(answer("200 OK", body)); }};
    World world;
    SourceDefinition source = source_at(server.url());
    source.bytes_max = 1000;
    EXPECT_EQ(data_of(world.fetch(source)).json, body);
    source.bytes_max = 999;
    EXPECT_EQ(failure_of(world.fetch(source)).code, "too_large");
}

TEST(Hostile, CompressionIsUndoneAndItsBombIsDefused)
{
    TestServer server{[](Peer& peer, const std::string& request) {
        EXPECT_HAS(request, "Accept-Encoding: ");
        peer.send(as_gzip(target_of(request) == "/small" ? "[1,2,3]" : std::string(64UL << 20, '1')));
    }};
    World world;
    SourceDefinition source = source_at(server.url("/small"));
    source.bytes_max = 1 << 20;
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1,2,3]");
    source.http.url = server.url("/bomb");
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "too_large");
    EXPECT_LE(end.facts.bytes_in, 128 << 10);
}

TEST(Hostile, BrokenCompressionIsBadInput)
{
    const FlightFailure end = failure_at([](Peer& peer, const std::string&) {
        peer.send(answer("200 OK", "not gzip at all", "Content-Encoding: gzip\r\n"));
    });
    EXPECT_EQ(end.code, "bad_input");
    EXPECT_HAS(end.message, "compression is broken");
}

TEST(Hostile, AHeadWithoutEndEndsAtTheBound)
{
    const FlightFailure end = failure_at([](Peer& peer, const std::string&) {
        peer.send("HTTP/1.1 200 OK\r\n");
        while (peer.send("X-Fill: " + std::string(1000, 'x') + "\r\n")) {
        }
        peer.close();
    });
    EXPECT_EQ(end.code, "too_large");
    EXPECT_HAS(end.message, "the head of the answer is larger than 128 KiB");
}

TEST(Hostile, InterimAnswersWithoutEndEndAtTheBound)
{
    const FlightFailure end = failure_at([](Peer& peer, const std::string&) {
        while (peer.send("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")) {
        }
        peer.close();
    });
    EXPECT_EQ(end.code, "too_large");
}

TEST(Hostile, AProxyThatOpensNoTunnelIsNamed)
{
    struct Row {
        const char *status, *code;
        ErrorClass error_class;
    };
    for (const Row& row : {Row{"407 Proxy Authentication Required", "unauthorized", ErrorClass::fatal},
                           Row{"502 Bad Gateway", "connect", ErrorClass::retryable}}) {
        TestServer proxy{[&](Peer& peer, const std::string&) { peer.send(answer(row.status, "")); }};
        World world;
        SourceDefinition source = source_at("https://public.example/");
        source.http.proxy = proxy.url();
        const FlightFailure end = failure_of(world.fetch(source));
        EXPECT_EQ(end.code, row.code) << end.message;
        EXPECT_EQ(end.error_class, row.error_class);
        EXPECT_HAS(end.message, std::string{row.status}.substr(0, 3));
        EXPECT_HAS(proxy.requests().at(0), "CONNECT public.example:443 ");
    }
}

// DNS rebinding: the name led to a public address when it was looked at, and to a private one when it mattered.
TEST(Hostile, ANameIsJudgedByTheAddressThatIsConnectedTo)
{
    TestServer server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    HttpLimits limits;
    limits.names = {"rebound.test:" + std::to_string(server.port()) + ":127.0.0.1"};
    World world{limits};
    SourceDefinition source = source_at("http://rebound.test:" + std::to_string(server.port()) + "/");
    EXPECT_EQ(data_of(world.fetch(source)).json, "[1]");
    source.http.allow_private = false;
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "private_address");
    EXPECT_HAS(end.message, "127.0.0.1 is a loopback address");
    EXPECT_EQ(server.requests().size(), 1u);
}

TEST(Hostile, ExpressionsThatNeverEndOrEatMemoryFailInWords)
{
    TestServer server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    SourceDefinition source = source_at(server.url());

    source.select = "last(range(infinite))";
    ShapePool hurried{children_of_ours(300ms)};
    World brief{{}, shape_call(hurried)};
    const FlightFailure endless = failure_of(brief.fetch(source));
    brief.runner.stop();
    EXPECT_EQ(endless.code, "timeout");
    EXPECT_EQ(endless.error_class, ErrorClass::retryable);
    EXPECT_HAS(endless.message, "shaping took longer than 300ms");
    EXPECT_EQ(endless.facts.source_status, 200);

    ShapePool pool{children_of_ours()};
    World world{{}, shape_call(pool)};
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    source.select = R"(reduce range(60) as $i ("x"; . + .) | length)";
    const FlightFailure hungry = failure_of(world.fetch(source));
    EXPECT_EQ(hungry.code, "out_of_memory");
    EXPECT_EQ(hungry.error_class, ErrorClass::retryable);
#endif

    source.select = R"(error("quota reached"))";
    const FlightFailure raised = failure_of(world.fetch(source));
    EXPECT_EQ(raised.code, "program_failed");
    EXPECT_EQ(raised.error_class, ErrorClass::retryable);
    EXPECT_HAS(raised.message, "select: quota reached");

    source.select = ".[";
    const FlightFailure broken = failure_of(world.fetch(source));
    EXPECT_EQ(broken.code, "bad_program");
    EXPECT_EQ(broken.error_class, ErrorClass::fatal);

    source.select = ".[0]";
    EXPECT_EQ(data_of(world.fetch(source)).json, "1");
    world.runner.stop();
}

TEST(Hostile, NumbersThatJqWouldRoundFailInWordsAndPassWithoutIt)
{
    const std::string body = R"([{ "id":9007199254740993 }])";
    TestServer server{[&](Peer& peer, const std::string&) { peer.send(answer("200 OK", body)); }};
    World world;
    SourceDefinition source = source_at(server.url());
    EXPECT_EQ(data_of(world.fetch(source)).json, body);
    source.select = ".[0]";
    const FlightFailure end = failure_of(world.fetch(source));
    EXPECT_EQ(end.code, "number_too_large");
    EXPECT_HAS(end.message, "9007199254740993 is past 2^53");
}

TEST(Hostile, FailuresLeaveNoDescriptorAndNoMemory)
{
    constexpr std::ptrdiff_t per_failure = 0;
    const auto descriptors = open_descriptors();
    {
        TestServer server{[](Peer& peer, const std::string& request) {
            const std::string target = target_of(request);
            if (target == "/endless") return send_without_end(peer, "HTTP/1.1 200 OK\r\n");
            if (target == "/circle") {
                peer.send(answer("302 Found", "", "Location: /circle\r\n"));
            } else if (target == "/html") {
                peer.send(answer("200 OK", "<!doctype html>", "Content-Type: text/html\r\n"));
            } else if (target == "/403") {
                peer.send(answer("403 Forbidden", "no"));
            } else if (target == "/cut") {
                peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,2]");
                peer.close();
            } else if (target == "/hang") {
                peer.wait_until_gone();
                peer.close();
            } else {
                peer.send(answer("200 OK", "[1]"));
            }
        }};
        ShapePool pool{children_of_ours()};
        World world{{.connect = 200ms, .stall = 200ms, .names = {}}, shape_call(pool)};
        const auto round = [&] {
            for (const char* path : {"/endless", "/circle", "/html", "/403", "/cut", "/hang", "/good"}) {
                SourceDefinition source = source_at(server.url(path));
                source.name = path;
                source.bytes_max = 1 << 20;
                const bool good = std::string_view{path} == "/good";
                const FlightEnd end = world.fetch(source, [good](FlightOrder& order) {
                    if (!good) order.run_limit = 150ms;
                });
                EXPECT_EQ(std::holds_alternative<FlightData>(end), good) << path;
            }
            SourceDefinition closed = source_at("http://127.0.0.1:1/");
            EXPECT_EQ(failure_of(world.fetch(closed)).code, "connect");
            closed.http.url = "https://127.0.0.1:" + std::to_string(server.port()) + "/";
            EXPECT_EQ(failure_of(world.fetch(closed)).code, "timeout"); // no handshake
        };
        // The server's threads close their ends in their own time: what counts is that the number comes to rest.
        const auto at_rest = [](std::ptrdiff_t most) {
            for (int i = 0; i < 2000 && open_descriptors() > most; ++i) ::poll(nullptr, 0, 1);
            return open_descriptors();
        };
        round();
        const auto first = at_rest(0);
        const std::size_t memory = mallinfo2().uordblks;
        for (int i = 0; i < 4; ++i) round();
        EXPECT_LE(at_rest(first), first + per_failure);
        EXPECT_LE(mallinfo2().uordblks, memory + (512UL << 10));
        world.runner.stop();
    }
    EXPECT_EQ(open_descriptors(), descriptors);
    EXPECT_TRUE(children().empty());
}

} // namespace freshet::test
