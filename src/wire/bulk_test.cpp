// SPDX-License-Identifier: Apache-2.0
#include "wire/bulk.hpp"

#include <gtest/gtest.h>

namespace freshet {
namespace {

TEST(Bulk, IsReadAsItWasWritten)
{
    const BulkSpec spec{"cancel", JobState::queued, JobKind::task, "mails", "", "nightly \"x\"", 12};
    EXPECT_EQ(parse_bulk_spec(to_json(spec)), spec);
    const BulkSpec all{"drop", {}, {}, "", "", "", 0};
    EXPECT_EQ(parse_bulk_spec(to_json(all)), all);
    const BulkPlace place{JobId{77}, 3, 1};
    EXPECT_EQ(parse_bulk_place(to_json(place)), place);
    EXPECT_EQ(parse_bulk_place(to_json(BulkPlace{})), BulkPlace{});
}

TEST(Bulk, RefusesWhatItDidNotWrite)
{
    EXPECT_FALSE(parse_bulk_spec("[]"));
    EXPECT_FALSE(parse_bulk_spec("{}"));
    EXPECT_FALSE(parse_bulk_place("nothing"));
}

} // namespace
} // namespace freshet
