// SPDX-License-Identifier: Apache-2.0
#pragma once
// What can be wrong with a site: the closed list of faults, their names in the control interface and one line of text
// each, from which the refusal of an unknown name is written. What they do is in answer.cpp and connection.hpp.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace upstream {

enum class Fault : std::uint8_t {
    none,
    status_401,
    status_403,
    status_404,
    status_429,
    status_500,
    status_502,
    status_503,
    retry_after,
    challenge,
    quota_body,
    empty,
    half,
    html_changed,
    html_instead_of_json,
    bad_json,
    deep_json,
    big_numbers,
    hang,
    hang_accept,
    hang_head,
    hang_body,
    slow_body,
    truncated,
    reset,
    endless,
    endless_declared,
    redirect_loop,
    redirect_to,
    encoding_gzip,
    bad_gzip,
    gzip_bomb,
};

struct FaultRow {
    Fault fault;
    std::string_view name;
    std::string_view text;
};

inline constexpr std::array fault_rows{
    FaultRow{Fault::none, "none", "answers as it should"},
    FaultRow{Fault::status_401, "401", "401"},
    FaultRow{Fault::status_403, "403", "403"},
    FaultRow{Fault::status_404, "404", "404"},
    FaultRow{Fault::status_429, "429", "429 without Retry-After"},
    FaultRow{Fault::status_500, "500", "500"},
    FaultRow{Fault::status_502, "502", "502"},
    FaultRow{Fault::status_503, "503", "503"},
    FaultRow{Fault::retry_after, "retry_after", "429 with Retry-After: retry_after_s"},
    FaultRow{Fault::challenge, "challenge", "a 202 page that asks for a human"},
    FaultRow{Fault::quota_body, "quota_body", "200 with a body that says the quota is exceeded"},
    FaultRow{Fault::empty, "empty", "the usual document without items"},
    FaultRow{Fault::half, "half", "the usual document with fewer than half of the items"},
    FaultRow{Fault::html_changed, "html_changed", "the same items under other elements, classes or keys"},
    FaultRow{Fault::html_instead_of_json, "html_instead_of_json", "200 with a page about maintenance"},
    FaultRow{Fault::bad_json, "bad_json", "JSON that ends in the middle, with a matching length"},
    FaultRow{Fault::deep_json, "deep_json", "100,000 arrays within each other"},
    FaultRow{Fault::big_numbers, "big_numbers", "items with integers beyond 2^53"},
    FaultRow{Fault::hang, "hang", "not a byte until the fault changes"},
    FaultRow{Fault::hang_accept, "hang_accept", "the same as hang"},
    FaultRow{Fault::hang_head, "hang_head", "hangs after the status line"},
    FaultRow{Fault::hang_body, "hang_body", "hangs in the middle of the body"},
    FaultRow{Fault::slow_body, "slow_body", "a byte of the body each byte_every_ms"},
    FaultRow{Fault::truncated, "truncated", "closes before Content-Length is reached"},
    FaultRow{Fault::reset, "reset", "resets the connection instead of answering"},
    FaultRow{Fault::endless, "endless", "a body that never ends, as fast as it is taken"},
    FaultRow{Fault::endless_declared, "endless_declared", "the same under a Content-Length of 10 GiB"},
    FaultRow{Fault::redirect_loop, "redirect_loop", "302 to itself for ever"},
    FaultRow{Fault::redirect_to, "redirect_to", "302 to the field redirect_to"},
    FaultRow{Fault::encoding_gzip, "encoding_gzip", "gzip for who accepts it"},
    FaultRow{Fault::bad_gzip, "bad_gzip", "says gzip, is damaged"},
    FaultRow{Fault::gzip_bomb, "gzip_bomb", "10 MiB of gzip that become 10 GiB"},
};

constexpr std::string_view name_of(Fault fault)
{
    for (const FaultRow& row : fault_rows)
        if (row.fault == fault) return row.name;
    return {};
}

constexpr std::optional<Fault> fault_named(std::string_view name)
{
    for (const FaultRow& row : fault_rows)
        if (row.name == name) return row.fault;
    return std::nullopt;
}

/// "none, 401, 403, ...": for the refusal of an unknown name.
inline std::string fault_names()
{
    std::string names;
    for (const FaultRow& row : fault_rows) names.append(names.empty() ? "" : ", ").append(row.name);
    return names;
}

} // namespace upstream
