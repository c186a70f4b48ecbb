// SPDX-License-Identifier: Apache-2.0
#pragma once
// One connection: bytes in, one request at a time, one answer each, in order.
//
// Life: accepted by its loop; idle -> head -> (body) -> handling -> writing -> idle ..., or streaming until its end;
// closed once; or upgraded, when a WebSocket has taken its socket and it only counts and sweeps. What is pipelined
// waits in the buffer. A peer that is too slow to send, to read or to come back loses the connection; one look a second
// at `deadline_` does for all of them, no timer is armed per request. Threads: the loop's. Always holds: from start()
// to drop() it owns itself; while `reading_` there is room in the buffer; out_ is written in order; after drop()
// nothing is written.

#include "base/descriptor.hpp"
#include "http/loop.hpp"
#include "http/out_queue.hpp"
#include "http/request_head.hpp"
#include "http/socket_poll.hpp"

#include <memory>
#include <string>

namespace freshet::http {

class ServerExchange;
class WebSocket;

inline constexpr Millis body_wait_max = 30s;

class Connection final : public StreamWriter,
                         public PolledSocket,
                         public std::enable_shared_from_this<Connection>,
                         public ConnectionHook {
public:
    Connection(Loop& loop, Descriptor socket, std::string peer, bool peer_is_loopback);
    ~Connection() override;

    void start();
    /// Refuses the connection itself with a problem and closes it.
    void refuse_connection(std::string_view why);
    bool is_overdue(SteadyTime now) const { return now >= deadline_; }
    /// Ends what the peer was too slow for: with a problem where it can still be told.
    void end_overdue();
    /// No further request; an idle connection closes at once.
    void begin_stop();
    void drop();

    void on_ready(std::uint32_t events) override;

    // For the exchange.
    void answer(std::uint64_t number, HttpResponse response);
    std::shared_ptr<StreamWriter> open_stream(std::uint64_t number, HttpResponse head);
    std::shared_ptr<MessageWriter> upgrade(std::uint64_t number, const HttpRequest& request,
                                           std::string_view subprotocol);
    void add_closed(std::uint64_t number, std::function<void()> closed);
    bool expects(std::uint64_t number) const { return number_ != 0 && number_ == number && phase_ != Phase::closed; }
    Loop& loop() { return loop_; }

    // StreamWriter.
    void write(std::shared_ptr<const std::string> frame) override;
    std::size_t backlog_bytes() const override { return out_.bytes(); }
    void on_drained(std::function<void()> drained) override { drained_ = std::move(drained); }
    void close() override;

private:
    enum class Phase : std::uint8_t { idle, head, body, handling, streaming, upgraded, lingering, closed };
    using Self = std::shared_ptr<Connection>;

    /// Takes what comes next, if there is room for it.
    void read();
    void receive();
    bool make_room();
    /// Has the poll watch for what is waited for now.
    void watch();
    void peer_left(bool half_closed);
    void process();
    /// The prepared answer to a plain GET; false: the general path.
    bool answer_plain(const RequestHead& head);
    void take_request(const RequestHead& head);
    /// Who it is: by the token, or by the ticket where the route takes one.
    std::expected<Caller, Problem> find_caller(const GateRequest& asked, const HttpRequest& request,
                                               const Route* route) const;
    std::shared_ptr<Allowance> allowance_of(const Caller* caller) const;
    void remember(const RequestHead& head, const std::string& host, Caller caller);
    void run_handler();
    void refuse(Problem problem);
    void refuse_head(HeadRefusal refusal);
    void answered(bool close);
    void pump();
    void wait_writable();
    void after_written();
    void linger();
    void set_deadline(Millis from_now) { deadline_ = loop_.coarse_now() + from_now; }
    void consume(std::size_t bytes);
    std::string_view unread() const { return {in_.get() + begin_, end_ - begin_}; }

    Loop& loop_;
    Descriptor socket_;
    Self alive_; ///< itself, from start() to drop()
    std::uint32_t watched_ = 0;
    const std::string peer_;
    const bool peer_is_loopback_;
    Phase phase_ = Phase::idle;
    SteadyTime deadline_ = SteadyTime::max();

    // In.
    std::unique_ptr<char[]> in_;
    std::size_t in_size_, begin_ = 0, end_ = 0;
    bool reading_ = false, processing_ = false;
    RequestParser parser_;

    // The request at hand.
    std::uint64_t number_ = 0; ///< of the request that may answer; 0: none
    std::uint64_t number_last_ = 0;
    bool keep_alive_ = true, http_10_ = false, head_only_ = false, chunked_ = false;
    std::string origin_; ///< listed: the answer may be read by that page
    std::vector<std::function<void()>> closed_;
    std::shared_ptr<ServerExchange> asked_; ///< while its body is read
    const Route* route_ = nullptr;
    RunMatch run_; ///< of a route that the config made: instead of its handler
    std::vector<std::string> captures_;

    // Out.
    OutQueue out_;
    bool waiting_writable_ = false, close_after_ = false, was_behind_ = false;
    std::function<void()> drained_;
    std::shared_ptr<WebSocket> web_socket_; ///< while upgraded

    // What the gate said of this connection's last plain request: it says the same again to the same bytes.
    std::uint64_t known_version_ = 0;
    std::string known_host_, known_authorization_;
    Caller known_caller_;
    SteadyTime known_until_ = SteadyTime::max(); ///< its token's end
    std::shared_ptr<Allowance> known_allowance_; ///< null: it may ask as often as it likes
};

} // namespace freshet::http
