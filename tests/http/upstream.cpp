// SPDX-License-Identifier: Apache-2.0
#include "tests/http/upstream.hpp"

#include <algorithm>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <cctype>
#include <sys/socket.h>

namespace freshet::outside {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using asio::ip::tcp;

std::string Request::header(std::string_view name) const
{
    for (const auto& [known, value] : headers)
        if (known == name) return value;
    return {};
}

Upstream::Upstream() : acceptor_{io_, tcp::endpoint{asio::ip::address_v4::loopback(), 0}}
{
    acceptor_thread_ = std::thread{[this] { accept(); }};
}

Upstream::~Upstream()
{
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        // Wakes the thread that sits in accept() and those that sit in a read or write.
        ::shutdown(acceptor_.native_handle(), SHUT_RDWR);
        for (Connection& connection : connections_) ::shutdown(connection.socket.native_handle(), SHUT_RDWR);
    }
    changed_.notify_all();
    acceptor_thread_.join();
    for (Connection& connection : connections_) connection.thread.join();
}

std::string Upstream::url() const
{
    return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
}

void Upstream::set(const std::string& path, Page page)
{
    const std::lock_guard lock{mutex_};
    pages_[path] = std::move(page);
}

void Upstream::set_others(std::function<Page(const Request&)> page)
{
    const std::lock_guard lock{mutex_};
    others_ = std::move(page);
}

void Upstream::hold(const std::string& path)
{
    const std::lock_guard lock{mutex_};
    held_[path] = true;
}

void Upstream::release(const std::string& path)
{
    {
        const std::lock_guard lock{mutex_};
        held_[path] = false;
    }
    changed_.notify_all();
}

std::size_t Upstream::requests(const std::string& path) const
{
    return seen(path).size();
}

std::vector<Request> Upstream::seen(const std::string& path) const
{
    const std::lock_guard lock{mutex_};
    const auto found = seen_.find(path);
    return found == seen_.end() ? std::vector<Request>{} : found->second;
}

bool Upstream::await_requests(const std::string& path, std::size_t count, Millis within)
{
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, within, [&] { return seen_[path].size() >= count; });
}

std::chrono::steady_clock::time_point Upstream::answered_at(const std::string& path) const
{
    const std::lock_guard lock{mutex_};
    const auto found = answered_at_.find(path);
    return found == answered_at_.end() ? std::chrono::steady_clock::time_point{} : found->second;
}

void Upstream::accept()
{
    while (true) {
        boost::system::error_code error;
        tcp::socket socket{io_};
        acceptor_.accept(socket, error);
        const std::lock_guard lock{mutex_};
        if (stopping_) return;
        if (error) continue;
        // A connection stays in the list until the end: tests are short, and joining is then in one place.
        Connection& connection = connections_.emplace_back(Connection{std::move(socket), {}});
        connection.thread = std::thread{[this, &connection] { serve(connection.socket); }};
    }
}

void Upstream::serve(tcp::socket& socket)
{
    boost::beast::flat_buffer buffer;
    while (true) {
        http::request<http::string_body> read;
        boost::system::error_code error;
        http::read(socket, buffer, read, error);
        if (error) return;
        Request request{std::string{read.method_string()}, std::string{read.target()}, {}, read.body()};
        for (const auto& field : read) {
            std::string name{field.name_string()};
            std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
            request.headers.emplace_back(std::move(name), std::string{field.value()});
        }
        const std::string path = request.target.substr(0, request.target.find('?'));

        std::unique_lock lock{mutex_};
        const auto found = pages_.find(path);
        const Page page = found != pages_.end() ? found->second
                          : others_             ? others_(request)
                                                : Page{.body = "no such page", .status = 404};
        seen_[path].push_back(request);
        changed_.notify_all();
        changed_.wait(lock, [&] { return stopping_ || !held_[path]; });
        changed_.wait_for(lock, page.delay, [&] { return stopping_; });
        if (stopping_) return;
        lock.unlock();

        if (page.fault != Fault::reset) answer(socket, page, request, read.keep_alive());
        lock.lock();
        answered_at_[path] = std::chrono::steady_clock::now();
        lock.unlock();
        if (page.fault != Fault::none || !read.keep_alive()) {
            ::shutdown(socket.native_handle(), SHUT_RDWR);
            return;
        }
    }
}

void Upstream::answer(tcp::socket& socket, const Page& page, const Request& request, bool keep_alive)
{
    http::response<http::string_body> response;
    response.version(11);
    response.keep_alive(keep_alive);
    for (const auto& [name, value] : page.headers) response.insert(name, value);
    if (!page.etag.empty()) response.set(http::field::etag, page.etag);
    const bool unchanged = !page.etag.empty() && request.header("if-none-match") == page.etag;
    response.result(unchanged ? 304U : static_cast<unsigned>(page.status));
    if (!unchanged) {
        response.set(http::field::content_type, page.content_type);
        response.body() = page.body;
    }
    response.prepare_payload();
    boost::system::error_code error;
    if (page.fault == Fault::none) {
        http::write(socket, response, error);
        return;
    }
    // The head promises the whole.
    if (page.fault == Fault::endless) response.content_length(endless_bytes);
    http::response_serializer<http::string_body> serializer{response};
    serializer.split(true);
    if (page.fault != Fault::hang_head) http::write_header(socket, serializer, error);
    if (page.fault == Fault::cut || page.fault == Fault::hang_body)
        asio::write(socket, asio::buffer(page.body.data(), page.body.size() / 2), error);
    if (page.fault == Fault::endless) {
        const std::string spaces(64 << 10, ' ');
        for (std::uint64_t sent = 0; !error && sent < endless_bytes; sent += spaces.size())
            asio::write(socket, asio::buffer(spaces), error);
    }
    if (page.fault == Fault::hang_head || page.fault == Fault::hang_body) {
        char byte = 0;
        socket.read_some(asio::buffer(&byte, 1), error); // returns when the reader leaves, or the test is over
    }
}

} // namespace freshet::outside
