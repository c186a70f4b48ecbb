// SPDX-License-Identifier: Apache-2.0
#include "tests/kill/fleet.hpp"

#include <algorithm>
#include <csignal>
#include <fmt/format.h>
#include <iostream>
#include <sstream>

namespace freshet::outside {

Fleet::Fleet(std::string url, std::string log, int size, int slots)
    : url_{std::move(url)}, log_{std::move(log)}, slots_{slots}, language_{languages().front()},
      places_(static_cast<std::size_t>(size))
{
    for (std::size_t i = 0; i < places_.size(); ++i) {
        places_[i].id = fmt::format("w{}", i);
        start(places_[i]);
    }
}

void Fleet::start(Place& place)
{
    place.stopped_at.reset();
    place.began = false;
    place.worker = std::make_unique<TestWorker>(language_, url_,
                                                TestWorker::Variables{{"WORKER_ID", place.id},
                                                                      {"WORKER_SLOTS", std::to_string(slots_)},
                                                                      {"WORKER_GRACE_MS", "50"}},
                                                log_);
}

int Fleet::stopped_count() const
{
    return static_cast<int>(
        std::ranges::count_if(places_, [](const Place& place) { return place.stopped_at.has_value(); }));
}

void Fleet::kill(int at, bool same_id)
{
    Place& place = places_[static_cast<std::size_t>(at)];
    place.worker->kill();
    hear(place);
    if (!same_id) place.id = fmt::format("w{}.{}", at, ++place.successors);
    start(place);
}

bool Fleet::terminate(int at)
{
    Place& place = places_[static_cast<std::size_t>(at)];
    const int code = place.worker->terminate(Millis{20'000}).value_or(-1);
    hear(place);
    const bool well = code == 0 || (code == 128 + SIGTERM && !place.began);
    if (!well) std::cerr << fmt::format("{} went with {}\n", place.id, code);
    start(place);
    return well;
}

void Fleet::stop(int at)
{
    Place& place = places_[static_cast<std::size_t>(at)];
    place.worker->signal(SIGSTOP);
    place.stopped_at = std::chrono::steady_clock::now();
}

void Fleet::go_on(Millis after)
{
    const auto now = std::chrono::steady_clock::now();
    for (Place& place : places_) {
        if (!place.stopped_at || now - *place.stopped_at < after) continue;
        place.worker->signal(SIGCONT);
        place.stopped_at.reset();
    }
}

void Fleet::hear()
{
    for (Place& place : places_) hear(place);
}

void Fleet::hear(Place& place)
{
    for (const std::string& line : place.worker->take()) {
        std::istringstream words{line};
        std::string what, task, job, why;
        int attempt = 0;
        words >> what >> task >> job >> attempt >> why;
        if (what == "begin") begun_.emplace(job, attempt);
        place.began = place.began || what == "begin";
        told_lost_ += what == "stop" && why == "lost";
    }
}

} // namespace freshet::outside
