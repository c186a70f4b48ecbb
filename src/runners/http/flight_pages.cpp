// SPDX-License-Identifier: Apache-2.0
// The half of Flight that turns pages: what comes after this page, when to stop, and the rows of all as one list.
#include "runners/http/flight.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet {

namespace {

using enum ErrorClass;

std::string_view value_of(const Shaped& shaped, std::string_view name)
{
    for (const auto& [its_name, json] : shaped.extracts)
        if (its_name == name) return json;
    return {};
}

bool is_empty_list(std::string_view json)
{
    const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
    std::string bare;
    for (const char c : json) {
        if (is_space(c)) continue;
        bare += c;
        if (bare.size() > 2) return false;
    }
    return bare == "[]";
}

} // namespace

Flight::Step Flight::page_shaped(Shaped shaped)
{
    const Paging& paging = http_.paging;
    auto reference = next_reference(shaped);
    if (auto* why = std::get_if<FlightFailure>(&reference)) return fail(std::move(*why));
    std::string rows = paging.items.empty() ? std::move(shaped.json) : std::string{value_of(shaped, "items")};
    const bool empty = is_empty_list(rows);
    const Hash128 hash = hash128(rows);
    const bool same = page_ > 1 && !empty && hash == rows_hash_;
    rows_hash_ = hash;
    pages_.push_back(std::move(rows));
    if (paging.kind == PagingKind::page) {
        if (empty) return all_pages();
        if (same)
            return fail(failure(retryable, "paging_loop",
                                fmt::format("{} is the same as page {}: does the source know the parameter \"{}\"?",
                                            shown(), page_ - 1, paging.param)));
    }
    const std::string next = std::get<std::string>(std::move(reference));
    if (next.empty()) return all_pages();
    if (page_ >= paging.pages_max) {
        facts_.notes.push_back(fmt::format("stopped at {} pages; the source {} more", page_,
                                           paging.kind == PagingKind::page ? "may have" : "has"));
        return all_pages();
    }
    return next_page(next);
}

// What leads to the next page: a URL, a cursor, a page's number; empty at the end.
std::variant<std::string, FlightFailure> Flight::next_reference(const Shaped& shaped) const
{
    const Paging& paging = http_.paging;
    if (paging.kind == PagingKind::link) return link_.value_or("");
    if (paging.kind == PagingKind::page) return std::to_string(paging.first + page_);
    simdjson::dom::parser parser;
    const simdjson::padded_string json{value_of(shaped, "next")};
    simdjson::dom::element value;
    if (parser.parse(json).get(value) != simdjson::SUCCESS || value.is_null()) return std::string{};
    if (bool flag = true; value.get_bool().get(flag) == simdjson::SUCCESS && !flag) return std::string{};
    std::string_view text;
    if (value.get_string().get(text) == simdjson::SUCCESS) return std::string{text};
    if (paging.kind == PagingKind::cursor && value.is_number()) return std::string{json.data(), json.size()};
    return failure(fatal, "bad_input",
                   fmt::format("{}: paging.next gave neither {} nor null", shown(),
                               paging.kind == PagingKind::cursor ? "a cursor" : "a URL"));
}

Flight::Step Flight::next_page(const std::string& reference)
{
    const Paging& paging = http_.paging;
    const std::string asked = shown();
    const bool is_ours = paging.kind == PagingKind::page || paging.kind == PagingKind::cursor;
    std::string target;
    if (is_ours) {
        target = with_query(configured_url_, paging.param, reference);
        trusted_ = true; // the URL is the configured one: only a parameter's value came from outside
    } else {
        auto url = resolve_url(url_, reference);
        if (!url)
            return fail(
                failure(fatal, "bad_input", fmt::format("{} names a next page that is {}", asked, url.error())));
        if (url_.scheme == "https" && url->scheme == "http")
            return fail(failure(fatal, "redirect",
                                fmt::format("{} names {} as its next page, out of TLS; that is not followed", asked,
                                            shown_url(url->text))));
        target = std::move(url->text);
    }
    if (page_ == 1)
        seen_.insert(is_ours ? std::string{} : url_.text), seen_.insert(is_ours ? std::string{} : configured_url_);
    if (!seen_.insert(is_ours ? reference : target).second)
        return fail(failure(
            retryable, "paging_loop",
            fmt::format("{} names a page as its next one that was read already: the paging goes in a circle", asked)));
    ++page_;
    return ask_page(target);
}

Flight::Step Flight::all_pages()
{
    auto rows = concat_pages(pages_);
    pages_.clear();
    if (!rows)
        return fail(failure(
            fatal, to_text(rows.error().code),
            fmt::format("{}: {}; paging.items says which part of a page is its rows", shown(), rows.error().message)));
    if (source_.select.empty()) return data(std::move(*rows));
    last_shaping_ = true;
    ShapeOrder order;
    order.input = std::move(*rows);
    order.format = InputFormat::json;
    order.select = source_.select;
    return order;
}

} // namespace freshet
