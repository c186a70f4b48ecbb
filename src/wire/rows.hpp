// SPDX-License-Identifier: Apache-2.0
#pragma once
// The rows of a parsed document, their canonical hashes and keys: what canonical.cpp and diff.cpp share. Inside of wire
// only.

#include "base/hash.hpp"

#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <simdjson.h>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::rows {

namespace dom = simdjson::dom;

inline constexpr std::size_t depth_max = 256;

/// A document and the parser that holds it. Moves, keeps its elements.
struct Document {
    std::unique_ptr<dom::parser> parser;
    dom::element root;
};
std::expected<Document, std::string> parse(std::string_view json);

/// Paths that are left out, as a tree. "seen_at", ".meta.seen_at" and "/meta/seen_at" start at a row; "*" is any one
/// member or element.
struct Paths {
    std::map<std::string, Paths, std::less<>> below;
    bool ends = false;
    static Paths of(std::span<const std::string> paths);
    const Paths* step(std::string_view name) const;
    bool empty() const { return below.empty() && !ends; }
};

using Member = std::pair<std::string_view, dom::element>;

/// Writes canonical forms, one after the other, into one buffer that it keeps.
class CanonicalWriter {
public:
    /// Valid until the next call.
    std::string_view write(const dom::element& element, const Paths* left_out = nullptr);
    Hash128 hash(const dom::element& element, const Paths* left_out = nullptr)
    {
        return hash128(write(element, left_out));
    }

private:
    void value(const dom::element& element, const Paths* left_out);
    void object(const dom::object& object, const Paths* left_out);
    void number(double value);

    rapidjson::StringBuffer buffer_;
    rapidjson::Writer<rapidjson::StringBuffer> writer_{buffer_};
    std::vector<Member> members_; ///< a stack: each object that is being written has its members on top
};

/// The object's members sorted by name, of equal names the last, added to `members` from its end on.
void add_sorted(std::vector<Member>& members, const dom::object& object);

/// Walks the members of both objects in the order of their names. `see(name, before, after)` is given null for the side
/// that has no such member.
template <class See>
void walk_members(const dom::object& before, const dom::object& after, const See& see)
{
    std::vector<Member> old_members, new_members;
    add_sorted(old_members, before);
    add_sorted(new_members, after);
    auto old_one = old_members.begin(), new_one = new_members.begin();
    while (old_one != old_members.end() || new_one != new_members.end()) {
        const bool gone =
            new_one == new_members.end() || (old_one != old_members.end() && old_one->first < new_one->first);
        const bool came = !gone && (old_one == old_members.end() || new_one->first < old_one->first);
        see(gone ? old_one->first : new_one->first, came ? nullptr : &old_one->second,
            gone ? nullptr : &new_one->second);
        if (!came) ++old_one;
        if (!gone) ++new_one;
    }
}

/// The rows, and the list they are in: nullopt where the document is one row by itself or null.
struct Rows {
    std::vector<dom::element> rows;
    std::optional<dom::element> list;
    std::string_view list_name; ///< of an envelope: the member that holds the list
};
Rows rows_of(const dom::element& root);

/// The member, or what a dotted path leads to; nullopt if there is none.
std::optional<dom::element> field(const dom::element& row, std::string_view name);

} // namespace freshet::rows
