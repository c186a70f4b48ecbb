// SPDX-License-Identifier: Apache-2.0
// Sources that hang, in each phase; cancels and stops in each; every one ends once, soon, and leaves nothing open.
#include "runners/http/test_tls.hpp"
#include "runners/http/test_world.hpp"

#include <latch>

namespace freshet::test {

namespace {

// Accepts in the kernel only as many as its queue takes; whoever connects next hears nothing.
class FullListener {
public:
    FullListener() : fd_{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        ::bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address);
        ::listen(fd_, 0);
        socklen_t size = sizeof address;
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
        port_ = ntohs(address.sin_port);
        for (int& client : clients_) {
            client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
            ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address);
        }
        // The first is in the queue when it is connected; the others wait in vain, as ours will.
        pollfd first{clients_[0], POLLOUT, 0};
        ::poll(&first, 1, 5000);
    }
    ~FullListener()
    {
        for (const int client : clients_) ::close(client);
        ::close(fd_);
    }
    FullListener(const FullListener&) = delete;
    FullListener& operator=(const FullListener&) = delete;
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/"; }

private:
    int fd_;
    int port_ = 0;
    int clients_[4] = {};
};

TestServer::Handler silent_after(std::string bytes)
{
    return [bytes = std::move(bytes)](Peer& peer, const std::string&) {
        peer.send(bytes);
        peer.wait_until_gone();
        peer.close();
    };
}

constexpr HttpLimits quick{.connect = 150ms, .stall = 150ms, .names = {}};

void expect_timeout(const FlightFailure& end, std::string_view where_it_was)
{
    EXPECT_EQ(end.code, "timeout") << end.message;
    EXPECT_EQ(end.error_class, ErrorClass::retryable);
    EXPECT_HAS(end.message, where_it_was);
}

} // namespace

TEST(Hang, WhileConnectingEndsAtTheConnectLimit)
{
    const FullListener full;
    World world{quick};
    expect_timeout(failure_of(world.fetch(source_at(full.url()))), "while connecting");
}

TEST(Hang, InTheTlsHandshakeEndsAtTheConnectLimit)
{
    TestServer mute{TestServer::RawHandler{[](Peer& peer) { peer.wait_until_gone(); }}};
    World world{quick};
    expect_timeout(failure_of(world.fetch(source_at(https_url(mute)))), "during the TLS handshake");
}

TEST(Hang, BeforeTheFirstByteEndsAtTheRunLimit)
{
    TestServer server{silent_after("")};
    World world{quick};
    const FlightFailure end =
        failure_of(world.fetch(source_at(server.url()), [](FlightOrder& order) { order.run_limit = 400ms; }));
    expect_timeout(end, "while waiting for the first byte of the answer (limit: run_limit 400ms)");
    EXPECT_EQ(end.facts.source_status, 0);
}

TEST(Hang, InTheHeadOfTheAnswerEndsAtTheStallLimit)
{
    TestServer server{silent_after("HTTP/1.1 200 OK\r\nContent-Ty")};
    World world{quick};
    const FlightFailure end =
        failure_of(world.fetch(source_at(server.url()), [](FlightOrder& order) { order.run_limit = 2s; }));
    EXPECT_EQ(end.code, "timeout");
}

TEST(Hang, InTheBodyEndsAtTheStallLimit)
{
    TestServer server{silent_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")};
    World world{quick};
    const FlightFailure end = failure_of(world.fetch(source_at(server.url())));
    expect_timeout(end, "while reading the answer (limit: without a byte 150ms)");
    EXPECT_EQ(end.facts.source_status, 200);
}

TEST(Hang, ByDripsEndsAtTheRunLimit)
{
    TestServer server{[](Peer& peer, const std::string&) {
        peer.send("HTTP/1.1 200 OK\r\n\r\n[");
        pollfd gone{peer.fd(), POLLIN, 0};
        while (::poll(&gone, 1, 20) == 0 && peer.send("1,")) {
        }
        peer.close();
    }};
    World world{quick};
    const FlightFailure end =
        failure_of(world.fetch(source_at(server.url()), [](FlightOrder& order) { order.run_limit = 500ms; }));
    expect_timeout(end, "while reading the answer (limit: run_limit 500ms)");
}

TEST(Hang, OfARedirectsTargetCountsAsTheSources)
{
    TestServer mute{silent_after("")};
    TestServer server{[&](Peer& peer, const std::string&) {
        peer.send(answer("302 Found", "", "Location: " + mute.url("/slow") + "\r\n"));
    }};
    World world{quick};
    const FlightFailure end =
        failure_of(world.fetch(source_at(server.url()), [](FlightOrder& order) { order.run_limit = 400ms; }));
    expect_timeout(end, "/slow: ended while waiting");
}

TEST(Hang, OfTheShapingEndsAtTheRunLimitAndALateAnswerIsDropped)
{
    TestServer server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    ShapeAnswer kept;
    World world{quick, [&](const ShapeOrder&, Millis, ShapeAnswer answer) { kept = std::move(answer); }};
    const JobId job = world.start(source_at(server.url()), [](FlightOrder& order) { order.run_limit = 400ms; });
    const FlightFailure end = failure_of(world.sink.wait(job));
    expect_timeout(end, "ended while shaping the answer (limit: run_limit 400ms)");
    kept(Shaped{"[1]", {}, {}});
    world.runner.stop();
    kept(Shaped{"[1]", {}, {}});
    EXPECT_EQ(world.sink.ends(job), 1u);
}

TEST(Cancel, EndsAFlightInEachPhaseOnceAndAtOnce)
{
    const FullListener full;
    TestServer mute{silent_after("")};
    TestServer slow{silent_after("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1,")};
    TestServer quick_server{[](Peer& peer, const std::string&) { peer.send(answer("200 OK", "[1]")); }};
    std::latch shaping{1};
    World world{{}, [&](const ShapeOrder&, Millis, const ShapeAnswer&) { shaping.count_down(); }};
    std::vector<JobId> jobs;
    for (const std::string& url : {full.url(), mute.url(), slow.url(), quick_server.url()})
        jobs.push_back(world.start(source_at(url)));
    shaping.wait();
    world.runner.cancel(jobs[0], 6); // another attempt's fence
    for (const JobId job : jobs) world.runner.cancel(job, 7);
    for (const JobId job : jobs) {
        const FlightFailure end = failure_of(world.sink.wait(job));
        EXPECT_EQ(end.error_class, ErrorClass::cancelled);
        EXPECT_EQ(end.code, "cancelled");
    }
    world.runner.cancel(jobs[0], 7);
    world.runner.stop();
    for (const JobId job : jobs) EXPECT_EQ(world.sink.ends(job), 1u);
}

TEST(Stop, EndsEveryFlightOnceAlsoThoseThatComeLater)
{
    TestServer mute{silent_after("")};
    World world;
    std::vector<JobId> jobs;
    for (int i = 0; i < 20; ++i) jobs.push_back(world.start(source_at(mute.url())));
    world.runner.stop();
    jobs.push_back(world.start(source_at(mute.url())));
    world.runner.stop();
    for (const JobId job : jobs) {
        EXPECT_EQ(world.sink.ends(job), 1u);
        EXPECT_EQ(failure_of(world.sink.wait(job)).error_class, ErrorClass::cancelled);
    }
}

} // namespace freshet::test
