// SPDX-License-Identifier: Apache-2.0
#pragma once
// The Exchange of a connection: what the handler holds while it works. See exchange.hpp for what it promises.
// Threads: the loop's.

#include "http/connection.hpp"
#include "http/exchange.hpp"

#include <memory>
#include <string>

namespace freshet::http {

class ServerExchange final : public Exchange {
public:
    ServerExchange(std::shared_ptr<Connection> connection, std::uint64_t number, std::string base_url)
        : connection_{std::move(connection)}, number_{number}, base_url_{std::move(base_url)}
    {
    }
    ~ServerExchange() override;

    const HttpRequest& request() const override { return request_; }
    const Caller& caller() const override { return caller_; }
    void respond(HttpResponse response) override;
    void fail(Problem problem) override;
    std::shared_ptr<StreamWriter> stream(HttpResponse head) override;
    std::shared_ptr<MessageWriter> upgrade(std::string_view subprotocol) override;
    void on_closed(std::function<void()> closed) override { connection_->add_closed(number_, std::move(closed)); }
    const std::string& base_url() const override { return base_url_; }

    /// For a handler that threw.
    void fail_unanswered(Problem problem);

    // Filled by the connection before the handler sees it.
    HttpRequest& request() { return request_; }
    Caller& caller() { return caller_; }

private:
    std::shared_ptr<Connection> connection_;
    std::uint64_t number_;
    std::string base_url_;
    HttpRequest request_;
    Caller caller_;
    bool answered_ = false;
};

/// Lets a listed origin read the answer and the headers that say how old it is.
void add_cors_headers(HttpResponse& response, const std::string& origin);

} // namespace freshet::http
