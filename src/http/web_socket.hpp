// SPDX-License-Identifier: Apache-2.0
#pragma once
// A WebSocket: what becomes of a connection whose request for an upgrade was granted.
//
// Life: takes the socket over from its connection, says 101 itself, then sends what is queued as text messages and
// hands over those that come; ends by close(), by the peer, or at once by abort(). The connection stays to be counted
// and swept, and goes when this says that it has ended.
// Threads: the loop's. Always holds: one read and one write are under way at most; pings are answered and a peer that
// is silent for ping_within is gone; a message above message_bytes_max ends it with 1009. Beast's headers are in
// web_socket.cpp alone.

#include "base/descriptor.hpp"
#include "http/exchange.hpp"

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

namespace freshet::http {

inline constexpr std::size_t message_bytes_max = 64 << 10; ///< of one that comes
inline constexpr std::size_t close_reason_bytes_max = 123;

/// How a WebSocket tells its connection.
struct WebSocketOwner {
    std::function<void()> ended;                                  ///< the socket is gone; not called after abort()
    std::function<void(std::optional<Millis> from_now)> deadline; ///< until then the peer has to take something
    std::function<void(std::size_t bytes)> sent;
};

class WebSocket : public MessageWriter {
public:
    /// Drops the socket at once; nobody is called any more.
    virtual void abort() = 0;
};

/// @param request  that was looked at: a GET with what RFC 6455 asks of it (is_upgrade()).
std::shared_ptr<WebSocket> open_web_socket(boost::asio::io_context& io, Descriptor socket, const HttpRequest& request,
                                           std::string_view subprotocol, WebSocketOwner owner);

} // namespace freshet::http
