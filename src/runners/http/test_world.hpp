// SPDX-License-Identifier: Apache-2.0
#pragma once
// A runner with a sink that remembers, for the tests of this folder. Shaping is done in place, by the child's own code,
// unless a test gives it a pool.

#include "base/clock.hpp"
#include "engine/flight_world.hpp"
#include "runners/http/http_runner.hpp"
#include "runners/http/test_server.hpp"
#include "runners/shape/shaper.hpp"

#include <functional>
#include <gtest/gtest.h>
#include <utility>
#include <vector>

namespace freshet::test {

inline ShapeCall shape_in_place()
{
    return [shaper = std::make_shared<Shaper>()](ShapeOrder order, Millis, const ShapeAnswer& answer) {
        answer(shaper->shape(std::move(order), {}));
    };
}

/// A source over loopback, which is allowed to it.
inline SourceDefinition source_at(std::string url)
{
    SourceDefinition source;
    source.name = "rates";
    source.kind = SourceKind::http;
    source.format = InputFormat::json;
    source.http.url = std::move(url);
    source.http.allow_private = true;
    return source;
}

struct World {
    SystemClock clock;
    RememberingSink sink;
    HttpRunner runner;
    std::int64_t jobs = 0;

    explicit World(HttpLimits limits = {}, ShapeCall shape = shape_in_place()) : runner{clock, std::move(shape), limits}
    {
    }

    JobId start(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        FlightOrder order = an_order(++jobs, source, clock.wall());
        if (change) change(order);
        const JobId job = order.job;
        runner.start(std::move(order), sink);
        return job;
    }
    FlightEnd fetch(const SourceDefinition& source, const std::function<void(FlightOrder&)>& change = {})
    {
        return sink.wait(start(source, change));
    }
};

#define EXPECT_HAS(text, part) EXPECT_TRUE(::freshet::test::has(text, part)) << text

} // namespace freshet::test
