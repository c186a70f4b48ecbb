// SPDX-License-Identifier: Apache-2.0
#pragma once
// The circuit breaker of one (tenant, source, origin host): after five failures in a row nothing is asked of it for a
// while, then one job probes, and any end of the probe but success opens it again. Pure.

#include "model/definition.hpp"
#include "model/records.hpp"

namespace freshet {

inline constexpr int breaker_failures = 5;

enum class BreakerWord : std::uint8_t { go, probe, wait };

/// May this job be handed out now? `probe`: it is the one that tries, and must be noted as such.
BreakerWord may_begin(const BreakerRecord& breaker, JobId job, WallTime now);

/// After an attempt's end. `good`: the source answered as it should.
BreakerRecord after_end(const BreakerRecord& breaker, JobId job, bool good, const RetryPolicy& policy, WallTime now);

} // namespace freshet
