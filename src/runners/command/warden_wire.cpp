// SPDX-License-Identifier: Apache-2.0
// An order as bytes: numbers as decimal texts, every text ended by NUL. Both ends are one binary, so it needs no
// version.
#include "runners/command/warden.hpp"

#include <charconv>

namespace freshet {

namespace {

void put(std::string& out, std::string_view text)
{
    out.append(text).push_back('\0');
}

class TextReader {
public:
    explicit TextReader(std::string_view bytes) : rest_{bytes} {}
    bool text(std::string& out)
    {
        const auto end = rest_.find('\0');
        if (end == std::string_view::npos) return false;
        out = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return true;
    }
    template <class Number>
    bool number(Number& out)
    {
        std::string digits;
        if (!text(digits)) return false;
        const char* end = digits.data() + digits.size();
        return std::from_chars(digits.data(), end, out).ptr == end;
    }
    bool list(std::vector<std::string>& out)
    {
        std::size_t count = 0;
        if (!number(count) || count > rest_.size()) return false;
        out.resize(count);
        for (std::string& entry : out)
            if (!text(entry)) return false;
        return true;
    }
    bool at_end() const { return rest_.empty(); }

private:
    std::string_view rest_;
};

void put_list(std::string& out, const std::vector<std::string>& list)
{
    put(out, std::to_string(list.size()));
    for (const std::string& entry : list) put(out, entry);
}

} // namespace

std::string encode(const WardenOrder& order)
{
    std::string out;
    put(out, std::to_string(order.memory_max));
    put(out, std::to_string(order.grace_ms));
    put(out, order.directory);
    put_list(out, order.arguments);
    put_list(out, order.environment);
    return out;
}

std::optional<WardenOrder> decode_order(std::string_view bytes)
{
    WardenOrder order;
    TextReader reader{bytes};
    const bool whole = reader.number(order.memory_max) && reader.number(order.grace_ms) &&
                       reader.text(order.directory) && reader.list(order.arguments) && reader.list(order.environment) &&
                       reader.at_end();
    if (!whole || order.arguments.empty()) return std::nullopt;
    return order;
}

} // namespace freshet
