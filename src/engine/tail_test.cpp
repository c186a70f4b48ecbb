// SPDX-License-Identifier: Apache-2.0
// How cores learn of commits: in order, up to the position that they loaded, and with one wake per commit.
#include "engine/tail.hpp"

#include <gmock/gmock.h>

namespace freshet {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

struct Tails : ::testing::Test {
    static std::shared_ptr<const Notice> notice(std::uint64_t position)
    {
        auto made = std::make_shared<Notice>();
        made->position = position;
        return made;
    }
    Delivery reply(int core, const std::string& word)
    {
        return {core, [this, word] { said.push_back(word); }};
    }
    /// What the core is given, in order: "2" is the notice at position 2, words are replies.
    std::vector<std::string> drain(int core, std::uint64_t position)
    {
        said.clear();
        tail.drain(
            core, position, [&](const auto& given) { said.push_back(std::to_string(given->position)); },
            [](const std::function<void()>& answer) { answer(); });
        return said;
    }

    Tail tail{2};
    std::vector<std::string> said;
};

TEST_F(Tails, F4ACoreAppliesNoticesInOrderAndNotBeyondThePositionItLoaded)
{
    for (std::uint64_t i = 1; i <= 3; ++i) tail.publish(notice(i));
    EXPECT_EQ(tail.published(), 3U);
    EXPECT_THAT(drain(0, 2), ElementsAre("1", "2"));
    EXPECT_THAT(drain(0, 2), IsEmpty());
    EXPECT_THAT(drain(0, 3), ElementsAre("3"));
    EXPECT_THAT(drain(1, 3), ElementsAre("1", "2", "3")) << "each core by itself";
}

TEST_F(Tails, AReplyComesToItsCoreAloneAndBehindTheNoticeOfItsCommit)
{
    tail.publish(notice(1), {});
    tail.publish(notice(2), {});
    std::vector<Delivery> replies;
    replies.push_back(reply(1, "done"));
    tail.publish(notice(3), std::move(replies));
    EXPECT_THAT(drain(1, 2), ElementsAre("1", "2")) << "not before what it tells of";
    EXPECT_THAT(drain(1, 3), ElementsAre("3", "done"));
    EXPECT_THAT(drain(0, 3), ElementsAre("1", "2", "3"));
}

TEST_F(Tails, AReplyOfACommitThatChangedNothingStandsBehindWhatWasPublishedBefore)
{
    tail.publish(notice(1));
    std::vector<Delivery> replies;
    replies.push_back(reply(0, "refused"));
    tail.publish(nullptr, std::move(replies));
    EXPECT_EQ(tail.published(), 1U);
    EXPECT_THAT(drain(0, 1), ElementsAre("1", "refused"));
}

TEST_F(Tails, AReplyToNoCoreIsGivenAtOnce)
{
    std::vector<Delivery> replies;
    replies.push_back(reply(-1, "now"));
    tail.publish(notice(1), std::move(replies));
    EXPECT_THAT(said, ElementsAre("now"));
    EXPECT_THAT(drain(0, 1), ElementsAre("1"));
}

TEST_F(Tails, ACoreIsWokenOncePerCommitAndOnlyWhenItHasSomethingNew)
{
    std::vector<int> wakes(2);
    std::size_t backlog_at_wake = 0;
    tail.on_wake(0, [&] { ++wakes[0]; });
    tail.on_wake(1, [&] {
        ++wakes[1];
        backlog_at_wake = tail.backlog();
    });
    std::vector<Delivery> replies;
    for (const char* word : {"a", "b", "c"}) replies.push_back(reply(1, word));
    tail.publish(notice(1), std::move(replies));
    EXPECT_THAT(wakes, ElementsAre(1, 1));
    EXPECT_EQ(backlog_at_wake, 4U) << "all of the commit is there when it wakes";
    replies.clear();
    replies.push_back(reply(0, "d"));
    tail.publish(nullptr, std::move(replies));
    EXPECT_THAT(wakes, ElementsAre(2, 1));
    tail.publish(nullptr, {});
    EXPECT_THAT(wakes, ElementsAre(2, 1));
}

TEST_F(Tails, TheBacklogIsThatOfTheFullestInboxAndGoesAsItIsDrained)
{
    EXPECT_EQ(tail.backlog(), 0U);
    for (std::uint64_t i = 1; i <= 3; ++i) tail.publish(notice(i));
    drain(0, 3);
    EXPECT_EQ(tail.backlog(), 3U) << "the other core sleeps";
    drain(1, 2);
    EXPECT_EQ(tail.backlog(), 1U);
}

} // namespace
} // namespace freshet
