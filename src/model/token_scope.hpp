// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a short token of a foreign page is limited to: keys of some sources, jobs and batches of some queues.
//
// A value. Always holds: one that names nothing limits nothing; one that names anything shows nothing else. A refresh
// belongs to its source, whatever queue its workers take it from.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace freshet {

struct TokenScope {
    std::vector<std::string> sources; ///< their keys, refreshes and streams
    std::vector<std::string> queues;  ///< their jobs and batches, each by its id

    bool limits() const { return !sources.empty() || !queues.empty(); }
    bool has_source(std::string_view source) const { return !limits() || holds(sources, source); }
    bool has_queue(std::string_view queue) const { return !limits() || holds(queues, queue); }
    /// @param key  that the job refreshes; empty: it is no refresh
    bool has_job(std::string_view key, std::string_view queue) const
    {
        return key.empty() ? has_queue(queue) : has_source(key.substr(0, key.find('/')));
    }
    friend bool operator==(const TokenScope&, const TokenScope&) = default;

private:
    static bool holds(const std::vector<std::string>& names, std::string_view name)
    {
        return std::ranges::find(names, name) != names.end();
    }
};

} // namespace freshet
