// SPDX-License-Identifier: Apache-2.0
#pragma once
// Reads the JSON body of a request strictly: what is unknown, missing, of another type or out of range is told by its
// place (a JSON pointer), what came there and what is taken (spec "The wire contract").
//
//   BodyReader reader{request.body};
//   auto body = reader.root();
//   order.worker = body.text("worker", {1, 128}).value_or("");
//   body.need("worker");
//   body.end();
//   if (auto problem = reader.problem()) return exchange->fail(*problem);
//
// Life: one per request; the text must outlive it. The first thing that is wrong is kept and everything after it reads
// as absent, so that a handler looks once, at the end. Threads: one. Always holds: raw JSON that is handed out is valid
// by itself and byte for byte what came.

#include "base/time.hpp"
#include "wire/views.hpp"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace freshet::http {

/// Bytes of a text, both included.
struct TextBounds {
    std::size_t min = 0, max = 256;
};

enum class JsonType : std::uint8_t { null, yes_no, number, text, list, object };

class BodyReader;

/// One JSON value and the place where it stands.
class BodyValue {
public:
    std::optional<std::string> text(TextBounds bounds) const;
    std::optional<std::int64_t> whole(std::int64_t min, std::int64_t max) const;
    std::optional<double> number(double min, double max) const;
    std::optional<bool> yes() const;
    std::optional<WallTime> time() const;
    /// A length of time given in seconds, which may be a fraction.
    std::optional<Millis> seconds(double max) const;
    /// The value as it came. @param bytes_max  more is refused with 413.
    std::optional<std::string> json(std::size_t bytes_max) const;
    /// One of these words; its number in the list.
    std::optional<std::size_t> word(std::initializer_list<std::string_view> words) const;
    /// Calls `each` for every element until something is wrong. False: it is no list or has too many or too few.
    bool list(std::size_t min, std::size_t max, const std::function<void(const BodyValue&)>& each) const;
    /// The value as an object; of anything else an empty one, with the problem kept.
    class BodyObject object() const;

    JsonType type() const { return type_; }
    const std::string& pointer() const { return pointer_; }
    /// What is wrong here, in the caller's words.
    void refuse(std::string_view takes) const;

private:
    friend class BodyReader;
    friend class BodyObject;
    BodyReader* reader_ = nullptr;
    std::string pointer_;
    std::string_view raw_;
    JsonType type_ = JsonType::null;
};

/// The members of one object, each of which has to be asked for.
class BodyObject {
public:
    /// The member; nullptr if it is absent or null, which is the same.
    const BodyValue* find(std::string_view name);

    std::optional<std::string> text(std::string_view name, TextBounds bounds);
    std::optional<std::int64_t> whole(std::string_view name, std::int64_t min, std::int64_t max);
    std::optional<bool> yes(std::string_view name);
    std::optional<WallTime> time(std::string_view name);
    std::optional<Millis> seconds(std::string_view name, double max);
    std::optional<std::string> json(std::string_view name, std::size_t bytes_max);
    std::optional<std::size_t> word(std::string_view name, std::initializer_list<std::string_view> words);
    /// Absent: nothing is called, and it is no mistake.
    void list(std::string_view name, std::size_t min, std::size_t max,
              const std::function<void(const BodyValue&)>& each);
    std::vector<std::string> texts(std::string_view name, std::size_t min, std::size_t max, TextBounds bounds);

    bool has(std::string_view name) const;
    /// A mistake unless it is there. @param takes  what would be taken.
    void need(std::string_view name, std::string_view takes);
    /// Refuses every member that nobody asked for.
    void end();
    void refuse(std::string_view name, std::string_view takes);

private:
    friend class BodyReader;
    friend class BodyValue;
    struct Member {
        std::string name;
        BodyValue value;
        bool asked = false;
    };
    BodyReader* reader_ = nullptr;
    std::string pointer_;
    std::vector<Member> members_;
};

class BodyReader {
public:
    /// @param text  with `empty_is_object`, an empty one reads as {}.
    explicit BodyReader(const std::string& text, bool empty_is_object = false);
    ~BodyReader();
    BodyReader(const BodyReader&) = delete;
    BodyReader& operator=(const BodyReader&) = delete;

    BodyValue root();
    /// The root as an object.
    BodyObject object() { return root().object(); }
    /// The first thing that was wrong.
    const std::optional<Problem>& problem() const { return problem_; }
    bool good() const { return !problem_; }
    void refuse(std::string_view pointer, std::string_view given, std::string_view takes);

private:
    friend class BodyValue;
    friend class BodyObject;
    struct Parsers;
    void refuse_size(std::string_view pointer, std::size_t bytes, std::size_t bytes_max);
    BodyObject members_of(const BodyValue& value);
    std::vector<BodyValue> elements_of(const BodyValue& value, std::size_t max);

    std::unique_ptr<Parsers> parsers_;
    std::optional<Problem> problem_;
};

/// True if the text is one JSON value. For bodies that are a value and no order.
bool is_json(const std::string& text);

} // namespace freshet::http
