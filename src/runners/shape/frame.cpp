// SPDX-License-Identifier: Apache-2.0
#include "runners/shape/frame.hpp"

#include "base/assert.hpp"

#include <algorithm>
#include <limits>
#include <string_view>

namespace freshet {

namespace {

// Expressions, names and messages around the input or the result.
constexpr std::size_t envelope_bytes_max = 4UL << 20;
constexpr std::uint64_t entries_max = 10'000;

class Writer {
public:
    Writer() : frame_(frame_head_bytes, '\0') {}
    void number(std::uint64_t value)
    {
        for (int i = 0; i < 8; ++i, value >>= 8) frame_ += static_cast<char>(value & 0xFF);
    }
    void text(std::string_view text)
    {
        number(text.size());
        frame_ += text;
    }
    void pairs(const std::vector<std::pair<std::string, std::string>>& pairs)
    {
        number(pairs.size());
        for (const auto& [name, value] : pairs) text(name), text(value);
    }
    std::string take() &&
    {
        std::size_t size = frame_.size() - frame_head_bytes;
        FRESHET_ASSERT(size <= std::numeric_limits<std::uint32_t>::max());
        for (std::size_t i = 0; i < frame_head_bytes; ++i, size >>= 8) frame_[i] = static_cast<char>(size & 0xFF);
        return std::move(frame_);
    }

private:
    std::string frame_;
};

// After the first misfit everything reads as nothing; complete() tells.
class Reader {
public:
    explicit Reader(std::string payload) : payload_{std::move(payload)} {}
    std::uint64_t number()
    {
        if (payload_.size() - at_ < 8) return misfit();
        std::uint64_t value = 0;
        for (int i = 7; i >= 0; --i)
            value = value << 8 | static_cast<unsigned char>(payload_[at_ + static_cast<std::size_t>(i)]);
        at_ += 8;
        return value;
    }
    std::string text()
    {
        const std::uint64_t size = number();
        if (payload_.size() - at_ < size) return misfit(), std::string{};
        at_ += size;
        return payload_.substr(at_ - size, size);
    }
    // The text that ends the payload, without a second copy of it: inputs and results are large.
    std::string last_text()
    {
        const std::uint64_t size = number();
        if (payload_.size() - at_ != size) return misfit(), std::string{};
        payload_.erase(0, at_);
        at_ = 0;
        return std::exchange(payload_, {});
    }
    std::vector<std::pair<std::string, std::string>> pairs()
    {
        std::vector<std::pair<std::string, std::string>> made;
        const std::uint64_t count = number();
        if (count > entries_max) misfit();
        for (std::uint64_t i = 0; i < count && fits_; ++i) {
            std::string name = text();
            made.emplace_back(std::move(name), text());
        }
        return made;
    }
    bool complete() const { return fits_ && at_ == payload_.size(); }

private:
    std::uint64_t misfit()
    {
        fits_ = false;
        at_ = payload_.size();
        return 0;
    }

    std::string payload_;
    std::size_t at_ = 0;
    bool fits_ = true;
};

} // namespace

std::string encode(const ShapeRequest& request)
{
    Writer writer;
    writer.number(static_cast<std::uint64_t>(request.parent));
    writer.number(request.limits.input_bytes_max);
    writer.number(request.limits.output_bytes_max);
    writer.number(request.limits.memory_bytes_max);
    writer.number(static_cast<std::uint64_t>(request.limits.run_max.count()));
    const ShapeOrder& order = request.order;
    writer.number(static_cast<std::uint64_t>(order.format));
    writer.number(order.check_only ? 1 : 0);
    for (const std::string* text : {&order.content_type, &order.select, &order.rows, &order.base_url, &order.as_of})
        writer.text(*text);
    writer.pairs(order.cells);
    writer.pairs(order.extracts);
    writer.text(order.input);
    return std::move(writer).take();
}

std::optional<ShapeRequest> decode_request(std::string payload)
{
    Reader reader{std::move(payload)};
    ShapeRequest request;
    request.parent = static_cast<std::int64_t>(reader.number());
    request.limits.input_bytes_max = reader.number();
    request.limits.output_bytes_max = reader.number();
    request.limits.memory_bytes_max = reader.number();
    request.limits.run_max = Millis{static_cast<std::int64_t>(reader.number())};
    ShapeOrder& order = request.order;
    const std::uint64_t format = reader.number();
    if (format > static_cast<std::uint64_t>(InputFormat::xml)) return std::nullopt;
    order.format = static_cast<InputFormat>(format);
    order.check_only = reader.number() != 0;
    for (std::string* text : {&order.content_type, &order.select, &order.rows, &order.base_url, &order.as_of})
        *text = reader.text();
    order.cells = reader.pairs();
    order.extracts = reader.pairs();
    order.input = reader.last_text();
    if (!reader.complete()) return std::nullopt;
    return request;
}

std::string encode(const ShapeReply& reply)
{
    Writer writer;
    writer.number(reply.worn ? 1 : 0);
    writer.number(reply.result ? 1 : 0);
    if (reply.result) {
        const Shaped& shaped = *reply.result;
        writer.number(shaped.as_of ? 1 : 0);
        writer.number(shaped.as_of ? static_cast<std::uint64_t>(to_ms(*shaped.as_of)) : 0);
        writer.pairs(shaped.extracts);
        writer.text(shaped.json);
    } else {
        writer.number(static_cast<std::uint64_t>(reply.result.error().code));
        writer.text(reply.result.error().message);
    }
    return std::move(writer).take();
}

std::optional<ShapeReply> decode_reply(std::string payload)
{
    Reader reader{std::move(payload)};
    ShapeReply reply{Shaped{}, reader.number() != 0};
    if (reader.number() == 1) {
        Shaped& shaped = *reply.result;
        const bool any = reader.number() != 0;
        const auto ms = static_cast<std::int64_t>(reader.number());
        if (any) shaped.as_of = from_ms(ms);
        shaped.extracts = reader.pairs();
        shaped.json = reader.last_text();
    } else {
        const std::uint64_t code = reader.number();
        if (code > static_cast<std::uint64_t>(ShapeErrorCode::stopped)) return std::nullopt;
        reply.result = shape_error(static_cast<ShapeErrorCode>(code), reader.last_text());
    }
    if (!reader.complete()) return std::nullopt;
    return reply;
}

std::size_t payload_bytes(const char (&head)[frame_head_bytes])
{
    std::size_t size = 0;
    for (std::size_t i = frame_head_bytes; i-- > 0;) size = size << 8 | static_cast<unsigned char>(head[i]);
    return size;
}

std::size_t frame_bytes_max(const ShapeLimits& limits)
{
    return std::max(limits.input_bytes_max, limits.output_bytes_max) + envelope_bytes_max;
}

} // namespace freshet
