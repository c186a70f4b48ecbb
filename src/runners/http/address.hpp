// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which addresses a source may not reach unless it says `allow_private`.
//
// Pure: looks at the bytes of an address that is about to be connected to, never at a name, so that a name which
// resolves differently the second time (DNS rebinding) gains nothing.
// Always holds: an address that carries an IPv4 address (mapped, NAT64, 6to4) is judged by the IPv4
// address inside it as well; what is not known to be globally reachable is refused.

#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace freshet {

/// Why this address is not a public one, as words that follow "is" ("a loopback address"); nullopt for a public one.
/// Families other than IPv4 and IPv6 are never public.
std::optional<std::string_view> not_public(const sockaddr& address);

/// As not_public(), of an address written as text, brackets around IPv6 allowed; "localhost" and names below it count
/// as loopback. nullopt for public addresses and for every other name.
std::optional<std::string_view> not_public_host(std::string_view host);

/// "127.0.0.1" or "2001:db8::1", without the port; for messages.
std::string to_text(const sockaddr& address);

} // namespace freshet
