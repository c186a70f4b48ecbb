// SPDX-License-Identifier: Apache-2.0
#include "wire/diff.hpp"

#include "wire/json_out.hpp"
#include "wire/pointer.hpp"
#include "wire/rows.hpp"

#include <algorithm>
#include <span>
#include <tuple>

namespace freshet {

namespace {

using rows::dom::element;
using rows::dom::element_type;

constexpr std::size_t paths_max = 32; // of one changed row

// A row as it is matched.
struct Named {
    Hash128 key, content;
    std::size_t at = 0;
};

struct Pair {
    std::size_t before = 0, after = 0;
    bool same = false;
};

std::vector<Named> named(const std::vector<element>& all, const DiffPolicy& policy, const rows::Paths& ignored,
                         bool one_row)
{
    rows::CanonicalWriter writer;
    std::vector<Named> made(all.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
        made[i] = {{}, writer.hash(all[i], &ignored), i};
        if (one_row) continue;
        std::string key;
        for (const std::string& name : policy.key) {
            const auto value = rows::field(all[i], name);
            if (!value) {
                key.clear();
                break;
            }
            key += writer.write(*value), key += '\n';
        }
        made[i].key = key.empty() ? made[i].content : hash128(key);
    }
    std::ranges::sort(made, [](const Named& a, const Named& b) {
        return std::tie(a.key.high, a.key.low, a.content.high, a.content.low, a.at) <
               std::tie(b.key.high, b.key.low, b.content.high, b.content.low, b.at);
    });
    return made;
}

bool key_less(const Hash128& a, const Hash128& b)
{
    return std::tie(a.high, a.low) < std::tie(b.high, b.low);
}

// Rows of one key: equal content first, the rest in their order.
void pair_group(std::span<const Named> before, std::span<const Named> after, std::vector<Pair>& pairs)
{
    std::vector<std::size_t> left_before, left_after;
    std::size_t i = 0, j = 0;
    while (i < before.size() || j < after.size()) {
        if (i < before.size() && j < after.size() && before[i].content == after[j].content)
            pairs.push_back({before[i++].at, after[j++].at, true});
        else if (j == after.size() || (i < before.size() && key_less(before[i].content, after[j].content)))
            left_before.push_back(before[i++].at);
        else
            left_after.push_back(after[j++].at);
    }
    std::ranges::sort(left_before);
    std::ranges::sort(left_after);
    for (std::size_t k = 0; k < std::min(left_before.size(), left_after.size()); ++k)
        pairs.push_back({left_before[k], left_after[k], false});
}

// Both sorted by key. In the order of `after`.
std::vector<Pair> matched(const std::vector<Named>& before, const std::vector<Named>& after)
{
    std::vector<Pair> pairs;
    pairs.reserve(std::min(before.size(), after.size()));
    const auto group_end = [](const std::vector<Named>& all, std::size_t from) {
        std::size_t end = from;
        while (end < all.size() && all[end].key == all[from].key) ++end;
        return end;
    };
    for (std::size_t i = 0, j = 0; i < before.size() && j < after.size();) {
        if (key_less(before[i].key, after[j].key)) {
            ++i;
        } else if (key_less(after[j].key, before[i].key)) {
            ++j;
        } else {
            const std::size_t i_end = group_end(before, i), j_end = group_end(after, j);
            pair_group(std::span{before}.subspan(i, i_end - i), std::span{after}.subspan(j, j_end - j), pairs);
            i = i_end, j = j_end;
        }
    }
    std::ranges::sort(pairs, {}, &Pair::after);
    return pairs;
}

// All but the longest run of pairs whose order is the same before and after.
std::int64_t moved_of(const std::vector<Pair>& pairs)
{
    std::vector<std::size_t> tails;
    for (const Pair& pair : pairs) {
        const auto place = std::ranges::lower_bound(tails, pair.before);
        if (place == tails.end())
            tails.push_back(pair.before);
        else
            *place = pair.before;
    }
    return static_cast<std::int64_t>(pairs.size() - tails.size());
}

// Pointers to what differs between two values, from the row on.
class Differing {
public:
    Differing(const element& before, const element& after, const rows::Paths& ignored)
    {
        compare(before, after, ignored.empty() ? nullptr : &ignored);
    }
    const std::vector<std::string>& paths() const { return paths_; }

private:
    void compare(const element& before, const element& after, const rows::Paths* ignored)
    {
        if (paths_.size() >= paths_max) return;
        const bool objects = before.type() == element_type::OBJECT && after.type() == element_type::OBJECT;
        const bool lists = before.type() == element_type::ARRAY && after.type() == element_type::ARRAY;
        if (objects)
            return compare_objects(before.get_object().value_unsafe(), after.get_object().value_unsafe(), ignored);
        if (lists && compare_lists(before.get_array().value_unsafe(), after.get_array().value_unsafe(), ignored))
            return;
        if (one_.hash(before, ignored) != one_.hash(after, ignored)) paths_.push_back(at_.text());
    }

    void compare_objects(const rows::dom::object& before, const rows::dom::object& after, const rows::Paths* ignored)
    {
        rows::walk_members(before, after, [&](std::string_view name, const element* old_one, const element* new_one) {
            const rows::Paths* below = ignored == nullptr ? nullptr : ignored->step(name);
            at_.push(name);
            if (below == nullptr || !below->ends) {
                if (old_one == nullptr || new_one == nullptr)
                    add();
                else
                    compare(*old_one, *new_one, below);
            }
            at_.pop();
        });
    }

    // False: the lengths differ, so that the whole list is what differs.
    bool compare_lists(const rows::dom::array& before, const rows::dom::array& after, const rows::Paths* ignored)
    {
        const std::vector<element> old_ones(before.begin(), before.end()), new_ones(after.begin(), after.end());
        if (old_ones.size() != new_ones.size()) return false;
        const rows::Paths* below = ignored == nullptr ? nullptr : ignored->step("*");
        if (below != nullptr && below->ends) return true;
        for (std::size_t i = 0; i < old_ones.size(); ++i) {
            at_.push(i);
            compare(old_ones[i], new_ones[i], below);
            at_.pop();
        }
        return true;
    }

    void add()
    {
        if (paths_.size() < paths_max) paths_.push_back(at_.text());
    }

    rows::CanonicalWriter one_;
    JsonPointer at_;
    std::vector<std::string> paths_;
};

// Writes the diff's lists, each up to its share of the bound.
class DiffWriter {
public:
    explicit DiffWriter(std::size_t bytes_max) : bytes_max_{bytes_max} { out_.begin(); }

    void list(std::string_view name, const std::vector<element>& elements, std::size_t share)
    {
        out_.begin_list(name);
        for (const element& one : elements) {
            const std::string json = simdjson::minify(one);
            if (!fits(json.size(), share)) break;
            out_.raw(json);
        }
        out_.end_list();
    }
    void begin_changed() { out_.begin_list("changed"); }
    /// False: no more fits.
    bool changed(const element& before, const element& after, const DiffPolicy& policy, const rows::Paths& ignored,
                 bool keyed)
    {
        JsonOut one;
        one.begin();
        if (keyed) {
            one.begin("key");
            for (const std::string& name : policy.key)
                if (const auto value = rows::field(after, name)) one.key(name), one.raw(simdjson::minify(*value));
            one.end();
        }
        one.key("before"), one.raw(simdjson::minify(before));
        one.key("after"), one.raw(simdjson::minify(after));
        one.begin_list("paths");
        const Differing differing{before, after, ignored};
        for (const std::string& path : differing.paths()) one.text(path);
        one.end_list();
        one.end();
        const std::string json = one.take();
        if (!fits(json.size(), 3)) return false;
        out_.raw(json);
        return true;
    }
    void end_changed() { out_.end_list(); }

    void finish(Diff& made)
    {
        out_.whole("moved", made.moved);
        out_.begin("counts");
        out_.whole("added", made.counts.added);
        out_.whole("removed", made.counts.removed);
        out_.whole("changed", made.counts.changed);
        out_.whole("total", made.counts.total);
        out_.end();
        if (truncated_) out_.yes("truncated", true);
        out_.end();
        made.json = out_.take();
        made.truncated = truncated_;
    }

private:
    // `share` thirds of the bound are the most that the text may have after this.
    bool fits(std::size_t bytes, std::size_t share)
    {
        const std::size_t room = bytes_max_ > diff_bytes_min ? bytes_max_ - diff_bytes_min : 0;
        if (out_.size() + bytes + 1 <= room * share / 3) return true;
        truncated_ = true;
        return false;
    }

    JsonOut out_;
    std::size_t bytes_max_;
    bool truncated_ = false;
};

std::vector<element> unmatched(const std::vector<element>& all, const std::vector<Pair>& pairs,
                               std::size_t Pair::* side)
{
    std::vector<bool> seen(all.size());
    for (const Pair& pair : pairs) seen[pair.*side] = true;
    std::vector<element> left;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (!seen[i]) left.push_back(all[i]);
    return left;
}

} // namespace

std::expected<Diff, std::string> diff(std::string_view before, std::string_view after, const DiffPolicy& policy,
                                      std::size_t bytes_max)
{
    const auto old_document = rows::parse(before), new_document = rows::parse(after);
    if (!old_document || !new_document)
        return std::unexpected(!old_document ? old_document.error() : new_document.error());
    const rows::Rows old_rows = rows::rows_of(old_document->root), new_rows = rows::rows_of(new_document->root);
    const rows::Paths ignored = rows::Paths::of(policy.ignore);
    const bool one_row = !old_rows.list && !new_rows.list;
    const std::vector<Pair> pairs =
        matched(named(old_rows.rows, policy, ignored, one_row), named(new_rows.rows, policy, ignored, one_row));
    const std::vector<element> added = unmatched(new_rows.rows, pairs, &Pair::after),
                               removed = unmatched(old_rows.rows, pairs, &Pair::before);

    Diff made;
    made.counts.added = static_cast<std::int64_t>(added.size());
    made.counts.removed = static_cast<std::int64_t>(removed.size());
    made.counts.changed = std::ranges::count(pairs, false, &Pair::same);
    made.counts.total = static_cast<std::int64_t>(new_rows.rows.size());
    made.moved = moved_of(pairs);

    DiffWriter writer{bytes_max};
    writer.list("added", added, 1);
    writer.list("removed", removed, 2);
    writer.begin_changed();
    const bool keyed = !one_row && !policy.key.empty();
    for (const Pair& pair : pairs)
        if (!pair.same &&
            !writer.changed(old_rows.rows[pair.before], new_rows.rows[pair.after], policy, ignored, keyed))
            break;
    writer.end_changed();
    writer.finish(made);
    return made;
}

} // namespace freshet
