// SPDX-License-Identifier: Apache-2.0
// freshet-upstream: stands for slow remote sites on loopback. It serves until SIGINT or SIGTERM.

#include "connection.hpp"
#include "kind.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <CLI/CLI.hpp>
#include <iostream>

namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

struct Options {
    std::uint16_t port = 0, tls_port = 0;
    std::string state_folder, tls_cert, tls_key;
    std::vector<std::string> sites; ///< NAME=KIND
};

tcp::acceptor listening(asio::io_context& context, std::uint16_t port)
{
    return {context, tcp::endpoint(asio::ip::address_v4::loopback(), port)};
}

asio::awaitable<void> accept_plain(tcp::acceptor& acceptor, upstream::World& world)
{
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        socket.set_option(tcp::no_delay(true));
        asio::co_spawn(acceptor.get_executor(), upstream::serve_plain(std::move(socket), world), asio::detached);
    }
}

asio::awaitable<void> accept_tls(tcp::acceptor& acceptor, asio::ssl::context& tls, upstream::World& world)
{
    for (;;) {
        tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
        asio::co_spawn(acceptor.get_executor(), upstream::serve_tls(std::move(socket), tls, world), asio::detached);
    }
}

std::string kind_names()
{
    std::string names;
    for (const upstream::Kind& kind : upstream::kinds()) names.append(names.empty() ? "" : ", ").append(kind.name);
    return names;
}

/// Every kind is a site of its own name, and what `--site NAME=KIND` adds. Empty when all are there, else words.
std::string add_sites(upstream::World& world, const std::vector<std::string>& more)
{
    std::string why;
    for (const upstream::Kind& kind : upstream::kinds())
        if (why.empty()) why = world.add_site(std::string(kind.name), kind);
    for (const std::string& site : more) {
        const std::size_t sign = site.find('=');
        const std::string name = site.substr(0, sign);
        const upstream::Kind* const kind =
            sign == std::string::npos ? nullptr : upstream::kind_named(std::string_view(site).substr(sign + 1));
        if (kind == nullptr || name.empty() || name.find('/') != std::string::npos)
            return "--site " + site + ": NAME=KIND is wanted, KIND one of " + kind_names();
        if (why.empty()) why = world.add_site(name, *kind);
    }
    return why;
}

int run(const Options& options)
{
    asio::io_context context(1);
    asio::ssl::context tls(asio::ssl::context::tls_server);
    upstream::World world(context.get_executor(), options.state_folder);
    if (const std::string why = add_sites(world, options.sites); !why.empty()) {
        std::cerr << "freshet-upstream: " << why << "\n";
        return 2;
    }
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });

    tcp::acceptor plain = listening(context, options.port);
    asio::co_spawn(context, accept_plain(plain, world), asio::detached);
    std::optional<tcp::acceptor> secure;
    if (!options.tls_cert.empty()) {
        tls.use_certificate_chain_file(options.tls_cert);
        tls.use_private_key_file(options.tls_key, asio::ssl::context::pem);
        secure.emplace(listening(context, options.tls_port));
        asio::co_spawn(context, accept_tls(*secure, tls, world), asio::detached);
        std::cout << "upstream tls: https://127.0.0.1:" << secure->local_endpoint().port() << "\n";
    }
    std::cout << "upstream: http://127.0.0.1:" << plain.local_endpoint().port() << std::endl;
    context.run();
    return 0;
}

} // namespace

int main(int argc, char** argv)
{
    Options options;
    CLI::App app("Stands for slow remote sites on loopback; PUT /_control/SITE makes them fail.", "freshet-upstream");
    app.add_option("--port", options.port, "Port to listen on; 0: any free one, which is printed");
    app.add_option("--state", options.state_folder, "Folder that keeps the sites over a restart");
    app.add_option("--site", options.sites, "A further site, as NAME=KIND");
    CLI::Option* const cert = app.add_option("--tls-cert", options.tls_cert, "Certificate (PEM); opens a TLS port too");
    CLI::Option* const key = app.add_option("--tls-key", options.tls_key, "Its key (PEM)");
    app.add_option("--tls-port", options.tls_port, "Port to speak TLS on; 0: any free one")->needs(cert);
    cert->needs(key);
    CLI11_PARSE(app, argc, argv);
    try {
        return run(options);
    } catch (const std::exception& error) {
        std::cerr << "freshet-upstream: " << error.what() << "\n";
        return 1;
    }
}
