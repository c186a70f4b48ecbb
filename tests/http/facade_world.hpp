// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the tests of facades and pages share: tokens of a config by their hashes, a source of offers, its old API.

#include "tests/http/harness.hpp"
#include "tests/http/upstream.hpp"

#include <fmt/format.h>
#include <openssl/sha.h>
#include <string>

namespace freshet::outside {

inline std::string sha256_of(const std::string& text)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash);
    std::string hex;
    for (const unsigned char byte : hash) hex += fmt::format("{:02x}", byte);
    return hex;
}

inline std::string token_table(const std::string& name, const std::string& tenant, const std::string& role,
                               const std::string& more = {})
{
    return fmt::format("[token.{}]\ntenant = \"{}\"\nrole = \"{}\"\nhash = \"sha256:{}\"\n{}\n", name, tenant, role,
                       sha256_of("secret-of-" + name), more);
}
inline std::string token_of(const std::string& name)
{
    return "secret-of-" + name;
}

inline std::string offers_source(const Upstream& upstream, const std::string& more = {})
{
    return fmt::format(
        "[source.offers]\nkind = \"http\"\nurl = \"{}/offers\"\nallow_private = true\n"
        "fresh_for = \"1h\"\nmanual_limit = \"1000/min\"\nretry = {{ attempts = 1, wait = \"1s\" }}\n{}\n",
        upstream.url(), more);
}

inline constexpr const char* offers_facade = R"(
[[facade]]
on      = "GET /api/offers"
access  = "public"
read    = "offers"
cache   = "public, max-age=30"
respond = '{items: .data, cached: .meta.from_cache, valid: (.meta.state == "fresh"), refreshing: .meta.refreshing}'

[[facade]]
on      = "POST /api/offers/refresh"
refresh = "offers"
wait    = "20s"
respond = '{ok: true, outcome: .job.outcome, count: (.data | length)}'
)";

} // namespace freshet::outside
