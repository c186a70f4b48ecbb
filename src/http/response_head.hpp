// SPDX-License-Identifier: Apache-2.0
#pragma once
// The bytes of an answer's head. Pure. Threads: any.
// Always holds: no header value with a line break leaves (it is dropped: a handler's mistake must not split an answer).

#include "base/time.hpp"
#include "http/exchange.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::http {

using Headers = std::vector<std::pair<std::string, std::string>>;

enum class Framing : unsigned char { none, length, chunked, until_close };

struct HeadLayout {
    int status = 200;
    const Headers* headers = nullptr;
    std::string_view content_type;
    Framing framing = Framing::length;
    std::size_t length = 0;
    bool close = false;      ///< says Connection: close
    bool keep_alive = false; ///< says Connection: keep-alive (to an HTTP/1.0 peer that asked for it)
};

std::string response_head(const HeadLayout& layout, WallTime now);
std::string_view reason_phrase(int status);

/// Lower-cased name equals; nullptr if there is none.
const std::string* find_header(const Headers& headers, std::string_view name);

/// A page may load from itself only; no frame around it (spec: who may speak to it).
inline constexpr std::string_view page_policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri "
                                                "'none'; form-action 'self'; frame-ancestors 'none'";

} // namespace freshet::http
