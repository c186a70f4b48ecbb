// SPDX-License-Identifier: Apache-2.0
#include "http/loop.hpp"

#include "base/failure.hpp"
#include "base/log.hpp"
#include "http/connection.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <sys/socket.h>

namespace freshet::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::chrono::seconds sweep_every{1};
constexpr std::chrono::milliseconds accept_again{100};

bool is_loopback(const asio::ip::address& address)
{
    if (address.is_v6() && address.to_v6().is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).is_loopback();
    return address.is_loopback();
}

[[noreturn]] void refuse_to_listen(const tcp::endpoint& endpoint, const boost::system::error_code& error)
{
    const std::string where = fmt::format("{}:{}", endpoint.address().to_string(), endpoint.port());
    if (error == asio::error::address_in_use)
        throw Failure{fmt::format(
            "can not listen on {}: another program listens there; stop it, or set server.listen to a free port",
            where)};
    if (error == asio::error::access_denied)
        throw Failure{fmt::format("can not listen on {}: not allowed; ports below 1024 need a privilege, so set "
                                  "server.listen to a higher one",
                                  where)};
    throw Failure{fmt::format("can not listen on {}: {}; set server.listen to an address of this machine", where,
                              error.message())};
}

} // namespace

bool ConnectionLimits::admit(const std::string& peer, int all_max, int peer_max, std::string_view& why)
{
    const std::lock_guard lock{mutex_};
    int& of_peer = peers_[peer];
    // It is counted in either case: a refused connection lives until its refusal is read.
    ++all_;
    ++of_peer;
    if (all_ > all_max)
        why = "The server has as many connections as connections_max allows.";
    else if (of_peer > peer_max)
        why = "Your address has as many connections as connections_per_peer allows.";
    else
        return true;
    return false;
}

void ConnectionLimits::leave(const std::string& peer)
{
    const std::lock_guard lock{mutex_};
    --all_;
    const auto found = peers_.find(peer);
    if (found != peers_.end() && --found->second <= 0) peers_.erase(found);
}

// Only this loop's thread touches its sockets, so that the reactor needs no locks; posts from other threads stay safe.
Loop::Loop(Shared& shared, LoopCoreOptions options)
    : shared_{shared}, io_{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO}, poll_{io_}, core_{io_, std::move(options)},
      acceptor_{io_}, sweep_timer_{io_}
{
    coarse_now_ = core_.steady();
}

Loop::~Loop() = default;

tcp::endpoint Loop::listen(const tcp::endpoint& endpoint)
{
    boost::system::error_code error;
    const auto check = [&] {
        if (error) refuse_to_listen(endpoint, error);
    };
    acceptor_.open(endpoint.protocol(), error);
    check();
    acceptor_.set_option(tcp::acceptor::reuse_address{true}, error);
    acceptor_.set_option(asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>{true}, error);
    check();
    acceptor_.bind(endpoint, error);
    check();
    acceptor_.listen(4096, error);
    check();
    return acceptor_.local_endpoint();
}

void Loop::run()
{
    poll_.begin();
    accept();
    arm_sweep();
    // What was put into the inbox before this thread ran.
    core_.wake();
    io_.run();
    while (!connections_.empty()) connections_.front().drop();
    core_.drop_waits();
}

void Loop::stop(Millis bound)
{
    asio::post(io_, [this, bound] {
        if (stopping_) return;
        stopping_ = true;
        boost::system::error_code ignored;
        acceptor_.close(ignored);
        core_.begin_stop();
        // One that closes may close others: all are held while the list changes.
        std::vector<std::shared_ptr<Connection>> all;
        for (Connection& connection : connections_) all.push_back(connection.shared_from_this());
        for (const auto& connection : all) connection->begin_stop();
        // Real time, whatever clock the server goes by: a stop has to end.
        sweep_timer_.expires_after(bound);
        sweep_timer_.async_wait([this](const boost::system::error_code&) { io_.stop(); });
        end_if_empty();
    });
}

void Loop::end_if_empty()
{
    if (stopping_ && connections_.empty()) io_.stop();
}

void Loop::tick()
{
    asio::post(io_, [this] {
        sweep();
        core_.run_timers();
    });
}

void Loop::left(const std::string& peer)
{
    shared_.limits.leave(peer);
    counters_->connections.set(counters_->connections.value() - 1);
    end_if_empty();
}

void Loop::accept()
{
    acceptor_.async_accept([this](const boost::system::error_code& error, tcp::socket socket) {
        if (!acceptor_.is_open()) return;
        if (!error) {
            take(std::move(socket));
            return accept();
        }
        if (error != asio::error::no_descriptors && error != asio::error::no_buffer_space) return accept();
        // Out of descriptors: those that wait stay in the kernel's queue until some are free again.
        log::warn("no file descriptor is left for a new connection", {{"error", error.message()}});
        const auto again = std::make_shared<asio::steady_timer>(io_, accept_again);
        again->async_wait([this, again](const boost::system::error_code&) {
            if (acceptor_.is_open()) accept();
        });
    });
}

void Loop::take(tcp::socket socket)
{
    boost::system::error_code error;
    const tcp::endpoint remote = socket.remote_endpoint(error);
    if (error) return;
    socket.set_option(tcp::no_delay{true}, error);
    // From here on the poll watches it, not the reactor.
    Descriptor descriptor{socket.release(error)};
    if (error) return;
    const std::string peer = remote.address().to_string();
    const ServerDefinition& server = core_.definitions()->server;
    std::string_view why;
    // Behind a proxy every peer is the proxy.
    const int peer_max = server.behind_proxy ? server.connections_max : server.connections_per_peer;
    const bool admitted = shared_.limits.admit(peer, server.connections_max, peer_max, why);
    counters_->opened.add(1);
    counters_->connections.add(1);
    const auto connection =
        std::make_shared<Connection>(*this, std::move(descriptor), peer, is_loopback(remote.address()));
    connections_.push_back(*connection);
    if (admitted)
        connection->start();
    else
        connection->refuse_connection(why);
}

void Loop::sweep()
{
    coarse_now_ = core_.steady();
    std::vector<std::shared_ptr<Connection>> overdue;
    for (Connection& connection : connections_)
        if (connection.is_overdue(coarse_now_)) overdue.push_back(connection.shared_from_this());
    for (const auto& connection : overdue) connection->end_overdue();
    const ReadCache& cache = core_.cache();
    counters_->cache_bytes.set(cache.bytes());
    counters_->cache_keys.set(cache.size());
    counters_->cache_evicted.set(cache.evicted());
}

void Loop::arm_sweep()
{
    sweep_timer_.expires_after(sweep_every);
    sweep_timer_.async_wait([this](const boost::system::error_code& error) {
        if (error || stopping_) return;
        sweep();
        arm_sweep();
    });
}

} // namespace freshet::http
