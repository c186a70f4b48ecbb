// SPDX-License-Identifier: Apache-2.0
#pragma once
// One HTTP request and its answer on a libcurl handle: no redirect followed, every bound kept, every address checked.
//
// Life: made (nothing happens yet) -> added to Connections, which drives it -> done, with a libcurl code -> read by the
// flight -> destroyed. Destroying one that is still under way must be preceded by Connections::remove().
// Threads: the runner's only.
// Always holds: `body` is at most bytes_max long, decoded, and no more than bytes_max were received for it; no socket
// was opened to an address that is not public unless the request allows it or goes through a proxy; the environment
// (proxy variables, .netrc) has no say.

#include "base/time.hpp"
#include "runners/http/response_head.hpp"
#include "runners/http/url.hpp"
#include "runners/http/verdict.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace freshet {

struct HttpRequest {
    Url url;
    std::string method = "GET";
    std::string body;                 ///< sent with every method but GET
    std::vector<std::string> headers; ///< "Name: value", values without line breaks
    std::string user, password;       ///< Basic; empty user: none
    std::string proxy;                ///< empty: none, whatever the environment says
    std::string ca_file;
    bool allow_private = false;
    std::vector<std::string> names;     ///< "host:port:address": answers that DNS is not asked for
    std::int64_t bytes_max = 8LL << 20; ///< of the answer's body, received and decoded alike
    Millis connect_limit = 10s;         ///< resolve, connect and TLS together

    /// "GET https://host/path?key=…": how messages name it.
    std::string shown() const { return method + ' ' + shown_url(url.text); }
};

/// Why our own callbacks ended a transfer.
enum class TransferStop : std::uint8_t { none, private_address, head_too_large, body_too_large, head_is_enough };

/// Microseconds by phase.
struct TransferTimes {
    std::int64_t resolve = 0, connect = 0, tls = 0, wait = 0, read = 0;
    void add(const TransferTimes& other);
};

class Transfer {
public:
    static constexpr std::size_t head_bytes_max = 128UL << 10;
    /// A redirect's body is read up to here, so that its connection can be used again.
    static constexpr std::int64_t drain_bytes_max = 64L << 10;

    explicit Transfer(HttpRequest request);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    const HttpRequest& request() const { return request_; }
    const ResponseHead& head() const { return head_; }
    std::string& body() { return body_; }
    /// private_address only where every address of the host was refused.
    TransferStop stop() const;
    /// With TransferStop::private_address: "10.0.0.1 is a private address (10.0.0.0/8)".
    const std::string& refused() const { return refused_; }
    /// The system's or libcurl's own words on what went wrong; no secret is in them.
    std::string detail() const;
    /// What the proxy answered when it was asked for a tunnel; 0 where none was asked.
    int proxy_status() const;

    HttpPhase phase() const { return phase_; }
    std::int64_t bytes_in() const;                ///< of the body, before decoding
    std::int64_t pulse() const { return pulse_; } ///< grows whenever something arrives
    TransferTimes times() const;

    void* handle() const; ///< the CURL*, for Connections

private:
    struct Callbacks;
    struct Curl;
    void set_up();
    std::size_t end(TransferStop why); ///< 0, which is how a callback tells libcurl to end

    HttpRequest request_;
    std::unique_ptr<Curl> curl_;
    ResponseHead head_;
    std::string body_;
    std::string refused_;
    std::size_t head_bytes_ = 0;
    std::int64_t drained_ = 0;
    std::int64_t pulse_ = 0;
    int sockets_opened_ = 0;
    TransferStop stop_ = TransferStop::none;
    HttpPhase phase_ = HttpPhase::resolving;
};

} // namespace freshet
