// SPDX-License-Identifier: Apache-2.0
// A stream over WebSocket (spec "The wire contract" §3): the frames of SSE as JSON texts {event, id?, data}; the reader
// may send {add: [topics]} and {drop: [topics]}, which PATCH /v1/streams/{stream} does for SSE.
#include "http/hub_host.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/stream_parts.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr std::string_view subprotocol = "freshet.v1.json";
constexpr int going_away = 1001, policy = 1008; // close codes of RFC 6455

// Whether a list of words, as in Connection or Sec-WebSocket-Protocol, has this one.
bool has_word(std::string_view list, std::string_view wanted)
{
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (same_word(trimmed(list.substr(0, comma)), wanted)) return true;
        if (comma == std::string_view::npos) return false;
        list.remove_prefix(comma + 1);
    }
    return false;
}

class SocketSink final : public streams::FrameSink {
public:
    explicit SocketSink(std::shared_ptr<MessageWriter> writer) : writer_{std::move(writer)} {}
    void send(const streams::FramePtr& frame) override
    {
        said_goodbye_ = frame->event() == "goodbye";
        writer_->write(frame->message());
    }
    std::size_t backlog_bytes() const override { return writer_->backlog_bytes(); }
    void caught_up(streams::Cursor) override {}
    void close() override
    {
        if (said_goodbye_)
            writer_->close(going_away, "goodbye");
        else
            writer_->close();
    }

private:
    std::shared_ptr<MessageWriter> writer_;
    bool said_goodbye_ = false;
};

std::shared_ptr<const std::string> message_of(std::string_view event, std::string_view data)
{
    return streams::Frame{event, {}, data}.message();
}

// A message that is no message ends the stream: who speaks another language is told so before it acts on a guess.
void refuse_message(Core& core, const ExchangePtr& exchange, const std::shared_ptr<MessageWriter>& writer,
                    const std::string& why)
{
    Problem problem = make_problem(400, "bad_message", "The message can not be used", why + ".",
                                   R"(Send {"add": ["data/prices/eu"]} or {"drop": ["data/prices/eu"]}.)");
    const HttpResponse response =
        problem_response(exchange->base_url(), exchange->request().path, std::move(problem), core.now());
    writer->write(message_of("problem", response.body));
    // What was quoted may have been cut within a character, and a reason has to be UTF-8.
    const std::string_view reason = std::string_view{why}.substr(0, 120);
    writer->close(policy, simdjson::validate_utf8(reason) ? reason : "the message can not be used");
}

void take_message(Core& core, const ExchangePtr& exchange, const std::shared_ptr<MessageWriter>& writer,
                  const std::string& stream, std::string_view text, const std::function<void()>& next)
{
    const auto change = parse_change(text);
    if (!change || (change->add.empty() && change->drop.empty())) {
        refuse_message(core, exchange, writer, change ? "neither add nor drop names a topic" : change.error());
        return next();
    }
    using Changed = std::expected<std::vector<std::string>, streams::StreamRefusal>;
    hub_of(core).change(stream, exchange->caller().tenant, change->add, change->drop,
                        [&core, exchange, weak = std::weak_ptr{writer}, stream, next](const Changed& topics) {
                            const auto held = weak.lock();
                            if (!held) return;
                            if (topics) {
                                JsonOut out;
                                out.begin();
                                out.text("stream", stream);
                                out.begin_list("topics");
                                for (const std::string& topic : *topics) out.text(topic);
                                out.end_list();
                                out.end();
                                held->write(message_of("topics", out.take()));
                            } else {
                                // The stream goes on: a topic that is not there, or not yet, is no reason to lose the
                                // others.
                                const HttpResponse response =
                                    problem_response(exchange->base_url(), exchange->request().path,
                                                     problem_of(topics.error()), core.now());
                                held->write(message_of("problem", response.body));
                            }
                            next();
                        });
}

// What RFC 6455 asks of the request. False: a problem was answered.
bool check_handshake(Core& core, const ExchangePtr& exchange)
{
    const HttpRequest& request = exchange->request();
    if (request.header("sec-websocket-version") != "13") {
        HttpResponse response =
            problem_response(exchange->base_url(), request.path,
                             make_problem(426, "websocket_version", "Another version of WebSocket is needed",
                                          "Version 13 (RFC 6455) is spoken here.", "Send Sec-WebSocket-Version: 13."),
                             core.now());
        response.headers.emplace_back("Sec-WebSocket-Version", "13");
        response.headers.emplace_back("Upgrade", "websocket");
        exchange->respond(std::move(response));
        return false;
    }
    const std::string_view offered = request.header("sec-websocket-protocol");
    if (!offered.empty() && !has_word(offered, subprotocol)) {
        exchange->fail(make_problem(400, "subprotocol", "No subprotocol that is spoken here was offered",
                                    fmt::format("\"{}\" was offered.", offered.substr(0, 200)),
                                    fmt::format("Offer {}.", subprotocol)));
        return false;
    }
    // 16 bytes in base64.
    if (request.header("sec-websocket-key").size() == 24) return true;
    exchange->fail(make_problem(400, "malformed", "The request can not be read",
                                "Sec-WebSocket-Key does not hold 16 bytes.", "Look at what the client sends."));
    return false;
}

} // namespace

bool wants_web_socket(const HttpRequest& request)
{
    return request.method == "GET" && has_word(request.header("connection"), "upgrade") &&
           has_word(request.header("upgrade"), "websocket");
}

void open_socket(Core& core, const ExchangePtr& exchange)
{
    if (!check_handshake(core, exchange)) return;
    streams::OpenStream request = open_request(exchange);
    auto grant = grant_of(core, exchange->caller());
    if (!grant) return exchange->fail(no_stream_left(core, exchange));
    request.grant = std::move(*grant);
    const auto hub = weak_hub_of(core);
    const auto opened = leave_when_closed(core, exchange);
    opened->number = hub_of(core).open(
        std::move(request),
        [&core, exchange, hub, opened](const streams::StreamRefusal* refusal) -> std::shared_ptr<streams::FrameSink> {
            if (opened->gone) return nullptr;
            if (refusal != nullptr) {
                exchange->fail(problem_of(*refusal));
                return nullptr;
            }
            const bool offered = !exchange->request().header("sec-websocket-protocol").empty();
            auto writer = exchange->upgrade(offered ? subprotocol : std::string_view{});
            if (!writer) return nullptr;
            writer->on_drained([hub, opened] {
                if (const auto held = hub.lock()) held->drained(opened->number);
            });
            writer->on_message([&core, exchange, opened, weak = std::weak_ptr{writer}](
                                   std::string_view text, const std::function<void()>& next) {
                if (const auto held = weak.lock())
                    take_message(core, exchange, held, stream_name(core, opened->number), text, next);
            });
            return std::make_shared<SocketSink>(std::move(writer));
        });
    end_earlier_stream(core, exchange->caller().ticket, opened->number);
}

} // namespace freshet::http
