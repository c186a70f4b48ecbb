// SPDX-License-Identifier: Apache-2.0
#include "http/cache.hpp"

#include <gtest/gtest.h>

namespace freshet::http {

namespace {

std::shared_ptr<const KeyView> view_of(const std::string& tenant, const std::string& key, Seq seq, std::size_t bytes)
{
    auto view = std::make_shared<KeyView>();
    view->record.tenant = tenant;
    view->record.key = key;
    view->record.seq = seq;
    view->record.has_data = true;
    auto body = std::make_shared<Body>();
    body->bytes = std::string(bytes, 'x');
    view->body = std::move(body);
    return view;
}

TEST(Cache, F9KeepsTheSameKeyOfTwoTenantsApart)
{
    ReadCache cache{1 << 20};
    cache.put(cache.insert("acme", "prices"), view_of("acme", "prices", 1, 10));
    EXPECT_EQ(cache.find("blue", "prices"), nullptr);
    EXPECT_NE(cache.find("acme", "prices"), nullptr);
    EXPECT_EQ(cache.find("acme", "prices/eu"), nullptr);
}

TEST(Cache, F4LetsTheHigherSeqWinWhicheverComesLast)
{
    ReadCache cache{1 << 20};
    CacheEntry& entry = cache.insert("default", "prices");
    cache.put(entry, view_of("default", "prices", 7, 10));
    cache.put(entry, view_of("default", "prices", 6, 10));
    EXPECT_EQ(entry.view->record.seq, 7u);
}

TEST(Cache, StaysWithinItsBytesAndKeepsWhatIsUsed)
{
    ReadCache cache{100 << 10};
    for (int i = 0; i < 200; ++i) {
        cache.find("default", "hot");
        const std::string key = i == 0 ? "hot" : "cold/" + std::to_string(i);
        cache.put(cache.insert("default", key), view_of("default", key, 1, 4096));
        EXPECT_LE(cache.bytes(), std::size_t{100 << 10});
    }
    EXPECT_NE(cache.find("default", "hot"), nullptr);
    EXPECT_EQ(cache.find("default", "cold/1"), nullptr);
    EXPECT_GT(cache.evicted(), 100u);
}

TEST(Cache, NeverEvictsWhatIsBeingRead)
{
    ReadCache cache{10 << 10};
    CacheEntry& reading = cache.insert("default", "reading");
    reading.reading = true;
    for (int i = 0; i < 100; ++i) {
        const std::string key = std::to_string(i);
        cache.put(cache.insert("default", key), view_of("default", key, 1, 1024));
    }
    EXPECT_EQ(cache.find("default", "reading"), &reading);
}

TEST(Cache, ForgetsCodedBytesOfAnOlderBodyButNotOfTheSame)
{
    ReadCache cache{1 << 20};
    CacheEntry& entry = cache.insert("default", "prices");
    const auto first = view_of("default", "prices", 1, 1000);
    cache.put(entry, first);
    entry.prepared[0][1].coded_body = std::make_shared<const std::string>("z");
    auto same_body = std::make_shared<KeyView>(*first);
    same_body->record.seq = 2;
    cache.put(entry, same_body);
    EXPECT_NE(entry.prepared[0][1].coded_body, nullptr);
    cache.put(entry, view_of("default", "prices", 3, 1000));
    EXPECT_EQ(entry.prepared[0][1].coded_body, nullptr);
}

} // namespace

} // namespace freshet::http
