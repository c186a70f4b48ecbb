// SPDX-License-Identifier: Apache-2.0
#include "http/counters.hpp"

#include <string>

namespace freshet::http {

std::vector<prometheus::MetricFamily> LoopFigures::Collect() const
{
    using prometheus::ClientMetric;
    using prometheus::MetricFamily;
    using prometheus::MetricType;
    std::vector<MetricFamily> families;
    const auto family = [&](const char* name, const char* help, MetricType type) -> MetricFamily& {
        return families.emplace_back(MetricFamily{name, help, type, {}});
    };
    const auto put = [](MetricFamily& into, std::size_t loop, std::uint64_t value, const std::string& status = {}) {
        ClientMetric metric;
        metric.label.push_back({"loop", std::to_string(loop)});
        if (!status.empty()) metric.label.push_back({"status", status});
        if (into.type == MetricType::Counter)
            metric.counter.value = static_cast<double>(value);
        else
            metric.gauge.value = static_cast<double>(value);
        into.metric.push_back(std::move(metric));
    };
    MetricFamily& answers = family("freshet_http_answers_total", "Answers by class of status", MetricType::Counter);
    for (std::size_t i = 0; i < loops_.size(); ++i)
        for (std::size_t status = 2; status < 6; ++status)
            put(answers, i, loops_[i]->answers[status].value(), std::to_string(status) + "xx");

    struct Row {
        const char* name;
        const char* help;
        MetricType type;
        Figure LoopCounters::* figure;
    };
    static constexpr Row rows[] = {
        {"freshet_http_hits_total", "Reads answered from prepared heads and bodies", MetricType::Counter,
         &LoopCounters::hits},
        {"freshet_http_sent_bytes_total", "Bytes handed to the kernel", MetricType::Counter, &LoopCounters::bytes_out},
        {"freshet_http_connections_opened_total", "Connections taken", MetricType::Counter, &LoopCounters::opened},
        {"freshet_http_connections_refused_total", "Connections refused by a limit", MetricType::Counter,
         &LoopCounters::refused},
        {"freshet_http_connections", "Connections open now", MetricType::Gauge, &LoopCounters::connections},
        {"freshet_cache_bytes", "Weight of the read cache", MetricType::Gauge, &LoopCounters::cache_bytes},
        {"freshet_cache_keys", "Keys in the read cache", MetricType::Gauge, &LoopCounters::cache_keys},
        {"freshet_cache_evicted_total", "Keys that made room for others", MetricType::Counter,
         &LoopCounters::cache_evicted},
    };
    for (const Row& row : rows) {
        MetricFamily& into = family(row.name, row.help, row.type);
        for (std::size_t i = 0; i < loops_.size(); ++i) put(into, i, ((*loops_[i]).*row.figure).value());
    }
    return families;
}

} // namespace freshet::http
