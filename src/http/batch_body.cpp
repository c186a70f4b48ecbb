// SPDX-License-Identifier: Apache-2.0
#include "http/batch_body.hpp"

#include "http/body.hpp"
#include "http/job_answer.hpp"

#include <array>

namespace freshet::http {

namespace {

constexpr TextBounds key_bounds{1, 256}, label_bounds{0, 1024}, name_bounds{0, 256}, queue_bounds{1, 128};
constexpr std::size_t follow_up_bytes_max = 256 << 10;

NewItem read_item(const BodyValue& value)
{
    BodyObject body = value.object();
    NewItem item;
    body.need("key", "a text of 1 to 256 bytes, unique in the batch");
    item.key = body.text("key", key_bounds).value_or("");
    item.label = body.text("label", label_bounds).value_or("");
    item.input = body.json("input", input_bytes_max).value_or("");
    body.end();
    return item;
}

std::vector<NewItem> read_items(BodyObject& body, std::size_t min)
{
    std::vector<NewItem> items;
    body.list("items", min, batch_items_max, [&](const BodyValue& value) { items.push_back(read_item(value)); });
    return items;
}

// "continue" and "fail_fast" as they are; {threshold: n} or {threshold: "5%"}.
FailurePolicy read_policy(const BodyValue& value)
{
    FailurePolicy policy;
    constexpr std::array rules{FailureRule::continue_, FailureRule::fail_fast, FailureRule::threshold};
    if (value.type() == JsonType::text) {
        if (const auto rule = value.word({"continue", "fail_fast"})) policy.rule = rules[*rule];
        return policy;
    }
    BodyObject body = value.object();
    body.need("rule", "continue, fail_fast or threshold");
    if (const auto rule = body.word("rule", {"continue", "fail_fast", "threshold"})) policy.rule = rules[*rule];
    const auto failures = body.whole("failures", 1, static_cast<std::int64_t>(batch_items_max));
    const auto percent = body.whole("percent", 1, 100);
    policy.failures = failures.value_or(0);
    policy.percent = static_cast<int>(percent.value_or(0));
    if (policy.rule == FailureRule::threshold && failures.has_value() == percent.has_value())
        body.refuse("rule", "threshold with either failures or percent");
    if (policy.rule != FailureRule::threshold && (failures || percent))
        body.refuse(failures ? "failures" : "percent", "it with rule threshold only");
    body.end();
    return policy;
}

FollowUp read_follow_up(const BodyValue& value)
{
    BodyObject body = value.object();
    FollowUp then;
    constexpr std::array starts{FollowUp::Start::auto_, FollowUp::Start::person};
    body.need("label", "a text of 1 to 1024 bytes");
    body.need("queue", "the name of a queue");
    then.label = body.text("label", {1, 1024}).value_or("");
    if (const auto start = body.word("start", {"auto", "person"})) then.start = starts[*start];
    then.queue = body.text("queue", queue_bounds).value_or("");
    const bool has_input = body.has("input");
    then.input = body.json("input", input_bytes_max).value_or("");
    if (const BodyValue* items = body.find("items")) {
        if (has_input) body.refuse("items", "input or items, not both");
        if (items->type() == JsonType::text) {
            if (items->word({"succeeded"})) then.per_succeeded = true;
        } else {
            items->list(1, batch_items_max, [](const BodyValue& item) { read_item(item); });
            then.items = items->json(follow_up_bytes_max).value_or("");
        }
    }
    body.end();
    return then;
}

} // namespace

std::expected<AddBatch, Problem> read_add_batch(const std::string& text)
{
    BodyReader reader{text};
    AddBatch batch;
    if (reader.good()) {
        BodyObject body = reader.object();
        body.need("queue", "the name of a queue");
        batch.name = body.text("name", name_bounds).value_or("");
        batch.queue = body.text("queue", queue_bounds).value_or("");
        batch.items = read_items(body, 0);
        batch.sealed = body.yes("sealed").value_or(true);
        batch.concurrency =
            static_cast<int>(body.whole("concurrency", 0, static_cast<std::int64_t>(batch_items_max)).value_or(0));
        if (const BodyValue* policy = body.find("policy")) batch.policy = read_policy(*policy);
        if (const auto driver = body.word("driver", {"workers", "caller"}))
            batch.driver = *driver == 0 ? BatchDriver::workers : BatchDriver::caller;
        if (const BodyValue* then = body.find("then")) batch.then = read_follow_up(*then);
        body.end();
    }
    if (reader.problem()) return std::unexpected(*reader.problem());
    return batch;
}

std::expected<std::vector<NewItem>, Problem> read_add_items(const std::string& text)
{
    BodyReader reader{text};
    std::vector<NewItem> items;
    if (reader.good()) {
        BodyObject body = reader.object();
        body.need("items", "a list of {key, label?, input?}");
        items = read_items(body, 1);
        body.end();
    }
    if (reader.problem()) return std::unexpected(*reader.problem());
    return items;
}

} // namespace freshet::http
