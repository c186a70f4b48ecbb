// SPDX-License-Identifier: Apache-2.0
// Who may speak: tokens that are made, listed and revoked, short tokens for foreign pages, and tickets for streams
// (spec "The wire contract" §5). Threads: the loop's.
//
// A token is shown once, in the answer that makes it; what is kept of it, anywhere, is its SHA-256.
#include "http/gate.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/session.hpp"
#include "http/sorted_page.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>
#include <simdjson.h>

namespace freshet::http {

namespace {

constexpr Millis lives_max = std::chrono::hours{24 * 3660};
constexpr Millis short_lives = 10min, short_lives_max = 1h;
constexpr std::size_t name_bytes_max = 64;
/// Of a short token's sources, and of its queues.
constexpr std::size_t scope_names_max = 100, scope_name_bytes_max = 128;
/// Names of callers that have no token in the store.
constexpr std::array<std::string_view, 3> reserved{"local", "cli", "anonymous"};

std::unexpected<std::string> bad(std::string words)
{
    return std::unexpected(std::move(words));
}

// "30d", or whole seconds.
std::expected<Millis, std::string> parse_length(std::string_view name, simdjson::dom::element value, Millis most)
{
    std::string_view text;
    std::int64_t seconds = 0;
    std::optional<Millis> length;
    if (value.get(text) == simdjson::SUCCESS)
        length = parse_duration(text);
    else if (value.get(seconds) == simdjson::SUCCESS && seconds >= 0 && seconds <= most.count() / 1000)
        length = std::chrono::seconds{seconds};
    if (!length || *length < 1s || *length > most)
        return bad(fmt::format("{} takes a length of time such as \"30m\", or whole seconds, of 1s to {}", name,
                               to_text(most)));
    return *length;
}

void fail_body(const ExchangePtr& exchange, const std::string& what, std::string try_)
{
    exchange->fail(make_problem(400, "bad_body", "The body can not be used", what + ".", std::move(try_)));
}

std::optional<Role> parse_role(std::string_view word)
{
    for (const Role role : {Role::viewer, Role::operator_, Role::worker, Role::admin})
        if (role_word(role) == word) return role;
    return std::nullopt;
}

bool is_name(std::string_view text)
{
    return !text.empty() && text.size() <= name_bytes_max &&
           text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-") == std::string_view::npos;
}

// --- Tokens ---

struct NewToken {
    TokenRecord record;
    std::optional<Millis> lives;
};

std::expected<NewToken, std::string> parse_new_token(const std::string& body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return bad("the body is not a JSON object");
    NewToken wanted;
    bool has_role = false;
    for (const auto [name, value] : root) {
        std::string_view text;
        if (name == "name" || name == "tenant" || name == "role") {
            if (value.get(text) != simdjson::SUCCESS) return bad(fmt::format("{} takes a text", name));
            if (name == "name") wanted.record.name = text;
            if (name == "tenant") wanted.record.tenant = text;
            if (name != "role") continue;
            const auto role = parse_role(text);
            if (!role)
                return bad(fmt::format("role \"{}\" is not known; viewer, operator, worker and admin are",
                                       text.substr(0, 32)));
            wanted.record.role = *role;
            has_role = true;
        } else if (name == "refresh") {
            if (value.get(wanted.record.refresh) != simdjson::SUCCESS) return bad("refresh takes true or false");
        } else if (name == "expires_in") {
            const auto length = parse_length(name, value, lives_max);
            if (!length) return bad(length.error());
            wanted.lives = *length;
        } else {
            return bad(
                fmt::format("\"{}\" is not known; name, tenant, role, refresh and expires_in are", name.substr(0, 64)));
        }
    }
    if (!is_name(wanted.record.name))
        return bad(fmt::format("name takes 1 to {} of a-z, 0-9, _ and -", name_bytes_max));
    if (std::ranges::find(reserved, wanted.record.name) != reserved.end())
        return bad(fmt::format("\"{}\" is what callers without a token are called", wanted.record.name));
    if (!has_role) return bad("role is missing: viewer, operator, worker or admin");
    if (wanted.record.refresh && wanted.record.role != Role::viewer)
        return bad("refresh is for viewers; operators and admins may refresh, workers do not");
    return wanted;
}

void put_members(JsonOut& out, const TokenRecord& token, bool in_file)
{
    out.text("name", token.name);
    out.text("tenant", token.tenant);
    out.text("role", role_word(token.role));
    out.yes("refresh", role_refreshes(token.role, token.refresh));
    put_scope(out, token.scope);
    out.text_if("made_by", token.made_by);
    if (!in_file) out.time("made_at", token.made_at);
    out.time_if("expires_at", token.expires_at);
    out.yes("read_only", in_file);
}

void make_token(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    auto wanted = parse_new_token(exchange->request().body);
    constexpr std::string_view example = R"(Send {"name": "dashboard", "role": "viewer", "expires_in": "90d"}.)";
    if (!wanted) return fail_body(exchange, wanted.error(), std::string{example});
    const Caller& caller = exchange->caller();
    TokenRecord& record = wanted->record;
    if (record.tenant.empty()) record.tenant = caller.tenant;
    // Who may speak for every tenant may also name another one than the request's.
    if (!caller.all_tenants && record.tenant != caller.tenant)
        return exchange->fail(make_problem(403, "tenant", "Not your tenant",
                                           fmt::format("{} speaks for tenant {} only.", caller.name, caller.tenant),
                                           "Leave the tenant out, or use a token of that tenant."));
    const std::string token = random_text("fsh_", 32);
    record.sha256 = sha256_hex(token);
    if (wanted->lives) record.expires_at = core.now() + *wanted->lives;
    PutToken put{record, caller.all_tenants ? "*" : caller.tenant, caller.name, caller.role, caller.may_refresh};
    const bool taken = core.post(std::move(put), [&core, exchange, record, token](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        TokenRecord made = record;
        made.made_by = exchange->caller().name;
        made.made_at = core.now();
        const auto& tokens = *core.tokens();
        if (const auto kept = std::ranges::find(tokens, record.name, &TokenRecord::name); kept != tokens.end())
            made = *kept;
        JsonOut out;
        out.begin();
        put_members(out, made, false);
        out.text("token", token);
        out.time("now", core.now());
        out.end();
        HttpResponse response;
        response.status = 201;
        response.content_type = "application/json";
        response.headers.emplace_back("Cache-Control", "no-store");
        response.headers.emplace_back("Location", fmt::format("{}/v1/tokens/{}", exchange->base_url(), record.name));
        response.body = out.take();
        exchange->respond(std::move(response));
    });
    if (!taken) exchange->fail(busy_problem());
}

// Whose tokens a request is about: those of all tenants only where none is named.
std::string scope_of(const ExchangePtr& exchange)
{
    const Caller& caller = exchange->caller();
    return caller.all_tenants && !exchange->request().param("tenant") ? "*" : caller.tenant;
}

struct Listed {
    TokenRecord token;
    bool in_file = false;
};

// Tokens that the caller may know of, by name.
std::vector<Listed> known_tokens(Core& core, const ExchangePtr& exchange)
{
    std::vector<Listed> known;
    const std::string scope = scope_of(exchange);
    const auto sees = [&](std::string_view tenant) { return scope == "*" || scope == tenant; };
    for (const auto& [name, token] : core.definitions()->tokens) {
        if (!sees(token.tenant)) continue;
        TokenRecord record;
        record.name = name;
        record.tenant = token.tenant;
        record.role = token.role;
        record.refresh = token.refresh;
        known.push_back({std::move(record), true});
    }
    for (const TokenRecord& token : *core.tokens())
        if (sees(token.tenant)) known.push_back({token, false});
    std::ranges::sort(known, {}, [](const Listed& listed) -> const std::string& { return listed.token.name; });
    return known;
}

void list_tokens(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query = list_query(exchange, {}, {"name", "made_at", "expires_at"});
    if (!query) return;
    core.catch_up();
    const auto page =
        sorted_page(known_tokens(core, exchange), *query, query->sort.by == "name", [&](const Listed& listed) {
            const TokenRecord& token = listed.token;
            if (query->sort.by == "made_at")
                return Place{listed.in_file ? place_of_absent : to_ms(token.made_at), token.name};
            return Place{query->sort.by == "expires_at" ? place_of(token.expires_at) : 0, token.name};
        });
    if (!page) return exchange->fail(bad_after());
    JsonOut out;
    out.begin();
    out.begin_list("items");
    for (const Listed& listed : page->rows) {
        out.begin();
        put_members(out, listed.token, listed.in_file);
        out.end();
    }
    out.end_list();
    out.text_if("next", page->next);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

Problem no_such_token(std::string_view name)
{
    return make_problem(404, "not_found", "No such token",
                        fmt::format("There is no token {} here.", name.substr(0, 64)),
                        "GET /v1/tokens lists those of your tenant.");
}

void show_token(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    core.catch_up();
    const std::vector<Listed> known = known_tokens(core, exchange);
    const auto found = std::ranges::find(known, captures[0], [](const Listed& listed) { return listed.token.name; });
    if (found == known.end()) return exchange->fail(no_such_token(captures[0]));
    JsonOut out;
    out.begin();
    put_members(out, found->token, found->in_file);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take());
}

void revoke_token(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {})) return;
    const std::string name = captures[0];
    const bool taken = core.post(RevokeToken{name, scope_of(exchange), exchange->caller().name},
                                 [&core, exchange, name](const Reply& reply) {
                                     if (!reply && reply.error().refusal == Refusal::not_found)
                                         return exchange->fail(no_such_token(name));
                                     if (!reply) return fail_refused(core, exchange, reply.error());
                                     HttpResponse response;
                                     response.status = 204;
                                     response.headers.emplace_back("Cache-Control", "no-store");
                                     exchange->respond(std::move(response));
                                 });
    if (!taken) exchange->fail(busy_problem());
}

// --- Short tokens ---

struct ShortToken {
    TokenScope scope;
    bool refresh = false;
    Millis lives = short_lives;
};

std::expected<std::vector<std::string>, std::string> parse_names(std::string_view list_name,
                                                                 simdjson::dom::element value)
{
    simdjson::dom::array list;
    if (value.get(list) != simdjson::SUCCESS) return bad(fmt::format("{} takes a list of names", list_name));
    std::vector<std::string> names;
    for (const auto one : list) {
        std::string_view name;
        if (one.get(name) != simdjson::SUCCESS) return bad(fmt::format("{} takes a list of names", list_name));
        if (name.empty() || name.size() > scope_name_bytes_max ||
            std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < ' '; }))
            return bad(fmt::format("each of {} is a name of 1 to {} bytes", list_name, scope_name_bytes_max));
        if (std::ranges::find(names, name) == names.end()) names.emplace_back(name);
        if (names.size() > scope_names_max) return bad(fmt::format("at most {} {}", scope_names_max, list_name));
    }
    return names;
}

std::expected<ShortToken, std::string> parse_short_token(const std::string& body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return bad("the body is not a JSON object");
    ShortToken wanted;
    for (const auto [name, value] : root) {
        if (name == "sources" || name == "queues") {
            auto names = parse_names(name, value);
            if (!names) return bad(names.error());
            (name == "sources" ? wanted.scope.sources : wanted.scope.queues) = std::move(*names);
        } else if (name == "refresh") {
            if (value.get(wanted.refresh) != simdjson::SUCCESS) return bad("refresh takes true or false");
        } else if (name == "ttl") {
            const auto length = parse_length(name, value, short_lives_max);
            if (!length) return bad(length.error());
            wanted.lives = *length;
        } else {
            return bad(fmt::format("\"{}\" is not known; sources, queues, refresh and ttl are", name.substr(0, 64)));
        }
    }
    if (!wanted.scope.limits())
        return bad("sources and queues are missing: whose keys, and whose jobs and batches, the token may read");
    if (wanted.refresh && wanted.scope.sources.empty()) return bad("refresh is for sources, and none is named");
    return wanted;
}

void make_short_token(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const auto wanted = parse_short_token(exchange->request().body);
    if (!wanted)
        return fail_body(exchange, wanted.error(),
                         R"(Send {"sources": ["prices"], "queues": ["reports"], "refresh": false, "ttl": "10m"}.)");
    const Caller& caller = exchange->caller();
    for (const std::string& source : wanted->scope.sources)
        if (core.definitions()->source(source) == nullptr ||
            !tenant_has_source(*core.definitions(), caller.tenant, source))
            return exchange->fail(make_problem(404, "unknown_source", "No such source",
                                               fmt::format("There is no source \"{}\".", source.substr(0, 128)),
                                               "GET /v1/freshness lists what there is."));
    if (wanted->refresh && !caller.may_refresh) return exchange->fail(Gate::forbidden(caller, Right::refresh));
    const std::string token = random_text("fss_", 32);
    TokenRecord record;
    record.name = random_text(caller.name + "~", 8);
    record.tenant = caller.tenant;
    record.refresh = wanted->refresh;
    record.scope = wanted->scope;
    record.sha256 = sha256_hex(token);
    record.expires_at = core.now() + wanted->lives;
    // No longer than the token that it comes from.
    if (caller.expires_at) record.expires_at = std::min(*record.expires_at, *caller.expires_at);
    const WallTime expires_at = *record.expires_at;
    // A worker reads, too, and gives no more than that.
    PutToken put{std::move(record), caller.tenant, caller.name, Role::admin, caller.may_refresh};
    const bool taken = core.post(std::move(put), [&core, exchange, token, expires_at](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        JsonOut out;
        out.begin();
        out.text("token", token);
        out.time("expires_at", expires_at);
        out.time("now", core.now());
        out.end();
        respond_status(exchange, out.take(), 201);
    });
    if (!taken) exchange->fail(busy_problem());
}

// --- Tickets ---

void make_ticket(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const std::string ticket = random_text("fst_", 32);
    if (!core.services().tickets->put(sha256_hex(ticket), exchange->caller(), core.now()))
        return exchange->fail(busy_problem());
    JsonOut out;
    out.begin();
    out.text("ticket", ticket);
    out.time("expires_at", core.now() + ticket_opens_within);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take(), 201);
}

constexpr std::array access_table{
    Route{"POST", "/v1/tokens/short", Right::read, &make_short_token},
    Route{"POST", "/v1/tokens", Right::administer, &make_token},
    Route{"GET", "/v1/tokens", Right::administer, &list_tokens},
    Route{"GET", "/v1/tokens/{name}", Right::administer, &show_token},
    Route{"DELETE", "/v1/tokens/{name}", Right::administer, &revoke_token},
    Route{.method = "POST",
          .pattern = "/v1/stream-tickets",
          .right = Right::read,
          .handle = &make_ticket,
          .by_scope = true},
};

} // namespace

Routes access_routes()
{
    return access_table;
}

} // namespace freshet::http
