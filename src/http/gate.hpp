// SPDX-License-Identifier: Apache-2.0
#pragma once
// Who may speak to the server (spec "The wire contract" §5): Host, Origin, token, role. Pure decisions on one request.
//
// Life: made anew by each loop with each set of definitions or tokens. Threads: any; it never changes.
// Always holds: tokens are compared by hash and in constant time; what a refusal says never holds a token.
//
// While no token exists a caller on this machine is admin of tenant "default". Short tokens (NAME~ID) do not count as
// existing: they belong to their maker and are worth nothing once it is gone. Sessions of browsers (NAME~HASH.ID, HASH
// the first digits of their token's) are the same, and may at each moment what their token may; they come by cookie
// only. Tokens that expired do count, so that no door opens by itself while nobody looks. The command line's own token
// works always, so that the first token locks nobody out who may read its file.

#include "base/time.hpp"
#include "http/exchange.hpp"
#include "http/route.hpp"
#include "model/definition.hpp"
#include "model/records.hpp"
#include "model/shared.hpp"

#include <array>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

/// The prefix and the host that public_url names.
struct PublicUrl {
    std::string base;   ///< without its last slash; empty if there is no public_url
    std::string host;   ///< in lower case, without port
    std::string prefix; ///< "/tools/freshet", without its last slash; empty at the root
};
PublicUrl parse_public_url(std::string_view url);

/// What the gate looks at before a route is known.
struct GateRequest {
    std::string_view method, host, origin, sec_fetch_site, authorization, content_type;
    std::string_view session; ///< of the console's cookie; empty unless is_own_page()
    bool has_body = false;
    bool upgrade = false; ///< asks for another protocol: a WebSocket, which no page is kept from by CORS
    bool peer_is_loopback = false;
};

class Gate {
public:
    using Tokens = std::shared_ptr<const std::vector<TokenRecord>>;
    /// @param tokens       of the store; null: none.
    /// @param local_token  of the command line on this machine; empty: none. It is an admin of every tenant.
    Gate(std::shared_ptr<const Definitions> definitions, const Tokens& tokens, std::string_view local_token);

    const PublicUrl& public_url() const { return public_url_; }

    /// 421 unless Host is loopback or public_url's: a foreign name that resolves to this machine gets nothing.
    std::optional<Problem> check_host(std::string_view host) const;
    /// 403 for a state-changing request or an Upgrade that a foreign page sends; 415 for a body whose type does not say
    /// JSON.
    std::optional<Problem> check_origin(const GateRequest& request) const;
    /// True unless a page of another origin sends it, also a listed one: the console's cookie is for our pages only.
    bool is_own_page(const GateRequest& request) const;
    /// True if `origin` is one of server.origins, which may read answers.
    bool is_listed_origin(std::string_view origin) const;

    /// Who it is. The tenant is the token's, or for a token of all tenants "*".
    std::expected<Caller, Problem> identify(const GateRequest& request, WallTime now) const;
    /// What has become of a caller that was let in before: of one whose stream is open, or whose ticket comes back.
    enum class Standing : std::uint8_t { good, expired, revoked };
    Standing standing(const Caller& caller, WallTime now) const;
    /// Settles the tenant that the request speaks for. @param named  by ?tenant= or the path; empty: not named.
    std::optional<Problem> settle_tenant(Caller& caller, std::string_view named) const;

    static bool may(const Caller& caller, Right right);
    /// 403 in words for a caller without the right.
    static Problem forbidden(const Caller& caller, Right right);
    /// A caller that is limited gets no further than routes that keep to its scope. @param of_key  a key's path
    static std::optional<Problem> check_scope(const Caller& caller, const Route& route, bool of_key);

private:
    using Hash = std::array<unsigned char, 32>;
    struct Token {
        Hash hash;
        Caller caller;
    };
    void add(std::string_view sha256, Caller caller);
    bool is_own_origin(const GateRequest& request) const;
    const Token* find(const Hash& hash) const;

    std::shared_ptr<const Definitions> definitions_;
    PublicUrl public_url_;
    std::vector<Token> tokens_; ///< by hash
    bool open_ = true;          ///< no token exists: loopback is admin of "default"
};

/// 403 for a caller who speaks for one of the tenants that share `what`, and would change it for all of them.
/// @param owner  the tenant whose it is
std::optional<Problem> check_shared(const Caller& caller, std::string_view owner, std::string_view what);
/// 64 lower-case hex digits: all that is kept of a token.
std::string sha256_hex(std::string_view text);
/// "NAME~ID" is a short token that NAME made.
std::string_view maker_of(std::string_view token_name);
/// The name of a session of that token. @param id  tells sessions apart
std::string session_name(std::string_view token_name, std::string_view token_sha256, std::string_view id);
/// What a role may by itself; a viewer refreshes only where its token says so.
bool role_refreshes(Role role, bool viewer_may);
std::string_view role_word(Role role);
std::string_view right_word(Right right);

/// True for localhost, 127.0.0.0/8 and [::1], with or without a port.
bool is_loopback_host(std::string_view host);
bool is_safe_method(std::string_view method);

} // namespace freshet::http
