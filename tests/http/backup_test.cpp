// SPDX-License-Identifier: Apache-2.0
// Backups by the real binary: made under load, looked at, damaged, restored.

#include "tests/http/harness.hpp"

#include <atomic>
#include <fmt/format.h>
#include <fstream>
#include <gmock/gmock.h>
#include <sys/mount.h>
#include <thread>

namespace freshet::outside {
namespace {

using testing::HasSubstr;
using testing::Not;

namespace fs = std::filesystem;

constexpr std::int64_t jump = 1 << 20;
const Headers json{{"Content-Type", "application/json"}};

std::string bytes_of(const fs::path& file)
{
    std::ifstream in{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

void write_bytes(const fs::path& file, std::string_view bytes)
{
    std::ofstream{file, std::ios::binary} << bytes;
}

std::vector<std::string> names_in(const fs::path& folder)
{
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator{folder}) names.push_back(entry.path().filename().string());
    return names;
}

class Backup : public testing::Test {
protected:
    Backup() : server{config()}, client{server.client()} { upstream.set("/rates", "[1]"); }

    std::string config() const
    {
        return fmt::format("[source.rates]\nkind = \"http\"\nurl = \"{}/rates\"\nallow_private = true\n"
                           "fresh_for = \"1h\"\nmanual_limit = \"1000000/min\"\n[queue.mail]\nlease = \"2s\"\n",
                           upstream.url());
    }
    std::string enqueue(Client& by, int number)
    {
        const Answer answer = by.post("/v1/jobs", json, fmt::format(R"({{"queue":"mail","input":{}}})", number));
        return answer.status == 201 ? answer.json("/id").value_or("") : "";
    }
    Answer claim(const std::string& worker)
    {
        return client.post("/v1/work/claim", json,
                           fmt::format(R"({{"worker":"{}","queues":["mail"],"slots":1,"wait":10}})", worker));
    }
    void expect_made(const std::string& file)
    {
        const auto [code, words] = server.run({"backup", "create", file});
        ASSERT_EQ(code, 0) << words;
    }
    std::pair<int, std::string> restore(const std::string& file, bool force = true)
    {
        std::vector<std::string> arguments{"backup", "restore", file};
        if (force) arguments.emplace_back("--force");
        return server.run(arguments);
    }

    Upstream upstream;
    Server server;
    Client client;
};

TEST_F(Backup, F10HoldsAllThatWasAcknowledgedBeforeItBegan)
{
    std::atomic<bool> over{false};
    std::mutex mutex;
    std::vector<std::string> acknowledged;
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 3; ++writer)
        writers.emplace_back([&, writer] {
            Client own = server.client();
            for (int number = writer; !over; number += 3) {
                const std::string id = enqueue(own, number);
                const std::lock_guard lock{mutex};
                if (!id.empty()) acknowledged.push_back(id);
            }
        });
    ask_until([&] { return client.get("/v1/queues/mail"); },
              [](const Answer& answer) { return std::stoi(answer.json("/counts/queued").value_or("0")) > 200; });
    ASSERT_EQ(client.refresh("rates").status, 200);
    std::vector<std::string> before;
    {
        const std::lock_guard lock{mutex};
        before = acknowledged;
    }
    expect_made("one.backup");
    ask_until([&] { return client.get("/v1/queues/mail"); },
              [&](const Answer& answer) {
                  return std::stoul(answer.json("/counts/queued").value_or("0")) > before.size() + 100;
              });
    over = true;
    for (std::thread& writer : writers) writer.join();
    const auto [verified, words] = server.run({"backup", "verify", "one.backup"});
    EXPECT_EQ(verified, 0) << words;
    EXPECT_THAT(words, HasSubstr("ok  one.backup"));

    server.kill();
    const auto [code, said] = restore("one.backup");
    ASSERT_EQ(code, 0) << said;
    server.start();
    for (const std::string& id : before) ASSERT_EQ(client.get("/v1/jobs/" + id).status, 200) << id;
    EXPECT_EQ(client.get("/v1/data/rates").body, "[1]");
    EXPECT_FALSE(enqueue(client, 1).empty());
}

TEST_F(Backup, F4ARestoreGoesOnWithHigherNumbersAndResetsCursors)
{
    ASSERT_EQ(client.refresh("rates").status, 200);
    const Answer seen = client.get("/v1/data/rates");
    EventStream reader{server.url(), "/v1/stream?topic=data/rates"};
    const auto live = reader.next_where([](const StreamEvent& event) { return event.event == "live"; });
    ASSERT_TRUE(live);
    expect_made("one.backup");

    // What the backup does not hold: a later version, which this client has seen.
    upstream.set("/rates", "[2]");
    ASSERT_EQ(client.refresh("rates").status, 200);
    const Answer later = client.get("/v1/data/rates");
    ASSERT_GT(later.freshet_number("gen"), seen.freshet_number("gen"));
    server.terminate();
    ASSERT_EQ(restore("one.backup").first, 0);
    server.start();

    const Answer restored = client.get("/v1/data/rates");
    EXPECT_EQ(restored.body, "[1]");
    EXPECT_EQ(restored.freshet_number("gen"), seen.freshet_number("gen") + jump);
    EXPECT_EQ(restored.freshet_number("ver"), seen.freshet_number("ver") + jump);
    EXPECT_NE(restored.header("etag"), seen.header("etag"));
    const Answer versions = client.get("/v1/data/rates/versions");
    EXPECT_EQ(versions.json("/items/0/ver"), std::to_string(restored.freshet_number("ver"))) << versions.body;
    EventStream resumed{server.url(), "/v1/stream?topic=data/rates", {}, live->id};
    const auto reset = resumed.next_where([](const StreamEvent& event) { return event.event == "reset"; });
    ASSERT_TRUE(reset);
    EXPECT_EQ(reset->json("/reason"), "epoch");
    ASSERT_EQ(client.refresh("rates").status, 200);
    EXPECT_EQ(client.get("/v1/data/rates").freshet_number("gen"), restored.freshet_number("gen") + 1);
    EXPECT_GT(client.get("/v1/data/rates").freshet_number("gen"), later.freshet_number("gen"));

    // Once more, from the same backup, over the restored store: still nobody meets a number twice.
    server.terminate();
    ASSERT_EQ(restore("one.backup").first, 0);
    server.start();
    EXPECT_EQ(client.get("/v1/data/rates").freshet_number("gen"), seen.freshet_number("gen") + 2 * jump);
}

TEST_F(Backup, F7WhatRanHasNoLeaseAfterARestoreAndFencesAreHigher)
{
    const std::string id = enqueue(client, 1);
    const Answer given = claim("w1");
    ASSERT_EQ(given.json("/jobs/0/id"), id) << given.body;
    const std::string fence = given.json("/jobs/0/fence").value_or("0");
    expect_made("one.backup");
    server.terminate();
    ASSERT_EQ(restore("one.backup").first, 0);
    server.start();

    const Answer late =
        client.post("/v1/work/" + id + "/complete", json, fmt::format(R"({{"fence":{},"result":1}})", fence));
    EXPECT_EQ(late.status, 409) << late.body;
    EXPECT_EQ(late.json("/code"), "lease_lost");
    const Answer again = claim("w2");
    ASSERT_EQ(again.json("/jobs/0/id"), id) << again.body;
    EXPECT_GT(std::stoll(again.json("/jobs/0/fence").value_or("0")), std::stoll(fence) + jump);
    EXPECT_EQ(client.get("/v1/jobs/" + id).json("/lost"), "1");
}

TEST_F(Backup, RefusesADamagedFileInWordsAndChangesNothing)
{
    ASSERT_EQ(client.refresh("rates").status, 200);
    expect_made("one.backup");
    server.terminate();
    const std::string good = bytes_of(server.folder() / "one.backup");
    const std::string store = bytes_of(server.folder() / "data" / "freshet.db");
    ASSERT_GT(good.size(), 5000U);
    std::vector<std::pair<std::string, std::string>> damaged{{"cut short", good.substr(0, good.size() - 1)},
                                                             {"cut short", good.substr(0, 4096)},
                                                             {"cut short", good.substr(0, 100)},
                                                             {"damaged", good + "x"},
                                                             {"no backup", "not one at all"},
                                                             {"no backup", ""}};
    for (const std::size_t at : {9UL, 25UL, 60UL, 300UL, 4000UL, 4097UL, 4101UL, good.size() / 2, good.size() - 1}) {
        std::string flipped = good;
        flipped[at] = static_cast<char>(flipped[at] ^ 0x20);
        damaged.emplace_back(at < 23 ? "no backup" : "damaged", flipped);
    }
    for (const auto& [why, bytes] : damaged) {
        write_bytes(server.folder() / "bad.backup", bytes);
        for (const char* verb : {"verify", "restore"}) {
            std::vector<std::string> arguments{"backup", verb, "bad.backup"};
            if (verb == std::string{"restore"}) arguments.emplace_back("--force");
            const auto [code, words] = server.run(arguments);
            EXPECT_EQ(code, 1) << words;
            EXPECT_THAT(words, HasSubstr(why));
            EXPECT_THAT(words, HasSubstr("try: "));
        }
    }
    EXPECT_TRUE(bytes_of(server.folder() / "data" / "freshet.db") == store);
    for (const std::string& name : names_in(server.folder() / "data")) EXPECT_THAT(name, Not(HasSubstr("scratch")));
    for (const std::string& name : names_in(server.folder())) EXPECT_THAT(name, Not(HasSubstr("scratch")));
    server.start();
    EXPECT_EQ(client.get("/v1/data/rates").body, "[1]");
}

TEST_F(Backup, IsNotRestoredUnderAServerNorOverAStoreUnlessForced)
{
    ASSERT_EQ(client.refresh("rates").status, 200);
    expect_made("one.backup");
    const auto [under, words_under] = restore("one.backup");
    EXPECT_EQ(under, 1);
    EXPECT_THAT(words_under, HasSubstr("serves"));
    EXPECT_THAT(words_under, HasSubstr("try: "));
    server.terminate();
    const auto [over, words_over] = restore("one.backup", false);
    EXPECT_EQ(over, 1);
    EXPECT_THAT(words_over, HasSubstr("--force"));
    const auto [code, words] = restore("one.backup");
    EXPECT_EQ(code, 0) << words;
    bool aside = false;
    for (const std::string& name : names_in(server.folder() / "data"))
        aside = aside || name.starts_with("freshet.db.before-");
    EXPECT_TRUE(aside) << "the old store is kept";

    fs::remove_all(server.folder() / "data");
    EXPECT_EQ(restore("one.backup", false).first, 0) << "where there is none nothing must be forced";
    server.start();
    EXPECT_EQ(client.get("/v1/data/rates").body, "[1]");
}

TEST_F(Backup, IsMadeWithoutAServerAndSaysWhatItHoldsAsJson)
{
    ASSERT_EQ(client.refresh("rates").status, 200);
    enqueue(client, 1);
    server.kill(); // what is in the write-ahead log counts, too
    const auto [code, words] = server.run({"backup", "create", "one.backup", "--json"});
    ASSERT_EQ(code, 0) << words;
    const Answer said{.body = words};
    EXPECT_EQ(said.json("/rows/keys"), "1");
    EXPECT_EQ(said.json("/rows/jobs"), "2");
    EXPECT_EQ(said.json("/rows/live_jobs"), "1");
    EXPECT_EQ(said.json("/bytes"), std::to_string(fs::file_size(server.folder() / "one.backup")));
    const auto [again, words_again] = server.run({"backup", "create", "one.backup"});
    EXPECT_EQ(again, 2) << "never over another file unasked";
    EXPECT_THAT(words_again, HasSubstr("--force"));
    EXPECT_EQ(server.run({"backup", "verify", "none.backup"}).first, 5);
}

TEST_F(Backup, LeavesNothingBehindWhenTheDiskIsFull)
{
    const fs::path small = server.folder() / "small";
    fs::create_directory(small);
    if (::mount("none", small.c_str(), "tmpfs", 0, "size=128k") != 0) GTEST_SKIP() << "a small disk needs root";
    for (int i = 0; i < 2000; ++i) enqueue(client, i);
    const auto [code, words] = server.run({"backup", "create", "small/one.backup"});
    const auto left = names_in(small);
    ::umount(small.c_str());
    EXPECT_EQ(code, 1);
    EXPECT_THAT(words, HasSubstr("try: "));
    EXPECT_THAT(left, testing::IsEmpty());
}

} // namespace
} // namespace freshet::outside
