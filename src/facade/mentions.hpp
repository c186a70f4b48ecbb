// SPDX-License-Identifier: Apache-2.0
#pragma once
// Which parts of the document a jq expression looks at, by the words that it holds.
//
// An expression is given nothing else: what it does not mention is not in its document, so that what it made may be
// kept for as long as what it mentions stays the same, whatever it does inside. Words in strings count, too; to see too
// much costs time, to see too little is impossible. Pure. Threads: any.

#include <set>
#include <string>
#include <string_view>

namespace freshet::facade {

class Mentions {
public:
    Mentions() = default;
    explicit Mentions(std::string_view expression);

    /// The part may be looked at.
    bool has(std::string_view part) const { return whole_ || words_.contains(part); }
    /// It may look at the whole document: a lone '.', or a function that takes one.
    bool whole() const { return whole_; }
    /// It looks at the clock, at an age, or at all of meta, which holds both.
    bool time() const { return whole_ || time_; }

private:
    std::set<std::string, std::less<>> words_;
    bool whole_ = false, time_ = false;
};

} // namespace freshet::facade
