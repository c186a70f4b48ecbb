// SPDX-License-Identifier: Apache-2.0
#include "connection.hpp"

#include "answer.hpp"
#include "control.hpp"
#include "kind.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>

namespace upstream {

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using TlsStream = asio::ssl::stream<tcp::socket>;

constexpr auto quietly = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t body_bytes_max = 4U << 20;
constexpr std::uint64_t endless_length = 10ULL << 30;

tcp::socket& socket_of(tcp::socket& stream)
{
    return stream;
}

tcp::socket& socket_of(TlsStream& stream)
{
    return stream.next_layer();
}

/// Counts a request as in flight while it lives.
class InFlight {
public:
    explicit InFlight(std::shared_ptr<Counters> counters) : counters_(std::move(counters))
    {
        ++counters_->requests;
        counters_->in_flight_max = std::max(counters_->in_flight_max, ++counters_->in_flight);
    }
    ~InFlight() { --counters_->in_flight; }
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

private:
    std::shared_ptr<Counters> counters_;
};

/// Waits for the timer, whether it expires or is cancelled. False: the client left meanwhile.
asio::awaitable<bool> waited(tcp::socket& socket, asio::steady_timer& timer)
{
    using namespace asio::experimental::awaitable_operators;
    auto either = timer.async_wait(quietly) || socket.async_wait(tcp::socket::wait_read, quietly);
    const auto first = co_await std::move(either);
    if (first.index() == 0) co_return true;
    char byte = 0;
    boost::system::error_code error;
    socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, error);
    if (error) co_return false;
    // It only sent its next request early.
    co_await timer.async_wait(quietly);
    co_return true;
}

asio::awaitable<bool> slept(tcp::socket& socket, std::chrono::milliseconds time)
{
    asio::steady_timer timer(socket.get_executor(), time);
    const bool here = co_await waited(socket, timer);
    co_return here;
}

/// Until a control call puts another fault in place. False: the client left meanwhile.
asio::awaitable<bool> hung(tcp::socket& socket, Site& site, std::uint64_t epoch)
{
    while (site.fault_epoch == epoch) {
        const bool here = co_await waited(socket, site.fault_changed);
        if (!here) co_return false;
    }
    co_return true;
}

std::string head_of(const Answer& answer, std::optional<std::uint64_t> length, bool keep)
{
    std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " ";
    head += http::obsolete_reason(static_cast<http::status>(answer.status));
    const auto add = [&](std::string_view name, std::string_view value) {
        head.append("\r\n").append(name).append(": ").append(value);
    };
    add("Date", http_date(wall_now()));
    add("Server", "freshet-upstream");
    if (!answer.content_type.empty()) add("Content-Type", answer.content_type);
    for (const auto& [name, value] : answer.headers) add(name, value);
    if (length && answer.status != 304) add("Content-Length", std::to_string(*length));
    if (!keep) add("Connection", "close");
    head += "\r\n\r\n";
    return head;
}

template <class Stream>
asio::awaitable<bool> sent(Stream& stream, std::string_view bytes)
{
    const auto [error, count] = co_await asio::async_write(stream, asio::buffer(bytes), quietly);
    co_return !error && count == bytes.size();
}

template <class Stream>
asio::awaitable<void> send_without_end(Stream& stream, Site& site, std::uint64_t epoch)
{
    const std::string spaces(64 * 1024, ' ');
    bool here = true;
    while (here && site.fault_epoch == epoch) here = co_await sent(stream, spaces);
}

/// What is answered outside of the sites, and counts as no request of any: the control and the pictures.
Answer answer_outside(World& world, const Ask& ask)
{
    if (ask.site == "_control") return answer_control(world, ask);
    if (ask.site == "_image") {
        Page page = show_image(ask.rest);
        return {page.status, std::move(page.content_type), std::move(page.headers), std::move(page.body)};
    }
    return {404, "text/plain; charset=utf-8", {}, "There is no such site; GET /_control lists them.\n"};
}

/// Sends the answer as the fault has it. False: the connection ends here.
template <class Stream>
asio::awaitable<bool> deliver(Stream& stream, Site& site, const Answer& answer, Fault fault, bool keep, bool with_body)
{
    const std::uint64_t epoch = site.fault_epoch;
    const std::string head = head_of(answer, answer.body.size(), keep);
    const std::string_view body = answer.body;
    const std::string_view half = body.substr(0, body.size() / 2);
    switch (fault) {
    case Fault::hang_head:
    case Fault::hang_body: {
        const std::string whole = head + answer.body;
        const std::size_t cut = fault == Fault::hang_head ? head.find("\r\n") + 2 : head.size() + half.size();
        bool here = co_await sent(stream, std::string_view(whole).substr(0, cut));
        if (here) here = co_await hung(socket_of(stream), site, epoch);
        if (here) here = co_await sent(stream, std::string_view(whole).substr(cut));
        co_return here&& keep;
    }
    case Fault::slow_body: {
        bool here = co_await sent(stream, head);
        for (std::size_t i = 0; here && i < body.size(); ++i) {
            here = co_await slept(socket_of(stream), site.state->byte_every);
            if (here) here = co_await sent(stream, body.substr(i, 1));
        }
        co_return here&& keep;
    }
    case Fault::truncated: {
        const std::string part = head + std::string(half);
        co_await sent(stream, part);
        co_return false;
    }
    case Fault::endless:
    case Fault::endless_declared: {
        const auto length = fault == Fault::endless_declared ? std::optional(endless_length) : std::nullopt;
        const std::string without_end = head_of(answer, length, false);
        const bool here = co_await sent(stream, without_end);
        if (here) co_await send_without_end(stream, site, epoch);
        co_return false;
    }
    default: {
        const std::string whole = with_body ? head + answer.body : head;
        const bool here = co_await sent(stream, whole);
        co_return here&& keep;
    }
    }
}

/// False: the connection ends here.
template <class Stream>
asio::awaitable<bool> answer_request(Stream& stream, World& world, const Ask& ask, bool keep)
{
    const bool with_body = ask.method != "HEAD";
    Site* const site = world.find(ask.site);
    if (site == nullptr) {
        const Answer answer = answer_outside(world, ask);
        const std::string whole = head_of(answer, answer.body.size(), keep) + (with_body ? answer.body : "");
        const bool here = co_await sent(stream, whole);
        co_return here&& keep;
    }

    const InFlight counted(site->counters);
    std::shared_ptr<const State> state = site->state;
    const std::uint64_t epoch = site->fault_epoch;
    const Fault fault = world.take_fault(*site);
    bool here = true;
    if (state->delay.count() > 0) here = co_await slept(socket_of(stream), state->delay);
    if (here && (fault == Fault::hang || fault == Fault::hang_accept))
        here = co_await hung(socket_of(stream), *site, epoch);
    if (!here) co_return false;
    if (fault == Fault::reset) {
        socket_of(stream).set_option(asio::socket_base::linger(true, 0));
        boost::system::error_code ignored;
        socket_of(stream).close(ignored);
        co_return false;
    }
    if (state->content_at == ContentAt::answer) state = site->state;
    const Answer answer = answer_site(*site->kind, *state, fault, ask);
    if (answer.status == 304) ++site->counters->not_modified;
    if (answer.status == 200 && ask.method == "POST" && site->kind->take != nullptr) {
        State next = *site->state;
        site->kind->take(next, ask, wall_now());
        world.replace(*site, std::move(next), false);
    }
    const bool open = co_await deliver(stream, *site, answer, fault, keep, with_body);
    co_return open;
}

template <class Stream>
asio::awaitable<void> serve(Stream& stream, World& world, bool tls)
{
    boost::beast::flat_buffer buffer;
    bool open = true;
    while (open) {
        http::request_parser<http::string_body> parser;
        parser.body_limit(body_bytes_max);
        const auto [error, count] = co_await http::async_read(stream, buffer, parser, quietly);
        if (error == http::error::body_limit) {
            const std::string too_large = head_of({413, {}, {}, {}}, 0, false);
            co_await sent(stream, too_large);
        }
        if (error) co_return;
        auto request = parser.release();
        Ask ask;
        ask.method = request.method_string();
        ask.target = request.target();
        for (const auto& field : request) ask.headers.emplace_back(field.name_string(), field.value());
        ask.body = std::move(request.body());
        ask.tls = tls;
        take_apart(ask);
        open = co_await answer_request(stream, world, ask, request.keep_alive());
    }
}

} // namespace

asio::awaitable<void> serve_plain(tcp::socket socket, World& world)
{
    co_await serve(socket, world, false);
    boost::system::error_code ignored;
    if (socket.is_open()) socket.shutdown(tcp::socket::shutdown_send, ignored);
}

asio::awaitable<void> serve_tls(tcp::socket socket, asio::ssl::context& tls, World& world)
{
    TlsStream stream(std::move(socket), tls);
    const auto [refused] = co_await stream.async_handshake(asio::ssl::stream_base::server, quietly);
    if (refused) co_return;
    co_await serve(stream, world, true);
    if (socket_of(stream).is_open()) co_await stream.async_shutdown(quietly);
}

} // namespace upstream
