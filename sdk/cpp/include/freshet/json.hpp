// SPDX-License-Identifier: Apache-2.0
#pragma once
// A JSON value: what a job is given and what it answers. Small on purpose; whoever prefers another library takes the
// text (Job::input_text(), Result::of_text()).
//
//   const std::string region = job.input()["region"].text();
//   const auto days = job.input()["days"].whole(30);             // 30 if it is absent or no number
//   return freshet::Json{{"region", region}, {"rows", 310}};
//
// Reading forgives: a member that is absent, or of another kind, is null or the fallback. Life: a value. Threads: as a
// std::string.

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {
inline namespace sdk_v1 {

class Json {
public:
    enum class Kind : std::uint8_t { null, boolean, number, text, list, object };
    using List = std::vector<Json>;
    using Members = std::vector<std::pair<std::string, Json>>; ///< in the order in which they were set

    Json() = default;
    Json(std::nullptr_t) {}
    Json(std::same_as<bool> auto value) : value_{value} {}
    template <std::signed_integral Whole>
    Json(Whole value) : value_{static_cast<std::int64_t>(value)}
    {
    }
    template <std::unsigned_integral Whole>
        requires(!std::same_as<Whole, bool>)
    Json(Whole value) : value_{static_cast<std::uint64_t>(value)}
    {
    }
    Json(double value) : value_{value} {}
    Json(const char* text) : value_{std::string{text}} {}
    Json(std::string_view text) : value_{std::string{text}} {}
    Json(std::string text) : value_{std::move(text)} {}
    /// An object: Json{{"name", value}, ...}.
    Json(std::initializer_list<std::pair<std::string, Json>> members) : value_{Members{members}} {}

    static Json list(List items = {});
    static Json object() { return Json{std::initializer_list<std::pair<std::string, Json>>{}}; }
    /// @throws std::invalid_argument unless `text` is one JSON value in UTF-8.
    static Json parse(std::string_view text);

    Kind kind() const;
    bool null() const { return kind() == Kind::null; }

    /// The member, or a null.
    const Json& operator[](std::string_view name) const;
    const Json& operator[](const char* name) const { return (*this)[std::string_view{name}]; }
    /// The item, or a null.
    const Json& operator[](std::size_t index) const;
    std::size_t size() const; ///< of a list or object; 0 of anything else
    const List& items() const;
    const Members& members() const;

    const std::string& text() const; ///< empty if it is none
    std::string text(std::string_view otherwise) const;
    /// A number without its fraction; `otherwise` for what is none or does not fit.
    std::int64_t whole(std::int64_t otherwise = 0) const;
    double number(double otherwise = 0) const;
    bool yes(bool otherwise = false) const;

    /// Sets a member; a null becomes an object. @throws std::logic_error on any other kind.
    Json& set(std::string name, Json value);
    /// Appends an item; a null becomes a list. @throws std::logic_error on any other kind.
    Json& push(Json value);

    /// One line of JSON. Bytes that are no UTF-8 become U+FFFD; a number that is none (NaN, infinity) becomes null.
    std::string dump() const;

    friend bool operator==(const Json&, const Json&) = default;

private:
    friend struct JsonWriter;
    std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, List, Members> value_{nullptr};
};

} // namespace sdk_v1
} // namespace freshet
