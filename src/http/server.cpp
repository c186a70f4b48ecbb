// SPDX-License-Identifier: Apache-2.0
#include "http/server.hpp"

#include "base/assert.hpp"
#include "base/failure.hpp"
#include "http/loop.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <thread>

namespace freshet::http {

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

constexpr std::size_t pool_threads = 2;

tcp::endpoint parse_listen(const std::string& listen)
{
    const auto colon = listen.rfind(':');
    const auto refuse = [&](std::string_view what) -> Failure {
        return Failure{fmt::format("server.listen = \"{}\": {}; write it as \"127.0.0.1:7878\"", listen, what)};
    };
    if (colon == std::string::npos) throw refuse("there is no port");
    std::string host = listen.substr(0, colon);
    if (host.size() >= 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
    if (host.empty() || host == "localhost") host = "127.0.0.1";
    int port = -1;
    try {
        std::size_t used = 0;
        port = std::stoi(listen.substr(colon + 1), &used);
        if (used != listen.size() - colon - 1) port = -1;
    } catch (const std::logic_error&) {
        port = -1;
    }
    if (port < 0 || port > 65535) throw refuse("the port is not a number from 0 to 65535");
    boost::system::error_code error;
    const auto address = asio::ip::make_address(host, error);
    if (error) throw refuse("the host is not an address");
    return {address, static_cast<std::uint16_t>(port)};
}

// With SO_REUSEPORT two servers of one user could share a port without knowing: try it without, first.
void check_port_is_free(const tcp::endpoint& endpoint)
{
    if (endpoint.port() == 0) return;
    asio::io_context io;
    tcp::acceptor probe{io};
    boost::system::error_code error;
    probe.open(endpoint.protocol(), error);
    if (error) return;
    probe.set_option(tcp::acceptor::reuse_address{true}, error);
    probe.bind(endpoint, error);
    if (!error) probe.listen(1, error);
    if (error == asio::error::address_in_use)
        throw Failure{fmt::format(
            "can not listen on {}:{}: another program listens there; stop it, or set server.listen to a free port",
            endpoint.address().to_string(), endpoint.port())};
}

} // namespace

struct Server::State {
    explicit State(ServerOptions o) : options{std::move(o)}, shared{Router{options.routes}, {}, {}, options.own_routes}
    {
    }

    ServerOptions options;
    ReadPool pool{pool_threads};
    Shared shared;
    std::vector<std::unique_ptr<Loop>> loops;
    std::shared_ptr<LoopFigures> figures = std::make_shared<LoopFigures>();
    std::vector<std::thread> threads;
    std::atomic<bool> stopping{false};
    int port = 0;
};

int Server::loops_for(int configured)
{
    return configured > 0 ? configured : std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

Server::Server(ServerOptions options) : state_{std::make_unique<State>(std::move(options))}
{
    State& state = *state_;
    const ServerOptions& o = state.options;
    FRESHET_ASSERT(o.loops > 0);
    std::map<std::string, Seq, std::less<>> heads;
    for (const auto& [name, tenant] : o.definitions->tenants)
        heads.emplace(name, o.services.reads.ledger_head(name).head);
    if (heads.empty()) heads.emplace("default", o.services.reads.ledger_head("default").head);
    const auto tokens = std::make_shared<const std::vector<TokenRecord>>(o.services.reads.tokens());
    for (int i = 0; i < o.loops; ++i) {
        const auto bytes =
            static_cast<std::size_t>(std::max<std::int64_t>(o.definitions->server.cache_bytes, 0) / o.loops);
        LoopCoreOptions core{i,      o.clock, o.engine, o.tail, o.services, state.pool, o.definitions, o.local_token,
                             tokens, heads,   bytes};
        Loop& loop = *state.loops.emplace_back(std::make_unique<Loop>(state.shared, std::move(core)));
        state.figures->add(loop.counters_shared());
        o.tail.on_wake(i, [&core = loop.core()] { core.wake(); });
    }
    o.services.metrics.add(state.figures);
    o.services.on_loop = [&state](int index, std::function<void(Core&)> work) {
        if (index < 0 || index >= static_cast<int>(state.loops.size()) ||
            state.stopping.load(std::memory_order_acquire))
            return false;
        Loop& loop = *state.loops[static_cast<std::size_t>(index)];
        asio::post(loop.io(), [&loop, work = std::move(work)] { work(loop.core()); });
        return true;
    };
}

Server::~Server()
{
    stop();
}

void Server::start()
{
    State& state = *state_;
    tcp::endpoint endpoint = parse_listen(state.options.listen);
    check_port_is_free(endpoint);
    for (const auto& loop : state.loops) {
        endpoint = loop->listen(endpoint);
        state.port = endpoint.port();
    }
    for (const auto& loop : state.loops) state.threads.emplace_back([&loop = *loop] { loop.run(); });
}

void Server::stop()
{
    State& state = *state_;
    state.stopping.store(true, std::memory_order_release);
    for (const auto& loop : state.loops) loop->stop(state.options.stop_within);
    for (std::thread& thread : state.threads) thread.join();
    state.threads.clear();
    state.pool.threads.stop();
    state.pool.threads.join();
}

int Server::port() const
{
    return state_->port;
}

void Server::tick()
{
    for (const auto& loop : state_->loops) loop->tick();
}

std::uint64_t Server::connections(int loop) const
{
    return state_->loops.at(static_cast<std::size_t>(loop))->counters_shared()->connections.value();
}

} // namespace freshet::http
