// SPDX-License-Identifier: Apache-2.0
#include "http/streams/frame.hpp"

#include "wire/json_out.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <simdjson.h>

namespace freshet::streams {

std::string to_text(Cursor cursor)
{
    if (cursor.shared > 0) return fmt::format("{}:{}.{}", cursor.epoch, cursor.seq, cursor.shared);
    return fmt::format("{}:{}", cursor.epoch, cursor.seq);
}

std::optional<Cursor> parse_cursor(std::string_view text)
{
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto number = [](std::string_view digits) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
        return value;
    };
    const auto epoch = number(text.substr(0, colon));
    const std::string_view seqs = text.substr(colon + 1);
    const auto dot = seqs.find('.');
    const auto seq = number(seqs.substr(0, dot));
    const auto shared = dot == std::string_view::npos ? std::optional<std::uint64_t>{0} : number(seqs.substr(dot + 1));
    if (!epoch || !seq || !shared || (dot != std::string_view::npos && *shared == 0)) return std::nullopt;
    return Cursor{*epoch, *seq, *shared};
}

Frame::Frame(std::string_view event, std::string_view id, std::string_view data, Millis retry)
{
    std::string text;
    text.reserve(event.size() + id.size() + data.size() + 64);
    if (retry.count() > 0) text += fmt::format("retry: {}\n", retry.count());
    if (!id.empty()) {
        text += "id: ";
        id_at_ = text.size(), id_bytes_ = id.size();
        text += id;
        text += '\n';
    }
    text += "event: ";
    event_at_ = text.size(), event_bytes_ = event.size();
    text += event;
    text += "\ndata: ";
    data_at_ = text.size(), data_bytes_ = data.size();
    text += data;
    std::replace_if(
        text.begin() + static_cast<std::ptrdiff_t>(data_at_), text.end(), [](char c) { return c == '\n' || c == '\r'; },
        ' ');
    text += "\n\n";
    text_ = std::make_shared<const std::string>(std::move(text));
}

const std::shared_ptr<const std::string>& Frame::message() const
{
    if (message_) return message_;
    JsonOut out;
    out.begin();
    out.text("event", event());
    out.text_if("id", id());
    out.raw_if("data", data());
    out.end();
    message_ = std::make_shared<const std::string>(out.take());
    return message_;
}

const FramePtr& Message::frame(bool with_id) const
{
    FramePtr& made = with_id ? with_id_ : without_id_;
    if (!made) made = std::make_shared<const Frame>(event_, with_id ? to_text(id_) : std::string{}, data_);
    return made;
}

const FramePtr& Message::frame_as(Cursor id) const
{
    const std::string text = to_text(id);
    if (!with_both_ || with_both_->id() != text) with_both_ = std::make_shared<const Frame>(event_, text, data_);
    return with_both_;
}

FramePtr Message::conflated(std::string_view id, std::uint64_t missed) const
{
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    if (parser.parse(data_.data(), data_.size()).get(members) != simdjson::SUCCESS)
        return std::make_shared<const Frame>(event_, id, data_);
    JsonOut out;
    out.begin();
    for (const auto& [name, value] : members) {
        if (name == "diff") continue;
        out.key(name);
        out.raw(simdjson::minify(value));
    }
    out.unsigned_whole("missed", missed);
    out.end();
    return std::make_shared<const Frame>(event_, id, out.take());
}

MessagePtr Message::without(std::string_view member) const
{
    simdjson::dom::parser parser;
    simdjson::dom::object members;
    JsonOut out;
    out.begin();
    if (parser.parse(data_.data(), data_.size()).get(members) == simdjson::SUCCESS)
        for (const auto& [name, value] : members)
            if (name != member) out.key(name), out.raw(simdjson::minify(value));
    out.end();
    return make_message(event_, topic_, id_, out.take());
}

MessagePtr make_message(std::string_view event, std::string topic, Cursor id, std::string data)
{
    auto owned = std::make_shared<const std::string>(std::move(data));
    const std::string_view view = *owned;
    return std::make_shared<const Message>(event, std::move(topic), id, view, std::move(owned));
}

} // namespace freshet::streams
