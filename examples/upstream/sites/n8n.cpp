// SPDX-License-Identifier: Apache-2.0
// `n8n-*`: the public API of a workflow engine, one site per client: /api/v1/executions (newest first, ?limit= to 250,
// ?cursor=, ?status=, ?workflowId=), /api/v1/executions/{id} and /api/v1/workflows, each with X-N8N-API-KEY. Items are
// executions; one that has `active`, `nodes` or `isArchived` is a workflow. An added execution with a known id takes
// the place of that one, as when it ends. Ids of two clients collide on purpose; those of globex are strings.

#include "kind.hpp"

#include <algorithm>
#include <array>

namespace upstream {

namespace {

constexpr std::size_t limit_max = 250;

struct Client {
    std::string_view name;
    unsigned seed;
    bool ids_are_text;
    std::array<std::string_view, 6> workflows; ///< the last but one is not active, the last is archived
};

constexpr Client acme{
    "acme",
    1,
    false,
    {"Invoice intake", "Lead routing", "Stock alert", "Weekly digest", "Old import", "Trial of 2031"}};
constexpr Client globex{
    "globex",
    2,
    true,
    {"Ticket triage", "Order sync", "Parcel tracking", "Night report", "Paper trail", "First steps"}};
constexpr Client initech{
    "initech", 3, false, {"Cover sheets", "Stapler count", "Printer care", "Saturday plan", "Memo", "Memo, again"}};

bool is_workflow(const JsonValue& item)
{
    return item.HasMember("active") || item.HasMember("nodes") || item.HasMember("isArchived");
}

std::string workflow_id(const Client& client, std::size_t index)
{
    return std::string(client.name) + "-wf-" + std::to_string(index + 1);
}

void set_null(Json& item, const char* name)
{
    if (!item.HasMember(name)) item.AddMember(rapidjson::StringRef(name), JsonValue(), item.GetAllocator());
}

void complete(Json& item, std::uint64_t serial, WallTime at, const Client& client)
{
    if (is_workflow(item)) {
        set_missing(item, "id", std::string(client.name) + "-wf-" + std::to_string(100 + serial));
        set_missing(item, "name", invented_name(serial));
        return;
    }
    if (!has(item, "id") && client.ids_are_text)
        set_missing(item, "id", std::to_string(1000 + serial));
    else if (!has(item, "id"))
        set_missing(item, "id", 1000 + serial);
    const std::uint64_t dice = serial * 2654435761ULL / 16 + client.seed * 7;
    const bool failed = dice % 11 == 0;
    set_missing(item, "status", failed ? "error" : "success");
    const std::string status = text_of(item, "status");
    const bool ended = status != "running" && status != "waiting" && status != "new";
    if (!item.HasMember("finished")) item.AddMember("finished", status == "success", item.GetAllocator());
    set_missing(item, "mode", "trigger");
    set_missing(item, "workflowId", workflow_id(client, dice % 4));
    const std::chrono::milliseconds took(1200 + dice % 90'000);
    if (!item.HasMember("startedAt")) set_missing(item, "startedAt", iso_date(at - took));
    if (!item.HasMember("stoppedAt") && ended) set_missing(item, "stoppedAt", iso_date(at));
    set_null(item, "stoppedAt");
    set_null(item, "retryOf");
    set_null(item, "waitTill");
}

std::string cursor_after(const Item& item)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string cursor = "bGlt"; // looks as opaque as the real one
    for (const char c : text_of(*item, "id")) {
        const auto byte = static_cast<unsigned char>(c);
        cursor += digits[byte >> 4];
        cursor += digits[byte & 15];
    }
    return cursor;
}

Page executions(const View& view)
{
    std::vector<Item> rows;
    for (const Item& item : view.items) {
        if (is_workflow(*item)) continue;
        if (const auto status = view.ask.param("status"); status && text_of(*item, "status") != *status) continue;
        if (const auto id = view.ask.param("workflowId"); id && text_of(*item, "workflowId") != *id) continue;
        rows.push_back(item);
    }
    const std::uint64_t limit = whole_number(view.ask.param("limit").value_or("100")).value_or(0);
    if (limit == 0 || limit > limit_max) return refused_page(400, "message", "request/query/limit must be <= 250");
    std::size_t from = 0;
    if (const auto cursor = view.ask.param("cursor"); cursor && !cursor->empty()) {
        const auto last = std::ranges::find_if(rows, [&](const Item& item) { return cursor_after(item) == *cursor; });
        if (last == rows.end()) return refused_page(400, "message", "An invalid cursor was provided");
        from = static_cast<std::size_t>(last - rows.begin()) + 1;
    }
    const std::size_t to = std::min<std::size_t>(from + limit, rows.size());
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, view.changed ? "results" : "data");
        out.StartArray();
        for (std::size_t i = from; i < to; ++i) rows[i]->Accept(out);
        out.EndArray();
        put(out, "nextCursor");
        if (to < rows.size() && to > from)
            out.String(cursor_after(rows[to - 1]));
        else
            out.Null();
        out.EndObject();
    });
}

void write_workflow(JsonWriter& out, std::string_view id, std::string_view name, bool active, bool archived)
{
    out.StartObject();
    put(out, "id", id);
    put(out, "name", name);
    put(out, "active", active);
    put(out, "isArchived", archived);
    out.EndObject();
}

std::size_t workflows_shown(const View& view, const Client& client)
{
    if (view.fault == Fault::empty) return 0;
    return view.fault == Fault::half ? (client.workflows.size() - 1) / 2 : client.workflows.size();
}

Page workflows(const View& view, const Client& client)
{
    std::vector<std::string> own;
    return json_page([&](JsonWriter& out) {
        out.StartObject();
        put(out, view.changed ? "results" : "data");
        out.StartArray();
        for (const Item& item : *view.state.items) {
            if (!is_workflow(*item)) continue;
            own.push_back(text_of(*item, "id"));
            item->Accept(out);
        }
        for (std::size_t i = 0; i < workflows_shown(view, client); ++i) {
            const std::string id = workflow_id(client, i);
            const bool replaced = std::ranges::find(own, id) != own.end();
            if (!replaced) write_workflow(out, id, client.workflows[i], i < 4, i == 5);
        }
        out.EndArray();
        put(out, "nextCursor");
        out.Null();
        out.EndObject();
    });
}

Page show(const View& view, const Client& client)
{
    constexpr std::string_view one = "api/v1/executions/";
    if (!view.ask.header("X-N8N-API-KEY")) return refused_page(401, "message", "'X-N8N-API-KEY' header required");
    if (view.ask.rest == "api/v1/executions") return executions(view);
    if (view.ask.rest == "api/v1/workflows") return workflows(view, client);
    if (view.ask.rest.starts_with(one)) {
        const std::string id = view.ask.rest.substr(one.size());
        for (const Item& item : view.items)
            if (!is_workflow(*item) && text_of(*item, "id") == id)
                return json_page([&](JsonWriter& out) { item->Accept(out); });
    }
    return refused_page(404, "message", "not found");
}

void drift(State& state, WallTime at, const Client& client)
{
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    auto item = std::make_shared<Json>();
    item->SetObject();
    complete(*item, ++state.serial_last, at, client);
    items->insert(items->begin(), std::move(item));
    state.items = std::move(items);
}

} // namespace

void complete_acme(Json& item, std::uint64_t serial, WallTime at)
{
    complete(item, serial, at, acme);
}
void complete_globex(Json& item, std::uint64_t serial, WallTime at)
{
    complete(item, serial, at, globex);
}
void complete_initech(Json& item, std::uint64_t serial, WallTime at)
{
    complete(item, serial, at, initech);
}
Page show_acme(const View& view)
{
    return show(view, acme);
}
Page show_globex(const View& view)
{
    return show(view, globex);
}
Page show_initech(const View& view)
{
    return show(view, initech);
}
void drift_acme(State& state, std::uint64_t, WallTime at)
{
    drift(state, at, acme);
}
void drift_globex(State& state, std::uint64_t, WallTime at)
{
    drift(state, at, globex);
}

} // namespace upstream
