// SPDX-License-Identifier: Apache-2.0
// Streams over WebSocket: the handshake and its refusals, frames both ways, byte by byte over a real socket.
#include "http/test_world.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <optional>
#include <simdjson.h>

namespace freshet::http {

namespace {

using testing::HasSubstr;
using testing::StartsWith;

struct Message {
    int opcode = -1; ///< -1: the connection ended
    std::string text;
    /// Of a close frame.
    int code() const
    {
        return text.size() < 2 ? 0 : (static_cast<unsigned char>(text[0]) << 8) | static_cast<unsigned char>(text[1]);
    }
    std::string reason() const { return text.substr(std::min<std::size_t>(2, text.size())); }
    std::string at(std::string_view pointer) const
    {
        simdjson::dom::parser parser;
        simdjson::dom::element root, found;
        if (parser.parse(text).get(root) != simdjson::SUCCESS) return {};
        if (root.at_pointer(pointer).get(found) != simdjson::SUCCESS) return {};
        std::string_view word;
        return found.get(word) == simdjson::SUCCESS ? std::string{word} : simdjson::minify(found);
    }
};

class StreamSocket : public testing::Test {
protected:
    static constexpr int text = 1, binary = 2, closing = 8, ping = 9, pong = 10;

    StreamSocket()
    {
        world.routes = all_routes();
        world.source("rows");
        world.definitions->server.origins = {"https://app.example"};
        world.start();
    }

    static std::string upgrade(const std::string& target, const std::string& more = {})
    {
        return "GET " + target +
               " HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
               more + "\r\n";
    }

    /// The hub's first question of a tenant's ledger.
    void answer_fence()
    {
        auto asked = world.engine.next();
        world.reply(asked, std::unexpected(Refused{}));
    }

    std::unique_ptr<RawClient> open(const std::string& topics)
    {
        auto client = std::make_unique<RawClient>(world.port());
        client->send(upgrade("/v1/stream?" + topics, "Sec-WebSocket-Protocol: other, freshet.v1.json\r\n"));
        answer_fence();
        handshake = client->read();
        return client;
    }

    /// As a client has to: masked.
    static void say(RawClient& client, int opcode, std::string_view payload)
    {
        std::string frame{static_cast<char>(0x80 | opcode)};
        if (payload.size() < 126) {
            frame += static_cast<char>(0x80 | payload.size());
        } else {
            frame += static_cast<char>(0x80 | 127);
            for (int shift = 56; shift >= 0; shift -= 8) frame += static_cast<char>(payload.size() >> shift & 0xFF);
        }
        const char mask[4] = {'k', 'e', 'y', '!'};
        frame.append(mask, 4);
        for (std::size_t i = 0; i < payload.size(); ++i) frame += static_cast<char>(payload[i] ^ mask[i % 4]);
        client.send(frame);
    }

    static Message hear(RawClient& client)
    {
        std::string& buffer = client.buffer();
        const auto need = [&](std::size_t bytes) {
            while (buffer.size() < bytes)
                if (!client.fill()) return false;
            return true;
        };
        const auto byte = [&](std::size_t at) {
            return static_cast<std::size_t>(static_cast<unsigned char>(buffer[at]));
        };
        if (!need(2)) return {};
        EXPECT_EQ(byte(0) & 0xF0, 0x80u) << "a message comes in one frame";
        EXPECT_EQ(byte(1) & 0x80, 0u) << "a server does not mask";
        std::size_t length = byte(1) & 0x7F, head = 2;
        if (length >= 126) {
            head = length == 126 ? 4 : 10;
            if (!need(head)) return {};
            length = 0;
            for (std::size_t at = 2; at < head; ++at) length = length << 8 | byte(at);
        }
        if (!need(head + length)) return {};
        Message message{static_cast<int>(byte(0) & 0x0F), buffer.substr(head, length)};
        buffer.erase(0, head + length);
        return message;
    }

    static Message hear(RawClient& client, std::string_view event)
    {
        for (Message message = hear(client); message.opcode >= 0; message = hear(client))
            if (message.at("/event") == event) return message;
        return {};
    }

    World world;
    Answered handshake;
};

TEST_F(StreamSocket, SendsTheFramesOfAStreamAsTexts)
{
    world.publish("prices", R"([{"id":1}])");
    const auto client = open("topic=data/prices");
    EXPECT_EQ(handshake.status, 101);
    EXPECT_EQ(handshake.header("sec-websocket-accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    EXPECT_EQ(handshake.header("sec-websocket-protocol"), "freshet.v1.json");

    const Message hello = hear(*client);
    EXPECT_EQ(hello.opcode, text);
    EXPECT_EQ(hello.at("/event"), "hello");
    EXPECT_EQ(hello.at("/data/resume"), "new");
    EXPECT_EQ(hello.at("/id"), "1:0");
    EXPECT_EQ(hear(*client).at("/data/data/0/id"), "1");
    EXPECT_EQ(hear(*client).at("/event"), "live");
    world.publish("prices", R"([{"id":2}])");
    EXPECT_EQ(hear(*client).at("/data/meta/ver"), "2");
}

TEST_F(StreamSocket, AddsAndDropsTopicsByMessage)
{
    world.publish("rows", "[7]");
    const auto client = open("topic=data/prices");
    hear(*client, "live");
    say(*client, text, R"({"add":["data/rows"]})");
    EXPECT_EQ(hear(*client).at("/data/topics"), R"(["data/prices","data/rows"])");
    EXPECT_EQ(hear(*client).at("/data/data"), "[7]");
    say(*client, text, R"({"drop":["data/rows"]})");
    EXPECT_EQ(hear(*client).at("/data/topics"), R"(["data/prices"])");
    world.publish("rows", "[8]");
    world.publish("prices", "[9]");
    EXPECT_EQ(hear(*client).at("/data/topic"), "data/prices");
}

TEST_F(StreamSocket, GoesOnWhenAnAddedTopicIsNotThere)
{
    const auto client = open("topic=data/prices");
    hear(*client, "live");
    say(*client, text, R"({"add":["data/nothing"]})");
    const Message problem = hear(*client);
    EXPECT_EQ(problem.at("/event"), "problem");
    EXPECT_EQ(problem.at("/data/status"), "404");
    EXPECT_NE(problem.at("/data/try"), "");
    world.publish("prices", "[1]");
    EXPECT_EQ(hear(*client).at("/data/topic"), "data/prices");
}

TEST_F(StreamSocket, EndsWithAProblemAnd1008WhereAMessageIsNone)
{
    for (const char* bad : {"no json", "[]", R"({"more":[]})", R"({"add":"data/rows"})", R"({"add":[1]})", "{}"}) {
        const auto client = std::make_unique<RawClient>(world.port());
        client->send(upgrade("/v1/stream?topic=data/prices"));
        if (world.engine.posted() > 0 || bad == std::string{"no json"}) answer_fence();
        EXPECT_EQ(client->read().status, 101);
        hear(*client, "live");
        say(*client, text, bad);
        const Message problem = hear(*client);
        EXPECT_EQ(problem.at("/event"), "problem") << bad;
        EXPECT_EQ(problem.at("/data/code"), "bad_message") << bad;
        const Message close = hear(*client);
        EXPECT_EQ(close.opcode, closing) << bad;
        EXPECT_EQ(close.code(), 1008) << bad;
        EXPECT_NE(close.reason(), "") << bad;
    }
}

TEST_F(StreamSocket, EndsWhatIsTooLargeOrNoTextWithItsCode)
{
    const auto large = open("topic=data/prices");
    hear(*large, "live");
    say(*large, text, std::string(65 << 10, ' '));
    const Message too_big = hear(*large);
    EXPECT_EQ(too_big.opcode, closing);
    EXPECT_EQ(too_big.code(), 1009);

    RawClient other{world.port()};
    other.send(upgrade("/v1/stream?topic=data/prices"));
    EXPECT_EQ(other.read().status, 101);
    hear(other, "live");
    say(other, binary, R"({"add":["data/rows"]})");
    EXPECT_EQ(hear(other).code(), 1003);
}

TEST_F(StreamSocket, AnswersPingsAndTheOthersClose)
{
    auto client = open("topic=data/prices");
    hear(*client, "live");
    say(*client, ping, "are you there");
    const Message answer = hear(*client);
    EXPECT_EQ(answer.opcode, pong);
    EXPECT_EQ(answer.text, "are you there");
    say(*client, closing, std::string{"\x03\xE8", 2});
    EXPECT_EQ(hear(*client).code(), 1000);
    EXPECT_TRUE(client->closed());
    client.reset();
    // The connection is not counted any more; each answer to another one lets the loop go round.
    RawClient other{world.port()};
    for (int tries = 0; tries < 500; ++tries) {
        other.get("/v1/nothing");
        if (world.server->connections(0) == 1) break;
    }
    EXPECT_EQ(world.server->connections(0), 1u);
}

TEST_F(StreamSocket, SaysGoodbyeAnd1001WhenTheServerStops)
{
    auto client = open("topic=data/prices");
    hear(*client, "live");
    std::thread stopping{[this] { world.server->stop(); }};
    const Message goodbye = hear(*client);
    EXPECT_EQ(goodbye.at("/event"), "goodbye");
    EXPECT_EQ(goodbye.at("/data/reason"), "stopping");
    EXPECT_EQ(hear(*client).code(), 1001);
    say(*client, closing, std::string{"\x03\xE9", 2});
    EXPECT_TRUE(client->closed());
    client.reset();
    stopping.join();
}

TEST_F(StreamSocket, RefusesAHandshakeInWords)
{
    const auto ask = [&](const std::string& request) {
        RawClient client{world.port()};
        client.send(request);
        return client.read();
    };
    EXPECT_EQ(ask(upgrade("/v1/stream?topic=data/nothing")).status, 404);
    EXPECT_EQ(ask(upgrade("/v1/stream")).status, 400);
    const Answered subprotocol = ask(upgrade("/v1/stream?topic=data/prices", "Sec-WebSocket-Protocol: other\r\n"));
    EXPECT_EQ(subprotocol.status, 400);
    EXPECT_THAT(subprotocol.body, HasSubstr("freshet.v1.json"));
    const Answered version =
        ask("GET /v1/stream?topic=data/prices HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 8\r\n\r\n");
    EXPECT_EQ(version.status, 426);
    EXPECT_EQ(version.header("sec-websocket-version"), "13");
}

TEST_F(StreamSocket, RefusesAForeignPageAndAForeignHost)
{
    RawClient foreign{world.port()};
    foreign.send(upgrade("/v1/stream?topic=data/prices", "Origin: https://evil.example\r\n"));
    EXPECT_EQ(foreign.read().status, 403);
    RawClient host{world.port()};
    std::string request = upgrade("/v1/stream?topic=data/prices");
    request.replace(request.find("localhost"), 9, "evil.example");
    host.send(request);
    EXPECT_EQ(host.read().status, 421);
    RawClient listed{world.port()};
    listed.send(upgrade("/v1/stream?topic=data/prices", "Origin: https://app.example\r\n"));
    answer_fence();
    EXPECT_EQ(listed.read().status, 101);
}

TEST_F(StreamSocket, AnswersBytesThatComeBeforeTheAgreementWith400)
{
    RawClient eager{world.port()};
    eager.send(upgrade("/v1/stream?topic=data/prices") + "too early");
    answer_fence();
    EXPECT_EQ(eager.read().status, 400);
}

TEST_F(StreamSocket, LeavesWhatIsNoUpgradeAnEventStream)
{
    RawClient plain{world.port()};
    plain.send("GET /v1/stream?topic=data/prices HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n");
    answer_fence();
    EXPECT_THAT(plain.read().header("content-type"), StartsWith("text/event-stream"));
}

} // namespace
} // namespace freshet::http
