// SPDX-License-Identifier: Apache-2.0
#include "http/streams/topic.hpp"

#include "model/key.hpp"
#include "model/shared.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::streams {

namespace {

constexpr std::size_t queue_bytes_max = 128;

std::unexpected<StreamRefusal> refuse(std::string detail, std::string try_words)
{
    return std::unexpected(StreamRefusal{404, "unknown_topic", std::move(detail), std::move(try_words)});
}

std::expected<Topic, StreamRefusal> parse_data(std::string_view text, const Definitions& definitions,
                                               std::string_view tenant)
{
    const std::string_view key = text.substr(5);
    if (key.ends_with("/*")) {
        const std::string source{key.substr(0, key.size() - 2)};
        if (definitions.source(source) == nullptr || !tenant_has_source(definitions, tenant, source))
            return refuse(fmt::format("there is no source \"{}\"", source), "GET /v1/freshness lists what there is");
        return Topic{Topic::Kind::source, std::string{text}, source, {}, {}};
    }
    const auto path = parse_key(key, definitions);
    if (!path)
        return refuse(path.error().message, "a topic is data/{source}/{param}..., with every declared parameter");
    if (!path->rest.empty())
        return refuse(fmt::format("\"{}\" has more parts than source {} has parameters", key, path->key.source),
                      "leave them out");
    if (!tenant_has_source(definitions, tenant, path->key.source))
        return refuse(fmt::format("there is no source \"{}\"", path->key.source),
                      "GET /v1/freshness lists what there is");
    std::string name = freshet::to_text(path->key);
    return Topic{Topic::Kind::key, "data/" + name, name, {}, {}};
}

} // namespace

std::string_view source_of(std::string_view key)
{
    return key.substr(0, key.find('/'));
}

std::expected<Topic, StreamRefusal> parse_topic(std::string_view text, const Definitions& definitions,
                                                std::string_view tenant)
{
    constexpr std::array lists{Topic::Kind::freshness, Topic::Kind::batches, Topic::Kind::queues, Topic::Kind::workers,
                               Topic::Kind::schedules};
    constexpr std::array<std::string_view, lists.size()> list_words{"freshness", "batches", "queues", "workers",
                                                                    "schedules"};
    for (std::size_t i = 0; i < lists.size(); ++i)
        if (text == list_words[i]) return Topic{lists[i], std::string{text}, {}, {}, {}};
    if (text.starts_with("data/")) return parse_data(text, definitions, tenant);
    if (text.starts_with("job/")) {
        const auto id = parse_job_id(text.substr(4));
        if (!id) return refuse(fmt::format("\"{}\" is no job id", text.substr(4)), "a job id is j_ and 13 characters");
        return Topic{Topic::Kind::job, "job/" + freshet::to_text(*id), {}, *id, {}};
    }
    if (text.starts_with("batch/")) {
        const auto id = parse_batch_id(text.substr(6));
        if (!id)
            return refuse(fmt::format("\"{}\" is no batch id", text.substr(6, 200)),
                          "a batch id is b_ and 13 characters");
        return Topic{Topic::Kind::batch, "batch/" + freshet::to_text(*id), {}, {}, *id};
    }
    if (text.starts_with("jobs/") && text.size() > 5 && text.size() <= 5 + queue_bytes_max)
        return Topic{Topic::Kind::queue, std::string{text}, std::string{text.substr(5)}, {}, {}};
    return refuse(
        fmt::format("there is no topic \"{}\"", text.substr(0, 200)),
        "data/{key}, data/{source}/*, job/{id}, jobs/{queue}, batch/{id}, batches, queues, workers, schedules "
        "or freshness");
}

TopicFilter::TopicFilter(std::span<const Topic> topics)
{
    for (const Topic& topic : topics) {
        if (topic.kind == Topic::Kind::source)
            sources_.insert(topic.name);
        else if (topic.kind == Topic::Kind::freshness)
            freshness_ = true;
        else if (!topic.is_volatile())
            exact_.insert(topic.text);
    }
}

bool TopicFilter::may_see(std::string_view key) const
{
    const std::string_view source = source_of(key);
    if (limited_to_ && !limited_to_->contains(source)) return false;
    return !left_out_.contains(source);
}

bool TopicFilter::wants(const Event& event) const
{
    if (exact_.contains(event.topic) || (!event.also.empty() && exact_.contains(event.also))) return true;
    return event.topic.starts_with("data/") && sources_.contains(source_of(std::string_view{event.topic}.substr(5)));
}

bool TopicFilter::shows_key(std::string_view key) const
{
    return sources_.contains(source_of(key)) || exact_.contains("data/" + std::string{key});
}

} // namespace freshet::streams
