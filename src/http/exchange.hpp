// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request and its one answer, as a handler sees them. No socket type crosses this line.
//
// Life: made by the connection when a request was read whole and its caller is known; handed to the route's handler,
// which answers now or later; ends with the answer, or when the peer leaves (on_closed). Whoever answers later keeps
// the shared_ptr. Threads: everything on the loop of its connection. Always holds: respond() or stream() is called at
// most once; an exchange that is dropped unanswered answers 500.

#include "base/time.hpp"
#include "model/definition.hpp"
#include "model/token_scope.hpp"
#include "wire/views.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::http {

/// Who asks, after the gate (Host, Origin, token) let the request in.
struct Caller {
    std::string name;   ///< the token's name, "local" for loopback without tokens, "anonymous" on a public route
    std::string tenant; ///< the one this request speaks for
    Role role = Role::viewer;
    bool may_refresh = false;
    bool all_tenants = false; ///< its token is of all tenants, whichever this request speaks for
    TokenScope scope = {};    ///< what its token is limited to
    std::optional<WallTime> expires_at;
    std::string token; ///< SHA-256 of its token, in hex: what it is known by while it lives; empty without one

    std::uint64_t ticket = 0; ///< of the stream ticket it came with; 0: none
    bool session = false;     ///< it came with the console's cookie; `name` is the token's that it was signed in with
    /// Of a route of a key: whose the key is, which of a shared source is nobody's who may ask (model/shared.hpp).
    std::string key_tenant = {};
};

struct HttpRequest {
    std::string method;
    std::string path;                                       ///< below the prefix, still percent-encoded, begins with /
    std::vector<std::pair<std::string, std::string>> query; ///< decoded, in order
    std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
    std::string body;
    std::string peer; ///< address, for logs

    /// The first of that name; empty if there is none.
    std::string_view header(std::string_view name) const;
    std::optional<std::string_view> param(std::string_view name) const;
    bool has_header(std::string_view name) const;
};

struct HttpResponse {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> headers; ///< Date, Content-Length and Connection are added
    std::string content_type;                                 ///< empty: no body
    std::string body;
    std::shared_ptr<const std::string> shared_body; ///< instead of `body` when set
};

/// The peer's side of an open stream. Threads: the loop's.
class StreamWriter {
public:
    virtual ~StreamWriter() = default;
    /// Queues a frame; it is shared, not copied. Frames leave in order.
    virtual void write(std::shared_ptr<const std::string> frame) = 0;
    /// Bytes that were queued and are not yet in the kernel's hands.
    virtual std::size_t backlog_bytes() const = 0;
    /// Called each time the backlog has become empty.
    virtual void on_drained(std::function<void()> drained) = 0;
    /// Sends what is queued, then ends the answer and the connection.
    virtual void close() = 0;
};

/// The peer's side of a WebSocket: frames become text messages, and the peer sends some, too. Threads: the loop's.
class MessageWriter : public StreamWriter {
public:
    /// What comes, one at a time: the next message is not read before `next` was called.
    using OnMessage = std::function<void(std::string_view text, std::function<void()> next)>;
    virtual void on_message(OnMessage message) = 0;
    /// Sends what is queued, then closes with a code of RFC 6455 and a reason in at most 123 bytes.
    virtual void close(int code, std::string_view reason) = 0;
    using StreamWriter::close;
};

class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    virtual ~Exchange() = default;
    virtual const HttpRequest& request() const = 0;
    virtual const Caller& caller() const = 0;
    virtual void respond(HttpResponse response) = 0;
    /// application/problem+json, no-store; fills type and instance.
    virtual void fail(Problem problem) = 0;
    /// Answers with a head and leaves the body open. The writer lives until close() or the peer's leave.
    virtual std::shared_ptr<StreamWriter> stream(HttpResponse head) = 0;
    /// Answers an Upgrade that the handler has looked at: from here on messages are exchanged. @param subprotocol  of
    /// those that the peer offered; may be empty. The writer lives until close() or the peer's leave; null: it left
    /// already.
    virtual std::shared_ptr<MessageWriter> upgrade(std::string_view subprotocol) = 0;
    /// Called once if the peer leaves before the answer (or the stream) has ended.
    virtual void on_closed(std::function<void()> closed) = 0;
    /// Prefix of every href, Location and problem type: "" or public_url without its last slash.
    virtual const std::string& base_url() const = 0;
};

using ExchangePtr = std::shared_ptr<Exchange>;

} // namespace freshet::http
