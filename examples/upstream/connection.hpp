// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection: reads requests, waits as the site's delay says, sends the answer, or fails in the way that the fault
// of the moment prescribes. A coroutine on the one thread of the io_context; it ends when the client leaves.
// Each co_await stands in a statement of its own with its result in a local: g++ 12 miscompiles some in conditions.

#include "state.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>

namespace upstream {

boost::asio::awaitable<void> serve_plain(boost::asio::ip::tcp::socket socket, World& world);
boost::asio::awaitable<void> serve_tls(boost::asio::ip::tcp::socket socket, boost::asio::ssl::context& tls,
                                       World& world);

} // namespace upstream
