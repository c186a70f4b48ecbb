// SPDX-License-Identifier: Apache-2.0
#include "runners/http/flight.hpp"

#include "base/bytes.hpp"

#include "model/key.hpp"
#include "runners/http/address.hpp"

#include <algorithm>
#include <curl/curl.h>
#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace freshet {

namespace {

constexpr std::size_t validator_bytes_max = 1024;

using enum ErrorClass;

bool same_name(std::string_view a, std::string_view b)
{
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
    return std::ranges::equal(a, b, [&](char x, char y) { return lower(x) == lower(y); });
}

bool has_control(std::string_view text)
{
    return std::ranges::any_of(text,
                               [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
}

// As it stands between the quotes of a JSON string.
std::string json_escape(std::string_view text)
{
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer{buffer};
    writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    return {buffer.GetString() + 1, buffer.GetSize() - 2};
}

bool looks_like_json(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r\n");
    return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

ErrorClass class_of(ShapeErrorCode code)
{
    switch (code) {
    case ShapeErrorCode::bad_program: return fatal;
    case ShapeErrorCode::cancelled:
    case ShapeErrorCode::stopped: return cancelled;
    case ShapeErrorCode::bad_input:
    case ShapeErrorCode::wrong_type:
    case ShapeErrorCode::program_failed:
    case ShapeErrorCode::no_result:
    case ShapeErrorCode::many_results:
    case ShapeErrorCode::number_too_large:
    case ShapeErrorCode::too_large:
    case ShapeErrorCode::timed_out:
    case ShapeErrorCode::out_of_memory:
    case ShapeErrorCode::crashed:
    case ShapeErrorCode::busy: return retryable;
    }
    return retryable;
}

} // namespace

Flight::Flight(FlightOrder order, Millis connect_limit)
    : order_{std::move(order)}, source_{*order_.source}, http_{source_.http}, connect_limit_{connect_limit},
      bytes_left_{source_.bytes_max}
{
}

std::string Flight::shown() const
{
    std::string text = method_ + ' ' + shown_url(url_.text);
    if (page_ > 1) text += fmt::format(" (page {})", page_);
    return text;
}

Flight::Step Flight::begin()
{
    method_ = http_.method.empty() ? "GET" : http_.method;
    if (auto why = resolve_headers()) return fail(std::move(*why));
    configured_url_ = fill_template(http_.url, source_, order_.params, percent_encode);
    auto origin = parse_url(configured_url_);
    if (!origin)
        return fail(failure(fatal, "bad_url", fmt::format("the url of source {} is {}", source_.name, origin.error())));
    origin_ = std::move(*origin);
    configured_url_ = origin_.text;
    if (auto why = fill_body()) return fail(std::move(*why));
    if (http_.paging.kind == PagingKind::page)
        return ask_page(with_query(configured_url_, http_.paging.param, std::to_string(http_.paging.first)));
    return ask_page(configured_url_);
}

std::optional<FlightFailure> Flight::resolve_headers()
{
    for (const auto& [name, secret] : http_.headers) {
        auto value = resolve(secret);
        if (!value) {
            const std::string_view kind = secret.from == Secret::From::env ? "environment variable" : "file";
            return failure(fatal, "secret_missing",
                           fmt::format("header {} of source {} needs the {} {}, which is not there", name, source_.name,
                                       kind, secret.text));
        }
        if (has_control(*value) || has_control(name) || name.empty() || name.find(':') != std::string::npos)
            return failure(
                fatal, "bad_header",
                fmt::format("header {} of source {} cannot be sent: it holds a line break or another control character",
                            name, source_.name));
        headers_.push_back({name, std::move(*value)});
    }
    return std::nullopt;
}

// A body that is JSON takes its parameters as parts of JSON strings, any other as a form does.
std::optional<FlightFailure> Flight::fill_body()
{
    if (method_ == "GET") return std::nullopt;
    const bool json = looks_like_json(http_.body);
    configured_body_ = fill_template(http_.body, source_, order_.params, json ? json_escape : percent_encode);
    const bool typed = std::ranges::any_of(headers_, [](const Header& h) { return same_name(h.name, "content-type"); });
    if (json && !typed) headers_.push_back({"Content-Type", "application/json"});
    return std::nullopt;
}

// A page begins: its redirects and loops are its own.
Flight::Step Flight::ask_page(const std::string& text)
{
    auto url = parse_url(text);
    if (!url)
        return fail(failure(fatal, "bad_url", fmt::format("the url of source {} is {}", source_.name, url.error())));
    url_ = std::move(*url);
    method_ = http_.method.empty() ? "GET" : http_.method;
    body_ = configured_body_;
    redirects_ = 0;
    visited_ = {method_ + ' ' + url_.text};
    if (!url_.same_origin(origin_)) trusted_ = false;
    return request();
}

Flight::Step Flight::request()
{
    if (!http_.proxy.empty() && !http_.allow_private) {
        if (const auto why = not_public_host(url_.host))
            return fail(failure(fatal, "private_address",
                                fmt::format("{}: {} is {}, which sources may not reach, nor through a proxy; "
                                            "allow_private = true in source {} allows it",
                                            shown(), url_.host, *why, source_.name)));
    }
    HttpRequest request;
    request.url = url_;
    request.method = method_;
    request.body = body_;
    request.proxy = http_.proxy;
    request.ca_file = http_.ca_file;
    request.allow_private = http_.allow_private;
    request.bytes_max = bytes_left_;
    request.connect_limit = connect_limit_;
    bool agent_named = false;
    if (trusted_) {
        request.user = origin_.user, request.password = origin_.password;
        for (const Header& header : headers_) {
            // "Name;" is libcurl's way to send a header without a value.
            request.headers.push_back(header.value.empty() ? header.name + ';' : header.name + ": " + header.value);
            agent_named = agent_named || same_name(header.name, "user-agent");
        }
    }
    if (!agent_named) request.headers.push_back("User-Agent: freshet/" FRESHET_VERSION);
    if (order_.forced) request.headers.insert(request.headers.end(), {"Cache-Control: no-cache", "Pragma: no-cache"});
    validators_sent_ = false;
    if (may_validate()) {
        const auto add = [&](const char* name, const std::string& value) {
            if (value.empty() || has_control(value)) return;
            request.headers.push_back(std::string{name} + value);
            validators_sent_ = true;
        };
        add("If-None-Match: ", order_.validators.etag);
        add("If-Modified-Since: ", order_.validators.last_modified);
    }
    return request;
}

Flight::Step Flight::answered(Transfer& transfer, int code)
{
    count(transfer);
    const ResponseHead& head = transfer.head();
    if (head.status != 0) facts_.source_status = head.status;
    switch (transfer.stop()) {
    case TransferStop::private_address:
        return fail(
            failure(fatal, "private_address",
                    fmt::format("{}: {}, which sources may not reach; allow_private = true in source {} allows it",
                                shown(), transfer.refused(), source_.name)));
    case TransferStop::head_too_large:
        return fail(failure(retryable, "too_large",
                            fmt::format("{}: the head of the answer is larger than {}", shown(),
                                        shown_bytes(Transfer::head_bytes_max))));
    case TransferStop::body_too_large:
        return fail(failure(retryable, "too_large",
                            fmt::format("{}: {} larger than {} (max_bytes of source {})", shown(),
                                        page_ > 1 ? "the pages together are" : "the answer is",
                                        shown_bytes(source_.bytes_max), source_.name)));
    case TransferStop::none:
    case TransferStop::head_is_enough: break;
    }
    if (head.complete && head.status == 304 && validators_sent_) return FlightEnd{FlightUnchanged{facts()}};
    if (head.complete && is_redirect(head.status) && !head.location.empty()) return follow(transfer);
    if (head.complete && !is_data(head.status)) return fail(judge_status(head, shown(), order_.now));
    const int tunnel = transfer.proxy_status();
    if (code != CURLE_OK && tunnel != 0 && tunnel / 100 != 2) return fail(judge_proxy(tunnel, shown()));
    if (code != CURLE_OK) return fail(judge_curl(code, transfer.phase(), shown(), transfer.detail()));
    if (transfer.body().empty())
        return fail(
            failure(retryable, "bad_input", fmt::format("{} answered {} with an empty body", shown(), head.status)));
    bytes_left_ -= static_cast<std::int64_t>(transfer.body().size());
    if (may_validate()) {
        if (head.etag.size() <= validator_bytes_max) validators_.etag = head.etag;
        if (head.last_modified.size() <= validator_bytes_max) validators_.last_modified = head.last_modified;
    }
    return shape_page(transfer);
}

Flight::Step Flight::follow(const Transfer& transfer)
{
    const int status = transfer.head().status;
    auto target = resolve_url(url_, transfer.head().location);
    const std::string asked = shown();
    if (!target)
        return fail(failure(fatal, "redirect", fmt::format("{} redirects to what is {}", asked, target.error())));
    const std::string to = shown_url(target->text);
    if (url_.scheme == "https" && target->scheme == "http")
        return fail(
            failure(fatal, "redirect", fmt::format("{} redirects to {}, out of TLS; that is not followed", asked, to)));
    if (++redirects_ > http_.redirects_max)
        return fail(
            failure(retryable, "redirect_loop",
                    fmt::format("{} redirects on to {}: more than {} redirects", asked, to, http_.redirects_max)));
    // As browsers do: 303 turns everything into a GET, 301 and 302 a POST only.
    if (status == 303 || (status < 303 && method_ == "POST")) method_ = "GET", body_.clear();
    if (!body_.empty() && !target->same_origin(origin_))
        return fail(failure(fatal, "redirect",
                            fmt::format("{} redirects to {}: the body is not sent to another origin", asked, to)));
    if (!visited_.insert(method_ + ' ' + target->text).second)
        return fail(
            failure(retryable, "redirect_loop", fmt::format("{} redirects back to {}, where it came from", asked, to)));
    if (redirects_ == 1 && page_ == 1 && (status == 301 || status == 308))
        facts_.notes.push_back("the source has moved for good to " + to);
    url_ = std::move(*target);
    if (!url_.same_origin(origin_)) trusted_ = false;
    return request();
}

Flight::Step Flight::shape_page(Transfer& transfer)
{
    const Paging& paging = http_.paging;
    ShapeOrder order;
    order.input = std::move(transfer.body());
    order.format = source_.format;
    order.content_type = transfer.head().content_type;
    order.rows = source_.rows;
    order.cells = source_.cells;
    order.base_url = url_.text;
    if (page_ == 1) order.as_of = source_.as_of;
    if (!is_paged()) order.select = source_.select;
    if (is_paged() && !paging.items.empty()) order.extracts.emplace_back("items", paging.items);
    if (paging.kind == PagingKind::next || paging.kind == PagingKind::cursor)
        order.extracts.emplace_back("next", paging.next);
    if (paging.kind == PagingKind::link) link_ = next_link(transfer.head().links);
    return order;
}

Flight::Step Flight::shaped(ShapeResult<Shaped> result, Millis took)
{
    shaping_ += took;
    shaped_any_ = true;
    if (!result) {
        const bool late = result.error().code == ShapeErrorCode::timed_out;
        return fail(failure(class_of(result.error().code), late ? "timeout" : to_text(result.error().code),
                            fmt::format("{}: {}", shown(), result.error().message)));
    }
    if (page_ == 1 && !last_shaping_) as_of_ = result->as_of;
    if (!is_paged() || last_shaping_) return data(std::move(result->json));
    return page_shaped(std::move(*result));
}

Flight::Step Flight::data(std::string json)
{
    return FlightEnd{FlightData{std::move(json), as_of_, validators_, facts()}};
}

Flight::Step Flight::fail(FlightFailure why)
{
    why.facts = facts();
    return FlightEnd{std::move(why)};
}

FlightEnd Flight::ended(FlightFailure why, const Transfer* under_way)
{
    if (under_way != nullptr) {
        count(*under_way);
        if (under_way->head().status != 0) facts_.source_status = under_way->head().status;
    }
    why.facts = facts();
    return why;
}

FlightEnd Flight::timed_out(const Transfer* under_way, Millis limit, std::string_view limit_name)
{
    if (under_way != nullptr)
        return ended(freshet::timed_out(under_way->phase(), limit, limit_name, shown()), under_way);
    return ended(
        failure(retryable, "timeout",
                fmt::format("{}: ended while shaping the answer (limit: {} {})", shown(), limit_name, to_text(limit))),
        nullptr);
}

void Flight::count(const Transfer& transfer)
{
    times_.add(transfer.times());
    facts_.bytes_in += transfer.bytes_in();
}

FlightFacts Flight::facts()
{
    FlightFacts facts = facts_;
    const auto add = [&](const char* name, std::int64_t micros) {
        if (micros > 0) facts.phases.push_back({name, std::chrono::round<Millis>(std::chrono::microseconds{micros})});
    };
    add("resolve", times_.resolve);
    add("connect", times_.connect);
    add("tls", times_.tls);
    add("wait", times_.wait);
    add("read", times_.read);
    if (shaped_any_) facts.phases.push_back({"shape", shaping_});
    return facts;
}

Progress Flight::progress(const Transfer* under_way) const
{
    Progress progress;
    progress.attempt = order_.attempt;
    if (is_paged()) {
        progress.phases = 2;
        progress.phase = last_shaping_ ? "shape" : "pages";
        progress.phase_index = last_shaping_ ? 1 : 0;
        progress.done = page_;
        progress.unit = "pages";
        progress.message = fmt::format("page {}", page_);
        return progress;
    }
    progress.phases = 4;
    progress.unit = "bytes";
    if (under_way == nullptr) {
        progress.phase = "shape", progress.phase_index = 3;
    } else if (under_way->phase() < HttpPhase::waiting) {
        progress.phase = "connect", progress.phase_index = 0;
    } else if (under_way->phase() == HttpPhase::waiting) {
        progress.phase = "wait", progress.phase_index = 1;
    } else {
        progress.phase = "read", progress.phase_index = 2;
        progress.done = under_way->bytes_in();
        progress.total = under_way->head().content_length;
    }
    return progress;
}

} // namespace freshet
