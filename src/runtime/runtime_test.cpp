// SPDX-License-Identifier: Apache-2.0
// The runtime's small parts against the real kernel: folders, signals, sockets.
#include "base/descriptor.hpp"
#include "base/folder_world.hpp"
#include "runtime/file_watch.hpp"
#include "runtime/notify.hpp"
#include "runtime/pool.hpp"
#include "runtime/signals.hpp"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <gmock/gmock.h>
#include <poll.h>
#include <set>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>

namespace freshet {
namespace {

namespace fs = std::filesystem;

bool readable(int fd)
{
    pollfd one{fd, POLLIN, 0};
    return poll(&one, 1, 0) == 1;
}

TEST(Pool, DoesWhatWaitsBeforeItStops)
{
    std::atomic<int> done{0};
    Pool pool{2, 100};
    for (int i = 0; i < 50; ++i) EXPECT_TRUE(pool.submit([&] { ++done; }));
    pool.stop();
    EXPECT_EQ(done, 50);
    EXPECT_FALSE(pool.submit([&] { ++done; }));
    EXPECT_EQ(done, 50);
}

TEST(Pool, RefusesWhatIsOverItsBound)
{
    std::promise<void> go, begun;
    Pool pool{1, 2};
    ASSERT_TRUE(pool.submit([&] { begun.set_value(), go.get_future().wait(); }));
    begun.get_future().wait();
    EXPECT_TRUE(pool.submit([] {}));
    EXPECT_TRUE(pool.submit([] {}));
    EXPECT_FALSE(pool.submit([] {}));
    go.set_value();
}

TEST(FileWatch, SeesASaveByWritingAndByRenaming)
{
    const test::Folder folder;
    const fs::path file = folder.path() / "freshet.toml";
    FileWatch watch{file};
    ASSERT_GE(watch.fd(), 0);
    EXPECT_FALSE(watch.changed());

    std::ofstream{file} << "one";
    EXPECT_TRUE(readable(watch.fd()));
    EXPECT_TRUE(watch.changed());
    EXPECT_FALSE(watch.changed());

    const fs::path other = folder.path() / "other";
    std::ofstream{other} << "two";
    watch.changed();
    fs::rename(other, file);
    EXPECT_TRUE(watch.changed());
}

TEST(FileWatch, IsSilentWhereThereIsNoFolder)
{
    FileWatch watch{"/nonexistent/freshet.toml"};
    EXPECT_EQ(watch.fd(), -1);
    EXPECT_FALSE(watch.changed());
}

TEST(Signals, AreReadInsteadOfEndingTheProcess)
{
    Signals signals;
    EXPECT_EQ(signals.take(), std::nullopt);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGTERM);
    EXPECT_TRUE(readable(signals.fd()));
    std::set<int> came{signals.take().value(), signals.take().value()};
    EXPECT_THAT(came, testing::UnorderedElementsAre(SIGHUP, SIGTERM));
    EXPECT_EQ(signals.take(), std::nullopt);
}

TEST(Notify, ReachesTheSocketOfTheManager)
{
    const test::Folder folder;
    const std::string path = (folder.path() / "notify").string();
    const Descriptor manager{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    ASSERT_EQ(bind(manager.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);

    unsetenv("NOTIFY_SOCKET");
    EXPECT_FALSE(notify_manager("READY=1"));
    setenv("NOTIFY_SOCKET", path.c_str(), 1);
    EXPECT_TRUE(notify_manager("READY=1"));
    char text[64] = {};
    EXPECT_EQ(recv(manager.get(), text, sizeof text, 0), 7);
    EXPECT_STREQ(text, "READY=1");
    unsetenv("NOTIFY_SOCKET");
}

} // namespace
} // namespace freshet
