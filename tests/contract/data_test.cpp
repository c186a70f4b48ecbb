// SPDX-License-Identifier: Apache-2.0
// Keys, versions and payloads.
#include "stores.hpp"

#include <gmock/gmock.h>

namespace freshet::contract {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class Data : public StoreContract {
protected:
    std::optional<std::string> payload(std::int64_t id) { return store().reader()->payload(id); }
    std::int64_t put_payload(std::string_view bytes)
    {
        std::int64_t id = 0;
        commit([&](Transaction& t) { id = t.put_payload(bytes); });
        return id;
    }
    KeyRecord a_key_that_holds(std::int64_t payload)
    {
        KeyRecord key = a_key("prices");
        key.held = HeldResult{};
        key.held->payload = payload;
        commit([&](Transaction& t) { t.put_key(key); });
        return key;
    }
};
FRESHET_CONTRACT(Data);

/// Each field has a value of its own, so that two columns that were swapped show.
KeyRecord a_full_key()
{
    KeyRecord key = a_key("prices/eu");
    key.gen = 1, key.ver = 2, key.has_data = true, key.data_fence = 3, key.definition = 0xffff'ffff'ffff'fff4ULL;
    key.payload = 5, key.hash = {6, 7}, key.rows = 8, key.bytes = 9, key.as_of = t0 + 10ms,
    key.as_of_by = AsOfBy::source;
    key.checked_at = t0 + 11ms, key.changed_at = t0 + 12ms, key.trigger = Trigger::after, key.etag = "13";
    key.last_modified = "14", key.attempts = 15, key.retry_at = t0 + 16ms, key.parked = true;
    key.error = ErrorInfo{ErrorClass::rate_limited, "17", "18"}, key.last_outcome = Outcome::held;
    key.last_job = JobId{19}, key.last_finished_at = t0 + 20ms, key.stale_seq = 21, key.gone_seq = 22;
    HeldResult held;
    held.reason = HeldReason::as_of_back, held.message = "23", held.payload = 24, held.hash = {25, 26}, held.rows = 27;
    held.bytes = 28, held.job = JobId{29}, held.held_at = t0 + 30ms, held.data_fence = 31, held.as_of = t0 + 32ms;
    held.etag = "33", held.last_modified = "34", held.definition = 35, held.counts = {36, 37, 38, 39};
    key.held = held, key.read_at = t0 + 40ms, key.next_at = t0 + 41ms, key.seq = 42, key.day = "43:1,0,0,0";
    return key;
}

TEST_P(Data, GivesAKeyBackAsItWas)
{
    const KeyRecord full = a_full_key();
    const KeyRecord bare = a_key("prices/us");
    commit([&](Transaction& t) {
        t.put_key(full);
        t.put_key(bare);
        EXPECT_EQ(t.key("acme", "prices/eu"), full);
    });
    reopen();
    EXPECT_EQ(store().reader()->key("acme", "prices/eu"), full);
    EXPECT_EQ(store().reader()->key("acme", "prices/us"), bare);
    EXPECT_EQ(store().reader()->key("globex", "prices/us"), std::nullopt) << "F9";
}

TEST_P(Data, ReplacesAKeyWhole)
{
    commit([](Transaction& t) { t.put_key(a_full_key()); });
    commit([](Transaction& t) { t.put_key(a_key("prices/eu")); });
    EXPECT_EQ(store().reader()->key("acme", "prices/eu"), a_key("prices/eu"));
}

TEST_P(Data, RefusesAKeyOfAnotherSource)
{
    commit([](Transaction& t) { t.put_key(a_key("prices/eu")); });
    KeyRecord moved = a_key("prices/eu");
    moved.source = "stocks";
    const auto dead = store().begin();
    EXPECT_THROW(dead->put_key(moved), StoreFailure);
    EXPECT_THROW(dead->commit(), StoreFailure) << "a failure ends the transaction";
}

TEST_P(Data, ListsKeysInByteOrderPageByPage)
{
    commit([](Transaction& t) {
        for (const char* text : {"b/2", "a", "b/1", "c", "b/\xc3\xa9", "b"}) t.put_key(a_key(text));
        t.put_key(a_key("b/1", "globex"));
    });
    const auto reader = store().reader();
    const auto page = [&](std::string_view source, std::string_view after, int limit) {
        std::vector<std::string> texts;
        for (const KeyRecord& key : reader->keys("acme", source, after, limit)) texts.push_back(key.key);
        return texts;
    };
    EXPECT_THAT(page("", "", 3), ElementsAre("a", "b", "b/1"));
    EXPECT_THAT(page("", "b/1", 10), ElementsAre("b/2", "b/\xc3\xa9", "c"));
    EXPECT_THAT(page("b", "b", 2), ElementsAre("b/1", "b/2"));
    EXPECT_EQ(reader->keys_count("acme", ""), 6);
    EXPECT_EQ(reader->keys_count("acme", "b"), 4);
    EXPECT_EQ(reader->keys_count("globex", ""), 1);
}

TEST_P(Data, FindsKeysThatAreDueEarliestFirst)
{
    commit([](Transaction& t) {
        int minutes = 3;
        for (const char* text : {"late", "middle", "early"}) {
            KeyRecord key = a_key(text);
            key.next_at = t0 + std::chrono::minutes{minutes--};
            t.put_key(key);
        }
        t.put_key(a_key("never"));
    });
    const auto t = store().begin();
    EXPECT_TRUE(t->keys_due(t0, 10).empty());
    ASSERT_EQ(t->keys_due(t0 + 2min, 10).size(), 2U);
    EXPECT_EQ(t->keys_due(t0 + 2min, 10)[0].key, "early");
    EXPECT_EQ(t->keys_due(t0 + 1h, 1).size(), 1U);
    EXPECT_EQ(t->next_wake(t0), t0 + 1min);
    EXPECT_EQ(t->next_wake(t0 + 1min), t0 + 2min);
    EXPECT_EQ(t->next_wake(t0 + 3min), std::nullopt);
}

TEST_P(Data, ListsVersionsNewestFirstPageByPage)
{
    VersionRecord full = a_version(3, 4);
    full.gen = 5, full.hash = {6, 7}, full.rows = 8, full.bytes = 9, full.as_of = t0 + 10ms,
    full.counts = {11, 12, 13, 14};
    commit([&](Transaction& t) {
        for (int ver : {1, 2, 10}) t.put_version("acme", "prices", a_version(ver, ver));
        t.put_version("acme", "prices", full);
        t.put_version("acme", "prices/eu", a_version(4, 40));
    });
    const auto reader = store().reader();
    const auto vers = [&](std::int64_t before, int limit) {
        std::vector<std::int64_t> found;
        for (const VersionRecord& version : reader->versions("acme", "prices", before, limit))
            found.push_back(version.ver);
        return found;
    };
    EXPECT_THAT(vers(0, 10), ElementsAre(10, 3, 2, 1));
    EXPECT_THAT(vers(10, 2), ElementsAre(3, 2));
    EXPECT_THAT(vers(1, 2), IsEmpty());
    EXPECT_EQ(reader->version("acme", "prices", 3), full);
    EXPECT_EQ(reader->version("acme", "prices", 4), std::nullopt);
    commit([](Transaction& t) { t.drop_version("acme", "prices", 10); });
    EXPECT_THAT(vers(0, 10), ElementsAre(3, 2, 1));
}

TEST_P(Data, KeepsPayloadsOfAnySize)
{
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, ahead_chunk_bytes_max, ahead_chunk_bytes_max + 1,
                                   3 * ahead_chunk_bytes_max + 17}) {
        std::string bytes(size, '\0');
        for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
        const std::int64_t id = put_payload(bytes);
        EXPECT_EQ(payload(id), bytes) << size;
    }
    EXPECT_EQ(payload(999), std::nullopt);
}

TEST_P(Data, NeverGivesAPayloadIdTwice)
{
    const std::int64_t first = put_payload("first");
    commit([&](Transaction& t) { t.drop_payload(first); });
    EXPECT_EQ(payload(first), std::nullopt);
    reopen();
    EXPECT_GT(put_payload("second"), first);
}

TEST_P(Data, DropsAPayloadWithTheLastThatNamesIt)
{
    const std::int64_t id = put_payload("shared");
    commit([&](Transaction& t) {
        t.put_version("acme", "prices", a_version(1, id));
        t.put_version("acme", "prices", a_version(2, id));
        KeyRecord key = a_key("prices");
        key.payload = id;
        t.put_key(key);
    });
    commit([](Transaction& t) { t.drop_version("acme", "prices", 1); });
    EXPECT_EQ(payload(id), "shared");
    commit([](Transaction& t) { t.drop_version("acme", "prices", 2); });
    EXPECT_EQ(payload(id), "shared") << "the key still names it";
    commit([](Transaction& t) { t.put_key(a_key("prices")); });
    EXPECT_EQ(payload(id), std::nullopt);
}

TEST_P(Data, KeepsThePayloadOfAHeldResultThatBecomesAVersion)
{
    const std::int64_t id = put_payload("held");
    KeyRecord key = a_key_that_holds(id);
    key.held.reset();
    commit([&](Transaction& t) {
        t.put_key(key);
        t.put_version("acme", "prices", a_version(1, id));
    });
    EXPECT_EQ(payload(id), "held");
}

TEST_P(Data, DropsThePayloadOfAHeldResultThatWasDiscarded)
{
    const std::int64_t id = put_payload("held");
    KeyRecord key = a_key_that_holds(id);
    key.held.reset();
    commit([&](Transaction& t) { t.put_key(key); });
    EXPECT_EQ(payload(id), std::nullopt);
}

TEST_P(Data, PublishesWhatWasWrittenAheadWhenItIsKept)
{
    const std::string chunk(ahead_chunk_bytes_max, 'a');
    const std::int64_t id = store().begin_ahead();
    store().append_ahead(id, chunk);
    store().append_ahead(id, "tail");
    EXPECT_EQ(payload(id), std::nullopt) << "nobody kept it yet";
    {
        const auto dropped = store().begin();
        dropped->keep_payload(id);
        EXPECT_EQ(dropped->payload(id), chunk + "tail");
    }
    EXPECT_EQ(payload(id), std::nullopt);
    commit([&](Transaction& t) { t.keep_payload(id); });
    EXPECT_EQ(payload(id), chunk + "tail");
    EXPECT_THROW(store().append_ahead(id, "more"), StoreFailure);
    reopen();
    EXPECT_EQ(payload(id), chunk + "tail");
}

TEST_P(Data, SweepsWhatWasWrittenAheadAndNeverKept)
{
    const std::int64_t id = store().begin_ahead();
    store().append_ahead(id, "bytes");
    reopen();
    const auto late = store().begin();
    EXPECT_THROW(late->keep_payload(id), StoreFailure);
}

} // namespace
} // namespace freshet::contract
