// SPDX-License-Identifier: Apache-2.0
#pragma once
// The sites and what they remember.
//
// A State is a value and never changes: a control call makes the next one from a copy and puts it in place as a whole,
// so a request that holds the State of its arrival goes on seeing the site as it was then ("it had read its database").
// A Site is a name, the kind that renders it, its present State and its counters; the World is all sites.
// Threads: everything on the one thread of the io_context.

#include "ask.hpp"
#include "fault.hpp"
#include "json.hpp"
#include "times.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <random>

namespace upstream {

struct Kind;

/// Whether a delayed answer shows the site as it was when the request came, or as it is when the answer begins.
enum class ContentAt : std::uint8_t { arrival, answer };
enum class Validators : std::uint8_t { both, etag, last_modified, none };
using Headers = std::vector<std::pair<std::string, std::string>>;

struct State {
    std::chrono::milliseconds delay{0};
    Fault fault = Fault::none;
    std::int64_t fault_times = 0; ///< requests that still get the fault; 0: all, until it is changed
    std::chrono::seconds retry_after{30};
    std::chrono::milliseconds byte_every{200};
    std::string redirect_to;

    ContentAt content_at = ContentAt::arrival;
    Validators validators = Validators::both;
    bool is_private = false;
    bool oldest_first = false; ///< for a list that shows its order: the other way round
    bool numbered = false;     ///< for a list of titles: each behind its position
    std::int64_t stamp = 0;    ///< shown in the content, so that a test can tell what was read
    std::int64_t page_size = 50;
    std::chrono::milliseconds live{0}; ///< the site changes by itself this often; 0: never
    std::int64_t status = 200;
    std::string content_type; ///< empty: the kind's own
    Headers headers;
    std::shared_ptr<const std::string> body; ///< served literally instead of the items when set

    Items items; ///< newest first; never null
    std::uint64_t serial_last = 0;
    WallTime changed_at{};
};

struct Counters {
    std::uint64_t requests = 0; ///< since the start of the program, counted on arrival; control calls are not
    std::uint64_t in_flight = 0;
    std::uint64_t in_flight_max = 0;
    std::uint64_t not_modified = 0;
};

struct Site {
    Site(std::string site_name, const Kind& site_kind, const boost::asio::any_io_executor& executor);

    std::string name;
    const Kind* kind;
    std::shared_ptr<const State> state;
    std::shared_ptr<Counters> counters; ///< shared with the requests under way, which may end after the World
    std::filesystem::path file;         ///< where the state is kept; empty: nowhere

    /// Grows when a control call puts another fault in place, and whoever hangs then is woken. A fault that runs out
    /// by fault_times does not count: the request that took it last must still hang.
    std::uint64_t fault_epoch = 0;
    boost::asio::steady_timer fault_changed; ///< never expires; cancelled to wake
    boost::asio::steady_timer next_drift;
};

class World {
public:
    /// @param state_folder  empty: nothing is kept over a restart.
    World(boost::asio::any_io_executor executor, std::filesystem::path state_folder);

    /// Adds the site with its starting content, or with what the state folder remembers of it.
    /// @return words when the remembered state cannot be read.
    std::string add_site(const std::string& name, const Kind& kind);
    Site* find(std::string_view name);
    const std::map<std::string, std::unique_ptr<Site>, std::less<>>& sites() const { return sites_; }

    /// Puts the state in place, wakes who hangs if the control call named a fault, and writes the file.
    void replace(Site& site, State next, bool fault_was_put);
    /// The fault that this request gets; counts fault_times down.
    Fault take_fault(Site& site);

private:
    void drift_later(Site& site);

    boost::asio::any_io_executor executor_;
    std::filesystem::path state_folder_;
    std::map<std::string, std::unique_ptr<Site>, std::less<>> sites_;
    std::mt19937_64 dice_; ///< the default seed on purpose: two runs drift alike
};

/// The state of a site of this kind at its very start.
State starting_state(const Kind& kind, WallTime now);
/// Puts new items on top, the first of the array newest, inventing what they lack. One whose id is known replaces that.
void add_items(State& state, const Kind& kind, const JsonValue& array, WallTime now);
void remove_oldest(State& state, std::size_t count);

} // namespace upstream
