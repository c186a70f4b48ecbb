// SPDX-License-Identifier: Apache-2.0
#pragma once
// Writes one JSON value: RapidJSON's writer with the habits of the wire.
//
// Absent is left out, never null; instants are RFC 3339; text that is no UTF-8 (a source's error message may hold
// anything) has its bad bytes replaced by U+FFFD, so that what comes out is always JSON. One thread, one value.

#include "base/time.hpp"

#include <cstdint>
#include <cstring>
#include <optional>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <string>
#include <string_view>

namespace freshet {

class JsonOut {
public:
    void begin() { writer_.StartObject(); }
    void begin(std::string_view name) { key(name), begin(); }
    void end() { writer_.EndObject(); }
    void begin_list() { writer_.StartArray(); }
    void begin_list(std::string_view name) { key(name), begin_list(); }
    void end_list() { writer_.EndArray(); }
    void key(std::string_view name);

    // Values of lists, or behind key().
    void text(std::string_view value);
    void whole(std::int64_t value) { writer_.Int64(value); }
    /// A value that is JSON already. The caller answers for that.
    void raw(std::string_view json) { writer_.verbatim(json, rapidjson::kObjectType); }

    // Members that are always there.
    void text(std::string_view name, std::string_view value) { key(name), text(value); }
    void whole(std::string_view name, std::int64_t value) { key(name), whole(value); }
    void unsigned_whole(std::string_view name, std::uint64_t value) { key(name), writer_.Uint64(value); }
    void yes(std::string_view name, bool value) { key(name), writer_.Bool(value); }
    void time(std::string_view name, WallTime at) { text(name, to_rfc3339(at)); }

    // Members that are left out when there is nothing to say.
    void text_if(std::string_view name, std::string_view value)
    {
        if (!value.empty()) text(name, value);
    }
    void raw_if(std::string_view name, std::string_view json)
    {
        if (!json.empty()) key(name), raw(json);
    }
    void time_if(std::string_view name, const std::optional<WallTime>& at)
    {
        if (at) time(name, *at);
    }
    template <class Number>
    void whole_if(std::string_view name, const std::optional<Number>& value)
    {
        if (value) whole(name, static_cast<std::int64_t>(*value));
    }

    std::string take() const { return {buffer_.GetString(), buffer_.GetSize()}; }
    std::size_t size() const { return buffer_.GetSize(); }

private:
    /// The library's writer looks at each byte by itself, also at those that need no escape: names, most texts and
    /// values that are JSON already. Those are copied as a whole here; punctuation stays the library's.
    class Writer : public rapidjson::Writer<rapidjson::StringBuffer> {
    public:
        using rapidjson::Writer<rapidjson::StringBuffer>::Writer;
        void verbatim(std::string_view json, rapidjson::Type type)
        {
            Prefix(type);
            std::memcpy(os_->Push(json.size()), json.data(), json.size());
            EndValue(true);
        }
        /// Of bytes that need no escape.
        void quoted(std::string_view plain)
        {
            Prefix(rapidjson::kStringType);
            char* const at = os_->Push(plain.size() + 2);
            at[0] = '"';
            std::memcpy(at + 1, plain.data(), plain.size());
            at[plain.size() + 1] = '"';
            EndValue(true);
        }
    };

    rapidjson::StringBuffer buffer_;
    Writer writer_{buffer_};
};

} // namespace freshet
