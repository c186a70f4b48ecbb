// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/text_input.hpp"

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <libxml/encoding.h>
#include <libxml/tree.h>
#include <memory>

namespace freshet {

namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
constexpr std::string_view replacement = "\xEF\xBF\xBD";

bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string lowered(std::string_view text)
{
    std::string made{text};
    std::ranges::transform(made, made.begin(), lower);
    return made;
}

bool starts_with_word(std::string_view text, std::string_view word)
{
    return text.size() >= word.size() && std::ranges::equal(text.substr(0, word.size()), word, {}, lower);
}

// Length of the valid UTF-8 sequence at the front of `text`; 0 when it is none (RFC 3629: no surrogates, no overlongs).
std::size_t sequence_length(std::string_view text)
{
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(0);
    if (first < 0x80) return 1;
    const std::size_t length = first >= 0xC2 && first < 0xE0   ? 2
                               : first >= 0xE0 && first < 0xF0 ? 3
                               : first >= 0xF0 && first < 0xF5 ? 4
                                                               : 0;
    if (length == 0 || text.size() < length) return 0;
    for (std::size_t i = 1; i < length; ++i)
        if ((byte(i) & 0xC0) != 0x80) return 0;
    const unsigned second = byte(1);
    if (first == 0xE0 && second < 0xA0) return 0;
    if (first == 0xED && second >= 0xA0) return 0;
    if (first == 0xF0 && second < 0x90) return 0;
    if (first == 0xF4 && second >= 0x90) return 0;
    return length;
}

enum class Looks : std::uint8_t { empty, json, html, xml, tags, other };

Looks looks_of(std::string_view input)
{
    if (input.starts_with(byte_order_mark)) input.remove_prefix(byte_order_mark.size());
    input = without_space_around(input);
    if (input.empty()) return Looks::empty;
    if (input.front() == '{' || input.front() == '[') return Looks::json;
    if (input.front() != '<') return Looks::other;
    // A page may open with comments; what counts is the first tag.
    while (input.starts_with("<!--")) {
        const auto end = input.find("-->");
        if (end == std::string_view::npos) return Looks::html;
        input = without_space_around(input.substr(end + 3));
    }
    for (const std::string_view tag :
         {"<!doctype html", "<html", "<head", "<body", "<div", "<p>", "<h1", "<title", "<table", "<script"})
        if (starts_with_word(input, tag)) return Looks::html;
    for (const std::string_view tag : {"<?xml", "<rss", "<feed", "<rdf:", "<urlset", "<sitemapindex"})
        if (starts_with_word(input, tag)) return Looks::xml;
    return Looks::tags;
}

InputFormat declared_by(const std::string& type)
{
    if (type == "application/json" || type == "text/json" || type.ends_with("+json")) return InputFormat::json;
    for (const std::string_view lines : {"application/x-ndjson", "application/ndjson", "application/jsonl",
                                         "application/x-jsonlines", "application/json-lines"})
        if (type == lines) return InputFormat::ndjson;
    if (type == "text/csv" || type == "application/csv" || type == "text/tab-separated-values") return InputFormat::csv;
    if (type == "text/html" || type == "application/xhtml+xml") return InputFormat::html;
    if (type == "text/xml" || type == "application/xml" || type.ends_with("+xml")) return InputFormat::xml;
    return InputFormat::auto_detect;
}

InputFormat detected(const ShapeOrder& order, Looks looks)
{
    const InputFormat declared = declared_by(parse_content_type(order.content_type).type);
    // Feeds come as text/html and pages as application/xml often enough: between the two the bytes know better.
    if (!order.rows.empty())
        return looks == Looks::xml || (looks != Looks::html && declared == InputFormat::xml) ? InputFormat::xml
                                                                                             : InputFormat::html;
    // Many an API sends its JSON as text/html, and whoever wants markup says what to take from it.
    const bool declared_markup = declared == InputFormat::html || declared == InputFormat::xml;
    if (declared_markup && looks == Looks::json) return InputFormat::json;
    if (declared != InputFormat::auto_detect) return declared;
    switch (looks) {
    case Looks::empty:
    case Looks::json: return InputFormat::json;
    case Looks::tags:
    case Looks::html: return InputFormat::html;
    case Looks::xml: return InputFormat::xml;
    case Looks::other: return order.select.empty() ? InputFormat::text : InputFormat::json;
    }
    return InputFormat::text;
}

std::string_view words_for(InputFormat format)
{
    switch (format) {
    case InputFormat::auto_detect: return "data";
    case InputFormat::json: return "JSON";
    case InputFormat::ndjson: return "JSON lines";
    case InputFormat::csv: return "CSV";
    case InputFormat::table: return "a table";
    case InputFormat::text: return "text";
    case InputFormat::html: return "HTML";
    case InputFormat::xml: return "XML";
    }
    return "data";
}

std::string_view words_for(Looks looks)
{
    switch (looks) {
    case Looks::empty: return "nothing";
    case Looks::json: return "JSON";
    case Looks::html: return "HTML";
    case Looks::xml: return "XML";
    case Looks::tags: return "markup";
    case Looks::other: return "something else";
    }
    return "something else";
}

bool contradicts(InputFormat format, Looks looks)
{
    switch (format) {
    case InputFormat::json:
    case InputFormat::ndjson: return looks == Looks::html || looks == Looks::xml || looks == Looks::tags;
    case InputFormat::csv:
    case InputFormat::table: return looks == Looks::html;
    case InputFormat::html: return looks == Looks::json || looks == Looks::other;
    case InputFormat::xml: return looks == Looks::json || looks == Looks::other || looks == Looks::html;
    case InputFormat::auto_detect:
    case InputFormat::text: return false;
    }
    return false;
}

struct CloseEncoding {
    void operator()(xmlCharEncodingHandler* handler) const { xmlCharEncCloseFunc(handler); }
};
struct FreeBuffer {
    void operator()(xmlBuffer* buffer) const { xmlBufferFree(buffer); }
};

ShapeResult<std::string> converted(std::string_view input, const std::string& charset)
{
    const std::unique_ptr<xmlCharEncodingHandler, CloseEncoding> handler{xmlFindCharEncodingHandler(charset.c_str())};
    if (!handler)
        return shape_error(ShapeErrorCode::bad_input,
                           fmt::format("the charset {} is not known", quoted_start(charset)));
    const std::unique_ptr<xmlBuffer, FreeBuffer> from{xmlBufferCreateSize(input.size() + 1)};
    const std::unique_ptr<xmlBuffer, FreeBuffer> to{xmlBufferCreateSize(input.size() * 2 + 1)};
    xmlBufferAdd(from.get(), reinterpret_cast<const xmlChar*>(input.data()), static_cast<int>(input.size()));
    // A call converts a bounded piece; the rest stays in `from`.
    while (xmlBufferLength(from.get()) > 0) {
        const int left = xmlBufferLength(from.get());
        if (xmlCharEncInFunc(handler.get(), to.get(), from.get()) < 0 || xmlBufferLength(from.get()) == left)
            return shape_error(ShapeErrorCode::bad_input,
                               fmt::format("the bytes are not {} as the source says", charset));
    }
    return std::string{reinterpret_cast<const char*>(xmlBufferContent(to.get())),
                       static_cast<std::size_t>(xmlBufferLength(to.get()))};
}

} // namespace

std::string_view without_space_around(std::string_view text)
{
    while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
    return text;
}

std::size_t find_invalid_utf8(std::string_view text)
{
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = sequence_length(text.substr(at));
        if (length == 0) return at;
        at += length;
    }
    return std::string_view::npos;
}

std::string with_valid_utf8(std::string_view text)
{
    std::string made;
    made.reserve(text.size());
    while (!text.empty()) {
        const std::size_t bad = std::min(find_invalid_utf8(text), text.size());
        made += text.substr(0, bad);
        if (bad < text.size()) made += replacement;
        text.remove_prefix(std::min(bad + 1, text.size()));
    }
    return made;
}

void drop_cut_character(std::string& text)
{
    std::size_t tail = 0;
    while (tail < 3 && tail < text.size() && (static_cast<unsigned char>(text[text.size() - 1 - tail]) & 0xC0) == 0x80)
        ++tail;
    if (tail == text.size()) return;
    const std::size_t start = text.size() - 1 - tail;
    if (sequence_length(std::string_view{text}.substr(start)) == 0) text.resize(start);
}

ContentType parse_content_type(std::string_view header)
{
    ContentType made;
    const auto end = std::min(header.find(';'), header.size());
    made.type = lowered(without_space_around(header.substr(0, end)));
    const std::string rest = lowered(header.substr(end));
    const auto at = rest.find("charset=");
    if (at == std::string::npos) return made;
    std::string_view value = std::string_view{rest}.substr(at + 8);
    value = without_space_around(value.substr(0, value.find(';')));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    made.charset = value;
    return made;
}

ShapeResult<InputFormat> format_of(const ShapeOrder& order)
{
    const Looks looks = looks_of(order.input);
    const InputFormat format = order.format == InputFormat::auto_detect ? detected(order, looks) : order.format;
    if (contradicts(format, looks))
        return shape_error(ShapeErrorCode::wrong_type, fmt::format("expected {}, got {}: {}", words_for(format),
                                                                   words_for(looks), quoted_start(order.input)));
    const bool markup = format == InputFormat::html || format == InputFormat::xml;
    if (markup && order.rows.empty())
        return shape_error(ShapeErrorCode::wrong_type,
                           fmt::format("got {} and no `rows` that say what to take from it: {}", words_for(format),
                                       quoted_start(order.input)));
    if (!markup && !order.rows.empty())
        return shape_error(ShapeErrorCode::bad_program,
                           fmt::format("`rows` is for HTML and XML, the format is {}", words_for(format)));
    return format;
}

std::size_t line_of(std::string_view text, std::size_t offset)
{
    return 1 + static_cast<std::size_t>(std::ranges::count(text.substr(0, offset), '\n'));
}

ShapeResult<std::string> to_utf8(std::string input, std::string_view charset, bool strict)
{
    if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii") {
        ShapeResult<std::string> text = converted(input, std::string{charset});
        if (!text) return text;
        input = std::move(*text);
    }
    if (input.starts_with(byte_order_mark)) input.erase(0, byte_order_mark.size());
    const std::size_t bad = find_invalid_utf8(input);
    if (bad == std::string::npos) return input;
    if (strict)
        return shape_error(ShapeErrorCode::bad_input,
                           fmt::format("line {}: a byte that is no UTF-8", line_of(input, bad)));
    return with_valid_utf8(input);
}

} // namespace freshet
