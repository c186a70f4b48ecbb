// SPDX-License-Identifier: Apache-2.0
#include "http/request_head.hpp"

#include <boost/beast/http/basic_parser.hpp>
#include <cstring>

namespace freshet::http {

namespace beast = boost::beast;
using BeastError = beast::error_code;
using beast::http::field;

struct RequestParser::Parser final : beast::http::basic_parser<true> {
    explicit Parser(RequestParser& o) : owner{o}
    {
        // The bound on the head is kept by the connection, which counts before it parses.
        header_limit(2 * head_bytes_max);
        body_limit(any_body_bytes_max);
    }

    RequestParser& owner;

    void refuse(HeadRefusal refusal, BeastError& ec)
    {
        owner.refusal_ = refusal;
        ec = beast::http::error::bad_value;
    }

    void on_request_impl(beast::http::verb verb, beast::string_view method, beast::string_view target, int version,
                         BeastError& ec) override
    {
        RequestHead& head = owner.head_;
        head.method = {method.data(), method.size()};
        head.target = {target.data(), target.size()};
        head.version = version;
        head.get = verb == beast::http::verb::get;
        head.head = verb == beast::http::verb::head;
        if (version != 11) head.plain = false;
        if (target.size() > target_bytes_max) refuse(HeadRefusal::target_too_long, ec);
    }

    void on_response_impl(int, beast::string_view, int, BeastError&) override {}

    void on_field_impl(field name, beast::string_view name_text, beast::string_view value_text, BeastError& ec) override
    {
        RequestHead& head = owner.head_;
        if (head.fields_count == head_fields_max) return refuse(HeadRefusal::too_many_fields, ec);
        const std::string_view value{value_text.data(), value_text.size()};
        head.fields[head.fields_count++] = {{name_text.data(), name_text.size()}, value};
        switch (name) {
        case field::host:
            head.host = value;
            ++head.hosts;
            break;
        case field::authorization:
            if (!head.authorization.empty()) head.plain = false;
            head.authorization = value;
            break;
        case field::accept_encoding:
            if (!head.accept_encoding.empty()) head.plain = false;
            head.accept_encoding = value;
            break;
        case field::if_none_match:
            if (!head.if_none_match.empty()) head.plain = false;
            head.if_none_match = value;
            break;
        case field::origin:
        case field::cache_control:
        case field::pragma:
        case field::prefer:
        case field::expect:
        case field::connection:
        case field::upgrade:
        case field::content_length:
        case field::transfer_encoding:
        case field::cookie: head.plain = false; break;
        default: break;
        }
    }

    void on_header_impl(BeastError& ec) override
    {
        if (owner.head_.hosts > 1 || (owner.head_.version == 11 && owner.head_.hosts == 0))
            refuse(HeadRefusal::malformed, ec);
    }
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, BeastError&) override
    {
        // A promise of length is believed in steps, so that a liar costs no memory.
        if (length) owner.body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, 64 << 10)));
    }
    std::size_t on_body_impl(beast::string_view bytes, BeastError&) override
    {
        owner.body_.append(bytes.data(), bytes.size());
        return bytes.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, BeastError&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view bytes, BeastError& ec) override
    {
        return on_body_impl(bytes, ec);
    }
    void on_finish_impl(BeastError&) override {}
};

RequestParser::RequestParser() : parser_{std::make_unique<std::optional<Parser>>()} {}
RequestParser::~RequestParser() = default;

std::size_t RequestParser::begin(std::string_view bytes)
{
    head_.method = head_.target = head_.host = head_.authorization = head_.accept_encoding = head_.if_none_match = {};
    head_.fields_count = 0;
    head_.hosts = 0;
    head_.plain = true;
    refusal_.reset();
    body_.clear();
    Parser& parser = parser_->emplace(*this);
    parser.eager(false);
    BeastError ec;
    const std::size_t used = parser.put({bytes.data(), bytes.size()}, ec);
    if (!ec && parser.is_header_done()) return used;
    if (!refusal_) {
        refusal_ = ec == beast::http::error::body_limit    ? HeadRefusal::body_too_large
                   : ec == beast::http::error::bad_version ? HeadRefusal::version
                                                           : HeadRefusal::malformed;
    }
    return 0;
}

bool RequestParser::keep_alive() const
{
    return (*parser_)->keep_alive();
}

bool RequestParser::wants_body() const
{
    return !(*parser_)->is_done();
}

bool RequestParser::limit_body(std::size_t bytes_max)
{
    if (promised() > bytes_max) return false;
    (*parser_)->body_limit(bytes_max);
    return true;
}

std::size_t RequestParser::promised() const
{
    const auto length = (*parser_)->content_length();
    return length ? static_cast<std::size_t>(*length) : 0;
}

std::size_t RequestParser::feed(std::string_view bytes)
{
    Parser& parser = **parser_;
    std::size_t used = 0;
    while (!parser.is_done() && used < bytes.size()) {
        BeastError ec;
        used += parser.put({bytes.data() + used, bytes.size() - used}, ec);
        if (ec == beast::http::error::need_more) break;
        if (ec) {
            refusal_ = ec == beast::http::error::body_limit ? HeadRefusal::body_too_large : HeadRefusal::malformed;
            break;
        }
    }
    return used;
}

std::size_t head_length(std::string_view bytes)
{
    const void* end = memmem(bytes.data(), bytes.size(), "\r\n\r\n", 4);
    return end == nullptr ? 0 : static_cast<std::size_t>(static_cast<const char*>(end) - bytes.data()) + 4;
}

} // namespace freshet::http
