// SPDX-License-Identifier: Apache-2.0
#include "http/response_head.hpp"

#include "http/negotiate.hpp"

#include <algorithm>
#include <fmt/format.h>

namespace freshet::http {

namespace {

void put(std::string& out, std::string_view name, std::string_view value)
{
    if (value.find_first_of(std::string_view{"\r\n\0", 3}) != std::string_view::npos) return;
    ((out += name) += ": ") += value;
    out += "\r\n";
}

} // namespace

std::string_view reason_phrase(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 426: return "Upgrade Required";
    case 422: return "Unprocessable Content";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 507: return "Insufficient Storage";
    default: return "Answer";
    }
}

const std::string* find_header(const Headers& headers, std::string_view name)
{
    const auto found = std::ranges::find_if(headers, [&](const auto& header) { return same_word(header.first, name); });
    return found == headers.end() ? nullptr : &found->second;
}

std::string response_head(const HeadLayout& layout, WallTime now)
{
    std::string out;
    out.reserve(512);
    out = fmt::format("HTTP/1.1 {} {}\r\n", layout.status, reason_phrase(layout.status));
    put(out, "Date", to_http_date(now));
    if (!layout.content_type.empty()) {
        put(out, "Content-Type", layout.content_type);
        put(out, "X-Content-Type-Options", "nosniff");
    }
    switch (layout.framing) {
    case Framing::none:
    case Framing::until_close: break;
    case Framing::length: put(out, "Content-Length", fmt::format_int(layout.length).str()); break;
    case Framing::chunked: put(out, "Transfer-Encoding", "chunked"); break;
    }
    static const Headers no_headers;
    const Headers& headers = layout.headers == nullptr ? no_headers : *layout.headers;
    for (const auto& [name, value] : headers) put(out, name, value);
    if (layout.content_type.starts_with("text/html")) {
        if (find_header(headers, "content-security-policy") == nullptr)
            put(out, "Content-Security-Policy", page_policy);
        put(out, "Referrer-Policy", "no-referrer");
    }
    if (layout.close)
        put(out, "Connection", "close");
    else if (layout.keep_alive)
        put(out, "Connection", "keep-alive");
    out += "\r\n";
    return out;
}

} // namespace freshet::http
