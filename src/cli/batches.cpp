// SPDX-License-Identifier: Apache-2.0
// batches create, list, show, cancel, retry-failed.
#include "cli/ask.hpp"
#include "cli/words.hpp"
#include "cli/work.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <fmt/format.h>
#include <span>

namespace freshet::cli {

namespace {

// One call's share of a large batch: the server takes 1 MiB and 1,000 things at once.
constexpr std::size_t part_items_max = 1'000, part_bytes_max = 700'000;

std::size_t part_size(std::span<const std::string> items)
{
    std::size_t count = 0, bytes = 0;
    while (count < items.size() && count < part_items_max) {
        bytes += items[count].size() + 1;
        if (count > 0 && bytes > part_bytes_max) break;
        ++count;
    }
    return count;
}

void write_items(JsonOut& out, std::span<const std::string> items)
{
    out.begin_list("items");
    for (const std::string& item : items) out.raw(item);
    out.end_list();
}

std::string counts_of(const Json& batch)
{
    const Json& counts = batch["counts"];
    std::string words = fmt::format("{}/{}", counts["done"].whole(), counts["total"].whole());
    for (const char* state : {"running", "failed", "cancelled"})
        if (const auto count = counts[state].whole(); count > 0) words += fmt::format(", {} {}", count, state);
    return words;
}

std::string batch_line(const Json& batch, WallTime now, bool color)
{
    std::string line = fmt::format("{}  {}  {}  {}", safe(batch["id"].text()), safe(batch["queue"].text()),
                                   state_words(batch["state"].text(), color), counts_of(batch));
    if (!batch["percent"].null()) line += fmt::format("  {} %", batch["percent"].whole());
    if (const Json& eta = batch["eta"]; !eta.null())
        line += "  ETA " + range_words(Millis{eta["low_ms"].whole()}, Millis{eta["high_ms"].whole()});
    if (const std::string& name = batch["name"].text(); !name.empty()) line += "  " + safe(name);
    if (const std::string ended = ago_words(batch["finished_at"], now); !ended.empty()) line += "   " + ended;
    for (const Json& error : batch["errors"].items())
        line += fmt::format("\n  {} x {}: {}", error["count"].whole(), safe(error["code"].text()),
                            safe(error["message"].text()));
    return line;
}

CliResult<void> batches_create(CliContext& context, const BatchesCreateOptions& options)
{
    const auto text = read_text(context, options.file);
    if (!text) return std::unexpected(text.error());
    const auto items = batch_items(*text);
    if (!items) return std::unexpected(items.error());
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};

    std::span<const std::string> left{*items};
    const std::size_t first = part_size(left);
    const bool whole = first == left.size();
    JsonOut body;
    body.begin();
    body.text("queue", options.queue);
    body.text_if("name", options.name);
    body.whole_if("concurrency", options.concurrency);
    body.text_if("policy", options.policy);
    body.text_if("driver", options.driver);
    write_items(body, left.first(first));
    body.yes("sealed", whole);
    body.end();
    auto answer = tell_json(client, "/v1/batches", body.take(), "queue " + options.queue);
    if (!answer) return std::unexpected(answer.error());
    const std::string id = answer->json["id"].text();
    // A part that fails leaves the batch open; the server ends it at its seal deadline, or a person cancels it.
    const auto broken = [&](CliError error) {
        error.what = fmt::format("{} is open and has {} of {} items: {}", id, items->size() - left.size(),
                                 items->size(), error.what);
        error.try_ = "freshet batches cancel " + id;
        return std::unexpected(std::move(error));
    };
    for (left = left.subspan(first); !left.empty();) {
        const std::size_t count = part_size(left);
        JsonOut part;
        part.begin();
        write_items(part, left.first(count));
        part.end();
        const auto added = tell_json(client, fmt::format("/v1/batches/{}/items", id), part.take(), id);
        if (!added) return broken(added.error());
        left = left.subspan(count);
    }
    if (!whole) {
        answer = tell_json(client, fmt::format("/v1/batches/{}/seal", id), {}, id);
        if (!answer) return broken(answer.error());
    }
    if (options.common.json)
        print_json(context, *answer);
    else
        context.out << safe(id) << std::endl;
    context.err << fmt::format("{} in queue {}", plural(static_cast<std::int64_t>(items->size()), "item", "items"),
                               options.queue)
                << std::endl;
    return {};
}

CliResult<void> batches_list(CliContext& context, const BatchesListOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const auto answer = ask_json(client,
                                 fmt::format("/v1/batches?limit={}{}{}", options.limit,
                                             query_part("state", options.state), query_part("after", options.after)),
                                 "batches");
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    const WallTime now = server_now(context, *answer);
    std::vector<std::vector<std::string>> rows{{"BATCH", "QUEUE", "STATE", "ITEMS", "REQUESTED", "NAME"}};
    for (const Json& batch : answer->json["items"].items())
        rows.push_back({safe(batch["id"].text()), safe(batch["queue"].text()),
                        state_words(batch["state"].text(), context.color), counts_of(batch),
                        ago_words(batch["requested_at"], now), safe(batch["name"].text())});
    if (rows.size() == 1)
        context.err << "no batches" << std::endl;
    else
        context.out << table_words(rows) << std::flush;
    tell_more(context, answer->json);
    return {};
}

CliResult<void> list_failed(CliContext& context, HttpClient& client, const std::string& id)
{
    const auto answer = ask_json(client, fmt::format("/v1/batches/{}/items?state=failed&limit=500", id), id);
    if (!answer) return std::unexpected(answer.error());
    std::vector<std::vector<std::string>> rows{{"ITEM", "JOB", "ATTEMPT", "ERROR"}};
    for (const Json& item : answer->json["items"].items())
        rows.push_back({safe(item["key"].text()), safe(item["job"].text()), std::to_string(item["attempt"].whole()),
                        safe(item["error"]["message"].text())});
    if (rows.size() > 1) context.out << table_words(rows) << std::flush;
    return {};
}

CliResult<void> batch(CliContext& context, const BatchOptions& options)
{
    const auto target = find_target(context, options.common.config, options.common.tenant);
    if (!target) return std::unexpected(target.error());
    HttpClient client{context, *target};
    const std::string path = "/v1/batches/" + percent_encode(options.id);
    const auto answer = options.verb.empty() ? ask_json(client, path, options.id)
                                             : tell_json(client, path + "/" + options.verb, {}, options.id);
    if (!answer) return std::unexpected(answer.error());
    if (options.common.json) {
        print_json(context, *answer);
        return {};
    }
    context.out << batch_line(answer->json, server_now(context, *answer), context.color) << std::endl;
    return options.items ? list_failed(context, client, percent_encode(options.id)) : CliResult<void>{};
}

// `value` is JSON on one line.
std::string as_item(const std::string& value, std::size_t number)
{
    const auto json = Json::parse(value);
    const bool item = json && json->kind() == Json::Kind::object &&
                      (!(*json)["key"].null() || json_member(value, "input").has_value());
    if (item && !(*json)["key"].null()) return value;
    JsonOut out;
    out.begin();
    out.text("key", std::to_string(number));
    if (item) {
        out.text_if("label", (*json)["label"].text());
        out.raw_if("input", json_member(value, "input").value_or("null"));
    } else {
        out.raw_if("input", value);
    }
    out.end();
    return out.take();
}

} // namespace

CliResult<std::vector<std::string>> batch_items(std::string_view text)
{
    std::vector<std::string> items;
    if (auto list = json_items(text)) {
        items = std::move(*list);
    } else {
        std::size_t number = 0;
        for (std::string_view left = text; !left.empty();) {
            const auto end = std::min(left.find('\n'), left.size());
            const std::string_view line = left.substr(0, end);
            left.remove_prefix(std::min(end + 1, left.size()));
            ++number;
            if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
            auto value = json_one_line(line);
            if (!value)
                return std::unexpected(CliError{exit_usage, fmt::format("line {} is no JSON", number),
                                                "one JSON value per line, or one JSON list"});
            items.push_back(std::move(*value));
        }
    }
    if (items.empty())
        return std::unexpected(
            CliError{exit_usage, "there are no items", "one JSON value per line on stdin, or a file of them"});
    for (std::size_t i = 0; i < items.size(); ++i) items[i] = as_item(items[i], i + 1);
    return items;
}

int run_batches_create(CliContext& context, const BatchesCreateOptions& options)
{
    return run_guarded(context, options, batches_create);
}
int run_batches_list(CliContext& context, const BatchesListOptions& options)
{
    return run_guarded(context, options, batches_list);
}
int run_batch(CliContext& context, const BatchOptions& options)
{
    return run_guarded(context, options, batch);
}

} // namespace freshet::cli
