// SPDX-License-Identifier: Apache-2.0
#include "http/web_socket.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <deque>
#include <string>
#include <sys/socket.h>
#include <utility>

namespace freshet::http {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds handshake_within{10}; // of the close, too
constexpr std::chrono::seconds ping_within{60};      // a ping after half of it without a sign of life
constexpr Millis write_max = 30s, close_max = 15s;

using Upgrade = beast::http::request<beast::http::empty_body>;

Upgrade upgrade_of(const HttpRequest& request)
{
    Upgrade upgrade{beast::http::verb::get, request.path, 11};
    for (const auto& [name, value] : request.headers)
        if (name == "host" || name == "upgrade" || name == "connection" || name.starts_with("sec-websocket-"))
            upgrade.insert(name, value);
    return upgrade;
}

bool is_v6(int socket)
{
    sockaddr_storage address{};
    socklen_t length = sizeof address;
    // The sockets API speaks of every address as of this one.
    ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &length);
    return address.ss_family == AF_INET6;
}

class BeastSocket final : public WebSocket, public std::enable_shared_from_this<BeastSocket> {
public:
    BeastSocket(asio::io_context& io, Descriptor socket, WebSocketOwner owner) : stream_{io}, owner_{std::move(owner)}
    {
        boost::system::error_code error;
        const tcp protocol = is_v6(socket.get()) ? tcp::v6() : tcp::v4();
        stream_.next_layer().assign(protocol, socket.get(), error);
        if (!error) static_cast<void>(socket.release());
    }

    void begin(const HttpRequest& request, std::string_view subprotocol)
    {
        stream_.set_option(websocket::stream_base::timeout{handshake_within, ping_within, true});
        stream_.set_option(
            websocket::stream_base::decorator{[chosen = std::string{subprotocol}](websocket::response_type& response) {
                response.erase(beast::http::field::server);
                response.set(beast::http::field::cache_control, "no-store, no-transform");
                if (!chosen.empty()) response.set(beast::http::field::sec_websocket_protocol, chosen);
            }});
        stream_.read_message_max(message_bytes_max);
        // One frame a message, written from the shared bytes.
        stream_.auto_fragment(false);
        stream_.text(true);
        upgrade_ = upgrade_of(request);
        stream_.async_accept(upgrade_, [self = shared_from_this()](beast::error_code error) {
            if (self->ended_) return;
            if (error) return self->end();
            self->open_ = true;
            self->read();
            self->pump();
        });
    }

    // MessageWriter.
    void write(std::shared_ptr<const std::string> text) override
    {
        if (ended_ || closing_ || text->empty()) return;
        backlog_ += text->size();
        queue_.push_back(std::move(text));
        pump();
    }
    std::size_t backlog_bytes() const override { return backlog_; }
    void on_drained(std::function<void()> drained) override { drained_ = std::move(drained); }
    void on_message(OnMessage message) override { message_ = std::move(message); }
    void close() override { close(websocket::close_code::normal, {}); }
    void close(int code, std::string_view reason) override
    {
        if (ended_ || closing_) return;
        closing_.emplace();
        closing_->code = static_cast<std::uint16_t>(code);
        reason = reason.substr(0, close_reason_bytes_max);
        closing_->reason.assign(reason.data(), reason.size());
        pump();
    }
    void abort() override
    {
        if (std::exchange(ended_, true)) return;
        let_go();
    }

private:
    void read()
    {
        buffer_.clear();
        stream_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) {
            if (self->ended_) return;
            if (error) return self->end();
            self->take();
        });
    }

    void take()
    {
        if (stream_.got_binary()) return close(websocket::close_code::unknown_data, "messages are JSON texts");
        const auto bytes = buffer_.cdata();
        const std::string text{static_cast<const char*>(bytes.data()), bytes.size()};
        const auto next = [weak = weak_from_this()] {
            if (const auto self = weak.lock(); self && !self->ended_) self->read();
        };
        // Whoever closes in answer to a message reads on, so that the peer's part of the close is seen.
        const OnMessage message = closing_ ? nullptr : message_;
        if (!message) return next();
        message(text, next);
    }

    void pump()
    {
        if (!open_ || ended_ || writing_) return;
        if (queue_.empty()) {
            if (closing_) say_close();
            return;
        }
        writing_ = true;
        owner_.deadline(write_max);
        stream_.async_write(
            asio::buffer(*queue_.front()),
            [self = shared_from_this()](beast::error_code error, std::size_t bytes) { self->written(error, bytes); });
    }

    void written(beast::error_code error, std::size_t bytes)
    {
        if (ended_) return;
        if (error) return end();
        writing_ = false;
        owner_.sent(bytes);
        backlog_ -= queue_.front()->size();
        queue_.pop_front();
        if (queue_.empty() && !closing_) {
            owner_.deadline(std::nullopt);
            const auto drained = drained_;
            if (drained) drained();
        }
        pump();
    }

    void say_close()
    {
        writing_ = true;
        owner_.deadline(close_max);
        stream_.async_close(*closing_, [self = shared_from_this()](beast::error_code) { self->end(); });
    }

    void end()
    {
        if (std::exchange(ended_, true)) return;
        const auto ended = owner_.ended;
        let_go();
        ended();
    }

    void let_go()
    {
        boost::system::error_code ignored;
        stream_.next_layer().close(ignored);
        // The queue stays until the write that is under way has let go of it.
        backlog_ = 0;
        // They hold whoever reads and writes here.
        drained_ = nullptr;
        message_ = nullptr;
    }

    websocket::stream<tcp::socket, false> stream_;
    WebSocketOwner owner_;
    Upgrade upgrade_;
    beast::flat_buffer buffer_;
    std::deque<std::shared_ptr<const std::string>> queue_;
    std::size_t backlog_ = 0;
    std::optional<websocket::close_reason> closing_;
    std::function<void()> drained_;
    OnMessage message_;
    bool open_ = false, writing_ = false, ended_ = false;
};

} // namespace

std::shared_ptr<WebSocket> open_web_socket(asio::io_context& io, Descriptor socket, const HttpRequest& request,
                                           std::string_view subprotocol, WebSocketOwner owner)
{
    auto made = std::make_shared<BeastSocket>(io, std::move(socket), std::move(owner));
    made->begin(request, subprotocol);
    return made;
}

} // namespace freshet::http
