// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a test asks the server, and what it answered. By libcurl; each Client keeps its connection. One thread each.

#include "base/time.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::outside {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Answer {
    int status = 0;  ///< 0: there was none; `error` says why
    Headers headers; ///< names in lower case
    std::string body;
    std::string error;
    Millis took{0};

    /// Empty if absent.
    std::string header(std::string_view name) const;
    /// A member of the `Freshet` header as it is written: freshet("state") == "fresh". Empty if absent.
    std::string freshet(std::string_view member) const;
    std::int64_t freshet_number(std::string_view member) const { return std::stoll("0" + freshet(member)); }
    /// A text, number or truth value of the JSON body by its pointer ("/meta/state"), as text; nullopt if absent or
    /// null.
    std::optional<std::string> json(std::string_view pointer) const;
};

class Client {
public:
    explicit Client(std::string url, std::string token = {});
    ~Client();
    Client(Client&&) noexcept;

    Answer ask(std::string_view method, const std::string& path, Headers headers = {}, std::string body = {},
               Millis within = Millis{30'000});
    Answer get(const std::string& path, Headers headers = {}) { return ask("GET", path, std::move(headers)); }
    Answer post(const std::string& path, Headers headers = {}, std::string body = {})
    {
        return ask("POST", path, std::move(headers), std::move(body));
    }
    /// POST .../refresh that waits for its outcome.
    Answer refresh(const std::string& key, int wait_seconds = 20)
    {
        return post("/v1/data/" + key + "/refresh", {{"Prefer", "wait=" + std::to_string(wait_seconds)}});
    }

private:
    struct Handle;
    std::unique_ptr<Handle> handle_;
    std::string url_, token_;
};

/// Reads the text of a member of an RFC 8941 dictionary, without its parameters.
std::string dictionary_member(std::string_view dictionary, std::string_view member);

} // namespace freshet::outside
