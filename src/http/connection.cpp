// SPDX-License-Identifier: Apache-2.0
#include "http/connection.hpp"

#include "base/assert.hpp"
#include "http/prepare.hpp"
#include "http/problems.hpp"
#include "http/response_head.hpp"
#include "http/server_exchange.hpp"
#include "http/web_socket.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>

namespace freshet::http {

namespace {

constexpr std::size_t buffer_bytes = 4 << 10;
constexpr std::size_t buffer_bytes_max = head_bytes_max + (4 << 10);
constexpr Millis idle_max = 75s;
constexpr Millis head_max = 10s;
constexpr Millis write_max = 30s;
constexpr Millis linger_max = 2s;

// Hands the kernel what it takes now. @return bytes; 0: it takes none; -1: the peer is gone.
std::ptrdiff_t send_now(int socket, iovec* pieces, std::size_t count)
{
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = count;
    while (true) {
        const ssize_t sent = ::sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0) return sent;
        if (errno == EINTR) continue;
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
    }
}

std::shared_ptr<const std::string> shared_text(std::string text)
{
    return std::make_shared<const std::string>(std::move(text));
}

} // namespace

Connection::Connection(Loop& loop, Descriptor socket, std::string peer, bool peer_is_loopback)
    : loop_{loop}, socket_{std::move(socket)}, peer_{std::move(peer)}, peer_is_loopback_{peer_is_loopback},
      in_{new char[buffer_bytes]}, in_size_{buffer_bytes}
{
    set_deadline(idle_max);
}

Connection::~Connection()
{
    if (phase_ != Phase::closed) loop_.left(peer_);
}

void Connection::start()
{
    alive_ = shared_from_this();
    reading_ = true;
    watched_ = EPOLLIN;
    if (!loop_.poll().add(*this, socket_.get(), watched_)) drop();
}

void Connection::refuse_connection(std::string_view why)
{
    loop_.counters().refused.add(1);
    start();
    refuse(make_problem(503, "connections", "Too many connections", std::string{why},
                        "Close idle ones, or raise connections_max or connections_per_peer in [server]."));
}

// --- In -------------------------------------------------------------------------------------------------------------

void Connection::on_ready(std::uint32_t events)
{
    const Self self = alive_; // what is read or written may end it
    const bool broken = (events & (EPOLLERR | EPOLLHUP)) != 0;
    if (!reading_ && !waiting_writable_) {
        if (broken) drop(); // told though nobody asked
        return;
    }
    if (waiting_writable_ && (broken || (events & EPOLLOUT) != 0)) {
        waiting_writable_ = false;
        pump();
        watch();
    }
    if (reading_ && phase_ != Phase::closed && (broken || (events & EPOLLIN) != 0)) receive();
}

void Connection::watch()
{
    if (phase_ == Phase::closed || phase_ == Phase::upgraded) return;
    std::uint32_t wanted = 0;
    if (reading_) wanted |= EPOLLIN;
    if (waiting_writable_) wanted |= EPOLLOUT;
    if (wanted == watched_) return;
    watched_ = wanted;
    loop_.poll().change(*this, socket_.get(), wanted);
}

bool Connection::make_room()
{
    if (phase_ == Phase::streaming || phase_ == Phase::lingering) begin_ = end_ = 0;
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < in_size_) return true;
    if (begin_ > 0) {
        // Views of a head that is being handled are copies by now: the bytes may move.
        std::memmove(in_.get(), in_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        return true;
    }
    // Full of pipelined requests: the next answer makes room.
    if (in_size_ == buffer_bytes_max) return false;
    const std::size_t size = std::min(in_size_ * 2, buffer_bytes_max);
    std::unique_ptr<char[]> larger{new char[size]};
    std::memcpy(larger.get(), in_.get(), end_);
    in_ = std::move(larger);
    in_size_ = size;
    return true;
}

void Connection::read()
{
    if (phase_ == Phase::closed || phase_ == Phase::upgraded) return;
    reading_ = make_room();
    watch();
}

void Connection::receive()
{
    const ssize_t got = ::recv(socket_.get(), in_.get() + end_, in_size_ - end_, MSG_DONTWAIT);
    if (got > 0) {
        end_ += static_cast<std::size_t>(got);
        process();
        return read();
    }
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
    reading_ = false;
    watch();
    peer_left(got == 0);
}

void Connection::peer_left(bool half_closed)
{
    // Who only stopped sending may still read the answer that is being written.
    if (half_closed && !out_.empty() && phase_ != Phase::streaming && phase_ != Phase::handling) {
        close_after_ = true;
        return;
    }
    drop();
}

void Connection::consume(std::size_t bytes)
{
    begin_ += bytes;
}

void Connection::process()
{
    if (processing_) return;
    processing_ = true;
    while (phase_ == Phase::idle || phase_ == Phase::head || phase_ == Phase::body) {
        if (begin_ == end_ || !out_.empty()) break;
        if (phase_ == Phase::body) {
            consume(parser_.feed(unread()));
            if (const auto refusal = parser_.refusal())
                refuse_head(*refusal);
            else if (!parser_.wants_body())
                run_handler();
            continue;
        }
        const std::string_view bytes = unread();
        const std::size_t length = head_length(bytes);
        if (length == 0 ? bytes.size() >= head_bytes_max : length > head_bytes_max) {
            refuse(make_problem(431, "head_too_large", "The request's head is too large",
                                fmt::format("It may have {} bytes.", head_bytes_max),
                                "Send fewer or shorter headers."));
            break;
        }
        if (length == 0) {
            if (phase_ == Phase::idle) set_deadline(head_max);
            phase_ = Phase::head;
            break;
        }
        const std::size_t used = parser_.begin(bytes.substr(0, length));
        if (used == 0) {
            refuse_head(*parser_.refusal());
            break;
        }
        consume(used);
        const RequestHead& head = parser_.head();
        if (head.plain && answer_plain(head)) continue;
        take_request(head);
    }
    processing_ = false;
}

bool Connection::answer_plain(const RequestHead& head)
{
    LoopCore& core = loop_.core();
    core.catch_up();
    if (known_version_ != core.access_version() || head.host != known_host_ ||
        head.authorization != known_authorization_ || loop_.coarse_now() >= known_until_)
        return false;
    if (!head.get && !head.head) return false;
    if (loop_.stopping()) return false;

    std::string_view path = head.target;
    const std::string& prefix = loop_.gate().public_url().prefix;
    if (!prefix.empty() && path.starts_with(prefix)) path.remove_prefix(prefix.size());
    PlainRead plain{head.accept_encoding, head.if_none_match, false, head.head};
    std::string_view tenant = known_caller_.tenant;
    constexpr std::string_view short_path = "/v1/data/", long_path = "/v1/t/", data = "/data/";
    if (path.starts_with(short_path)) {
        path.remove_prefix(short_path.size());
    } else if (path.starts_with(long_path)) {
        path.remove_prefix(long_path.size());
        const auto slash = path.find('/');
        if (slash == std::string_view::npos || !path.substr(slash).starts_with(data)) return false;
        if (tenant != "*" && tenant != path.substr(0, slash)) return false;
        tenant = path.substr(0, slash);
        path.remove_prefix(slash + data.size());
        plain.is_public = true;
    } else {
        return false;
    }
    if (core.has_shared()) {
        const std::string_view source = path.substr(0, path.find('/'));
        const Definitions& definitions = *core.definitions();
        const std::string_view owner = key_tenant(definitions, tenant, source);
        // What is one for all is shown to those who list it.
        if (owner != tenant && !tenant_has_source(definitions, tenant, source)) return false;
        tenant = owner;
    }
    CacheEntry* entry = core.cache().find(tenant, path);
    if (entry == nullptr) return false;
    const auto ready = ready_answer(core, *entry, plain);
    if (!ready) return false;
    // Who asks too often is told so on the general path, which finds nothing left either.
    if (known_allowance_ && known_allowance_->take(core.steady())) return false;

    std::array<iovec, 2> pieces;
    // iovec is not const-correct; sendmsg only reads.
    pieces[0] = {const_cast<char*>((*ready->head)->data()), (*ready->head)->size()};
    std::size_t count = 1, total = pieces[0].iov_len;
    if (ready->body != nullptr) {
        pieces[count++] = {const_cast<char*>(ready->body->data()), ready->body->size()};
        total += ready->body->size();
    }
    LoopCounters& counters = loop_.counters();
    counters.hits.add(1);
    counters.answers[ready->not_modified ? 3 : 2].add(1);
    phase_ = Phase::idle;
    const std::ptrdiff_t sent = send_now(socket_.get(), pieces.data(), count);
    if (sent < 0) {
        drop();
        return true;
    }
    counters.bytes_out.add(static_cast<std::uint64_t>(sent));
    set_deadline(idle_max);
    if (static_cast<std::size_t>(sent) == total) return true;
    // The rest waits for the peer; only now are the bytes held.
    const std::size_t head_size = (*ready->head)->size(), done = static_cast<std::size_t>(sent);
    out_.push(*ready->head, done);
    if (ready->body != nullptr) {
        auto body = ready->coded_body != nullptr ? *ready->coded_body
                                                 : std::shared_ptr<const std::string>{entry->view, ready->body};
        out_.push(std::move(body), done > head_size ? done - head_size : 0);
    }
    set_deadline(write_max);
    wait_writable();
    return true;
}

void Connection::refuse_head(HeadRefusal refusal)
{
    switch (refusal) {
    case HeadRefusal::malformed:
        return refuse(make_problem(400, "malformed", "The request can not be read", "It is not well-formed HTTP/1.1.",
                                   "Look at what the client or a proxy sends."));
    case HeadRefusal::too_many_fields:
        return refuse(make_problem(431, "head_too_large", "The request has too many headers",
                                   fmt::format("It may have {}.", head_fields_max), "Send fewer headers."));
    case HeadRefusal::target_too_long:
        return refuse(make_problem(414, "target_too_long", "The URL is too long",
                                   fmt::format("It may have {} bytes.", target_bytes_max),
                                   "Shorten the path or the query."));
    case HeadRefusal::body_too_large:
        return refuse(
            body_too_large(route_ != nullptr && phase_ == Phase::body ? route_->bytes_max : any_body_bytes_max));
    case HeadRefusal::version:
        return refuse(make_problem(505, "version", "Not HTTP/1.1", "Only HTTP/1.0 and HTTP/1.1 are spoken here.",
                                   "Let a proxy speak other versions."));
    }
}

// --- Out ------------------------------------------------------------------------------------------------------------

void Connection::refuse(Problem problem)
{
    keep_alive_ = false;
    number_ = ++number_last_;
    asked_.reset();
    answer(number_, problem_response(loop_.gate().public_url().base, "", std::move(problem), loop_.core().now()));
}

void Connection::answer(std::uint64_t number, HttpResponse response)
{
    if (number_ == 0 || number != number_ || phase_ == Phase::closed) return;
    number_ = 0;
    closed_.clear();
    loop_.core().catch_up();
    add_cors_headers(response, origin_);
    HeadLayout layout;
    layout.status = response.status;
    layout.headers = &response.headers;
    layout.content_type = response.content_type;
    const std::size_t length = response.shared_body ? response.shared_body->size() : response.body.size();
    const bool bodiless = response.status == 204 || response.status == 304;
    layout.framing = bodiless ? Framing::none : Framing::length;
    layout.length = length;
    const bool closes = !keep_alive_ || loop_.stopping();
    layout.close = closes;
    layout.keep_alive = http_10_;
    out_.push(shared_text(response_head(layout, loop_.core().now())));
    if (!bodiless && !head_only_) {
        if (response.shared_body)
            out_.push(std::move(response.shared_body));
        else
            out_.push(shared_text(std::move(response.body)));
    }
    loop_.counters().answers[static_cast<std::size_t>(std::clamp(response.status / 100, 0, 5))].add(1);
    close_after_ = closes;
    phase_ = Phase::idle;
    set_deadline(write_max);
    pump();
}

std::shared_ptr<StreamWriter> Connection::open_stream(std::uint64_t number, HttpResponse response)
{
    const Self self = shared_from_this();
    if (number_ == 0 || number != number_ || phase_ == Phase::closed) return self;
    add_cors_headers(response, origin_);
    HeadLayout layout;
    layout.status = response.status;
    layout.headers = &response.headers;
    layout.content_type = response.content_type;
    chunked_ = !http_10_ && parser_.head().version == 11;
    layout.framing = chunked_ ? Framing::chunked : Framing::until_close;
    layout.close = true;
    phase_ = Phase::streaming;
    deadline_ = SteadyTime::max();
    loop_.counters().answers[static_cast<std::size_t>(std::clamp(response.status / 100, 0, 5))].add(1);
    out_.push(shared_text(response_head(layout, loop_.core().now())));
    if (!response.body.empty())
        write(shared_text(std::move(response.body)));
    else
        pump();
    if (head_only_) close();
    return self;
}

std::shared_ptr<MessageWriter> Connection::upgrade(std::uint64_t number, const HttpRequest& request,
                                                   std::string_view subprotocol)
{
    if (number_ == 0 || number != number_ || phase_ == Phase::closed) return nullptr;
    if (begin_ != end_) {
        // Nobody may speak the new protocol before it is agreed on.
        keep_alive_ = false;
        answer(number, problem_response(loop_.gate().public_url().base, request.path,
                                        make_problem(400, "malformed", "The request can not be read",
                                                     "Bytes followed the request for an upgrade.",
                                                     "Send messages only after the answer."),
                                        loop_.core().now()));
        return nullptr;
    }
    loop_.poll().remove(*this, socket_.get());
    reading_ = waiting_writable_ = false;
    phase_ = Phase::upgraded;
    in_.reset();
    in_size_ = 0;
    loop_.counters().answers[1].add(1);
    WebSocketOwner owner;
    owner.ended = [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->drop();
    };
    owner.deadline = [weak = weak_from_this()](std::optional<Millis> from_now) {
        const auto self = weak.lock();
        if (!self || self->phase_ != Phase::upgraded) return;
        if (from_now)
            self->set_deadline(*from_now);
        else
            self->deadline_ = SteadyTime::max();
    };
    owner.sent = [weak = weak_from_this()](std::size_t bytes) {
        if (const auto self = weak.lock()) self->loop_.counters().bytes_out.add(bytes);
    };
    web_socket_ = open_web_socket(loop_.io(), std::move(socket_), request, subprotocol, std::move(owner));
    return web_socket_;
}

void Connection::add_closed(std::uint64_t number, std::function<void()> closed)
{
    if (number_ != 0 && number == number_ && phase_ != Phase::closed) closed_.push_back(std::move(closed));
}

void Connection::write(std::shared_ptr<const std::string> frame)
{
    if (phase_ != Phase::streaming || close_after_ || frame->empty()) return;
    static const auto line_end = shared_text("\r\n");
    const bool was_empty = out_.empty();
    if (chunked_) out_.push(shared_text(fmt::format("{:x}\r\n", frame->size())));
    out_.push(std::move(frame));
    if (chunked_) out_.push(line_end);
    if (was_empty) set_deadline(write_max);
    if (!waiting_writable_) pump();
}

void Connection::close()
{
    if (phase_ != Phase::streaming || close_after_) return;
    static const auto last_chunk = shared_text("0\r\n\r\n");
    if (chunked_) out_.push(last_chunk);
    close_after_ = true;
    set_deadline(write_max);
    if (!waiting_writable_) pump();
}

void Connection::pump()
{
    while (!out_.empty()) {
        std::array<iovec, OutQueue::pieces_max> pieces;
        const std::size_t count = out_.gather(pieces);
        const std::ptrdiff_t sent = send_now(socket_.get(), pieces.data(), count);
        if (sent < 0) return drop();
        if (sent == 0) return wait_writable();
        loop_.counters().bytes_out.add(static_cast<std::uint64_t>(sent));
        out_.sent(static_cast<std::size_t>(sent));
        set_deadline(write_max);
    }
    after_written();
}

void Connection::wait_writable()
{
    if (waiting_writable_) return;
    waiting_writable_ = was_behind_ = true;
    watch();
}

void Connection::after_written()
{
    const bool was_behind = std::exchange(was_behind_, false);
    if (close_after_) return linger();
    if (phase_ == Phase::streaming) {
        deadline_ = SteadyTime::max();
        if (was_behind && drained_) {
            const auto drained = drained_;
            drained();
        }
        return;
    }
    if (phase_ == Phase::idle) set_deadline(idle_max);
    if (processing_) return;
    process();
    read();
}

void Connection::linger()
{
    // Closing with unread bytes would send a reset, which can take the answer away from under the peer's eyes.
    number_ = 0;
    drained_ = nullptr;
    phase_ = Phase::lingering;
    set_deadline(linger_max);
    ::shutdown(socket_.get(), SHUT_WR);
    if (loop_.stopping()) return drop();
    read();
    // A stream that ended by its own will: who listened for the peer's leave is not called, only let go.
    std::exchange(closed_, {}).clear();
}

void Connection::drop()
{
    if (phase_ == Phase::closed) return;
    const Self self = std::exchange(alive_, nullptr);
    phase_ = Phase::closed;
    number_ = 0;
    unlink();
    loop_.left(peer_);
    loop_.poll().remove(*this, socket_.get());
    socket_ = {};
    out_.clear();
    drained_ = nullptr;
    asked_.reset();
    if (web_socket_) std::exchange(web_socket_, nullptr)->abort();
    for (const auto& closed : std::exchange(closed_, {})) closed();
}

void Connection::end_overdue()
{
    if ((phase_ == Phase::head || phase_ == Phase::body) && out_.empty()) {
        return refuse(make_problem(408, "too_slow", "The request took too long to come",
                                   fmt::format("A head has {}, a body {}.", to_text(head_max), to_text(body_wait_max)),
                                   "Send it again at once."));
    }
    if (phase_ != Phase::handling) drop();
}

void Connection::begin_stop()
{
    if (phase_ == Phase::idle && out_.empty()) return drop();
    keep_alive_ = false;
}

} // namespace freshet::http
