// SPDX-License-Identifier: Apache-2.0
// The bytes of a job and a batch: stored, so they never change, and believed only when they are what was written.
#include "base/hash.hpp"
#include "store/packed_job.hpp"
#include "stores.hpp"

#include <gmock/gmock.h>

#include <limits>

namespace freshet::contract {
namespace {

using testing::HasSubstr;

std::string hex(std::string_view bytes)
{
    std::string out;
    for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
    return out;
}

/// A running job as a worker's queue has it.
Job a_packed_job()
{
    Job job = running(a_job(1), "w-1");
    job.requested_by = "ci", job.input = "{}", job.tags = {"a", "b"}, job.unique = UniqueTerms{.key = "k"};
    job.deadline_at = t0 + 24h, job.attempt = 1, job.fence = 300, job.lease_until = t0 + 30s;
    job.error = ErrorInfo{ErrorClass::lost, "lost", "gone"}, job.took_p50 = Millis{-1}, job.forced = true;
    job.definition = std::numeric_limits<std::uint64_t>::max();
    return job;
}

/// With the checksum that belongs to it.
std::string sealed(std::string bytes)
{
    const std::uint64_t sum = hash64(bytes);
    for (int i = 0; i < 4; ++i) bytes.push_back(static_cast<char>(sum >> 8 * i & 0xff));
    return bytes;
}

std::string why_not(std::string_view row)
{
    Job job = a_job(1);
    try {
        unpack_job(row, job);
    } catch (const StoreFailure& failure) {
        return failure.what();
    }
    return "it was read";
}

TEST(Packed, KeepsTheBytesThatEarlierVersionsWrote)
{
    EXPECT_EQ(hex(pack_job(a_packed_job())),
              "01b7a084b4c05180b083c59868026369027b7d0201610162016b010000000080f0b25202ac020377"
              "2d31e0d403ffffffffffffffffff01010103046c6f737404676f6e6549321c56");
    Batch batch;
    batch.id = BatchId{1}, batch.name = "n", batch.counts.total = 3, batch.requested_at = t0;
    EXPECT_EQ(hex(pack_batch(batch)), "01850480b083c59868016e06000000000088995ed8");
}

TEST(Packed, GivesBackTheLargestAndTheSmallestValues)
{
    Job job = a_job(1);
    job.requested_at = from_ms(std::numeric_limits<std::int64_t>::min());
    job.began_at = from_ms(std::numeric_limits<std::int64_t>::max());
    job.finished_at = WallTime{};
    job.attempt = std::numeric_limits<int>::min(), job.lost = std::numeric_limits<int>::max();
    job.fence = std::numeric_limits<Seq>::max(), job.callers = std::numeric_limits<std::int64_t>::min();
    job.result = std::string(100'000, '\0');
    job.progress.total = 0;
    Job back = a_job(1);
    unpack_job(pack_job(job), back);
    EXPECT_EQ(back, job);
}

TEST(Packed, OverwritesWhateverTheJobHeld)
{
    Job back = a_packed_job();
    unpack_job(pack_job(a_job(1)), back);
    back.state = JobState::queued;
    EXPECT_EQ(back, a_job(1));
}

TEST(Packed, BelievesNoByteThatChanged)
{
    const std::string row = pack_job(a_packed_job());
    for (std::size_t at = 0; at < row.size(); ++at) {
        std::string damaged = row;
        damaged[at] = static_cast<char>(damaged[at] ^ 1);
        EXPECT_THAT(why_not(damaged), HasSubstr("job " + to_text(JobId{1}))) << at;
        EXPECT_THAT(why_not(row.substr(0, at)), HasSubstr("damaged")) << at;
    }
    EXPECT_THAT(why_not(row + "x"), HasSubstr("damaged"));
}

TEST(Packed, ReadsNothingThatItDoesNotUnderstandWhateverItsChecksum)
{
    const std::string row = pack_job(a_packed_job());
    const std::string bytes = row.substr(0, row.size() - 4);
    EXPECT_EQ(why_not(sealed(bytes)), "it was read");
    EXPECT_THAT(why_not(sealed("\x02" + bytes.substr(1))), HasSubstr("run the freshet that wrote it"));
    EXPECT_THAT(why_not(sealed(std::string{"\x01\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01", 11})),
                HasSubstr("run the freshet that wrote it"));
    EXPECT_THAT(why_not(sealed(bytes + "x")), HasSubstr("damaged"));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_NE(why_not(sealed(bytes.substr(0, size))), "it was read") << size;
    for (int fields = 0; fields < 4'000; ++fields) {
        std::string noise{'\x01'};
        for (std::uint64_t seed = 0; seed < 4; ++seed) {
            const std::uint64_t word = hash64(std::to_string(fields), seed);
            noise.append(reinterpret_cast<const char*>(&word), sizeof word);
        }
        why_not(sealed(noise)); // whatever it is: an answer, nothing worse
    }
}

TEST(Packed, TakesLittleRoomForAJobThatSaysLittle)
{
    EXPECT_LT(pack_job(a_job(1)).size(), 16U);
    EXPECT_LT(pack_job(a_packed_job()).size(), 100U);
}

} // namespace
} // namespace freshet::contract
