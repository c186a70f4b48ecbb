// SPDX-License-Identifier: Apache-2.0
#pragma once
// One HTTP conversation with the server: ask and answer, or a stream that is handed on as it comes. By libcurl.
//
// Life: one per command; the connection is kept between calls. Redirects are not followed (the token goes to the server
// that was named, nowhere else); a loopback server is spoken to without proxies. One thread.
// An interrupt (CliContext::interrupted) ends a call within about a second.

#include "cli/context.hpp"
#include "cli/dictionary.hpp"
#include "cli/target.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet::cli {

struct HttpRequest {
    std::string method = "GET";
    std::string path; ///< begins with /, with query
    std::vector<std::pair<std::string, std::string>> headers;
    Millis timeout = 30s;
    std::string body{}; ///< JSON; of a POST
};

struct HttpAnswer {
    int status = 0;
    std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case, those of the last response
    std::string body;

    /// Empty if absent.
    std::string_view header(std::string_view name) const;
    /// The `Freshet` header; empty if it is absent or broken. Without it an answer may be a proxy's.
    Dictionary freshet() const;
    bool ok() const { return status >= 200 && status < 300; }
};

class HttpClient {
public:
    HttpClient(const CliContext& context, const Target& target);
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    /// Errors: exit_unreachable, exit_timed_out, exit_interrupted, each with words.
    CliResult<HttpAnswer> ask(const HttpRequest& request);

    /// As ask(), but hands the body of a 200 on as it comes. Ends well when the server ends it or `each` answers false;
    /// exit_timed_out when nothing came for `idle`. `timeout` of the request bounds the whole; 0: no bound.
    CliResult<HttpAnswer> stream(const HttpRequest& request, Millis idle,
                                 const std::function<bool(std::string_view)>& each);

    /// Called about once a second while a call waits.
    void on_tick(std::function<void()> tick);

    const Target& target() const { return target_; }

private:
    struct Call;
    CliResult<HttpAnswer> run(const HttpRequest& request, Call& call);

    const CliContext& context_;
    Target target_;
    std::function<void()> tick_;
    struct Handle;
    std::unique_ptr<Handle> handle_;
};

/// What an answer that is not 2xx means: exit code by status and problem code, words from the problem's own.
CliError error_of(const HttpAnswer& answer, std::string_view what);

/// "/v1/data/" and the key with everything escaped that may not stand in a path. Exit 2 for a text that is no key.
CliResult<std::string> key_path(std::string_view key);

} // namespace freshet::cli
