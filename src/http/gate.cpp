// SPDX-License-Identifier: Apache-2.0
#include "http/gate.hpp"

#include "http/negotiate.hpp"
#include "http/problems.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <sodium.h>

namespace freshet::http {

namespace {

constexpr std::string_view default_tenant = "default";

std::string lower(std::string_view text)
{
    std::string out{text};
    std::ranges::transform(out, out.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

std::string_view without_port(std::string_view host)
{
    if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
    return host.substr(0, host.find(':'));
}

std::array<unsigned char, 32> sha256(std::string_view text)
{
    std::array<unsigned char, 32> hash;
    // libsodium takes bytes, not chars.
    crypto_hash_sha256(hash.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return hash;
}

bool is_json_type(std::string_view content_type)
{
    const std::string_view type = trimmed(content_type.substr(0, content_type.find(';')));
    return same_word(type, "application/json") || (type.size() > 5 && same_word(type.substr(type.size() - 5), "+json"));
}

// Of a session's name: the digits that its token's hash begins with; empty if it is no session.
std::string_view token_digits_of(std::string_view session)
{
    const auto tilde = session.find('~');
    const auto dot = session.find('.');
    if (tilde == std::string_view::npos || dot == std::string_view::npos || dot < tilde) return {};
    return session.substr(tilde + 1, dot - tilde - 1);
}

std::string hex(const std::array<unsigned char, 32>& hash)
{
    std::array<char, 65> text;
    sodium_bin2hex(text.data(), text.size(), hash.data(), hash.size());
    return text.data();
}

} // namespace

std::string sha256_hex(std::string_view text)
{
    return hex(sha256(text));
}

std::string_view maker_of(std::string_view token_name)
{
    const auto tilde = token_name.find('~');
    return tilde == std::string_view::npos ? std::string_view{} : token_name.substr(0, tilde);
}

std::string session_name(std::string_view token_name, std::string_view token_sha256, std::string_view id)
{
    constexpr std::size_t digits = 16;
    return fmt::format("{}~{}.{}", token_name, token_sha256.substr(0, digits), id);
}

bool role_refreshes(Role role, bool viewer_may)
{
    return role == Role::operator_ || role == Role::admin || (role == Role::viewer && viewer_may);
}

std::string_view right_word(Right right)
{
    switch (right) {
    case Right::anyone: return "ask";
    case Right::read: return "read";
    case Right::refresh: return "refresh";
    case Right::operate: return "operate";
    case Right::administer: return "administer";
    case Right::work: return "work";
    case Right::enqueue: return "enqueue";
    }
    return "";
}

std::string_view role_word(Role role)
{
    switch (role) {
    case Role::viewer: return "viewer";
    case Role::operator_: return "operator";
    case Role::worker: return "worker";
    case Role::admin: return "admin";
    }
    return "";
}

PublicUrl parse_public_url(std::string_view url)
{
    PublicUrl parsed;
    while (url.ends_with('/')) url.remove_suffix(1);
    parsed.base = url;
    const auto scheme = url.find("://");
    if (scheme == std::string_view::npos) return parsed;
    url.remove_prefix(scheme + 3);
    const auto slash = url.find('/');
    parsed.host = lower(without_port(url.substr(0, slash)));
    if (slash != std::string_view::npos) parsed.prefix = url.substr(slash);
    return parsed;
}

bool is_loopback_host(std::string_view host)
{
    const std::string name = lower(without_port(host));
    if (name == "localhost" || name == "[::1]") return true;
    if (!name.starts_with("127.")) return false;
    // Four numbers, so that 127.evil.example is a foreign name.
    int parts = 0;
    std::string_view rest = name;
    while (true) {
        const auto dot = rest.find('.');
        const auto number = parse_count(rest.substr(0, dot));
        if (!number || *number > 255) return false;
        ++parts;
        if (dot == std::string_view::npos) return parts == 4;
        rest.remove_prefix(dot + 1);
    }
}

bool is_safe_method(std::string_view method)
{
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

void Gate::add(std::string_view sha256, Caller caller)
{
    Token made{{}, std::move(caller)};
    std::size_t length = 0;
    if (sodium_hex2bin(made.hash.data(), made.hash.size(), sha256.data(), sha256.size(), nullptr, &length, nullptr) !=
            0 ||
        length != made.hash.size())
        return;
    made.caller.token = sha256;
    made.caller.all_tenants = made.caller.tenant == "*";
    tokens_.push_back(std::move(made));
}

Gate::Gate(std::shared_ptr<const Definitions> definitions, const Tokens& tokens, std::string_view local_token)
    : definitions_{std::move(definitions)}, public_url_{parse_public_url(definitions_->server.public_url)}
{
    std::map<std::string_view, Caller> makers; // who may have short tokens and sessions
    const auto add_maker = [&](std::string_view name, std::string_view sha256, Caller caller) {
        caller.token = sha256;
        makers.emplace(name, caller);
        add(sha256, std::move(caller));
    };
    for (const auto& [name, token] : definitions_->tokens)
        add_maker(name, token.sha256, {name, token.tenant, token.role, role_refreshes(token.role, token.refresh)});
    const std::vector<TokenRecord> none;
    const std::vector<TokenRecord>& stored = tokens ? *tokens : none;
    const auto caller_of = [](const TokenRecord& token) {
        Caller caller{token.name, token.tenant, token.role, role_refreshes(token.role, token.refresh)};
        caller.scope = token.scope;
        caller.expires_at = token.expires_at;
        return caller;
    };
    for (const TokenRecord& token : stored)
        if (maker_of(token.name).empty()) add_maker(token.name, token.sha256, caller_of(token));
    open_ = makers.empty();
    if (open_) makers.emplace("local", Caller{});
    if (!local_token.empty()) add_maker("cli", sha256_hex(local_token), {"cli", "*", Role::admin, true});
    for (const TokenRecord& token : stored) {
        const auto maker = makers.find(maker_of(token.name));
        if (maker == makers.end()) continue;
        const std::string_view digits = token_digits_of(token.name);
        if (digits.empty()) {
            add(token.sha256, caller_of(token));
            continue;
        }
        // Another token of the same name is not the one that signed in.
        if (!maker->second.token.starts_with(digits)) continue;
        Caller caller = maker->second;
        caller.session = true;
        caller.expires_at = token.expires_at;
        add(token.sha256, std::move(caller));
    }
    std::ranges::sort(tokens_, {}, &Token::hash);
}

const Gate::Token* Gate::find(const Hash& hash) const
{
    // The first bytes lead to the few tokens that share them: they are of a hash, which nobody can choose, so the time
    // tells nothing of a token. Those few are compared whole, each in constant time.
    constexpr std::size_t shelf = 4;
    const auto first_bytes = [](const Hash& of) {
        std::uint32_t number = 0;
        for (std::size_t i = 0; i < shelf; ++i) number = number << 8 | of[i];
        return number;
    };
    const auto near = std::ranges::equal_range(tokens_, first_bytes(hash), {},
                                               [&](const Token& token) { return first_bytes(token.hash); });
    const Token* match = nullptr;
    for (const Token& token : near)
        if (sodium_memcmp(token.hash.data(), hash.data(), hash.size()) == 0) match = &token;
    return match;
}

std::optional<Problem> Gate::check_host(std::string_view host) const
{
    if (is_loopback_host(host)) return std::nullopt;
    if (!public_url_.host.empty() && same_word(without_port(host), public_url_.host)) return std::nullopt;
    return make_problem(421, "misdirected", "Not a name of this server",
                        fmt::format("The request names the host \"{}\"; this server answers to loopback names{}.",
                                    host.substr(0, 200),
                                    public_url_.host.empty() ? "" : " and to the host of server.public_url"),
                        "Set server.public_url to the address people use, or ask by 127.0.0.1.");
}

bool Gate::is_listed_origin(std::string_view origin) const
{
    return !origin.empty() &&
           std::ranges::find(definitions_->server.origins, origin) != definitions_->server.origins.end();
}

bool Gate::is_own_origin(const GateRequest& request) const
{
    if (request.origin.empty()) return true;
    const auto scheme = request.origin.find("://");
    const std::string_view site =
        scheme == std::string_view::npos ? std::string_view{} : request.origin.substr(scheme + 3);
    // Behind a proxy the page's origin is public_url's; its host was checked against Host before.
    return !site.empty() && (same_word(site, request.host) ||
                             (!public_url_.host.empty() && same_word(without_port(site), public_url_.host)));
}

bool Gate::is_own_page(const GateRequest& request) const
{
    return is_own_origin(request) && request.sec_fetch_site != "cross-site" && request.sec_fetch_site != "same-site";
}

std::optional<Problem> Gate::check_origin(const GateRequest& request) const
{
    if (is_safe_method(request.method) && !request.upgrade) return std::nullopt;
    if (!is_listed_origin(request.origin) && !is_own_page(request))
        return make_problem(403, "foreign_origin",
                            request.upgrade ? "A foreign page may not open a WebSocket here"
                                            : "A foreign page may not change anything here",
                            fmt::format("{} came from the origin \"{}\".", request.method,
                                        request.origin.empty() ? "unknown" : request.origin.substr(0, 200)),
                            "Add the origin to server.origins if that page is yours.");
    if (request.has_body && !is_json_type(request.content_type))
        return make_problem(415, "content_type", "The body's type must be JSON",
                            fmt::format("The body came as \"{}\".", request.content_type.substr(0, 200)),
                            "Send Content-Type: application/json.");
    return std::nullopt;
}

std::expected<Caller, Problem> Gate::identify(const GateRequest& request, WallTime now) const
{
    if (request.authorization.empty()) {
        // A session that has ended is as good as none: the console then shows how to sign in.
        const Token* session = request.session.empty() ? nullptr : find(sha256(request.session));
        if (session != nullptr && session->caller.session &&
            (!session->caller.expires_at || *session->caller.expires_at > now))
            return session->caller;
        if (!open_)
            return std::unexpected(make_problem(401, "token_missing", "A token is needed",
                                                "Tokens exist, so every request needs one.",
                                                "Send Authorization: Bearer with a token; on the server's own machine "
                                                "`freshet token new NAME` makes one."));
        if (!request.peer_is_loopback || !is_loopback_host(request.host))
            return std::unexpected(make_problem(
                401, "token_missing", "A token is needed", "Without any token only callers on this machine are let in.",
                "On the server's machine: freshet token new NAME; then send it as Authorization: Bearer."));
        return Caller{"local", std::string{default_tenant}, Role::admin, true};
    }
    std::string_view value = request.authorization;
    const auto space = value.find(' ');
    if (space == std::string_view::npos || !same_word(value.substr(0, space), "Bearer"))
        return std::unexpected(make_problem(401, "token_form", "The token is not a Bearer token",
                                            "Authorization does not begin with Bearer.",
                                            "Send Authorization: Bearer with the token."));
    const Token* match = find(sha256(trimmed(value.substr(space + 1))));
    if (match == nullptr || match->caller.session)
        return std::unexpected(
            make_problem(401, "token_unknown", "The token is not known",
                         "The caller's side is to be checked: this server has no such token. It is of "
                         "another server, mistyped, or revoked.",
                         "Look at the token that is sent; a new one: freshet token new NAME on the "
                         "server's machine."));
    if (match->caller.expires_at && *match->caller.expires_at <= now)
        return std::unexpected(
            make_problem(401, "token_expired", "The token has expired",
                         fmt::format("{} ended at {}.", match->caller.name, to_rfc3339(*match->caller.expires_at)),
                         "Ask for a new token."));
    return match->caller;
}

Gate::Standing Gate::standing(const Caller& caller, WallTime now) const
{
    if (caller.token.empty()) {
        if (caller.name != "local") return Standing::good; // a public route's
        return open_ ? Standing::good : Standing::revoked;
    }
    Hash hash{};
    std::size_t length = 0;
    sodium_hex2bin(hash.data(), hash.size(), caller.token.data(), caller.token.size(), nullptr, &length, nullptr);
    const Token* match = find(hash);
    // Who keeps a token but is given another tenant, role or scope is not the caller that was let in.
    if (match == nullptr || match->caller.role != caller.role || match->caller.may_refresh != caller.may_refresh ||
        match->caller.scope != caller.scope || (!match->caller.all_tenants && match->caller.tenant != caller.tenant) ||
        (caller.all_tenants && !match->caller.all_tenants))
        return Standing::revoked;
    return match->caller.expires_at && *match->caller.expires_at <= now ? Standing::expired : Standing::good;
}

std::optional<Problem> Gate::settle_tenant(Caller& caller, std::string_view named) const
{
    const auto& tenants = definitions_->tenants;
    const auto exists = [&](std::string_view tenant) {
        if (tenant == shared_tenant) return any_shared(*definitions_);
        return tenants.empty() ? tenant == default_tenant : tenants.contains(tenant);
    };
    if (caller.tenant != "*") {
        if (!caller.token.empty() && !exists(caller.tenant))
            return make_problem(
                403, "tenant_gone", "Its tenant has left",
                fmt::format("{} speaks for tenant {}, which the config no longer has.", caller.name, caller.tenant),
                "What it has is kept for 7 days, and goes on once [tenant.NAME] is back.");
        if (named.empty() || named == caller.tenant) return std::nullopt;
        // Whether the other tenant exists is nobody's business.
        return make_problem(403, "tenant", "Not your tenant",
                            fmt::format("{} speaks for tenant {} only.", caller.name, caller.tenant),
                            "Leave the tenant out, or use a token of that tenant.");
    }
    if (named.empty()) {
        if (tenants.empty()) caller.tenant = default_tenant;
        return std::nullopt;
    }
    if (!exists(named))
        return make_problem(404, "tenant_unknown", "No such tenant",
                            fmt::format("There is no tenant \"{}\".", named.substr(0, 128)),
                            "Name a tenant of the config.");
    caller.tenant = named;
    return std::nullopt;
}

bool Gate::may(const Caller& caller, Right right)
{
    switch (right) {
    case Right::anyone:
    case Right::read: return true;
    case Right::refresh: return caller.may_refresh;
    case Right::operate: return caller.role == Role::operator_ || caller.role == Role::admin;
    case Right::administer: return caller.role == Role::admin;
    case Right::work: return caller.role == Role::worker || caller.role == Role::admin;
    case Right::enqueue: return caller.role != Role::viewer;
    }
    return false;
}

std::optional<Problem> Gate::check_scope(const Caller& caller, const Route& route, bool of_key)
{
    if (!caller.scope.limits() || of_key || route.by_scope || route.right == Right::anyone) return std::nullopt;
    const auto named = [](std::string_view what, const std::vector<std::string>& names) {
        return names.empty() ? std::string{} : fmt::format(" {} {}", what, fmt::join(names, ", "));
    };
    return make_problem(403, "limited_token", "Not with a short token",
                        fmt::format("{} is limited to{}{}.", caller.name, named("sources", caller.scope.sources),
                                    named(caller.scope.sources.empty() ? "queues" : "and queues", caller.scope.queues)),
                        "Use it for keys of these sources, for jobs and batches of these queues, and their streams.");
}

std::optional<Problem> check_shared(const Caller& caller, std::string_view owner, std::string_view what)
{
    if (owner != shared_tenant || caller.all_tenants) return std::nullopt;
    return make_problem(403, "shared", "It is shared by several tenants",
                        fmt::format("{} is one copy for all tenants that list it, and {} speaks for tenant {} only.",
                                    what, caller.name, caller.tenant),
                        "Use a token of all tenants (*). Reading and refreshing are yours.");
}

Problem Gate::forbidden(const Caller& caller, Right right)
{
    return make_problem(403, "forbidden", "Not allowed",
                        fmt::format("{} ({}) may not {} here.", caller.name, role_word(caller.role), right_word(right)),
                        right == Right::refresh ? "Use a token with refresh = true, or an operator's."
                                                : "Use a token whose role has this right.");
}

} // namespace freshet::http
