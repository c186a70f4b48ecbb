// SPDX-License-Identifier: Apache-2.0
#pragma once
// The head of one request as it lies in the connection's buffer, and the parser that finds it there (Beast's).
//
// Life: one parser per connection, begun anew for each request. The head's views point into the bytes that were given
// to begin(): they hold until those bytes move. Threads: the connection's loop. Always holds: begin() is given a whole
// head (up to and with its empty line), so that all of it lies in one piece.

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace freshet::http {

inline constexpr std::size_t head_bytes_max = 16 << 10;
inline constexpr std::size_t head_fields_max = 100;
inline constexpr std::size_t target_bytes_max = 8 << 10;
/// What the parser takes at the most; each route has its own bound, limit_body().
inline constexpr std::size_t any_body_bytes_max = 64 << 20;

struct RequestHead {
    struct Field {
        std::string_view name, value;
    };
    std::string_view method, target;
    int version = 11; ///< 10 or 11
    std::array<Field, head_fields_max> fields;
    std::size_t fields_count = 0;
    int hosts = 0;

    // Picked out while parsing, for cached reads.
    std::string_view host, authorization, accept_encoding, if_none_match;
    bool get = false, head = false;
    /// Nothing in it asks for more than the plain cached answer: no body, no Origin, Cache-Control, Prefer ...
    bool plain = true;
};

/// Why a request could not be read; each has one status.
enum class HeadRefusal : unsigned char { malformed, too_many_fields, target_too_long, body_too_large, version };

class RequestParser {
public:
    RequestParser();
    ~RequestParser();

    /// Parses the head at the front of `bytes`. @return its length, or 0 with refusal() set.
    std::size_t begin(std::string_view bytes);
    const RequestHead& head() const { return head_; }
    std::optional<HeadRefusal> refusal() const { return refusal_; }
    bool keep_alive() const;
    /// A body follows that is not yet read whole.
    bool wants_body() const;
    /// Bounds the body that follows. False: its head promises more.
    bool limit_body(std::size_t bytes_max);
    /// Bytes that the head promised; 0 when it names no length.
    std::size_t promised() const;
    /// Takes bytes of the body. @return how many were used; refusal() is set when it is malformed or too large.
    std::size_t feed(std::string_view bytes);
    std::string take_body() { return std::move(body_); }

private:
    struct Parser;
    std::unique_ptr<std::optional<Parser>> parser_;
    RequestHead head_;
    std::string body_;
    std::optional<HeadRefusal> refusal_;
};

/// Length of the head that `bytes` begin with, its empty line included; 0 if it is not whole yet.
std::size_t head_length(std::string_view bytes);

} // namespace freshet::http
