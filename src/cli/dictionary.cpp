// SPDX-License-Identifier: Apache-2.0
#include "cli/dictionary.hpp"

#include <algorithm>
#include <charconv>

namespace freshet::cli {

namespace {

bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}
bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}
bool is_alpha(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}
bool is_key(char c)
{
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
}
bool is_token(char c)
{
    return is_alpha(c) || is_digit(c) || std::string_view{"!#$%&'*+-.^_`|~:/"}.find(c) != std::string_view::npos;
}
bool is_base64(char c)
{
    return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

// Reads off the front of `rest`; every read answers nullopt (false) where the text breaks the grammar.
class FieldReader {
public:
    explicit FieldReader(std::string_view text) : rest_{text} {}

    bool done() const { return rest_.empty(); }
    bool take(char c)
    {
        if (!rest_.starts_with(c)) return false;
        rest_.remove_prefix(1);
        return true;
    }
    void skip(std::string_view chars) { rest_.remove_prefix(std::min(rest_.find_first_not_of(chars), rest_.size())); }

    std::optional<std::string> key()
    {
        if (done() || !(is_lower(rest_[0]) || rest_[0] == '*')) return std::nullopt;
        return run(is_key);
    }

    std::optional<BareItem> item()
    {
        if (done()) return std::nullopt;
        const char c = rest_[0];
        if (is_digit(c) || c == '-') return number();
        if (c == '"') return quoted();
        if (c == '?') return boolean();
        if (c == ':') return bytes();
        if (is_alpha(c) || c == '*') return BareItem{run(is_token)};
        return std::nullopt;
    }

    std::optional<std::vector<std::pair<std::string, BareItem>>> params()
    {
        std::vector<std::pair<std::string, BareItem>> params;
        while (take(';')) {
            skip(" ");
            auto name = key();
            if (!name) return std::nullopt;
            BareItem value{true};
            if (take('=')) {
                auto given = item();
                if (!given) return std::nullopt;
                value = std::move(*given);
            }
            params.emplace_back(std::move(*name), std::move(value));
        }
        return params;
    }

    // ( item;params item;params ): checked and dropped, as no header of ours has one.
    bool inner_list()
    {
        for (;;) {
            skip(" ");
            if (take(')')) return true;
            if (!item() || !params()) return false;
            if (done() || (rest_[0] != ' ' && rest_[0] != ')')) return false;
        }
    }

private:
    template <class Is>
    std::string run(Is is)
    {
        const auto end = std::ranges::find_if_not(rest_, is);
        std::string text{rest_.begin(), end};
        rest_.remove_prefix(text.size());
        return text;
    }

    std::optional<BareItem> number()
    {
        std::string digits{take('-') ? "-" : ""};
        digits += run([](char c) { return is_digit(c) || c == '.'; });
        const auto dot = digits.find('.');
        const std::size_t sign = digits.starts_with('-');
        if (digits.size() == sign || !is_digit(digits[sign])) return std::nullopt;
        if (dot == std::string::npos) {
            std::int64_t whole = 0;
            if (digits.size() - sign > 15) return std::nullopt;
            std::from_chars(digits.data(), digits.data() + digits.size(), whole);
            return BareItem{whole};
        }
        const std::size_t fraction = digits.size() - dot - 1;
        if (digits.find('.', dot + 1) != std::string::npos || fraction < 1 || fraction > 3 || dot - sign > 12)
            return std::nullopt;
        double real = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), real);
        return BareItem{real};
    }

    std::optional<BareItem> quoted()
    {
        std::string text;
        take('"');
        while (!done()) {
            const char c = rest_[0];
            rest_.remove_prefix(1);
            if (c == '"') return BareItem{std::move(text)};
            if (c < ' ' || c > '~') return std::nullopt;
            if (c != '\\') {
                text += c;
                continue;
            }
            if (done() || (rest_[0] != '"' && rest_[0] != '\\')) return std::nullopt;
            text += rest_[0];
            rest_.remove_prefix(1);
        }
        return std::nullopt;
    }

    std::optional<BareItem> boolean()
    {
        take('?');
        if (take('1')) return BareItem{true};
        if (take('0')) return BareItem{false};
        return std::nullopt;
    }

    std::optional<BareItem> bytes()
    {
        take(':');
        std::string text = run(is_base64);
        return take(':') ? std::optional<BareItem>{std::move(text)} : std::nullopt;
    }

    std::string_view rest_;
};

} // namespace

std::optional<Dictionary> Dictionary::parse(std::string_view text)
{
    Dictionary made;
    FieldReader reader{text};
    reader.skip(" ");
    if (reader.done()) return made;
    for (;;) {
        auto name = reader.key();
        if (!name) return std::nullopt;
        DictionaryMember member{std::move(*name), true, {}};
        if (reader.take('=')) {
            if (reader.take('(')) {
                if (!reader.inner_list()) return std::nullopt;
                member.value = std::string{};
            } else {
                auto value = reader.item();
                if (!value) return std::nullopt;
                member.value = std::move(*value);
            }
        }
        auto params = reader.params();
        if (!params) return std::nullopt;
        member.params = std::move(*params);
        made.members_.push_back(std::move(member));
        reader.skip(" \t");
        if (reader.done()) return made;
        if (!reader.take(',')) return std::nullopt;
        reader.skip(" \t");
        if (reader.done()) return std::nullopt;
    }
}

const DictionaryMember* Dictionary::find(std::string_view name) const
{
    const auto found = std::find_if(members_.rbegin(), members_.rend(),
                                    [&](const DictionaryMember& member) { return member.name == name; });
    return found == members_.rend() ? nullptr : &*found;
}

std::string Dictionary::text(std::string_view name) const
{
    const DictionaryMember* member = find(name);
    const auto* text = member == nullptr ? nullptr : std::get_if<std::string>(&member->value);
    return text == nullptr ? std::string{} : *text;
}

std::optional<std::int64_t> Dictionary::whole(std::string_view name) const
{
    const DictionaryMember* member = find(name);
    const auto* whole = member == nullptr ? nullptr : std::get_if<std::int64_t>(&member->value);
    return whole == nullptr ? std::nullopt : std::optional{*whole};
}

bool Dictionary::yes(std::string_view name) const
{
    const DictionaryMember* member = find(name);
    const auto* yes = member == nullptr ? nullptr : std::get_if<bool>(&member->value);
    return yes != nullptr && *yes;
}

std::string Dictionary::param(std::string_view name, std::string_view param) const
{
    const DictionaryMember* member = find(name);
    if (member == nullptr) return {};
    const auto found =
        std::ranges::find(member->params, param, [](const auto& entry) { return std::string_view{entry.first}; });
    const auto* text = found == member->params.end() ? nullptr : std::get_if<std::string>(&found->second);
    return text == nullptr ? std::string{} : *text;
}

} // namespace freshet::cli
