// SPDX-License-Identifier: Apache-2.0
#include "http/session.hpp"

#include "http/gate.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/status_answer.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <sodium.h>

namespace freshet::http {

void SignInLinks::put(std::string hash, Caller maker, WallTime now)
{
    const std::lock_guard lock{mutex_};
    std::erase_if(links_, [&](const auto& link) { return now - link.second.made_at > sign_in_link_lives; });
    if (links_.size() >= sign_in_links_max)
        links_.erase(std::ranges::min_element(links_, {}, [](const auto& link) { return link.second.made_at; }));
    links_.insert_or_assign(std::move(hash), Link{std::move(maker), now});
}

std::optional<Caller> SignInLinks::take(const std::string& hash, WallTime now)
{
    const std::lock_guard lock{mutex_};
    const auto found = links_.find(hash);
    if (found == links_.end()) return std::nullopt;
    Link link = std::move(found->second);
    links_.erase(found);
    if (now - link.made_at > sign_in_link_lives) return std::nullopt;
    return std::move(link.maker);
}

std::string_view cookie_value(std::string_view header, std::string_view name)
{
    while (!header.empty()) {
        const auto end = header.find(';');
        const std::string_view pair = trimmed(header.substr(0, end));
        header.remove_prefix(end == std::string_view::npos ? header.size() : end + 1);
        const auto equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name) return pair.substr(equals + 1);
    }
    return {};
}

std::string random_text(std::string_view prefix, std::size_t bytes)
{
    std::array<unsigned char, 32> random;
    randombytes_buf(random.data(), bytes);
    std::array<char, 65> text;
    sodium_bin2hex(text.data(), text.size(), random.data(), bytes);
    return fmt::format("{}{}", prefix, text.data());
}

namespace {

std::string set_cookie(Core& core, const ExchangePtr& exchange, std::string_view value, std::int64_t seconds)
{
    const PublicUrl& url = core.gate().public_url();
    // Who comes by a name of this machine, past the proxy that public_url names, comes without its prefix and its TLS.
    const bool past_proxy = is_loopback_host(exchange->request().header("host")) && !is_loopback_host(url.host);
    const std::string_view path = past_proxy || url.prefix.empty() ? std::string_view{"/"} : url.prefix;
    return fmt::format("{}={}; Path={}; Max-Age={}; HttpOnly; SameSite=Strict{}", core.services().cookie, value, path,
                       seconds, !past_proxy && url.base.starts_with("https://") ? "; Secure" : "");
}

} // namespace

std::string no_cookie(Core& core, const ExchangePtr& exchange)
{
    return set_cookie(core, exchange, "", 0);
}

void begin_session(Core& core, const ExchangePtr& exchange, const Caller& maker,
                   std::function<void(std::string set_cookie, WallTime expires_at)> then)
{
    if (maker.scope.limits())
        return exchange->fail(make_problem(403, "limited_token", "Not with a short token",
                                           "A short token is for one page's elements, not for the console.",
                                           "Sign in with the token that it was made with."));
    const std::string secret = random_text("fsc_", 32);
    TokenRecord record;
    record.name = session_name(maker.name, maker.token, random_text("", 8));
    record.tenant = maker.all_tenants ? "*" : maker.tenant;
    record.role = maker.role;
    record.refresh = maker.role == Role::viewer && maker.may_refresh;
    record.sha256 = sha256_hex(secret);
    const WallTime expires_at = std::min(core.now() + session_lives, maker.expires_at.value_or(WallTime::max()));
    record.expires_at = expires_at;
    const std::int64_t seconds = std::chrono::duration_cast<std::chrono::seconds>(expires_at - core.now()).count();
    std::string cookie = set_cookie(core, exchange, secret, seconds);
    PutToken put{record, record.tenant, maker.name, maker.role, maker.may_refresh};
    const bool taken = core.post(std::move(put), [&core, exchange, then = std::move(then), cookie = std::move(cookie),
                                                  expires_at](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error());
        then(cookie, expires_at);
    });
    if (!taken) exchange->fail(busy_problem());
}

std::expected<Caller, Problem> caller_of_token(Core& core, std::string_view token)
{
    const std::string bearer = fmt::format("Bearer {}", token);
    GateRequest asked;
    asked.authorization = bearer;
    return core.gate().identify(asked, core.now());
}

} // namespace freshet::http
