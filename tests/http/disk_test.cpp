// SPDX-License-Identifier: Apache-2.0
// A disk that fills up under the real binary: new work is refused in words, what runs comes to its end, and when there
// is room again all goes on. On a small disk of its own, which needs the right to mount one.

#include "tests/http/harness.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

namespace freshet::outside {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

const Headers json{{"Content-Type", "application/json"}};

class FullDisk : public testing::Test {
protected:
    FullDisk() : server{"[queue.mail]\nlease = \"2s\"\n", {.server = {}, .arguments = {}, .start = false}}
    {
        fs::create_directory(data());
        mounted_ = ::mount("none", data().c_str(), "tmpfs", 0, "size=160m") == 0;
    }
    ~FullDisk() override
    {
        server.terminate();
        if (mounted_) ::umount(data().c_str());
    }
    void SetUp() override
    {
        if (!mounted_) GTEST_SKIP() << "a small disk needs root";
        server.start();
    }

    fs::path data() const { return server.folder() / "data"; }
    /// Another program's file takes all but so much of the disk.
    void fill_but(std::int64_t left) const
    {
        struct statvfs disk{};
        ASSERT_EQ(::statvfs(data().c_str(), &disk), 0);
        const std::int64_t free = static_cast<std::int64_t>(disk.f_bavail) * static_cast<std::int64_t>(disk.f_frsize);
        const int file = ::open((data() / "another").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        ASSERT_EQ(::posix_fallocate(file, 0, free - left), 0);
        ::close(file);
    }
    Answer enqueue(Client& by) { return by.post("/v1/jobs", json, R"({"queue":"mail","input":1})"); }
    static Answer claim(Client& by, double wait = 5)
    {
        return by.post("/v1/work/claim", json,
                       fmt::format(R"({{"worker":"w1","queues":["mail"],"slots":1,"wait":{}}})", wait));
    }

    Server server;

private:
    bool mounted_ = false;
};

TEST_F(FullDisk, F7LetsWhatRunsEndAndRefusesNewWorkInWords)
{
    Client client = server.client();
    ASSERT_EQ(enqueue(client).status, 201);
    const std::string waits = enqueue(client).json("/id").value_or("");
    const Answer given = claim(client);
    const std::string id = given.json("/jobs/0/id").value_or(""), fence = given.json("/jobs/0/fence").value_or("");
    ASSERT_FALSE(id.empty()) << given.body;
    ASSERT_EQ(client.get("/readyz").status, 200);

    fill_but(4 << 20);
    const Answer refused = ask_until([&] { return enqueue(client); }, [](const Answer& a) { return a.status == 507; });
    EXPECT_EQ(refused.status, 507) << refused.body;
    EXPECT_EQ(refused.json("/code"), "storage_full");
    EXPECT_THAT(refused.body, HasSubstr("MiB"));
    EXPECT_TRUE(refused.json("/try")) << refused.body;
    const Answer ready = client.get("/readyz");
    EXPECT_EQ(ready.status, 503);
    EXPECT_THAT(ready.body, HasSubstr("full"));
    const auto [doctor, words] = server.run({"doctor"});
    EXPECT_EQ(doctor, 1);
    EXPECT_THAT(words, HasSubstr("component disk: the disk that holds data_dir is full"));

    const Answer beat = client.post("/v1/work/beat", json,
                                    fmt::format(R"({{"worker":"w1","jobs":[{{"id":"{}","fence":{}}}]}})", id, fence));
    EXPECT_EQ(beat.json("/jobs/0/answer"), "ok") << beat.body;
    const Answer done = client.post("/v1/work/" + id + "/complete", json,
                                    fmt::format(R"({{"fence":{},"result":"{}"}})", fence, std::string(200'000, 'x')));
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_FALSE(claim(client, 0.2).json("/jobs/0/id")) << "nothing new is begun";
    EXPECT_EQ(client.get("/v1/jobs/" + id).json("/state"), "succeeded") << "and reads go on";

    fs::remove(data() / "another");
    const Answer again = claim(client, 15);
    EXPECT_EQ(again.json("/jobs/0/id"), waits) << again.body;
    const Answer taken = ask_until([&] { return enqueue(client); }, [](const Answer& a) { return a.status == 201; });
    EXPECT_EQ(taken.status, 201) << taken.body;
    EXPECT_EQ(client.get("/readyz").status, 200);
}

TEST_F(FullDisk, StartsOnAFullDiskAndLetsTheReserveGo)
{
    Client client = server.client();
    ASSERT_EQ(enqueue(client).status, 201);
    const Answer given = claim(client);
    const std::string id = given.json("/jobs/0/id").value_or(""), fence = given.json("/jobs/0/fence").value_or("");
    server.kill();
    fill_but(0);
    server.start();
    const Answer done =
        client.post("/v1/work/" + id + "/complete", json, fmt::format(R"({{"fence":{},"result":1}})", fence));
    EXPECT_EQ(done.status, 200) << done.body;
    EXPECT_EQ(enqueue(client).status, 507);
}

} // namespace
} // namespace freshet::outside
