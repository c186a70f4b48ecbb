// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the forms of a stream (SSE, long poll, WebSocket) have in common. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/streams/hub.hpp"

#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace freshet::http {

Problem problem_of(const streams::StreamRefusal& refusal);

/// 429: limits.streams are all in use.
Problem no_stream_left(Core& core, const ExchangePtr& exchange);

/// Topics and cursor of the query; Last-Event-ID goes before ?cursor=.
streams::OpenStream open_request(const ExchangePtr& exchange);

/// A stream as its connection knows it: its number in the hub, and whether the connection ended before it began.
struct OpenNumber {
    std::uint64_t number = 0;
    bool gone = false;
};
/// Takes the stream out of the hub when the exchange's connection ends.
std::shared_ptr<OpenNumber> leave_when_closed(Core& core, const ExchangePtr& exchange);

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
