// SPDX-License-Identifier: Apache-2.0
#include "model/token_scope.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(TokenScope, ThatNamesNothingLimitsNothing)
{
    const TokenScope all;
    EXPECT_FALSE(all.limits());
    EXPECT_TRUE(all.has_source("prices"));
    EXPECT_TRUE(all.has_queue("mail"));
    EXPECT_TRUE(all.has_job("prices/eu", "prices"));
}

TEST(TokenScope, F9OfSourcesShowsNoQueueAndOfQueuesNoSource)
{
    const TokenScope sources{{"prices"}, {}}, queues{{}, {"mail"}};
    EXPECT_TRUE(sources.has_source("prices"));
    EXPECT_FALSE(sources.has_source("pricesx"));
    EXPECT_FALSE(sources.has_queue("mail"));
    EXPECT_FALSE(sources.has_queue("prices")) << "a queue of a source's name is a queue";
    EXPECT_TRUE(queues.has_queue("mail"));
    EXPECT_FALSE(queues.has_source("mail"));
}

TEST(TokenScope, ARefreshIsOfItsSourceWhateverItsQueue)
{
    const TokenScope both{{"prices"}, {"mail"}};
    EXPECT_TRUE(both.has_job("prices/eu", "other"));
    EXPECT_TRUE(both.has_job("prices", "other"));
    EXPECT_TRUE(both.has_job("", "mail"));
    EXPECT_FALSE(both.has_job("", "prices"));
    EXPECT_FALSE(both.has_job("stocks", "mail")) << "workers of the queue refresh another source";
}

} // namespace
} // namespace freshet
