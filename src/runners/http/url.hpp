// SPDX-License-Identifier: Apache-2.0
#pragma once
// An absolute http or https URL, taken apart once by libcurl's own parser, so that what is checked is what is fetched.
//
// A value; any thread. Always holds: scheme is "http" or "https", the host is not empty, `text` carries neither
// credentials nor a fragment (credentials of the configured URL are kept beside it).

#include <expected>
#include <string>
#include <string_view>

namespace freshet {

struct Url {
    std::string text;   ///< what is fetched
    std::string scheme; ///< lower case
    std::string host;   ///< lower case; IPv6 in brackets
    std::string port;   ///< always there, also where it is the scheme's own
    std::string user, password;

    /// Same scheme, host and port: configured headers may go there.
    bool same_origin(const Url& other) const
    {
        return scheme == other.scheme && host == other.host && port == other.port;
    }
};

/// The error is words that follow "is", for example "not a URL" or "of scheme ftp; only http and https are fetched".
std::expected<Url, std::string> parse_url(std::string_view text);

/// A reference (absolute or relative) as found on the page at `base`. Credentials in the reference are dropped.
std::expected<Url, std::string> resolve_url(const Url& base, std::string_view reference);

/// The URL with the query parameter `name` set to `value` (both are encoded here), in place of one that is there.
std::string with_query(std::string_view url, std::string_view name, std::string_view value);

/// For messages: no credentials, no fragment, no values of the query ("?key=…"), at most 200 bytes, printable.
std::string shown_url(std::string_view url);

} // namespace freshet
