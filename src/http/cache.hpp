// SPDX-License-Identifier: Apache-2.0
#pragma once
// The read cache of one core: keys with their bodies, prebuilt heads, within a byte budget.
//
// Life: an entry is made by the first read of a key on this core, before the store is asked (so that a change which is
// committed meanwhile finds it and is not lost), and stays until the budget needs its place. Eviction is a clock: what
// was used since the hand last passed stays one more turn. Entries that a read or a reader waits on are never evicted.
// Threads: the loop's. Always holds: `view` is complete (with its body, or empty), and its seq never falls.

#include "engine/view.hpp"
#include "http/negotiate.hpp"

#include <array>
#include <boost/unordered/unordered_flat_map.hpp>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

/// The answer to a plain GET in one coding, ready to be written.
struct PreparedAnswer {
    WallTime valid_until{};                  ///< epoch: not built
    std::shared_ptr<const std::string> head; ///< of the 200
    std::shared_ptr<const std::string> head_304;
    std::shared_ptr<const std::string> coded_body; ///< null: the view's own bytes
};

struct CacheEntry {
    std::string name;                       ///< tenant '\n' key, the map's key
    std::shared_ptr<const KeyView> view;    ///< null while the store is asked
    std::shared_ptr<const KeyView> noticed; ///< told meanwhile, without a body
    bool reading = false;
    bool used = false; ///< since the hand last passed
    std::vector<std::function<void(std::shared_ptr<const KeyView>)>> waiting;
    std::size_t cost = 0;

    // The plain GET. Built anew when the view, the definitions or the second change.
    std::uint64_t definitions_version = 0;
    std::shared_ptr<const SourceDefinition> source; ///< null: removed, or not looked up under these definitions
    std::array<std::array<PreparedAnswer, codings_count>, 2> prepared; ///< [public][coding]
    std::array<bool, codings_count> asked_coding{}; ///< this core has asked for it to be made (or found it made)
    std::string tag;                                ///< of the identity coding
    bool refresh_on_read = false;                   ///< as of the last build
    SteadyTime hinted_until{};
    SteadyTime touched_until{};

    void forget_prepared();
};

class ReadCache {
public:
    explicit ReadCache(std::size_t bytes_max) : bytes_max_{bytes_max} {}

    CacheEntry* find(std::string_view tenant, std::string_view key);
    /// Makes an entry without a view; evicts others where the budget asks for it.
    CacheEntry& insert(std::string_view tenant, std::string_view key);
    void erase(CacheEntry& entry);
    /// Puts a complete view in, if none with a higher seq is there. The entry may be evicted by the next insert().
    void put(CacheEntry& entry, std::shared_ptr<const KeyView> view);
    /// The body's codings weigh, too.
    void weigh(CacheEntry& entry);
    /// Drops every prepared head.
    void forget_prepared();

    std::size_t bytes() const { return bytes_; }
    std::size_t size() const { return entries_.size(); }
    std::uint64_t evicted() const { return evicted_; }

private:
    struct NameHash {
        using is_transparent = void;
        std::size_t operator()(std::string_view name) const;
    };
    void make_room(const CacheEntry* keep);
    std::string_view name_of(std::string_view tenant, std::string_view key);

    std::list<CacheEntry> ring_;
    std::list<CacheEntry>::iterator hand_ = ring_.end();
    boost::unordered_flat_map<std::string_view, std::list<CacheEntry>::iterator, NameHash, std::equal_to<>> entries_;
    std::string name_; ///< scratch, keeps its room
    std::size_t bytes_max_, bytes_ = 0;
    std::uint64_t evicted_ = 0;
};

} // namespace freshet::http
