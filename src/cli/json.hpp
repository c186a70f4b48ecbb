// SPDX-License-Identifier: Apache-2.0
#pragma once
// JSON that the server answered, as a plain tree that forgives what is absent: value["meta"]["age_ms"].whole().
//
// Life: a value, owns its texts. Pure. Only json.cpp includes simdjson.

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::cli {

class Json {
public:
    enum class Kind : std::uint8_t { null, yes_no, number, text, list, object };

    /// nullopt for anything that is not one JSON value.
    static std::optional<Json> parse(std::string_view text);

    Kind kind() const { return kind_; }
    bool null() const { return kind_ == Kind::null; }
    /// The member, or a null.
    const Json& operator[](std::string_view name) const;
    const std::vector<Json>& items() const { return items_; }
    const std::vector<std::pair<std::string, Json>>& members() const { return members_; }

    bool yes() const { return kind_ == Kind::yes_no && yes_; }
    std::int64_t whole(std::int64_t otherwise = 0) const
    {
        return kind_ == Kind::number ? static_cast<std::int64_t>(number_) : otherwise;
    }
    double number(double otherwise = 0) const { return kind_ == Kind::number ? number_ : otherwise; }
    const std::string& text() const { return text_; } ///< empty if it is none

private:
    friend struct JsonCopier;
    Kind kind_ = Kind::null;
    bool yes_ = false;
    double number_ = 0;
    std::string text_;
    std::vector<Json> items_;
    std::vector<std::pair<std::string, Json>> members_;
};

/// A member of a JSON object as JSON text on one line; nullopt if there is none.
std::optional<std::string> json_member(std::string_view object, std::string_view name);
/// The items of a JSON list, each as JSON text on one line; nullopt for what is no list.
std::optional<std::vector<std::string>> json_items(std::string_view list);
/// The same JSON on one line; nullopt for what is none.
std::optional<std::string> json_one_line(std::string_view text);

/// An object of texts on one line.
std::string json_of_texts(std::initializer_list<std::pair<std::string_view, std::string_view>> members);

} // namespace freshet::cli
