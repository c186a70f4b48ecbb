// SPDX-License-Identifier: Apache-2.0
#pragma once
// What was made once and may be used again, by name, within a budget of bytes: the least recently used goes first.
// While one is being made, others who want it wait for it instead of making it, too.
//
// Life: one per core and kind, emptied with each set of definitions. Threads: the loop's.

#include "base/time.hpp"

#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freshet::facade {

template <class Value>
class Kept {
public:
    using Shared = std::shared_ptr<const Value>;
    using Then = std::function<void(const Shared&)>;

    explicit Kept(std::size_t bytes_max) : bytes_max_{bytes_max} {}

    /// Null: it is not there, or was made before `not_before`.
    Shared find(const std::string& name, SteadyTime not_before)
    {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) return nullptr;
        if (found->second->made < not_before) return nullptr;
        order_.splice(order_.begin(), order_, found->second);
        return found->second->value;
    }

    /// True: the caller makes it, then says made(); false: somebody does, and `then` is called with it (null: it
    /// failed).
    bool begin(const std::string& name, Then then)
    {
        const auto [found, first] = making_.try_emplace(name);
        if (!first) found->second.push_back(std::move(then));
        return first;
    }

    void made(const std::string& name, const Shared& value, std::size_t bytes, SteadyTime now)
    {
        std::vector<Then> waiting;
        if (const auto found = making_.find(name); found != making_.end()) {
            waiting = std::move(found->second);
            making_.erase(found);
        }
        if (value) keep(name, value, bytes, now);
        for (const Then& then : waiting) then(value);
    }

    std::size_t bytes() const { return bytes_; }
    std::size_t size() const { return order_.size(); }

private:
    struct Entry {
        std::string name;
        Shared value;
        std::size_t bytes = 0;
        SteadyTime made;
    };

    void keep(const std::string& name, const Shared& value, std::size_t bytes, SteadyTime now)
    {
        drop(name);
        bytes += 2 * name.size() + sizeof(Entry);
        if (bytes > bytes_max_) return;
        while (bytes_ + bytes > bytes_max_) drop(std::string{order_.back().name});
        order_.push_front({name, value, bytes, now});
        by_name_[name] = order_.begin();
        bytes_ += bytes;
    }

    void drop(const std::string& name)
    {
        const auto found = by_name_.find(name);
        if (found == by_name_.end()) return;
        bytes_ -= found->second->bytes;
        order_.erase(found->second);
        by_name_.erase(found);
    }

    std::list<Entry> order_; ///< last used in front
    std::unordered_map<std::string, typename std::list<Entry>::iterator> by_name_;
    std::unordered_map<std::string, std::vector<Then>> making_;
    std::size_t bytes_max_, bytes_ = 0;
};

} // namespace freshet::facade
