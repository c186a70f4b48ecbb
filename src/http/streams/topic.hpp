// SPDX-License-Identifier: Apache-2.0
#pragma once
// What a stream can be about, and which of a tenant's events a set of topics wants. Plain values, any thread.

#include "model/definition.hpp"
#include "model/event.hpp"

#include <expected>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::streams {

struct Topic {
    enum class Kind : std::uint8_t {
        key,       ///< data/{key}
        source,    ///< data/{source}/*
        job,       ///< job/{id}
        queue,     ///< jobs/{queue}
        batch,     ///< batch/{id}
        freshness, ///< freshness
        batches,   ///< batches
        queues,    ///< queues
        workers,   ///< workers
        schedules, ///< schedules
    };
    Kind kind = Kind::freshness;
    std::string text; ///< the topic as it is written
    std::string name; ///< key, source or queue
    JobId job;
    BatchId batch;
    /// List topics tell changed rows, at most 4 times a second.
    bool is_list() const { return kind == Kind::queue || kind >= Kind::freshness; }
    /// What it tells is in no ledger: a reader who comes back gets the present state.
    bool is_volatile() const { return kind == Kind::queues || kind == Kind::workers; }
    /// Shows what the config says, so that another config may change all of it.
    bool shows_config() const
    {
        return kind == Kind::key || kind == Kind::source || kind == Kind::freshness || kind == Kind::queues ||
               kind == Kind::schedules;
    }
    friend bool operator==(const Topic&, const Topic&) = default;
};

inline constexpr std::size_t topics_max = 100;

/// Why a stream does not begin or change. `status` as HTTP has it.
struct StreamRefusal {
    int status = 404;
    std::string code, detail, try_;
};

/// Reads one topic, of what the tenant may see.
std::expected<Topic, StreamRefusal> parse_topic(std::string_view text, const Definitions& definitions,
                                                std::string_view tenant);

/// What a set of topics wants of the ledger.
class TopicFilter {
public:
    TopicFilter() = default;
    explicit TopicFilter(std::span<const Topic> topics);
    /// Of the ledger of shared sources: nothing but what is of these is told.
    void limit_to(std::set<std::string, std::less<>> sources) { limited_to_ = std::move(sources); }
    /// Of a tenant's own ledger: nothing that is of these is told, for they are shared by now.
    void leave_out(std::set<std::string, std::less<>> sources) { left_out_ = std::move(sources); }
    /// False for what is of a source that is not told of here. @param key  empty: of none
    bool may_see(std::string_view key) const;

    /// True if the event is told in full to a reader of these topics.
    bool wants(const Event& event) const;
    /// True if a reader of these topics is shown the key's present state when it changes.
    bool shows_key(std::string_view key) const;
    bool freshness() const { return freshness_; }

private:
    std::set<std::string, std::less<>> exact_;   ///< every other topic that the ledger tells
    std::set<std::string, std::less<>> sources_; ///< of data/{source}/*
    bool freshness_ = false;
    std::optional<std::set<std::string, std::less<>>> limited_to_;
    std::set<std::string, std::less<>> left_out_;
};

/// The source that a key in its text form belongs to.
std::string_view source_of(std::string_view key);

} // namespace freshet::streams
