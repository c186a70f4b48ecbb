// SPDX-License-Identifier: Apache-2.0
// Who may speak, and what a tenant may take: tokens that are made and revoked, and the quotas that are kept to before
// work is taken on.
#include "engine/group.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet {

namespace {

constexpr std::size_t tokens_max = 10'000;
/// Foreign pages have short tokens made all the time: they leave room for those that people make.
constexpr std::size_t short_tokens_max = 8'000;
constexpr int page = 1000;

bool is_short(std::string_view name)
{
    return name.find('~') != std::string_view::npos;
}

// What a role may includes what the one before may; a worker's rights are of another kind.
bool above(Role role, Role maker)
{
    if (maker == Role::admin) return false;
    if (maker == Role::operator_) return role == Role::admin;
    return role != Role::viewer && role != maker;
}

std::string_view role_name(Role role)
{
    switch (role) {
    case Role::viewer: return "viewer";
    case Role::operator_: return "operator";
    case Role::worker: return "worker";
    case Role::admin: return "admin";
    }
    return "";
}

bool is_of(const TokenRecord& token, std::string_view tenant)
{
    return tenant == "*" || token.tenant == tenant;
}

} // namespace

void Group::tell_tokens()
{
    notice_->tokens = std::make_shared<const std::vector<TokenRecord>>(tx_->tokens());
    wrote_ = true;
}

Reply Group::put_token(const PutToken& request)
{
    TokenRecord token = request.token;
    const auto refuse = [&](Refusal refusal, std::string words) {
        return std::unexpected(refused(refusal, std::move(words)));
    };
    if (!is_of(token, request.tenant))
        return refuse(Refusal::not_found, fmt::format("you speak for tenant {} only", request.tenant));
    const bool tenant_known =
        token.tenant == "*" ||
        (definitions_->tenants.empty() ? token.tenant == "default" : definitions_->tenants.contains(token.tenant));
    if (!tenant_known) return refuse(Refusal::not_found, fmt::format("there is no tenant \"{}\"", token.tenant));
    if (above(token.role, request.role) || (token.refresh && !request.may_refresh))
        return refuse(Refusal::bad_request, "a token may not be given more rights than its maker has");
    if (token.expires_at && *token.expires_at <= now_)
        return refuse(Refusal::bad_request, "the token would have expired already");
    if (definitions_->tokens.contains(token.name))
        return refuse(Refusal::token_taken, fmt::format("the config file has a token \"{}\"", token.name));
    const std::vector<TokenRecord> tokens = tx_->tokens();
    if (std::ranges::find(tokens, token.name, &TokenRecord::name) != tokens.end())
        return refuse(Refusal::token_taken, fmt::format("there is a token \"{}\"", token.name));
    const auto live_short = static_cast<std::size_t>(std::ranges::count_if(
        tokens, [&](const TokenRecord& other) { return is_short(other.name) && other.expires_at > now_; }));
    if (is_short(token.name) && live_short >= short_tokens_max)
        return refuse(Refusal::tokens_full, fmt::format("{} short tokens are in use", short_tokens_max));
    if (tokens.size() >= tokens_max)
        return refuse(Refusal::tokens_full, fmt::format("there are {} tokens", tokens_max));
    token.made_at = now_;
    token.made_by = request.caller;
    tx_->put_token(token);
    // Short ones come with each page view: who made them is in their name.
    if (!is_short(token.name)) audit(token.tenant, request.caller, "token_new", token.name, role_name(token.role));
    tell_tokens();
    return Answer{Done{}};
}

Reply Group::revoke_token(const RevokeToken& request)
{
    const auto in_file = definitions_->tokens.find(request.name);
    if (in_file != definitions_->tokens.end() && (request.tenant == "*" || in_file->second.tenant == request.tenant))
        return std::unexpected(
            refused(Refusal::token_in_file, fmt::format("token {} stands in the config file", request.name)));
    const std::vector<TokenRecord> tokens = tx_->tokens();
    const auto found = std::ranges::find(tokens, request.name, &TokenRecord::name);
    if (found == tokens.end() || !is_of(*found, request.tenant))
        return std::unexpected(refused(Refusal::not_found, fmt::format("there is no token \"{}\"", request.name)));
    const std::string short_ones = request.name + "~";
    for (const TokenRecord& token : tokens)
        if (token.name == request.name || token.name.starts_with(short_ones)) tx_->drop_token(token.name);
    audit(found->tenant, request.caller, "token_revoke", request.name, {});
    tell_tokens();
    return Answer{Done{}};
}

void Group::drop_expired_tokens()
{
    const std::vector<TokenRecord> tokens = tx_->tokens();
    const auto has_expired = [&](const TokenRecord& token) { return token.expires_at && *token.expires_at <= now_; };
    // Without any token callers on this machine need none. That door is opened by a person who revokes the last one,
    // never by time: the last to expire stays, as a sign that tokens are used here.
    std::size_t named = definitions_->tokens.size();
    for (const TokenRecord& token : tokens) named += is_short(token.name) ? 0 : 1;
    bool dropped = false;
    for (const TokenRecord& token : tokens) {
        if (!has_expired(token)) continue;
        if (!is_short(token.name) && named-- <= 1) continue;
        tx_->drop_token(token.name);
        dropped = true;
    }
    if (dropped) tell_tokens();
}

std::int64_t& Group::stored_of(const std::string& tenant)
{
    const auto [at, fresh] = state_.stored.try_emplace(tenant, 0);
    if (!fresh) return at->second;
    // Counted once; from here on each change is added.
    std::int64_t bytes = 0;
    std::string after;
    for (bool more = true; more;) {
        const std::vector<KeyRecord> keys = tx_->keys(tenant, {}, after, page);
        for (const KeyRecord& key : keys) {
            if (key.held && key.held->payload != 0) bytes += key.held->bytes;
            std::int64_t before = key.ver + 1;
            for (auto versions = tx_->versions(tenant, key.key, before, page); !versions.empty();
                 versions = tx_->versions(tenant, key.key, before, page)) {
                for (const VersionRecord& version : versions) bytes += version.bytes;
                before = versions.back().ver;
            }
        }
        more = keys.size() == static_cast<std::size_t>(page);
        if (more) after = keys.back().key;
    }
    return at->second = bytes;
}

void Group::count_stored(const std::string& tenant, std::int64_t bytes)
{
    // A tenant that nobody asked about is not counted yet: the whole count will see the change.
    const auto found = state_.stored.find(tenant);
    if (found != state_.stored.end()) found->second += bytes;
}

// What is shown and its versions, what is held, what jobs bring along, what is kept of those that ended, and the lines
// of both.
std::optional<Refused> Group::over_storage(const std::string& tenant)
{
    const auto found = definitions_->tenants.find(tenant);
    if (found == definitions_->tenants.end()) return std::nullopt;
    const std::int64_t most = found->second.limits.storage_bytes;
    if (most <= 0) return std::nullopt;
    const std::int64_t data = stored_of(tenant);
    const KeptFigures kept = tx_->kept_figures(tenant);
    const std::int64_t jobs = kept.live_bytes + kept.ended_bytes;
    const std::int64_t all = data + jobs + kept.log_bytes;
    if (all < most) return std::nullopt;
    return refused(Refusal::storage_full,
                   fmt::format("tenant {} keeps {} bytes ({} of data, {} of jobs, {} of their logs), limits.storage "
                               "allows {}",
                               tenant, all, data, jobs, kept.log_bytes, most));
}

std::optional<Refused> Group::over_keys(const std::string& tenant)
{
    const auto found = definitions_->tenants.find(tenant);
    if (found == definitions_->tenants.end() || found->second.limits.keys <= 0) return std::nullopt;
    std::int64_t& count = keys_of(tenant, {});
    if (count >= found->second.limits.keys)
        return refused(Refusal::keys_full,
                       fmt::format("tenant {} has {} keys already (limits.keys)", tenant, found->second.limits.keys));
    return std::nullopt;
}

} // namespace freshet
