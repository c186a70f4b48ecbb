// SPDX-License-Identifier: Apache-2.0
// JSON Patch (RFC 6902). Lists are aligned by equal elements in equal order (the longest rising run of matches, so
// n log n and not the n·m of a full alignment); what lies between two of them is replaced pair by pair, then added or
// removed. Operations apply one after the other, so indexes are those of the list as it stands at that moment.
#include "wire/diff.hpp"
#include "wire/json_out.hpp"
#include "wire/pointer.hpp"
#include "wire/rows.hpp"

#include <algorithm>
#include <tuple>

namespace freshet {

namespace {

using rows::dom::element;
using rows::dom::element_type;

// Below this each level's hashes cost its whole content once more: what differs there is replaced as a whole.
constexpr std::size_t levels_max = 32;

struct Match {
    std::size_t before = 0, after = 0;
};

// Pairs of equal hashes, the k-th with the k-th, rising on both sides, as many as possible.
std::vector<Match> kept_of(const std::vector<Hash128>& before, const std::vector<Hash128>& after)
{
    struct Place {
        Hash128 hash;
        std::size_t at = 0;
    };
    const auto places = [](const std::vector<Hash128>& hashes) {
        std::vector<Place> made(hashes.size());
        for (std::size_t i = 0; i < hashes.size(); ++i) made[i] = {hashes[i], i};
        std::ranges::sort(made, [](const Place& a, const Place& b) {
            return std::tie(a.hash.high, a.hash.low, a.at) < std::tie(b.hash.high, b.hash.low, b.at);
        });
        return made;
    };
    const std::vector<Place> old_places = places(before), new_places = places(after);
    std::vector<Match> matches;
    for (std::size_t i = 0, j = 0; i < old_places.size() && j < new_places.size();) {
        const Hash128 &a = old_places[i].hash, &b = new_places[j].hash;
        if (a == b)
            matches.push_back({old_places[i++].at, new_places[j++].at});
        else if (std::tie(a.high, a.low) < std::tie(b.high, b.low))
            ++i;
        else
            ++j;
    }
    std::ranges::sort(matches, {}, &Match::after);

    // The longest rising run, by patience: tails[n] ends the best run of length n + 1; `from` leads back.
    std::vector<std::size_t> tails, from(matches.size(), matches.size());
    for (std::size_t i = 0; i < matches.size(); ++i) {
        const auto place =
            std::ranges::lower_bound(tails, matches[i].before, {}, [&](std::size_t at) { return matches[at].before; });
        if (place != tails.begin()) from[i] = *std::prev(place);
        if (place == tails.end())
            tails.push_back(i);
        else
            *place = i;
    }
    std::vector<Match> run;
    for (std::size_t at = tails.empty() ? matches.size() : tails.back(); at < matches.size(); at = from[at])
        run.push_back(matches[at]);
    std::ranges::reverse(run);
    return run;
}

class PatchWriter {
public:
    explicit PatchWriter(std::size_t bytes_max) : bytes_max_{bytes_max} { out_.begin_list(); }

    /// nullopt: longer than the bound.
    std::optional<std::string> patch(const element& before, const element& after)
    {
        compare(before, after, 0);
        out_.end_list();
        return too_long() ? std::nullopt : std::optional{out_.take()};
    }

private:
    bool too_long() const { return out_.size() > bytes_max_; }

    void operation(std::string_view name, const element* value)
    {
        if (too_long()) return;
        out_.begin();
        out_.text("op", name);
        out_.text("path", at_.text());
        if (value != nullptr) out_.key("value"), out_.raw(simdjson::minify(*value));
        out_.end();
    }

    void compare(const element& before, const element& after, std::size_t level)
    {
        if (too_long()) return;
        const bool deeper = level < levels_max && before.type() == after.type();
        if (deeper && after.type() == element_type::OBJECT)
            return compare_objects(before.get_object().value_unsafe(), after.get_object().value_unsafe(), level);
        if (deeper && after.type() == element_type::ARRAY)
            return compare_lists(before.get_array().value_unsafe(), after.get_array().value_unsafe(), level);
        if (writer_.hash(before) != writer_.hash(after)) operation("replace", &after);
    }

    void compare_objects(const rows::dom::object& before, const rows::dom::object& after, std::size_t level)
    {
        rows::walk_members(before, after, [&](std::string_view name, const element* old_one, const element* new_one) {
            at_.push(name);
            if (new_one == nullptr)
                operation("remove", nullptr);
            else if (old_one == nullptr)
                operation("add", new_one);
            else
                compare(*old_one, *new_one, level + 1);
            at_.pop();
        });
    }

    std::vector<Hash128> hashes(const std::vector<element>& elements)
    {
        std::vector<Hash128> made;
        made.reserve(elements.size());
        for (const element& one : elements) made.push_back(writer_.hash(one));
        return made;
    }

    void compare_lists(const rows::dom::array& before, const rows::dom::array& after, std::size_t level)
    {
        const std::vector<element> old_ones(before.begin(), before.end()), new_ones(after.begin(), after.end());
        std::vector<Match> kept = kept_of(hashes(old_ones), hashes(new_ones));
        kept.push_back({old_ones.size(), new_ones.size()});
        std::size_t i = 0, j = 0; // j is also the index in the list as it stands
        for (const Match& match : kept) {
            while (i < match.before && j < match.after) {
                at_.push(j);
                compare(old_ones[i++], new_ones[j++], level + 1);
                at_.pop();
            }
            for (; i < match.before; ++i) at_list(j, "remove", nullptr);
            for (; j < match.after; ++j) at_list(j, "add", &new_ones[j]);
            ++i, ++j;
        }
    }

    void at_list(std::size_t index, std::string_view name, const element* value)
    {
        at_.push(index);
        operation(name, value);
        at_.pop();
    }

    JsonOut out_;
    JsonPointer at_;
    rows::CanonicalWriter writer_;
    std::size_t bytes_max_;
};

} // namespace

std::expected<std::string, std::string> json_patch(std::string_view before, std::string_view after)
{
    const auto old_document = rows::parse(before), new_document = rows::parse(after);
    if (!old_document || !new_document)
        return std::unexpected(!old_document ? old_document.error() : new_document.error());
    constexpr std::size_t slack = 64; // what one operation takes besides its value
    PatchWriter writer{after.size() + slack};
    if (auto patch = writer.patch(old_document->root, new_document->root)) return std::move(*patch);
    JsonOut whole;
    whole.begin_list();
    whole.begin();
    whole.text("op", "replace");
    whole.text("path", "");
    whole.key("value"), whole.raw(simdjson::minify(new_document->root));
    whole.end();
    whole.end_list();
    return whole.take();
}

} // namespace freshet
