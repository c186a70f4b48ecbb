// SPDX-License-Identifier: Apache-2.0
#pragma once
// What one loop counts: plain figures that only its thread writes and any thread may read (relaxed).
// Life: owned by the loop; LoopFigures shows those of all loops to Prometheus at each scrape.

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>
#include <vector>

namespace freshet::http {

/// Raised by one thread without a locked instruction.
class Figure {
public:
    void add(std::uint64_t n) { value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed); }
    void set(std::uint64_t n) { value_.store(n, std::memory_order_relaxed); }
    std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

struct LoopCounters {
    std::array<Figure, 6> answers; ///< by status class; [0] unused
    Figure hits;                   ///< answered by the prepared path
    Figure bytes_out;
    Figure opened, refused; ///< connections
    Figure connections;     ///< now
    Figure cache_bytes, cache_keys, cache_evicted;
};

class LoopFigures final : public prometheus::Collectable {
public:
    void add(std::shared_ptr<const LoopCounters> counters) { loops_.push_back(std::move(counters)); }
    std::vector<prometheus::MetricFamily> Collect() const override;

private:
    std::vector<std::shared_ptr<const LoopCounters>> loops_; ///< complete before the first scrape
};

} // namespace freshet::http
