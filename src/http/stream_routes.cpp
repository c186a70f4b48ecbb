// SPDX-License-Identifier: Apache-2.0
// Streams as HTTP has them (spec "The wire contract" §3): SSE, the same as a long poll, and topics that come and go on
// an open stream. The hub does the work; here are its sinks and the words of the query.
#include "http/hub_host.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "http/stream_parts.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr Millis poll_wait = 25s, poll_wait_max = 60s;
/// What it tells of is read by then, or the server is too busy.
constexpr Millis poll_begins_within = 10s;
constexpr std::size_t poll_bytes_max = 32 << 20;

HttpResponse stream_head()
{
    HttpResponse head;
    head.content_type = "text/event-stream";
    head.headers.emplace_back("Cache-Control", "no-store, no-transform");
    head.headers.emplace_back("X-Accel-Buffering", "no");
    return head;
}

// --- Server-Sent Events ---

class SseSink final : public streams::FrameSink {
public:
    explicit SseSink(std::shared_ptr<StreamWriter> writer) : writer_{std::move(writer)} {}
    void send(const streams::FramePtr& frame) override { writer_->write(frame->text()); }
    std::size_t backlog_bytes() const override { return writer_->backlog_bytes(); }
    void caught_up(streams::Cursor) override {}
    void close() override { writer_->close(); }

private:
    std::shared_ptr<StreamWriter> writer_;
};

// EventSource gives up for good on anything but 200: trouble that passes is a stream that says when to come again.
void answer_trouble(const ExchangePtr& exchange, std::string_view reason)
{
    const Millis retry{2000 +
                       static_cast<std::int64_t>(
                           hash64(fmt::format("{}{}", exchange->request().peer, fmt::ptr(exchange.get()))) % 3000)};
    JsonOut out;
    out.begin();
    out.text("reason", reason);
    out.whole("retry_ms", retry.count());
    out.end();
    const auto writer = exchange->stream(stream_head());
    writer->write(streams::Frame{"goodbye", "", out.take(), retry}.text());
    writer->close();
}

void open_stream(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {"topic", "cursor", "ticket"}) || !has_tenant(exchange)) return;
    if (wants_web_socket(exchange->request())) return open_socket(core, exchange);
    streams::OpenStream request = open_request(exchange);
    auto grant = grant_of(core, exchange->caller());
    // EventSource says that it is one; any other program reads a 429 better.
    if (!grant && exchange->request().header("accept").find("text/event-stream") != std::string_view::npos)
        return answer_trouble(exchange, "streams_full");
    if (!grant) return exchange->fail(no_stream_left(core, exchange));
    request.grant = std::move(*grant);
    const auto hub = weak_hub_of(core);
    const auto opened = leave_when_closed(core, exchange);
    // The exchange ends with its connection; the hub's call must not keep it beyond the answer.
    opened->number = hub_of(core).open(
        std::move(request),
        [exchange, hub, opened](const streams::StreamRefusal* refusal) -> std::shared_ptr<streams::FrameSink> {
            if (opened->gone) return nullptr;
            if (refusal != nullptr) {
                if (refusal->status == 503)
                    answer_trouble(exchange, refusal->code);
                else
                    exchange->fail(problem_of(*refusal));
                return nullptr;
            }
            auto writer = exchange->stream(stream_head());
            writer->on_drained([hub, opened] {
                if (const auto held = hub.lock()) held->drained(opened->number);
            });
            return std::make_shared<SseSink>(std::move(writer));
        });
    end_earlier_stream(core, exchange->caller().ticket, opened->number);
}

// --- Long poll ---

class Poll final : public streams::FrameSink, public std::enable_shared_from_this<Poll> {
public:
    Poll(Core& core, ExchangePtr exchange, Millis wait)
        : core_{core}, exchange_{std::move(exchange)}, hub_{weak_hub_of(core)}, wait_{wait}
    {
    }

    void begin()
    {
        streams::OpenStream request = open_request(exchange_);
        request.poll = true;
        auto grant = grant_of(core_, exchange_->caller());
        if (!grant) {
            over_ = true;
            return exchange_->fail(no_stream_left(core_, exchange_));
        }
        request.grant = std::move(*grant);
        own_cursor_ = request.cursor.value_or("");
        exchange_->on_closed([self = weak_from_this()] {
            if (const auto held = self.lock()) held->end();
        });
        after(poll_begins_within, [](Poll& self) {
            self.end();
            self.exchange_->fail(busy_problem());
        });
        const std::uint64_t number = hub_of(core_).open(
            std::move(request),
            [self = shared_from_this()](const streams::StreamRefusal* refusal) -> std::shared_ptr<streams::FrameSink> {
                if (self->over_) return nullptr;
                if (refusal == nullptr) return self;
                self->end();
                self->exchange_->fail(problem_of(*refusal));
                return nullptr;
            });
        number_ = number;
        if (over_) leave();
    }

    void send(const streams::FramePtr& frame) override
    {
        if (over_) return;
        const std::string_view event = frame->event();
        if (event == "hello") return read_hello(frame->data());
        if (event == "goodbye") return answer();
        if (event == "live" || event == "beat") return;
        bytes_ += frame->data().size();
        frames_.push_back(frame);
        // Present state of what no ledger tells comes with every poll; it alone is nothing new.
        woken_ = woken_ || event != "snapshot";
    }
    std::size_t backlog_bytes() const override { return 0; }
    void caught_up(streams::Cursor cursor) override
    {
        // What it waits for is news, so its time begins when it knows the present state.
        if (!cursor_ && wait_ > Millis{0}) after(wait_, [](Poll& self) { self.answer(); });
        cursor_ = cursor;
        if (woken_ || resume_ != "ok" || wait_ == Millis{0}) answer();
    }
    void close() override { answer(); }

private:
    void read_hello(std::string_view data)
    {
        simdjson::dom::parser parser;
        simdjson::dom::element hello;
        std::string_view word;
        if (parser.parse(data.data(), data.size()).get(hello) != simdjson::SUCCESS) return;
        if (hello["resume"].get(word) == simdjson::SUCCESS) resume_ = word;
        if (hello["reason"].get(word) == simdjson::SUCCESS) reason_ = word;
    }

    // Where the reader is after this answer: the hub's word; its own cursor where the stream ended before it began.
    std::string cursor() const
    {
        if (cursor_) return streams::to_text(*cursor_);
        const auto hub = hub_.lock();
        const streams::Cursor at = hub ? hub->cursor(number_) : streams::Cursor{};
        if (at.epoch != 0) return streams::to_text(at);
        return own_cursor_.empty() ? streams::to_text({core_.services().epoch, 0}) : own_cursor_;
    }

    // In place of what was to come before.
    void after(Millis time, void (*then)(Poll&))
    {
        if (timer_ != 0) core_.cancel_wait(timer_);
        timer_ = core_.after(time, [self = weak_from_this(), then] {
            if (const auto held = self.lock(); held && !held->over_) then(*held);
        });
    }

    void answer()
    {
        if (over_) return;
        const std::string at = cursor();
        end();
        if (bytes_ > poll_bytes_max)
            return exchange_->fail(make_problem(413, "poll_too_large", "The present state is too large for one answer",
                                                fmt::format("A poll answers at most {} bytes.", poll_bytes_max),
                                                "Name fewer topics, or use /v1/stream."));
        JsonOut out;
        out.begin();
        out.text("resume", resume_.empty() ? "ok" : resume_);
        out.text_if("reason", reason_);
        out.begin_list("events");
        for (const streams::FramePtr& frame : frames_) out.raw(*frame->message());
        out.end_list();
        out.text("cursor", at);
        out.time("now", core_.now());
        out.end();
        respond_status(exchange_, out.take());
    }

    void end()
    {
        over_ = true;
        if (timer_ != 0) core_.cancel_wait(std::exchange(timer_, 0));
        leave();
    }
    void leave()
    {
        if (const auto hub = hub_.lock(); hub && number_ != 0) hub->leave(number_);
    }

    Core& core_;
    ExchangePtr exchange_;
    std::weak_ptr<streams::Hub> hub_;
    Millis wait_;
    std::string own_cursor_, resume_, reason_;
    std::optional<streams::Cursor> cursor_;
    std::vector<streams::FramePtr> frames_;
    std::size_t bytes_ = 0;
    std::uint64_t number_ = 0, timer_ = 0;
    bool over_ = false, woken_ = false;
};

void open_poll(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {"topic", "cursor", "wait"}) || !has_tenant(exchange)) return;
    Millis wait = poll_wait;
    if (const auto text = exchange->request().param("wait")) {
        const auto seconds = parse_count(*text);
        if (!seconds || *seconds > 3600) return exchange->fail(bad_parameter("wait takes whole seconds.", "0 to 60."));
        wait = std::chrono::seconds{*seconds};
    } else if (const auto preferred = preferences(exchange->request().header("prefer")).wait) {
        wait = *preferred;
    }
    std::make_shared<Poll>(core, exchange, std::min(wait, poll_wait_max))->begin();
}

// --- Topics of an open stream ---

using Changed = std::expected<std::vector<std::string>, streams::StreamRefusal>;

void answer_change(const ExchangePtr& exchange, const std::string& name, const Changed& topics)
{
    if (!topics) return exchange->fail(problem_of(topics.error()));
    JsonOut out;
    out.begin();
    out.text("stream", name);
    out.begin_list("topics");
    for (const std::string& topic : *topics) out.text(topic);
    out.end_list();
    out.end();
    respond_status(exchange, out.take());
}

void change_stream(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    auto change = parse_change(exchange->request().body);
    if (!change)
        return exchange->fail(make_problem(400, "bad_body", "The body can not be used", change.error() + ".",
                                           R"(Send {"add": ["data/prices/eu"], "drop": []}.)"));
    const std::string name = captures[0];
    // Who is limited changes its own streams only.
    const std::string own = exchange->caller().scope.limits() ? exchange->caller().token : std::string{};
    const Services& services = core.services();
    const auto loop = loop_of_stream(services, name);
    const auto gone = [&] {
        exchange->fail(problem_of({404, "not_found", fmt::format("there is no open stream {}", name.substr(0, 128)),
                                   "open a new one with GET /v1/stream"}));
    };
    if (!loop) return gone();
    if (*loop == core.index())
        return hub_of(core).change(
            name, exchange->caller().tenant, change->add, change->drop,
            [exchange, name](const Changed& topics) { answer_change(exchange, name, topics); }, own);

    // The stream lives on another loop: it is changed there, and the answer is given here, where the exchange lives.
    const auto back = [on_loop = services.on_loop, here = core.index()](std::function<void(Core&)> work) {
        on_loop(here, std::move(work));
    };
    const bool sent =
        services.on_loop && services.on_loop(*loop, [exchange, name, back, own, tenant = exchange->caller().tenant,
                                                     change = *change](Core& there) {
            hub_of(there).change(
                name, tenant, change.add, change.drop,
                [exchange, name, back](const Changed& topics) {
                    back([exchange, name, topics](Core&) { answer_change(exchange, name, topics); });
                },
                own);
        });
    if (!sent) gone();
}

constexpr std::array stream_table{
    Route{.method = "GET",
          .pattern = "/v1/stream",
          .right = Right::read,
          .handle = &open_stream,
          .by_scope = true,
          .by_ticket = true},
    Route{.method = "GET", .pattern = "/v1/poll", .right = Right::read, .handle = &open_poll, .by_scope = true},
    Route{.method = "PATCH",
          .pattern = "/v1/streams/{stream}",
          .right = Right::read,
          .handle = &change_stream,
          .by_scope = true},
};

} // namespace

Routes stream_routes()
{
    return stream_table;
}

} // namespace freshet::http
