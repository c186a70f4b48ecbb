// SPDX-License-Identifier: Apache-2.0
#include "http/body.hpp"

#include "http/problems.hpp"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::http {

namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t shown_max = 64;

std::string_view trimmed_json(std::string_view raw)
{
    constexpr std::string_view space = " \t\r\n";
    const auto begin = raw.find_first_not_of(space);
    if (begin == std::string_view::npos) return {};
    return raw.substr(begin, raw.find_last_not_of(space) - begin + 1);
}

JsonType type_of(std::string_view raw)
{
    switch (raw.empty() ? 'n' : raw.front()) {
    case '{': return JsonType::object;
    case '[': return JsonType::list;
    case '"': return JsonType::text;
    case 't':
    case 'f': return JsonType::yes_no;
    case 'n': return JsonType::null;
    default: return JsonType::number;
    }
}

std::string shown(std::string_view raw)
{
    if (raw.size() <= shown_max) return std::string{raw};
    // Cut between characters, so that what is shown is still UTF-8.
    std::size_t length = shown_max;
    while (length > 0 && (static_cast<unsigned char>(raw[length]) & 0xC0U) == 0x80U) --length;
    return fmt::format("{}…", raw.substr(0, length));
}

std::string member_pointer(std::string_view base, std::string_view name)
{
    std::string out{base};
    out += '/';
    for (const char c : name.substr(0, shown_max)) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

// The value's own bytes, walked over whole; false where it is broken.
bool raw_of(simdjson::ondemand::value& content, std::string_view& raw)
{
    using simdjson::SUCCESS;
    simdjson::ondemand::json_type type{};
    if (content.type().get(type) != SUCCESS) return false;
    if (type == simdjson::ondemand::json_type::object) {
        simdjson::ondemand::object inner;
        return content.get_object().get(inner) == SUCCESS && inner.raw_json().get(raw) == SUCCESS;
    }
    if (type == simdjson::ondemand::json_type::array) {
        simdjson::ondemand::array inner;
        return content.get_array().get(inner) == SUCCESS && inner.raw_json().get(raw) == SUCCESS;
    }
    raw = content.raw_json_token();
    return true;
}

} // namespace

struct BodyReader::Parsers {
    explicit Parsers(const std::string& text) : whole{text} {}
    simdjson::padded_string whole;
    std::string_view root;
    ondemand::parser walking;

    // A piece of the whole: what follows it serves as its padding.
    simdjson::padded_string_view padded(std::string_view piece) const
    {
        const auto offset = static_cast<std::size_t>(piece.data() - whole.data());
        return simdjson::padded_string_view{piece.data(), piece.size(),
                                            whole.size() + simdjson::SIMDJSON_PADDING - offset};
    }
    std::optional<std::string> text_of(std::string_view raw)
    {
        ondemand::document document;
        std::string_view value;
        if (walking.iterate(padded(raw)).get(document) != simdjson::SUCCESS ||
            document.get_string().get(value) != simdjson::SUCCESS)
            return std::nullopt;
        return std::string{value};
    }
};

BodyReader::BodyReader(const std::string& text, bool empty_is_object)
    : parsers_{std::make_unique<Parsers>(text.empty() && empty_is_object ? "{}" : text)}
{
    // The whole is judged once by the strict parser; walking it afterwards meets valid JSON only.
    simdjson::dom::parser judge;
    simdjson::dom::element any;
    if (const auto wrong = judge.parse(parsers_->whole).get(any); wrong != simdjson::SUCCESS) {
        problem_ = make_problem(400, "bad_body", "The body can not be used",
                                fmt::format("It is no JSON: {}.", simdjson::error_message(wrong)),
                                "Send one JSON value, with Content-Type: application/json.");
        return;
    }
    parsers_->root = trimmed_json(std::string_view{parsers_->whole});
}

BodyReader::~BodyReader() = default;

BodyValue BodyReader::root()
{
    BodyValue value;
    value.reader_ = this;
    value.raw_ = parsers_->root;
    value.type_ = type_of(value.raw_);
    return value;
}

void BodyReader::refuse(std::string_view pointer, std::string_view given, std::string_view takes)
{
    if (problem_) return;
    problem_ = make_problem(400, "bad_body", "The body can not be used",
                            fmt::format("{}: {}.", pointer.empty() ? "the body" : pointer, given),
                            fmt::format("Send {}.", takes));
}

void BodyReader::refuse_size(std::string_view pointer, std::size_t bytes, std::size_t bytes_max)
{
    if (problem_) return;
    problem_ = make_problem(
        413, "body_too_large", "The body is too large",
        fmt::format("{} has {} bytes; it may have {}.", pointer.empty() ? "the body" : pointer, bytes, bytes_max),
        "Send less, or a reference to where it lies.");
    problem_->limit = fmt::format("{} bytes", bytes_max);
}

BodyObject BodyReader::members_of(const BodyValue& value)
{
    BodyObject made;
    made.reader_ = this;
    made.pointer_ = value.pointer_;
    if (problem_) return made;
    if (value.type_ != JsonType::object) {
        value.refuse("an object");
        return made;
    }
    ondemand::document document;
    ondemand::object object;
    if (parsers_->walking.iterate(parsers_->padded(value.raw_)).get(document) != simdjson::SUCCESS ||
        document.get_object().get(object) != simdjson::SUCCESS) {
        value.refuse("an object");
        return made;
    }
    for (auto field : object) {
        std::string_view name, raw;
        ondemand::value content;
        if (field.unescaped_key().get(name) != simdjson::SUCCESS) break;
        BodyObject::Member member;
        member.name = name;
        if (field.value().get(content) != simdjson::SUCCESS) break;
        if (!raw_of(content, raw)) break;
        member.value.reader_ = this;
        member.value.pointer_ = member_pointer(value.pointer_, member.name);
        member.value.raw_ = trimmed_json(raw);
        member.value.type_ = type_of(member.value.raw_);
        if (made.has(member.name)) refuse(member.value.pointer_, "it is there twice", "each member once");
        made.members_.push_back(std::move(member));
    }
    return made;
}

std::vector<BodyValue> BodyReader::elements_of(const BodyValue& value, std::size_t max)
{
    std::vector<BodyValue> made;
    ondemand::document document;
    ondemand::array array;
    if (parsers_->walking.iterate(parsers_->padded(value.raw_)).get(document) != simdjson::SUCCESS ||
        document.get_array().get(array) != simdjson::SUCCESS) {
        value.refuse("a list");
        return made;
    }
    for (auto element : array) {
        std::string_view raw;
        ondemand::value content;
        if (element.get(content) != simdjson::SUCCESS) break;
        if (!raw_of(content, raw)) break;
        BodyValue one;
        one.reader_ = this;
        one.pointer_ = fmt::format("{}/{}", value.pointer_, made.size());
        one.raw_ = trimmed_json(raw);
        one.type_ = type_of(one.raw_);
        made.push_back(std::move(one));
        if (made.size() > max) break;
    }
    return made;
}

// --- One value ------------------------------------------------------------------------------------------------------

void BodyValue::refuse(std::string_view takes) const
{
    reader_->refuse(pointer_, raw_.empty() ? "nothing came" : fmt::format("it is {}", shown(raw_)), takes);
}

std::optional<std::string> BodyValue::text(TextBounds bounds) const
{
    if (!reader_->good()) return std::nullopt;
    std::optional<std::string> value;
    if (type_ == JsonType::text) value = reader_->parsers_->text_of(raw_);
    if (!value || value->size() < bounds.min || value->size() > bounds.max || value->find('\0') != std::string::npos) {
        refuse(bounds.min == 0 ? fmt::format("a text of at most {} bytes", bounds.max)
                               : fmt::format("a text of {} to {} bytes", bounds.min, bounds.max));
        return std::nullopt;
    }
    return value;
}

std::optional<std::int64_t> BodyValue::whole(std::int64_t min, std::int64_t max) const
{
    if (!reader_->good()) return std::nullopt;
    std::int64_t value = 0;
    ondemand::document document;
    if (type_ != JsonType::number ||
        reader_->parsers_->walking.iterate(reader_->parsers_->padded(raw_)).get(document) != simdjson::SUCCESS ||
        document.get_int64().get(value) != simdjson::SUCCESS || value < min || value > max) {
        refuse(fmt::format("a whole number from {} to {}", min, max));
        return std::nullopt;
    }
    return value;
}

std::optional<double> BodyValue::number(double min, double max) const
{
    if (!reader_->good()) return std::nullopt;
    double value = 0;
    ondemand::document document;
    if (type_ != JsonType::number ||
        reader_->parsers_->walking.iterate(reader_->parsers_->padded(raw_)).get(document) != simdjson::SUCCESS ||
        document.get_double().get(value) != simdjson::SUCCESS || !(value >= min && value <= max)) {
        refuse(fmt::format("a number from {} to {}", min, max));
        return std::nullopt;
    }
    return value;
}

std::optional<bool> BodyValue::yes() const
{
    if (!reader_->good()) return std::nullopt;
    if (type_ == JsonType::yes_no) return raw_ == "true";
    refuse("true or false");
    return std::nullopt;
}

std::optional<WallTime> BodyValue::time() const
{
    if (!reader_->good()) return std::nullopt;
    std::optional<WallTime> at;
    if (type_ == JsonType::text)
        if (const auto value = reader_->parsers_->text_of(raw_)) at = from_rfc3339(*value);
    if (!at) refuse("an instant as RFC 3339 has it, 2026-01-31T12:00:00Z");
    return at;
}

std::optional<Millis> BodyValue::seconds(double max) const
{
    const auto value = number(0, max);
    if (!value) return std::nullopt;
    return Millis{static_cast<std::int64_t>(std::llround(*value * 1000))};
}

std::optional<std::string> BodyValue::json(std::size_t bytes_max) const
{
    if (!reader_->good()) return std::nullopt;
    if (raw_.size() > bytes_max) {
        reader_->refuse_size(pointer_, raw_.size(), bytes_max);
        return std::nullopt;
    }
    return std::string{raw_};
}

std::optional<std::size_t> BodyValue::word(std::initializer_list<std::string_view> words) const
{
    if (!reader_->good()) return std::nullopt;
    if (type_ == JsonType::text)
        if (const auto value = reader_->parsers_->text_of(raw_))
            if (const auto found = std::ranges::find(words, std::string_view{*value}); found != words.end())
                return static_cast<std::size_t>(found - words.begin());
    std::string known;
    for (const std::string_view word : words) known += fmt::format("{}{}", known.empty() ? "" : ", ", word);
    refuse(fmt::format("one of {}", known));
    return std::nullopt;
}

bool BodyValue::list(std::size_t min, std::size_t max, const std::function<void(const BodyValue&)>& each) const
{
    if (!reader_->good()) return false;
    if (type_ != JsonType::list) {
        refuse(fmt::format("a list of {} to {}", min, max));
        return false;
    }
    const std::vector<BodyValue> elements = reader_->elements_of(*this, max);
    if (!reader_->good()) return false;
    if (elements.size() < min || elements.size() > max) {
        reader_->refuse(pointer_,
                        elements.size() > max ? std::string{"it has more"} : fmt::format("it has {}", elements.size()),
                        fmt::format("a list of {} to {}", min, max));
        return false;
    }
    for (const BodyValue& element : elements) {
        each(element);
        if (!reader_->good()) return false;
    }
    return true;
}

BodyObject BodyValue::object() const
{
    return reader_->members_of(*this);
}

// --- Members --------------------------------------------------------------------------------------------------------

const BodyValue* BodyObject::find(std::string_view name)
{
    for (Member& member : members_) {
        if (member.name != name) continue;
        member.asked = true;
        return member.value.type() == JsonType::null ? nullptr : &member.value;
    }
    return nullptr;
}

bool BodyObject::has(std::string_view name) const
{
    return std::ranges::any_of(
        members_, [&](const Member& one) { return one.name == name && one.value.type() != JsonType::null; });
}

std::optional<std::string> BodyObject::text(std::string_view name, TextBounds bounds)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->text(bounds);
}

std::optional<std::int64_t> BodyObject::whole(std::string_view name, std::int64_t min, std::int64_t max)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->whole(min, max);
}

std::optional<bool> BodyObject::yes(std::string_view name)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->yes();
}

std::optional<WallTime> BodyObject::time(std::string_view name)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->time();
}

std::optional<Millis> BodyObject::seconds(std::string_view name, double max)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->seconds(max);
}

std::optional<std::string> BodyObject::json(std::string_view name, std::size_t bytes_max)
{
    const BodyValue* value = find(name);
    if (value != nullptr) return value->json(bytes_max);
    // A null that was sent is JSON, too.
    const bool sent = std::ranges::any_of(members_, [&](const Member& one) { return one.name == name; });
    return sent && reader_->good() ? std::optional<std::string>{"null"} : std::nullopt;
}

std::optional<std::size_t> BodyObject::word(std::string_view name, std::initializer_list<std::string_view> words)
{
    const BodyValue* value = find(name);
    return value == nullptr ? std::nullopt : value->word(words);
}

void BodyObject::list(std::string_view name, std::size_t min, std::size_t max,
                      const std::function<void(const BodyValue&)>& each)
{
    const BodyValue* value = find(name);
    if (value != nullptr) value->list(min, max, each);
}

std::vector<std::string> BodyObject::texts(std::string_view name, std::size_t min, std::size_t max, TextBounds bounds)
{
    std::vector<std::string> made;
    list(name, min, max, [&](const BodyValue& one) {
        if (auto text = one.text(bounds)) made.push_back(std::move(*text));
    });
    return made;
}

void BodyObject::need(std::string_view name, std::string_view takes)
{
    if (!has(name)) reader_->refuse(member_pointer(pointer_, name), "it is missing", takes);
}

void BodyObject::refuse(std::string_view name, std::string_view takes)
{
    for (const Member& member : members_)
        if (member.name == name) return member.value.refuse(takes);
    need(name, takes);
}

void BodyObject::end()
{
    for (const Member& member : members_) {
        if (member.asked) continue;
        reader_->refuse(member.value.pointer(), "it is not known here", "what /openapi.json names");
        return;
    }
}

bool is_json(const std::string& text)
{
    simdjson::dom::parser parser;
    simdjson::dom::element any;
    return parser.parse(text).get(any) == simdjson::SUCCESS;
}

} // namespace freshet::http
