// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the forms of a stream (SSE, long poll, WebSocket) have in common. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/streams/hub.hpp"

#include <expected>
#include <string>
#include <vector>

namespace freshet::http {

Problem problem_of(const streams::StreamRefusal& refusal);

/// 429: limits.streams are all in use.
Problem no_stream_left(Core& core, const ExchangePtr& exchange);

/// Topics and cursor of the query; Last-Event-ID goes before ?cursor=.
streams::OpenStream open_request(const ExchangePtr& exchange);

/// The number that a connection's end is told by, and whether it came before the stream began.
struct Ticket {
    std::uint64_t number = 0;
    bool gone = false;
};

struct TopicChange {
    std::vector<std::string> add, drop;
};
/// Reads {add: [topics], drop: [topics]}; what is wrong with it, in words, otherwise.
std::expected<TopicChange, std::string> parse_change(std::string_view body);

// stream_socket.cpp

/// True for a GET that asks for a WebSocket as RFC 6455 has it.
bool wants_web_socket(const HttpRequest& request);
void open_socket(Core& core, const ExchangePtr& exchange);

} // namespace freshet::http
