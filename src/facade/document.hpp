// SPDX-License-Identifier: Apache-2.0
#pragma once
// The document that a facade's expressions look at: parts of JSON by name, written out as far as they are mentioned.
// Pure. Threads: any.

#include "engine/view.hpp"
#include "facade/mentions.hpp"
#include "http/core.hpp"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::facade {

class Document {
public:
    /// A part in JSON; an empty one is null.
    void set(std::string_view part, std::string json) { parts_.insert_or_assign(std::string{part}, std::move(json)); }
    void set_data(std::shared_ptr<const KeyView> view) { view_ = std::move(view); }
    bool has(std::string_view part) const;

    /// The parts that one of them mentions.
    std::string json(const std::vector<const Mentions*>& mentions) const;

private:
    std::map<std::string, std::string, std::less<>> parts_;
    std::shared_ptr<const KeyView> view_;
};

/// meta as /v1 shows it. @param with_time  false: without age_ms and now, which change while nothing does.
/// @param zone  of meta.local; empty: none.
std::string meta_of(const KeyView& view, const SourceDefinition& source, const Definitions& definitions,
                    bool from_cache, WallTime now, bool with_time, std::string_view zone);

/// The members of `over` laid over those of `base`, both objects. Any other `over` leaves `base` as it is.
std::string laid_over(const std::string& base, const std::string& over);

/// The members of an object that an answer of /v1 is, as JSON; empty if there is none.
std::string member_of(const std::string& object, std::string_view name);
std::string text_member_of(const std::string& object, std::string_view name);

} // namespace freshet::facade
