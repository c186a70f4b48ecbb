// SPDX-License-Identifier: Apache-2.0
#include "http/gate.hpp"

#include <gtest/gtest.h>

namespace freshet::http {

namespace {

// SHA-256 of "secret".
constexpr const char* secret_hash = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

constexpr WallTime noon = from_ms(1'800'000'000'000);

Gate gate_of(const Definitions& definitions, std::string_view local = {})
{
    return Gate{std::make_shared<const Definitions>(definitions), nullptr, local};
}

GateRequest request_of(std::string_view authorization = {}, bool loopback = true)
{
    GateRequest request;
    request.method = "GET";
    request.host = "localhost:7878";
    request.authorization = authorization;
    request.peer_is_loopback = loopback;
    return request;
}

TEST(Gate, KnowsLoopbackNamesFromForeignOnes)
{
    for (const char* own : {"localhost", "LOCALHOST:80", "127.0.0.1", "127.9.8.7:1", "[::1]", "[::1]:7878"})
        EXPECT_TRUE(is_loopback_host(own)) << own;
    for (const char* foreign : {"", "localhost.evil.example", "127.evil.example", "127.0.0.1.evil.example", "127.0.0",
                                "127.0.0.256", "10.0.0.1", "[::2]", "1"})
        EXPECT_FALSE(is_loopback_host(foreign)) << foreign;
}

TEST(Gate, AnswersToTheHostOfPublicUrl)
{
    Definitions definitions;
    EXPECT_TRUE(gate_of(definitions).check_host("fresh.example.org").has_value());
    definitions.server.public_url = "https://Fresh.Example.org:8443/tools/freshet/";
    const Gate gate = gate_of(definitions);
    EXPECT_EQ(gate.public_url().prefix, "/tools/freshet");
    EXPECT_EQ(gate.public_url().base, "https://Fresh.Example.org:8443/tools/freshet");
    EXPECT_FALSE(gate.check_host("fresh.example.ORG").has_value());
    EXPECT_EQ(gate.check_host("evil.example")->status, 421);
}

TEST(Gate, LetsOnlyOwnAndListedPagesChangeThings)
{
    Definitions definitions;
    definitions.server.origins = {"https://app.example"};
    const Gate gate = gate_of(definitions);
    const struct {
        const char *origin, *site;
        bool allowed;
    } rows[] = {
        {"", "", true},
        {"", "none", true},
        {"http://localhost:7878", "same-origin", true},
        {"https://app.example", "cross-site", true},
        {"https://app.example.evil", "cross-site", false},
        {"http://localhost:9999", "same-site", false},
        {"null", "cross-site", false},
        {"", "cross-site", false},
        {"", "same-site", false},
    };
    for (const auto& row : rows) {
        GateRequest request = request_of();
        request.method = "POST";
        request.origin = row.origin;
        request.sec_fetch_site = row.site;
        EXPECT_EQ(!gate.check_origin(request).has_value(), row.allowed) << row.origin << " " << row.site;
        request.method = "GET";
        EXPECT_FALSE(gate.check_origin(request).has_value());
        request.upgrade = true;
        EXPECT_EQ(!gate.check_origin(request).has_value(), row.allowed) << "a WebSocket for " << row.origin;
    }
}

TEST(Gate, LetsLoopbackInOnlyWhileNoTokenExists)
{
    Definitions definitions;
    const auto local = gate_of(definitions).identify(request_of(), noon);
    ASSERT_TRUE(local.has_value());
    EXPECT_EQ(local->name, "local");
    EXPECT_EQ(local->tenant, "default");
    EXPECT_EQ(local->role, Role::admin);
    EXPECT_EQ(gate_of(definitions).identify(request_of({}, false), noon).error().status, 401);
    GateRequest by_public_name = request_of();
    by_public_name.host = "fresh.example.org"; // Through a proxy on this machine: not a caller on it.
    EXPECT_EQ(gate_of(definitions).identify(by_public_name, noon).error().status, 401);
    definitions.tokens["t"] = {"t", "default", Role::viewer, true, secret_hash};
    EXPECT_EQ(gate_of(definitions).identify(request_of(), noon).error().status, 401);
    EXPECT_EQ(gate_of(definitions).identify(request_of("Bearer secret"), noon)->name, "t");
    EXPECT_EQ(gate_of(definitions).identify(request_of("bearer  secret "), noon)->name, "t");
    for (const char* wrong : {"Bearer secre", "Bearer", "Basic secret", "secret", "Bearer secret2"})
        EXPECT_EQ(gate_of(definitions).identify(request_of(wrong), noon).error().status, 401) << wrong;
    EXPECT_EQ(gate_of(definitions, "cli-token").identify(request_of("Bearer cli-token"), noon)->tenant, "*");
    EXPECT_FALSE(gate_of(definitions, "").identify(request_of("Bearer "), noon).has_value());
}

TEST(Gate, GivesEachRoleItsRights)
{
    const struct {
        Role role;
        bool refreshes;
        const char* rights; ///< read, refresh, operate, administer
    } rows[] = {{Role::viewer, false, "r"},
                {Role::viewer, true, "rf"},
                {Role::worker, false, "r"},
                {Role::operator_, true, "rfo"},
                {Role::admin, true, "rfoa"}};
    for (const auto& row : rows) {
        const Caller caller{"x", "default", row.role, row.refreshes};
        std::string rights;
        if (Gate::may(caller, Right::read)) rights += 'r';
        if (Gate::may(caller, Right::refresh)) rights += 'f';
        if (Gate::may(caller, Right::operate)) rights += 'o';
        if (Gate::may(caller, Right::administer)) rights += 'a';
        EXPECT_EQ(rights, row.rights);
    }
}

TEST(Gate, SaysThatTheTenantOfATokenHasLeft)
{
    Definitions definitions;
    definitions.tenants["acme"] = {"acme", {}, {}};
    const Gate gate = gate_of(definitions);
    Caller gone{"a", "blue", Role::operator_, true};
    gone.token = "5e";
    EXPECT_EQ(gate.settle_tenant(gone, "")->code, "tenant_gone");
    EXPECT_EQ(gate.settle_tenant(gone, "acme")->code, "tenant_gone");
    Caller local{"local", "default", Role::admin, true};
    EXPECT_FALSE(gate.settle_tenant(local, "").has_value()) << "who makes the first token";
}

TEST(Gate, F9SettlesTheTenantAndNeverAnothers)
{
    Definitions definitions;
    definitions.tenants["acme"] = {"acme", {}, {}};
    definitions.tenants["blue"] = {"blue", {"prices"}, {}};
    const Gate gate = gate_of(definitions);
    Caller acme{"a", "acme", Role::viewer, false}, all{"cli", "*", Role::admin, true};
    EXPECT_FALSE(gate.settle_tenant(acme, "").has_value());
    EXPECT_FALSE(gate.settle_tenant(acme, "acme").has_value());
    EXPECT_EQ(gate.settle_tenant(acme, "blue")->status, 403);
    EXPECT_EQ(gate.settle_tenant(acme, "green")->status, 403); // The same as for one that exists.
    EXPECT_FALSE(gate.settle_tenant(all, "").has_value());
    EXPECT_EQ(all.tenant, "*");
    EXPECT_EQ(gate.settle_tenant(all, "green")->status, 404);
    EXPECT_FALSE(gate.settle_tenant(all, "blue").has_value());
    EXPECT_EQ(all.tenant, "blue");
    EXPECT_TRUE(tenant_has_source(definitions, "blue", "prices"));
    EXPECT_FALSE(tenant_has_source(definitions, "blue", "other"));
    EXPECT_TRUE(tenant_has_source(definitions, "acme", "other"));
    EXPECT_FALSE(tenant_has_source(definitions, "green", "prices"));
}

// --- Sessions ---

struct Sessions : testing::Test {
    Sessions()
    {
        definitions.server.origins = {"https://app.example"};
        maker.name = "page";
        maker.tenant = "default";
        maker.role = Role::operator_;
        maker.sha256 = sha256_hex("token");
        session.name = session_name(maker.name, maker.sha256, "id");
        session.tenant = "default";
        session.sha256 = sha256_hex("cookie");
        session.expires_at = noon + 1h;
    }
    Gate gate(std::vector<TokenRecord> tokens) const
    {
        return Gate{std::make_shared<const Definitions>(definitions),
                    std::make_shared<const std::vector<TokenRecord>>(std::move(tokens)), "cli-token"};
    }
    static GateRequest by_cookie(std::string_view cookie = "cookie")
    {
        GateRequest request = request_of();
        request.session = cookie;
        return request;
    }
    Definitions definitions;
    TokenRecord maker, session;
};

TEST_F(Sessions, MayWhatTheirTokenMay)
{
    const auto caller = gate({maker, session}).identify(by_cookie(), noon);
    ASSERT_TRUE(caller.has_value());
    EXPECT_EQ(caller->name, "page");
    EXPECT_EQ(caller->role, Role::operator_);
    EXPECT_TRUE(caller->session);
    EXPECT_EQ(caller->token, session.sha256);
    maker.role = Role::viewer;
    EXPECT_EQ(gate({maker, session}).identify(by_cookie(), noon)->role, Role::viewer);
    EXPECT_EQ(gate({maker, session}).standing(*caller, noon), Gate::Standing::revoked);
}

TEST_F(Sessions, EndWithTheirTokenAndInTheirTime)
{
    const auto caller = gate({maker, session}).identify(by_cookie(), noon);
    ASSERT_TRUE(caller.has_value());
    TokenRecord other = maker;
    other.name = "other";
    EXPECT_EQ(gate({other, session}).identify(by_cookie(), noon).error().code, "token_missing");
    EXPECT_EQ(gate({other, session}).standing(*caller, noon), Gate::Standing::revoked);
    // A token that was made anew under the same name is another one.
    other = maker;
    other.sha256 = sha256_hex("another token");
    EXPECT_EQ(gate({other, session}).identify(by_cookie(), noon).error().code, "token_missing");
    EXPECT_EQ(gate({maker, session}).identify(by_cookie(), noon + 1h).error().code, "token_missing");
    EXPECT_EQ(gate({maker, session}).standing(*caller, noon + 1h), Gate::Standing::expired);
}

TEST_F(Sessions, ComeByCookieOnlyAndTokensNeverDo)
{
    const Gate both = gate({maker, session});
    EXPECT_EQ(both.identify(request_of("Bearer cookie"), noon).error().code, "token_unknown");
    EXPECT_EQ(both.identify(by_cookie("token"), noon).error().code, "token_missing");
    // An old cookie does not lock anyone out where no token is needed.
    EXPECT_EQ(gate({}).identify(by_cookie("old"), noon)->name, "local");
}

TEST_F(Sessions, AreForOwnPagesOnly)
{
    const Gate both = gate({maker, session});
    const struct {
        const char *origin, *site;
        bool own;
    } rows[] = {
        {"", "", true},
        {"", "none", true},
        {"http://localhost:7878", "same-origin", true},
        {"https://app.example", "cross-site", false}, // listed: it may read, as itself, with a token of its own
        {"http://localhost:9999", "same-site", false},
        {"", "same-site", false},
        {"", "cross-site", false},
        {"null", "", false},
    };
    for (const auto& row : rows) {
        GateRequest request = request_of();
        request.origin = row.origin;
        request.sec_fetch_site = row.site;
        EXPECT_EQ(both.is_own_page(request), row.own) << row.origin << " " << row.site;
    }
}

} // namespace

} // namespace freshet::http
