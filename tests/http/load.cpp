// SPDX-License-Identifier: Apache-2.0
#include "tests/http/load.hpp"

#include "tests/http/client.hpp"

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cstdlib>

namespace freshet::outside {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

asio::awaitable<LoadAnswer> ask(tcp::socket& socket, const tcp::endpoint server, const LoadRequest request)
{
    http::request<http::empty_body> sent;
    sent.version(11);
    sent.method_string(request.method);
    sent.target(request.path);
    sent.set(http::field::host, server.address().to_string() + ":" + std::to_string(server.port()));
    for (const auto& [name, value] : request.headers) sent.set(name, value);
    sent.prepare_payload();

    LoadAnswer answer;
    error_code error;
    auto token = asio::redirect_error(asio::use_awaitable, error);
    answer.asked_at = std::chrono::steady_clock::now();
    if (!socket.is_open()) {
        co_await socket.async_connect(server, token);
        if (!error) socket.set_option(tcp::no_delay{true}, error);
    }
    boost::beast::flat_buffer buffer;
    http::response<http::string_body> read;
    if (!error) co_await http::async_write(socket, sent, token);
    if (!error) co_await http::async_read(socket, buffer, read, token);
    answer.answered_at = std::chrono::steady_clock::now();
    if (error || !read.keep_alive()) socket.close();
    if (error) co_return answer;
    answer.status = static_cast<int>(read.result_int());
    answer.freshet = read["Freshet"];
    answer.location = read["Location"];
    answer.body = std::move(read.body());
    co_return answer;
}

asio::awaitable<void> converse(tcp::socket& socket, const tcp::endpoint server, int connection, const Load::Next& next)
{
    asio::steady_timer timer{socket.get_executor()};
    std::optional<LoadRequest> request = next(connection, nullptr);
    while (request) {
        if (request->pause.count() > 0) {
            timer.expires_after(request->pause);
            co_await timer.async_wait(asio::use_awaitable);
        }
        if (request->as_sent) request->as_sent();
        const LoadAnswer answer = co_await ask(socket, server, *request);
        request = next(connection, &answer);
    }
}

} // namespace

std::string LoadAnswer::member(std::string_view name) const
{
    return dictionary_member(freshet, name);
}

Load::Load(const std::string& url, int connections)
{
    const auto colon = url.rfind(':');
    server_ = {asio::ip::address_v4::loopback(), static_cast<std::uint16_t>(std::stoi(url.substr(colon + 1)))};
    for (int i = 0; i < connections; ++i) sockets_.emplace_back(io_);
}

void Load::run(const Next& next)
{
    io_.restart();
    for (std::size_t i = 0; i < sockets_.size(); ++i)
        asio::co_spawn(io_, converse(sockets_[i], server_, static_cast<int>(i), next), asio::detached);
    io_.run();
}

Micros percentile(std::vector<Micros> values, double share)
{
    if (values.empty()) return Micros{0};
    const auto at = std::min(values.size() - 1, static_cast<std::size_t>(share * static_cast<double>(values.size())));
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
    return values[at];
}

bool long_run()
{
    const char* word = std::getenv("FRESHET_TEST_LONG");
    return word != nullptr && std::string_view{word} == "1";
}

} // namespace freshet::outside
