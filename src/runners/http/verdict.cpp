// SPDX-License-Identifier: Apache-2.0
#include "runners/http/verdict.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

namespace freshet {

std::string_view where(HttpPhase phase)
{
    switch (phase) {
    case HttpPhase::resolving: return "while resolving the host's name";
    case HttpPhase::connecting: return "while connecting";
    case HttpPhase::tls: return "during the TLS handshake";
    case HttpPhase::waiting: return "while waiting for the first byte of the answer";
    case HttpPhase::reading: return "while reading the answer";
    }
    return "";
}

FlightFailure failure(ErrorClass error_class, std::string_view code, std::string message)
{
    FlightFailure end;
    end.error_class = error_class;
    end.code = code;
    end.message = std::move(message);
    return end;
}

namespace {

FlightFailure judged(int status, std::string_view request)
{
    using enum ErrorClass;
    switch (status) {
    case 202:
        return failure(
            retryable, "blocked",
            fmt::format("{} answered 202: a page that asks for a human, or work not done yet, instead of data",
                        request));
    case 204:
    case 205:
        return failure(retryable, "bad_input",
                       fmt::format("{} answered {}: there is no content to read", request, status));
    case 206:
        return failure(retryable, "truncated",
                       fmt::format("{} answered 206: a part, although the whole was asked for", request));
    case 304:
        return failure(retryable, "http_status",
                       fmt::format("{} answered 304 (unchanged) although nothing was said to compare with", request));
    case 401:
        return failure(
            fatal, "unauthorized",
            fmt::format(
                "{} answered 401: the source does not accept our credentials; check this source's headers here, "
                "and the key's validity at the source",
                request));
    case 403:
        return failure(retryable, "blocked",
                       fmt::format("{} answered 403: the source refuses us; it may have blocked this address, or the "
                                   "credentials lack a right",
                                   request));
    case 407:
        return failure(fatal, "unauthorized",
                       fmt::format("{} answered 407: the proxy wants credentials; check this source's proxy", request));
    case 404:
    case 410:
        return failure(fatal, "http_status",
                       fmt::format("{} answered {}: there is nothing at this URL", request, status));
    case 408:
    case 425: return failure(retryable, "http_status", fmt::format("{} answered {}", request, status));
    case 429: return failure(rate_limited, "rate_limited", fmt::format("{} answered 429: too many requests", request));
    default: break;
    }
    if (status >= 500)
        return failure(retryable, "http_status",
                       fmt::format("{} answered {}: an error at the source", request, status));
    if (status >= 400)
        return failure(fatal, "http_status",
                       fmt::format("{} answered {}: the source refuses the request as it is", request, status));
    if (is_redirect(status))
        return failure(retryable, "redirect", fmt::format("{} answered {} without saying where to", request, status));
    return failure(retryable, "http_status",
                   fmt::format("{} answered {}, which is no answer to a plain request", request, status));
}

} // namespace

FlightFailure judge_status(const ResponseHead& head, std::string_view request, WallTime now)
{
    FlightFailure end = judged(head.status, request);
    if (end.error_class == ErrorClass::fatal) return end;
    end.retry_after = retry_after(head, now);
    if (end.retry_after) end.message += fmt::format("; it asks us to wait {}", to_text(*end.retry_after));
    return end;
}

FlightFailure judge_proxy(int status, std::string_view request)
{
    if (status == 407) return judged(status, request);
    return failure(ErrorClass::retryable, "connect",
                   fmt::format("{}: the proxy answered {} instead of connecting us to the source", request, status));
}

FlightFailure judge_curl(int code, HttpPhase phase, std::string_view request, std::string_view detail)
{
    using enum ErrorClass;
    const auto with_detail = [&](std::string_view text) {
        return detail.empty() ? fmt::format("{}: {}", request, text)
                              : fmt::format("{}: {} ({})", request, text, detail);
    };
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST: return failure(retryable, "dns", with_detail("the host's name has no address"));
    case CURLE_COULDNT_RESOLVE_PROXY: return failure(retryable, "dns", with_detail("the proxy's name has no address"));
    case CURLE_COULDNT_CONNECT:
        return failure(retryable, "connect", with_detail("no connection; the port is closed or the host away"));
    case CURLE_PROXY: return failure(retryable, "connect", with_detail("the proxy did not connect us"));
    case CURLE_OPERATION_TIMEDOUT:
        return failure(retryable, "timeout", fmt::format("{}: no connection in time, {}", request, where(phase)));
    case CURLE_SSL_CACERT_BADFILE:
        return failure(fatal, "tls", with_detail("the file of certificates to trust cannot be read; check ca_file"));
    case CURLE_PEER_FAILED_VERIFICATION:
        return failure(retryable, "tls",
                       with_detail("the certificate is not to be trusted; if it is your own, name it with ca_file"));
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_USE_SSL_FAILED: return failure(retryable, "tls", with_detail("no TLS connection"));
    case CURLE_PARTIAL_FILE:
        return failure(retryable, "truncated",
                       fmt::format("{}: the answer ended before its announced length", request));
    case CURLE_GOT_NOTHING:
        return failure(retryable, "reset", fmt::format("{}: the connection was closed without an answer", request));
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
        if (phase == HttpPhase::reading)
            return failure(retryable, "truncated", fmt::format("{}: the connection broke {}", request, where(phase)));
        return failure(retryable, "reset", fmt::format("{}: the connection broke {}", request, where(phase)));
    case CURLE_BAD_CONTENT_ENCODING:
        return failure(retryable, "bad_input", fmt::format("{}: the answer's compression is broken", request));
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        return failure(retryable, "bad_input", fmt::format("{}: what answers there does not speak HTTP", request));
    case CURLE_OUT_OF_MEMORY: return failure(retryable, "out_of_memory", fmt::format("{}: out of memory", request));
    default: return failure(retryable, "connect", with_detail("the request failed"));
    }
}

FlightFailure timed_out(HttpPhase phase, Millis limit, std::string_view limit_name, std::string_view request)
{
    return failure(ErrorClass::retryable, "timeout",
                   fmt::format("{}: ended {} (limit: {} {})", request, where(phase), limit_name, to_text(limit)));
}

} // namespace freshet
