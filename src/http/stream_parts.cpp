// SPDX-License-Identifier: Apache-2.0
#include "http/stream_parts.hpp"

#include "http/hub_host.hpp"
#include "http/problems.hpp"

#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

Problem problem_of(const streams::StreamRefusal& refusal)
{
    const std::string_view title = refusal.status == 404   ? "No such topic or stream"
                                   : refusal.status == 503 ? "No room for a stream now"
                                                           : "The topics can not be used";
    return make_problem(refusal.status, refusal.code, title, refusal.detail, refusal.try_);
}

Problem no_stream_left(Core& core, const ExchangePtr& exchange)
{
    const auto tenant = core.definitions()->tenants.find(exchange->caller().tenant);
    const std::int64_t most = tenant == core.definitions()->tenants.end() ? 0 : tenant->second.limits.streams;
    Problem problem = make_problem(429, "streams_full", "The tenant has as many streams as it may have",
                                   fmt::format("limits.streams allows {} at once.", most),
                                   "Close one, share one between pages, or raise the limit.");
    problem.limit = fmt::format("{} at once", most);
    problem.retry_at = core.now() + 5s;
    return problem;
}

streams::OpenStream open_request(const ExchangePtr& exchange)
{
    const HttpRequest& request = exchange->request();
    streams::OpenStream open;
    open.tenant = exchange->caller().tenant;
    open.base_url = exchange->base_url();
    for (const auto& [name, value] : request.query)
        if (name == "topic") open.topics.push_back(value);
    if (const std::string_view last = request.header("last-event-id"); !last.empty())
        open.cursor = last;
    else if (const auto cursor = request.param("cursor"); cursor && !cursor->empty())
        open.cursor = *cursor;
    return open;
}

std::shared_ptr<OpenNumber> leave_when_closed(Core& core, const ExchangePtr& exchange)
{
    auto opened = std::make_shared<OpenNumber>();
    exchange->on_closed([hub = weak_hub_of(core), opened] {
        opened->gone = true;
        if (const auto held = hub.lock()) held->leave(opened->number);
    });
    return opened;
}

std::expected<TopicChange, std::string> parse_change(std::string_view body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS)
        return std::unexpected("the body is not a JSON object");
    TopicChange change;
    for (const auto [name, value] : root) {
        if (name != "add" && name != "drop")
            return std::unexpected(fmt::format("\"{}\" is not known; add and drop are", name.substr(0, 64)));
        simdjson::dom::array topics;
        if (value.get(topics) != simdjson::SUCCESS)
            return std::unexpected(fmt::format("{} must be a list of topics", name));
        for (const auto topic : topics) {
            std::string_view text;
            if (topic.get(text) != simdjson::SUCCESS)
                return std::unexpected(fmt::format("{} must be a list of texts", name));
            (name == "add" ? change.add : change.drop).emplace_back(text);
        }
    }
    if (change.add.size() + change.drop.size() > 2 * streams::topics_max)
        return std::unexpected(fmt::format("at most {} topics at once", streams::topics_max));
    return change;
}

} // namespace freshet::http
