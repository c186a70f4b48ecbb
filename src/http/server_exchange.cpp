// SPDX-License-Identifier: Apache-2.0
// What lies between a head that was read and a handler that answers: gate, route, caller, body.
#include "http/server_exchange.hpp"

#include "base/assert.hpp"
#include "base/failure.hpp"
#include "base/log.hpp"
#include "http/negotiate.hpp"
#include "http/own_routes.hpp"
#include "http/problems.hpp"
#include "http/response_head.hpp"
#include "http/session.hpp"
#include "http/sign_in_page.hpp"
#include "http/within.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::string_view exposed = "Age, Date, ETag, Freshet, Cache-Status, Link, Location, Retry-After, "
                                     "Preference-Applied, RateLimit, RateLimit-Policy";

std::string lower(std::string_view text)
{
    std::string out{text};
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

// Repeated headers are one list (RFC 9110); of those that are no lists the first counts.
void add_header(HttpRequest& request, std::string name, std::string_view value)
{
    const auto known = std::ranges::find(request.headers, name, &std::pair<std::string, std::string>::first);
    if (known == request.headers.end())
        request.headers.emplace_back(std::move(name), value);
    else if (name == "cookie")
        (known->second += "; ") += value;
    else if (name != "authorization" && name != "content-type" && name != "origin")
        (known->second += ", ") += value;
}

HttpResponse preflight_response(const HttpRequest& request, bool listed)
{
    HttpResponse response;
    response.status = listed ? 204 : 403;
    response.headers.emplace_back("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    response.headers.emplace_back("Cache-Control", "no-store");
    if (!listed) return response;
    response.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
    response.headers.emplace_back("Access-Control-Allow-Headers",
                                  "Authorization, Content-Type, Prefer, Idempotency-Key, If-None-Match, "
                                  "Last-Event-ID, Cache-Control, Accept");
    response.headers.emplace_back("Access-Control-Max-Age", "600");
    if (request.has_header("access-control-request-private-network"))
        response.headers.emplace_back("Access-Control-Allow-Private-Network", "true");
    return response;
}

Problem ticket_problem(StreamTickets::Refusal refusal)
{
    constexpr std::string_view again = "Get a new one: POST /v1/stream-tickets.";
    switch (refusal) {
    case StreamTickets::Refusal::late:
        return make_problem(401, "ticket_late", "The ticket is too old",
                            fmt::format("A ticket opens a stream within {} and later only reopens it, with its cursor.",
                                        to_text(ticket_opens_within)),
                            std::string{again});
    case StreamTickets::Refusal::other_topics:
        return make_problem(401, "ticket_used", "The ticket is of another stream",
                            "It has opened a stream of other topics; it only reopens that one.", std::string{again});
    case StreamTickets::Refusal::unknown: break;
    }
    return make_problem(401, "ticket_unknown", "The ticket is not known",
                        "Its token has ended, the server was restarted, or it was one of very many.",
                        std::string{again});
}

HttpResponse too_often(std::string_view base_url, std::string_view path, const Allowance& allowance, Millis wait,
                       WallTime now)
{
    const RateLimit& limit = allowance.limit();
    const auto seconds = [](Millis length) { return std::chrono::ceil<std::chrono::seconds>(length).count(); };
    Problem problem = make_problem(429, "too_many_requests", "Too many requests",
                                   fmt::format("{} requests per {} are allowed.", limit.count, to_text(limit.per)),
                                   "Wait until retry_at; a stream tells of changes without asking.");
    problem.limit = fmt::format("{} per {}", limit.count, to_text(limit.per));
    problem.retry_at = now + wait;
    HttpResponse response = problem_response(base_url, path, std::move(problem), now);
    response.headers.emplace_back("RateLimit-Policy",
                                  fmt::format("\"requests\";q={};w={}", limit.count, seconds(limit.per)));
    response.headers.emplace_back("RateLimit", fmt::format("\"requests\";r=0;t={}", seconds(wait)));
    return response;
}

/// What a request asks for, taken apart: the path is below the prefix of public_url, the query is as it was sent.
struct Target {
    std::string host;
    std::string_view path;
    std::optional<std::string_view> query;
};
std::expected<Target, Problem> target_of(const RequestHead& head, std::string_view prefix)
{
    std::string_view text = head.target;
    Target target{std::string{head.host}, {}, {}};
    if (!text.starts_with('/') && text != "*") {
        const auto scheme = text.find("://");
        if (scheme == std::string_view::npos)
            return std::unexpected(make_problem(400, "target", "The request's target is no path",
                                                "It is neither a path nor a URL.",
                                                "This server is no proxy for others."));
        text.remove_prefix(scheme + 3);
        const auto slash = text.find_first_of("/?");
        target.host = text.substr(0, slash);
        text = slash == std::string_view::npos ? std::string_view{"/"} : text.substr(slash);
    }
    const auto question = text.find('?');
    if (question != std::string_view::npos) target.query = text.substr(question + 1);
    std::string_view path = text.substr(0, question);
    if (!prefix.empty() && path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/'))
        path.remove_prefix(prefix.size());
    target.path = path.empty() ? "/" : path;
    return target;
}

/// What the gate looks at of a request. The views borrow from both.
GateRequest gate_request(const HttpRequest& request, std::string_view host)
{
    GateRequest asked;
    asked.method = request.method;
    asked.host = host;
    asked.origin = request.header("origin");
    asked.sec_fetch_site = request.header("sec-fetch-site");
    asked.authorization = request.header("authorization");
    asked.content_type = request.header("content-type");
    asked.upgrade = request.has_header("upgrade");
    return asked;
}

/// The path is there for other methods: OPTIONS asks which, everybody else is told.
HttpResponse other_methods(const ServerExchange& exchange, const NoMatch& why, WallTime now)
{
    const HttpRequest& request = exchange.request();
    HttpResponse response;
    response.status = 204;
    if (request.method != "OPTIONS")
        response = problem_response(exchange.base_url(), request.path,
                                    no_match_problem(why, request.method, request.path), now);
    response.headers.emplace_back("Allow", why.allow);
    return response;
}

} // namespace

void add_cors_headers(HttpResponse& response, const std::string& origin)
{
    const auto& known = response.headers;
    // What every page may read says so itself.
    if (origin.empty() || std::ranges::find(known, "Access-Control-Allow-Origin", [](const auto& header) {
                              return std::string_view{header.first};
                          }) != known.end())
        return;
    response.headers.emplace_back("Access-Control-Allow-Origin", origin);
    response.headers.emplace_back("Access-Control-Expose-Headers", exposed);
    for (auto& [name, value] : response.headers) {
        if (name != "Vary") continue;
        if (value.find("Origin") == std::string::npos) value += ", Origin";
        return;
    }
    response.headers.emplace_back("Vary", "Origin");
}

ServerExchange::~ServerExchange()
{
    if (answered_ || !connection_->expects(number_)) return;
    connection_->answer(
        number_, problem_response(base_url_, request_.path,
                                  make_problem(500, "unanswered", "The request was dropped",
                                               "This is a mistake of the server.", "Ask again; report it if it stays."),
                                  connection_->loop().core().now()));
}

void ServerExchange::respond(HttpResponse response)
{
    FRESHET_ASSERT(!answered_);
    answered_ = true;
    connection_->answer(number_, std::move(response));
}

void ServerExchange::fail_unanswered(Problem problem)
{
    if (!answered_) fail(std::move(problem));
}

void ServerExchange::fail(Problem problem)
{
    respond(problem_response(base_url_, request_.path, std::move(problem), connection_->loop().core().now()));
}

std::shared_ptr<StreamWriter> ServerExchange::stream(HttpResponse head)
{
    FRESHET_ASSERT(!answered_);
    answered_ = true;
    return connection_->open_stream(number_, std::move(head));
}

std::shared_ptr<MessageWriter> ServerExchange::upgrade(std::string_view subprotocol)
{
    FRESHET_ASSERT(!answered_);
    answered_ = true;
    return connection_->upgrade(number_, request_, subprotocol);
}

std::expected<Caller, Problem> Connection::find_caller(const GateRequest& asked, const HttpRequest& request,
                                                       const Route* route) const
{
    LoopCore& core = loop_.core();
    const auto ticket = route != nullptr && route->by_ticket ? request.param("ticket") : std::nullopt;
    if (!ticket || !asked.authorization.empty()) return loop_.gate().identify(asked, core.now());
    std::string topics;
    bool resumes = !request.header("last-event-id").empty();
    for (const auto& [name, value] : request.query) {
        if (name == "topic") (topics += value) += '\n';
        if (name == "cursor" && !value.empty()) resumes = true;
    }
    auto opened = core.services().tickets->open(sha256_hex(*ticket), topics, resumes, core.now());
    if (!opened) return std::unexpected(ticket_problem(opened.error()));
    if (const auto standing = loop_.gate().standing(opened->caller, core.now()); standing != Gate::Standing::good)
        return std::unexpected(ticket_problem(StreamTickets::Refusal::unknown));
    opened->caller.ticket = opened->number;
    return std::move(opened->caller);
}

std::shared_ptr<Allowance> Connection::allowance_of(const Caller* caller) const
{
    const Definitions& definitions = *loop_.core().definitions();
    RateLimit limit = definitions.server.requests;
    // The command line of this machine is how an operator finds out who asks so often.
    if (caller != nullptr && caller->name == "cli") return nullptr;
    if (caller != nullptr)
        if (const auto tenant = definitions.tenants.find(caller->tenant);
            tenant != definitions.tenants.end() && tenant->second.limits.requests.count > 0)
            limit = tenant->second.limits.requests;
    if (limit.count <= 0) return nullptr;
    const bool by_token = caller != nullptr && !caller->token.empty();
    return loop_.shared().requests.find(by_token ? caller->token : peer_, limit, loop_.core().steady());
}

void Connection::remember(const RequestHead& head, const std::string& host, Caller caller)
{
    LoopCore& core = loop_.core();
    known_version_ = 0;
    // Each request of theirs is looked at: by its scope, or by its ticket.
    // So is each by cookie: the next on this connection may come without, from somebody else behind the same proxy.
    if (caller.scope.limits() || caller.ticket != 0 || caller.session) return;
    known_until_ = SteadyTime::max();
    if (caller.expires_at) known_until_ = loop_.coarse_now() + (*caller.expires_at - core.now());
    known_allowance_ = allowance_of(&caller);
    known_version_ = core.access_version();
    known_host_ = host;
    known_authorization_ = head.authorization;
    known_caller_ = std::move(caller);
}

void Connection::take_request(const RequestHead& head)
{
    LoopCore& core = loop_.core();
    core.catch_up();
    const Gate& gate = loop_.gate();
    phase_ = Phase::handling;
    number_ = ++number_last_;
    keep_alive_ = parser_.keep_alive() && !loop_.stopping();
    http_10_ = head.version == 10;
    head_only_ = head.head;
    origin_.clear();
    const auto exchange = std::make_shared<ServerExchange>(shared_from_this(), number_, gate.public_url().base);
    HttpRequest& request = exchange->request();
    request.method = head.method;
    request.peer = peer_;
    for (std::size_t i = 0; i < head.fields_count; ++i)
        add_header(request, lower(head.fields[i].name), head.fields[i].value);

    // A body that is refused unread would be taken for the next request.
    bool shows_page = false;
    const auto refuse_now = [&](Problem problem) {
        if (parser_.wants_body()) keep_alive_ = false;
        if (shows_page) return exchange->respond(sign_in_page(exchange->request(), problem));
        exchange->fail(std::move(problem));
    };
    const auto target = target_of(head, gate.public_url().prefix);
    if (!target) return refuse_now(target.error());
    const std::string& host = target->host;
    request.path = target->path;
    if (auto problem = gate.check_host(host)) return refuse_now(std::move(*problem));
    if (target->query) {
        auto query = parse_query(*target->query);
        if (!query)
            return refuse_now(make_problem(400, "bad_query", "The query can not be read", "It has a broken % escape.",
                                           "Encode it anew."));
        request.query = std::move(*query);
    }

    GateRequest asked = gate_request(request, host);
    asked.has_body = parser_.wants_body();
    asked.peer_is_loopback = peer_is_loopback_;
    const bool listed = gate.is_listed_origin(asked.origin);
    // A foreign page that would change something is told that below, whoever sits before it.
    const bool told = !is_safe_method(asked.method) && !listed;
    if (asked.authorization.empty() && (told || gate.is_own_page(asked)))
        asked.session = cookie_value(request.header("cookie"), core.services().cookie);
    if (listed) origin_ = asked.origin;
    if (request.method == "OPTIONS") {
        if (parser_.wants_body()) keep_alive_ = false;
        if (!asked.origin.empty() && request.has_header("access-control-request-method"))
            return exchange->respond(preflight_response(request, listed));
    }

    const std::shared_ptr<const Definitions> definitions = core.definitions();
    auto match = loop_.shared().router.find(request.method, request.path, *definitions);
    if (const auto& own = loop_.shared().own_routes;
        own && !match && match.error().why == NoMatch::Why::unknown_path && request.path.find("/v1/") != 0)
        match = own->find(core, request);
    const bool open = match && match->route->right == Right::anyone;
    shows_page = match && match->is_page && wants_page(request);
    auto caller = match && match->acts_as ? std::expected<Caller, Problem>{*match->acts_as}
                                          : find_caller(asked, request, match ? match->route : nullptr);
    const auto allowance = allowance_of(caller ? &*caller : nullptr);
    if (allowance) {
        if (const auto wait = allowance->take(core.steady())) {
            if (parser_.wants_body()) keep_alive_ = false;
            return exchange->respond(too_often(exchange->base_url(), request.path, *allowance, *wait, core.now()));
        }
    }
    if (caller)
        exchange->caller() = std::move(*caller);
    else if (!open)
        return refuse_now(std::move(caller.error()));
    else
        exchange->caller() = Caller{"anonymous", "default", Role::viewer, false};
    const bool identified = caller.has_value();

    if (!match) {
        if (match.error().why != NoMatch::Why::method)
            return refuse_now(no_match_problem(match.error(), request.method, request.path));
        if (parser_.wants_body()) keep_alive_ = false;
        return exchange->respond(other_methods(*exchange, match.error(), core.now()));
    }
    if (auto problem = gate.check_origin(asked)) return refuse_now(std::move(*problem));
    if (identified) {
        if (Caller remembered = exchange->caller(); !match->acts_as && !gate.settle_tenant(remembered, {}))
            remember(head, host, std::move(remembered));
        if (auto problem = admit(core, *match, exchange->caller(), match->run ? std::nullopt : request.param("tenant")))
            return refuse_now(std::move(*problem));
    }
    const std::string_view expect = request.header("expect");
    if (!expect.empty() && !same_word(expect, "100-continue"))
        return refuse_now(make_problem(417, "expectation", "Unknown expectation", "Only 100-continue is known.",
                                       "Leave Expect out."));

    if (parser_.wants_body() && !parser_.limit_body(match->route->bytes_max))
        return refuse_now(body_too_large(match->route->bytes_max));
    route_ = match->route;
    run_ = std::move(match->run);
    captures_ = std::move(match->captures);
    asked_ = exchange;
    if (!parser_.wants_body()) return run_handler();
    phase_ = Phase::body;
    // A large body is given time at a megabyte a second.
    set_deadline(body_wait_max + Millis{static_cast<std::int64_t>(parser_.promised() >> 10)});
    if (!expect.empty() && unread().empty()) {
        static const auto go_on = std::make_shared<const std::string>("HTTP/1.1 100 Continue\r\n\r\n");
        out_.push(go_on);
        pump();
    }
}

void Connection::run_handler()
{
    phase_ = Phase::handling;
    deadline_ = SteadyTime::max();
    const std::shared_ptr<ServerExchange> exchange = std::move(asked_);
    asked_ = nullptr;
    if (!exchange) return drop();
    exchange->request().body = parser_.take_body();
    const std::vector<std::string> captures = std::move(captures_);
    try {
        if (const RunMatch run = std::move(run_))
            run(loop_.core(), exchange, captures);
        else
            route_->handle(loop_.core(), exchange, captures);
    } catch (const Failure& failure) {
        log::error("a request failed", {{"path", exchange->request().path}, {"error", failure.what()}});
        exchange->fail_unanswered(store_problem());
    } catch (const std::exception& error) {
        log::error("a request failed", {{"path", exchange->request().path}, {"error", error.what()}});
    }
}

} // namespace freshet::http
