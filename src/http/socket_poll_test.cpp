// SPDX-License-Identifier: Apache-2.0
#include "http/socket_poll.hpp"

#include "base/descriptor.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <vector>

namespace freshet::http {

namespace {

/// One end is polled, the other is the peer's.
struct Told final : PolledSocket {
    Told()
    {
        int ends[2];
        EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
        own = Descriptor{ends[0]};
        peer = Descriptor{ends[1]};
    }
    void on_ready(std::uint32_t events) override
    {
        ++times;
        last = events;
        if (then) then();
    }
    void write_from_peer() const { EXPECT_EQ(::send(peer.get(), "x", 1, 0), 1); }

    Descriptor own, peer;
    std::function<void()> then;
    std::uint32_t last = 0;
    int times = 0;
};

struct SocketPollTest : testing::Test {
    SocketPollTest() { poll.begin(); }
    boost::asio::io_context io;
    SocketPoll poll{io};
};

TEST_F(SocketPollTest, TellsOfASocketAgainAsLongAsItHasBytes)
{
    Told socket;
    ASSERT_TRUE(poll.add(socket, socket.own.get(), EPOLLIN));
    socket.write_from_peer();
    io.run_one();
    io.run_one();
    EXPECT_EQ(socket.times, 2);
    EXPECT_EQ(socket.last, EPOLLIN);
}

TEST_F(SocketPollTest, TellsOfNoSocketThatWasRemovedInTheSameTurn)
{
    Told first, second;
    const auto remove_both = [&] {
        poll.remove(first, first.own.get());
        poll.remove(second, second.own.get());
    };
    first.then = second.then = remove_both;
    ASSERT_TRUE(poll.add(first, first.own.get(), EPOLLIN));
    ASSERT_TRUE(poll.add(second, second.own.get(), EPOLLIN));
    first.write_from_peer();
    second.write_from_peer();
    io.run_one();
    EXPECT_EQ(first.times + second.times, 1);
}

TEST_F(SocketPollTest, TellsOfAPeerThatLeftTogetherWithItsLastBytes)
{
    Told socket;
    ASSERT_TRUE(poll.add(socket, socket.own.get(), EPOLLIN));
    socket.write_from_peer();
    ::shutdown(socket.peer.get(), SHUT_WR);
    char byte = 0;
    std::vector<ssize_t> got;
    socket.then = [&] { got.push_back(::recv(socket.own.get(), &byte, 1, 0)); };
    io.run_one();
    io.run_one();
    EXPECT_EQ(got, (std::vector<ssize_t>{1, 0}));
}

TEST_F(SocketPollTest, TellsOfAHangUpAlsoWhenNothingIsWatchedFor)
{
    Told socket;
    ASSERT_TRUE(poll.add(socket, socket.own.get(), EPOLLIN));
    poll.change(socket, socket.own.get(), 0);
    socket.write_from_peer();
    io.poll();
    EXPECT_EQ(socket.times, 0);
    socket.then = [&] { poll.remove(socket, socket.own.get()); };
    socket.peer = {};
    io.run_one();
    EXPECT_NE(socket.last & EPOLLHUP, 0U);
}

} // namespace

} // namespace freshet::http
