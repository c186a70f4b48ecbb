// SPDX-License-Identifier: Apache-2.0
// Remote work as a reader sees it, by the real binary: streams over WebSocket, and a batch to its end (F6), also when
// the stream is cut between its last item and its end.
#include "tests/http/harness.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/buffers_to_string.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

namespace freshet::outside {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

/// A reader by Beast. One thread; a read that takes longer than 10 s ends the stream.
class Socket {
public:
    Socket(const Server& server, const std::string& target, const std::string& origin = {})
    {
        const std::string address = server.url().substr(server.url().find("//") + 2);
        const auto colon = address.find(':');
        tcp::resolver resolver{io_};
        asio::connect(stream_.next_layer(), resolver.resolve(address.substr(0, colon), address.substr(colon + 1)));
        const timeval limit{10, 0};
        ::setsockopt(stream_.next_layer().native_handle(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        stream_.set_option(websocket::stream_base::decorator{[origin](websocket::request_type& request) {
            request.set(beast::http::field::sec_websocket_protocol, "freshet.v1.json");
            if (!origin.empty()) request.set(beast::http::field::origin, origin);
        }});
        stream_.handshake(answer_, address, target, error_);
    }

    int status() const { return static_cast<int>(answer_.result_int()); }
    std::string subprotocol() const { return std::string{answer_[beast::http::field::sec_websocket_protocol]}; }
    int close_code() const { return stream_.reason().code; }
    void say(const std::string& text) { stream_.write(asio::buffer(text)); }

    /// The next message as an answer, asked by pointer: "/event", "/data/topic". Empty at the end.
    Answer next()
    {
        Answer message;
        beast::flat_buffer buffer;
        stream_.read(buffer, error_);
        if (!error_) message.body = beast::buffers_to_string(buffer.data());
        return message;
    }
    Answer next(const std::string& event)
    {
        for (Answer message = next(); !message.body.empty(); message = next())
            if (message.json("/event") == event) return message;
        return {};
    }
    /// Leaves without a word, as a cut does.
    void cut()
    {
        boost::system::error_code ignored;
        stream_.next_layer().close(ignored);
    }

private:
    asio::io_context io_;
    websocket::stream<tcp::socket> stream_{io_};
    websocket::response_type answer_;
    beast::error_code error_;
};

std::string rates_config(const Upstream& upstream)
{
    return fmt::format(
        "[source.rates]\nkind = \"http\"\nurl = \"{}/rates\"\nallow_private = true\nfresh_for = \"1h\"\n",
        upstream.url());
}

class WorkStream : public testing::Test {
protected:
    /// A worker of one call: claims one job and says how it ended.
    std::string claim(Client& client)
    {
        const Answer claimed =
            client.post("/v1/work/claim", json_type, R"({"worker":"w1","queues":["reports"],"slots":1,"wait":10})");
        EXPECT_EQ(claimed.status, 200) << claimed.body;
        fence_ = claimed.json("/jobs/0/fence").value_or("0");
        return claimed.json("/jobs/0/id").value_or("");
    }
    void complete(Client& client, const std::string& job)
    {
        const Answer ended = client.post("/v1/work/" + job + "/complete", json_type,
                                         fmt::format(R"({{"fence":{},"result":{{"ok":true}}}})", fence_));
        EXPECT_EQ(ended.status, 200) << ended.body;
    }
    std::string make_batch(Client& client, const std::string& more = "")
    {
        const Answer made =
            client.post("/v1/batches", json_type,
                        R"({"queue":"reports","items":[{"key":"a"},{"key":"b"},{"key":"c"}])" + more + "}");
        EXPECT_EQ(made.status, 201) << made.body;
        return made.json("/id").value_or("");
    }

    const Headers json_type{{"Content-Type", "application/json"}};
    std::string fence_;
};

TEST(WebSocket, TellsChangesAndTakesTopics)
{
    Upstream upstream;
    upstream.set("/rates", R"([{"currency":"USD","rate":1}])");
    Server server{rates_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.refresh("rates").status, 200);
    Socket socket{server, "/v1/stream?topic=queues"};
    ASSERT_EQ(socket.status(), 101);
    EXPECT_EQ(socket.subprotocol(), "freshet.v1.json");
    EXPECT_EQ(socket.next().json("/event"), "hello");
    socket.next("live");
    socket.say(R"({"add":["data/rates"]})");
    EXPECT_EQ(socket.next("snapshot").json("/data/data/0/rate"), "1");
    upstream.set("/rates", R"([{"currency":"USD","rate":2}])");
    ASSERT_EQ(client.refresh("rates").status, 200);
    Answer change;
    do change = socket.next("change");
    while (!change.body.empty() && change.json("/data/meta/ver") != "2");
    EXPECT_EQ(change.json("/data/meta/ver"), "2");
    socket.say("nonsense");
    EXPECT_EQ(socket.next("problem").json("/data/code"), "bad_message");
    EXPECT_EQ(socket.next().body, "");
    EXPECT_EQ(socket.close_code(), 1008);
}

TEST(WebSocket, GoesOnFromItsCursorAfterACut)
{
    Upstream upstream;
    upstream.set("/rates", "[1]");
    Server server{rates_config(upstream)};
    Client client = server.client();
    ASSERT_EQ(client.refresh("rates").status, 200);
    Socket first{server, "/v1/stream?topic=data/rates"};
    const std::string cursor = first.next("live").json("/id").value_or("");
    first.cut();
    upstream.set("/rates", "[2]");
    ASSERT_EQ(client.refresh("rates").status, 200);
    Socket again{server, "/v1/stream?topic=data/rates&cursor=" + cursor};
    EXPECT_EQ(again.next().json("/data/resume"), "ok");
    // The changes that tell of the flight come before that of its version.
    std::optional<std::string> ver;
    for (int i = 0; i < 5 && ver != "2"; ++i) ver = again.next("change").json("/data/meta/ver");
    EXPECT_EQ(ver, "2");
}

TEST(WebSocket, IsRefusedToAForeignPage)
{
    Upstream upstream;
    Server server{rates_config(upstream)};
    EXPECT_EQ((Socket{server, "/v1/stream?topic=freshness", "https://evil.example"}.status()), 403);
    EXPECT_EQ((Socket{server, "/v1/stream?topic=freshness", server.url()}.status()), 101);
}

TEST_F(WorkStream, F6EndsABatchByItselfOnAStream)
{
    Upstream upstream;
    Server server{rates_config(upstream)};
    Client client = server.client(), worker = server.client();
    const std::string batch = make_batch(client);
    EventStream stream{server.url(), "/v1/stream?topic=batch/" + batch};
    for (int i = 0; i < 3; ++i) complete(worker, claim(worker));
    const auto end = stream.next_where(
        [](const StreamEvent& event) { return event.event == "batch" && event.json("/batch/state") == "succeeded"; });
    ASSERT_TRUE(end) << "nobody asked, and the end was not told";
    EXPECT_EQ(end->json("/batch/counts/succeeded"), "3");
    EXPECT_EQ(end->json("/batch/percent"), "100");
    EXPECT_EQ(client.get("/v1/batches/" + batch).json("/state"), "succeeded");
}

TEST_F(WorkStream, F6TellsTheEndToAReaderWhoWasCutBeforeIt)
{
    Upstream upstream;
    Server server{rates_config(upstream)};
    Client client = server.client(), worker = server.client();
    const std::string batch = make_batch(client), target = "/v1/stream?topic=batch/" + batch;
    std::string cursor, last;
    {
        EventStream stream{server.url(), target};
        complete(worker, claim(worker));
        complete(worker, claim(worker));
        last = claim(worker);
        const auto two = stream.next_where([](const StreamEvent& event) {
            return event.json("/batch/counts/done") == "2" && event.json("/batch/counts/running") == "1";
        });
        ASSERT_TRUE(two);
        cursor = two->id;
    }
    complete(worker, last);
    // From where it was cut, over both forms; and once more from behind the end.
    std::string behind;
    {
        EventStream again{server.url(), target, {}, cursor};
        const auto end = again.next_where(
            [](const StreamEvent& event) { return event.json("/batch/state") == "succeeded" && !event.id.empty(); });
        ASSERT_TRUE(end);
        behind = end->id;
    }
    EventStream once_more{server.url(), target, {}, behind};
    EXPECT_TRUE(once_more.next_where([](const StreamEvent& event) {
        return event.event == "batch" && event.json("/batch/state") == "succeeded";
    })) << "the end is told on every connect";
    Socket socket{server, target + "&cursor=" + cursor};
    Answer end;
    do end = socket.next("batch");
    while (!end.body.empty() && end.json("/data/batch/state") != "succeeded");
    EXPECT_EQ(end.json("/data/batch/state"), "succeeded");
}

TEST_F(WorkStream, F6DrivesABatchItemByItemToItsEnd)
{
    Upstream upstream;
    Server server{rates_config(upstream)};
    Client client = server.client();
    const std::string batch = make_batch(client, R"(,"driver":"caller")");
    std::thread work{[&] {
        Client worker = server.client();
        for (int i = 0; i < 3; ++i) complete(worker, claim(worker));
    }};
    for (const char* left : {"2", "1", "0"}) {
        const Answer next = client.post("/v1/batches/" + batch + "/process-next", json_type, "{}");
        EXPECT_EQ(next.status, 200) << next.body;
        EXPECT_EQ(next.json("/remaining"), left);
        EXPECT_EQ(next.json("/status"), left == std::string{"0"} ? "job_completed" : "processed");
    }
    work.join();
    EXPECT_EQ(client.post("/v1/batches/" + batch + "/process-next", json_type, "{}").json("/status"), "job_completed");
}

} // namespace
} // namespace freshet::outside
