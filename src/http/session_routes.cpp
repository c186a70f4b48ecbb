// SPDX-License-Identifier: Apache-2.0
// Who is asking, and signing a browser in and out (spec "The wire contract" §5). Threads: the loop's.
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/session.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

void put_caller(Core& core, JsonOut& out, const Caller& caller)
{
    out.text("name", caller.name);
    out.text("tenant", caller.tenant);
    out.text("role", role_word(caller.role));
    out.begin_list("rights");
    for (const Right right :
         {Right::read, Right::refresh, Right::enqueue, Right::work, Right::operate, Right::administer})
        if (Gate::may(caller, right)) out.text(right_word(right));
    out.end_list();
    put_scope(out, caller.scope);
    out.yes("all_tenants", caller.all_tenants);
    if (const auto& consoles = core.definitions()->server.consoles; !consoles.empty()) {
        out.begin_list("consoles");
        for (const auto& [name, address] : consoles) {
            out.begin();
            out.text("name", name);
            out.text("url", address);
            out.end();
        }
        out.end_list();
    }
    out.yes("session", caller.session);
    out.time_if("expires_at", caller.expires_at);
    out.time("now", core.now());
}

void show_me(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    JsonOut out;
    out.begin();
    put_caller(core, out, exchange->caller());
    out.end();
    respond_status(exchange, out.take());
}

struct SignIn {
    std::string token, link;
};

std::optional<SignIn> parse_sign_in(const std::string& body)
{
    simdjson::dom::parser parser;
    simdjson::dom::object root;
    if (parser.parse(body).get(root) != simdjson::SUCCESS) return std::nullopt;
    SignIn wanted;
    for (const auto [name, value] : root) {
        std::string_view text;
        if (value.get(text) != simdjson::SUCCESS) return std::nullopt;
        if (name == "token")
            wanted.token = text;
        else if (name == "link")
            wanted.link = text;
        else
            return std::nullopt;
    }
    if (wanted.token.empty() == wanted.link.empty()) return std::nullopt;
    return wanted;
}

std::expected<Caller, Problem> maker_of_session(Core& core, const SignIn& wanted)
{
    if (!wanted.token.empty()) return caller_of_token(core, wanted.token);
    auto maker = core.services().links->take(sha256_hex(wanted.link), core.now());
    if (!maker || core.gate().standing(*maker, core.now()) != Gate::Standing::good)
        return std::unexpected(make_problem(401, "link_used", "The link does not sign in any more",
                                            "It was used, is older than 15 minutes, or the server was restarted.",
                                            "freshet console prints another one; or sign in with a token."));
    return std::move(*maker);
}

void sign_in(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    const auto wanted = parse_sign_in(exchange->request().body);
    if (!wanted)
        return exchange->fail(make_problem(400, "bad_body", "The body can not be used",
                                           "It takes one of token and link, as a text.",
                                           R"(Send {"token": "fsh_..."} or {"link": "fsl_..."}.)"));
    auto maker = maker_of_session(core, *wanted);
    if (!maker) return exchange->fail(std::move(maker.error()));
    begin_session(core, exchange, *maker,
                  [&core, exchange, maker = *maker](const std::string& cookie, WallTime expires_at) mutable {
                      maker.session = true;
                      maker.expires_at = expires_at;
                      JsonOut out;
                      out.begin();
                      put_caller(core, out, maker);
                      out.end();
                      HttpResponse response;
                      response.content_type = "application/json";
                      response.headers.emplace_back("Cache-Control", "no-store");
                      response.headers.emplace_back("Set-Cookie", cookie);
                      response.body = out.take();
                      exchange->respond(std::move(response));
                  });
}

void sign_out(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    const auto done = [&core, exchange] {
        HttpResponse response;
        response.status = 204;
        response.headers.emplace_back("Cache-Control", "no-store");
        response.headers.emplace_back("Set-Cookie", no_cookie(core, exchange));
        exchange->respond(std::move(response));
    };
    const Caller& caller = exchange->caller();
    const auto& tokens = *core.tokens();
    const auto row = std::ranges::find(tokens, caller.token, &TokenRecord::sha256);
    if (!caller.session || row == tokens.end()) return done();
    const bool taken =
        core.post(RevokeToken{row->name, row->tenant, caller.name}, [&core, exchange, done](const Reply& reply) {
            // Ended by another page meanwhile is ended, too.
            if (!reply && reply.error().refusal != Refusal::not_found)
                return fail_refused(core, exchange, reply.error());
            done();
        });
    if (!taken) exchange->fail(busy_problem());
}

void make_link(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {})) return;
    const Caller& caller = exchange->caller();
    if (caller.token.empty() || caller.session)
        return exchange->fail(make_problem(409, "link_without_token", "A link stands for a token",
                                           caller.session
                                               ? "This came with a cookie."
                                               : "This came without a token, which on this machine needs none.",
                                           "Ask with Authorization: Bearer; the command line does: freshet console."));
    const std::string link = random_text("fsl_", 32);
    core.services().links->put(sha256_hex(link), caller, core.now());
    JsonOut out;
    out.begin();
    out.text("link", link);
    // Behind #: it is in no log and no Referer, and who looks at a link before a person does spends nothing.
    out.text("href", fmt::format("{}/console/#link={}", exchange->base_url(), link));
    out.time("expires_at", core.now() + sign_in_link_lives);
    out.time("now", core.now());
    out.end();
    respond_status(exchange, out.take(), 201);
}

constexpr std::array session_table{
    Route{.method = "GET", .pattern = "/v1/me", .right = Right::read, .handle = &show_me, .by_scope = true},
    Route{"POST", "/v1/session", Right::anyone, &sign_in},
    Route{"DELETE", "/v1/session", Right::anyone, &sign_out},
    Route{"POST", "/v1/session/links", Right::read, &make_link},
};

} // namespace

Routes session_routes()
{
    return session_table;
}

} // namespace freshet::http
