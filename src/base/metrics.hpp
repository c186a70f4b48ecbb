// SPDX-License-Identifier: Apache-2.0
#pragma once
// Figures for Prometheus: one registry, made by app and passed down. Names are freshet_ + base units.
//
// Whoever counts makes its families once and keeps references to its counters; those may be raised from any thread.
// What is hotter than an atomic add keeps its own figures and hangs a Collectable here, which is asked at each scrape.

#include <memory>
#include <mutex>
#include <prometheus/collectable.h>
#include <prometheus/registry.h>
#include <string>
#include <vector>

namespace freshet {

class Metrics {
public:
    prometheus::Registry& registry() { return registry_; }
    /// The collectable is asked from the thread that calls text(), as long as it lives.
    void add(std::weak_ptr<prometheus::Collectable> collectable);
    /// Everything in the text format 0.0.4.
    std::string text() const;

private:
    prometheus::Registry registry_;
    mutable std::mutex mutex_;
    std::vector<std::weak_ptr<prometheus::Collectable>> more_; ///< guarded by mutex_
};

} // namespace freshet
