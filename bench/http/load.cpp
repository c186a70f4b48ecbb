// SPDX-License-Identifier: Apache-2.0
// freshet-load: keeps N connections busy with one request each at a time, and says what that cost the server.
//
// A closed loop: the next request of a connection leaves when its answer is there. The figure that counts is the
// server's CPU time per request, taken from the kernel before and after; latencies are those of a full queue and say
// how even the service is, not how fast one reader is answered. One thread. Prints one JSON object.

#include "bench/http/answer_reader.hpp"
#include "bench/http/histogram.hpp"
#include "bench/http/server_cpu.hpp"

#include <array>
#include <chrono>
#include <CLI/CLI.hpp>
#include <cstring>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <vector>

namespace freshet::bench {

using SteadyClock = std::chrono::steady_clock;
using Instant = SteadyClock::time_point;

namespace {

constexpr std::size_t buffer_bytes = 256 << 10;
constexpr int wait_ms_max = 100;
constexpr std::string_view number_mark = "{n}";

struct Options {
    std::uint16_t port = 0;
    std::string path = "/";
    std::vector<std::string> headers;
    int connections = 64;
    double seconds = 1, warm = 0.2;
    std::int64_t each = 0; ///< 0: for `seconds`
    pid_t server = 0;
};

struct Connection {
    int socket = -1;
    std::string in;
    Instant sent;
    bool busy = false;
};

int must(int result, std::string_view what)
{
    if (result < 0) throw std::runtime_error{fmt::format("{}: {}", what, std::strerror(errno))};
    return result;
}

class Load {
public:
    explicit Load(const Options& options)
        : options_{options}, epoll_{must(::epoll_create1(EPOLL_CLOEXEC), "epoll_create1")}
    {
        const auto mark = options.path.find(number_mark);
        counts_ = mark != std::string::npos;
        before_ = "GET " + options.path.substr(0, mark);
        if (counts_) after_ = options.path.substr(mark + number_mark.size());
        after_ +=
            fmt::format(" HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nUser-Agent: freshet-load\r\nAccept: application/json\r\n",
                        options.port);
        for (const std::string& header : options.headers) (after_ += header) += "\r\n";
        after_ += "\r\n";
        request_ = before_ + after_;
        connections_.resize(static_cast<std::size_t>(options.connections));
        for (std::size_t i = 0; i < connections_.size(); ++i) connect(i);
    }

    void run()
    {
        now_ = SteadyClock::now();
        for (Connection& connection : connections_) send(connection);
        if (options_.each == 0) {
            run_until(now_ +
                      std::chrono::duration_cast<SteadyClock::duration>(std::chrono::duration<double>(options_.warm)));
            latencies_ = {};
            failed_ = 0;
        }
        begun_ = now_;
        if (options_.server != 0) cpu_ = cpu_of_tree(options_.server);
        if (options_.each == 0)
            run_until(now_ + std::chrono::duration_cast<SteadyClock::duration>(
                                 std::chrono::duration<double>(options_.seconds)));
        else
            while (latencies_.total() < static_cast<std::uint64_t>(options_.each)) turn();
        if (options_.server != 0) cpu_ = cpu_of_tree(options_.server) - cpu_;
        ended_ = now_;
    }

    std::string report() const
    {
        rapidjson::StringBuffer text;
        rapidjson::Writer<rapidjson::StringBuffer> out{text};
        out.SetMaxDecimalPlaces(3);
        const auto put = [&](const char* name, double value) {
            out.Key(name);
            out.Double(value);
        };
        const double seconds = std::chrono::duration<double>(ended_ - begun_).count();
        const auto requests = static_cast<double>(latencies_.total());
        out.StartObject();
        out.Key("requests");
        out.Uint64(latencies_.total());
        out.Key("failed");
        out.Uint64(failed_);
        out.Key("body_bytes");
        out.Uint64(body_bytes_);
        put("seconds", seconds);
        put("requests_per_s", requests / seconds);
        put("p50_us", static_cast<double>(latencies_.quantile(0.5)) / 1e3);
        put("p99_us", static_cast<double>(latencies_.quantile(0.99)) / 1e3);
        put("max_us", static_cast<double>(latencies_.max()) / 1e3);
        if (options_.server != 0) {
            put("server_cpu_s", std::chrono::duration<double>(cpu_).count());
            put("server_cpu_us_per_request", std::chrono::duration<double, std::micro>(cpu_).count() / requests);
        }
        out.EndObject();
        return {text.GetString(), text.GetSize()};
    }

private:
    void connect(std::size_t index)
    {
        Connection& connection = connections_[index];
        connection.socket = must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(options_.port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        must(::connect(connection.socket, reinterpret_cast<const sockaddr*>(&address), sizeof address),
             fmt::format("port {}", options_.port));
        const int on = 1;
        ::setsockopt(connection.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.u64 = index;
        must(::epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.socket, &event), "epoll_ctl");
    }

    void send(Connection& connection)
    {
        if (options_.each != 0 && asked_ == options_.each) return;
        if (counts_) {
            request_.resize(before_.size());
            request_ += std::to_string(asked_);
            request_ += after_;
        }
        ++asked_;
        connection.sent = now_;
        // A request is far smaller than a socket's buffer.
        if (::write(connection.socket, request_.data(), request_.size()) != static_cast<ssize_t>(request_.size()))
            throw std::runtime_error{"the server closed a connection"};
        connection.busy = true;
    }

    void receive(Connection& connection)
    {
        const ssize_t got = ::recv(connection.socket, buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (got == 0) throw std::runtime_error{"the server closed a connection"};
        if (got < 0) return;
        std::string_view bytes{buffer_.data(), static_cast<std::size_t>(got)};
        // Most answers come in one piece: only others are put together.
        if (!connection.in.empty()) bytes = connection.in.append(bytes);
        const Answer answer = read_answer(bytes);
        if (answer.bytes == 0) {
            if (connection.in.empty()) connection.in = bytes;
            return;
        }
        if (answer.bytes != bytes.size() || !connection.busy) throw std::runtime_error{"more came than was asked for"};
        connection.in.clear();
        connection.busy = false;
        now_ = SteadyClock::now();
        latencies_.record(static_cast<std::uint64_t>(std::chrono::nanoseconds{now_ - connection.sent}.count()));
        body_bytes_ = answer.body_bytes;
        if (answer.status != 200) ++failed_;
        send(connection);
    }

    void turn()
    {
        std::array<epoll_event, 64> events;
        const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms_max);
        for (int i = 0; i < count; ++i) receive(connections_[events[static_cast<std::size_t>(i)].data.u64]);
        if (count <= 0) now_ = SteadyClock::now();
    }

    void run_until(Instant end)
    {
        while (now_ < end) turn();
    }

    const Options& options_;
    int epoll_;
    std::vector<Connection> connections_;
    std::vector<char> buffer_ = std::vector<char>(buffer_bytes);
    bool counts_ = false; ///< the path has a number that grows
    std::string before_, after_, request_;
    std::int64_t asked_ = 0;
    std::uint64_t failed_ = 0;
    std::size_t body_bytes_ = 0;
    Histogram latencies_;
    std::chrono::nanoseconds cpu_{};
    Instant now_, begun_, ended_;
};

} // namespace

} // namespace freshet::bench

int main(int argc, char** argv)
{
    freshet::bench::Options options;
    CLI::App app{"Keeps connections busy with one request each, and prints what that cost the server, as JSON."};
    app.add_option("--port", options.port, "On 127.0.0.1")->required();
    app.add_option("--path", options.path, "What to ask for; {n} counts from 0");
    app.add_option("--header", options.headers, "A header line to send, more than once if wanted");
    app.add_option("--connections", options.connections, "Open connections")->check(CLI::Range(1, 10'000));
    app.add_option("--seconds", options.seconds, "How long is measured")->check(CLI::Range(0.01, 600.0));
    app.add_option("--warm", options.warm, "How long runs before that, unmeasured")->check(CLI::Range(0.0, 60.0));
    app.add_option("--each", options.each, "Ask so many times in all, instead of for some time")
        ->check(CLI::Range(1, 10'000'000));
    app.add_option("--server", options.server, "Process whose CPU time, with its descendants', is told");
    CLI11_PARSE(app, argc, argv);
    try {
        freshet::bench::Load load{options};
        load.run();
        fmt::print("{}\n", load.report());
    } catch (const std::exception& error) {
        fmt::print(stderr, "freshet-load: {}\n", error.what());
        return 1;
    }
    return 0;
}
