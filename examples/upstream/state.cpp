// SPDX-License-Identifier: Apache-2.0
#include "state.hpp"

#include "fields.hpp"
#include "kind.hpp"

#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <unordered_map>

namespace upstream {

namespace {

constexpr auto never = std::chrono::steady_clock::time_point::max();

/// Written beside and renamed, so that a kill in between leaves the old file.
void save(const Site& site)
{
    if (site.file.empty()) return;
    const std::filesystem::path beside = site.file.string() + ".new";
    std::ofstream out(beside, std::ios::binary | std::ios::trunc);
    out << kept_text(*site.state);
    out.close();
    std::error_code error;
    if (out) std::filesystem::rename(beside, site.file, error);
    if (!out || error) std::cerr << "freshet-upstream: " << site.file.string() << " cannot be written\n";
}

} // namespace

Site::Site(std::string site_name, const Kind& site_kind, const boost::asio::any_io_executor& executor)
    : name(std::move(site_name)), kind(&site_kind), counters(std::make_shared<Counters>()),
      fault_changed(executor, never), next_drift(executor)
{
}

World::World(boost::asio::any_io_executor executor, std::filesystem::path state_folder)
    : executor_(std::move(executor)), state_folder_(std::move(state_folder))
{
    if (!state_folder_.empty()) std::filesystem::create_directories(state_folder_);
}

std::string World::add_site(const std::string& name, const Kind& kind)
{
    auto site = std::make_unique<Site>(name, kind, executor_);
    State state = starting_state(kind, wall_now());
    if (!state_folder_.empty()) {
        site->file = state_folder_ / (name + ".json");
        std::ifstream in(site->file, std::ios::binary);
        const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
        if (!text.empty()) {
            const std::string why = take_kept(state, text);
            if (!why.empty()) return site->file.string() + ": " + why;
        }
    }
    site->state = std::make_shared<const State>(std::move(state));
    drift_later(*site);
    sites_[name] = std::move(site);
    return {};
}

Site* World::find(std::string_view name)
{
    const auto found = sites_.find(name);
    return found == sites_.end() ? nullptr : found->second.get();
}

void World::replace(Site& site, State next, bool fault_was_put)
{
    const bool other_pace = next.live != site.state->live;
    site.state = std::make_shared<const State>(std::move(next));
    if (fault_was_put) {
        ++site.fault_epoch;
        site.fault_changed.cancel();
    }
    if (other_pace) drift_later(site);
    save(site);
}

Fault World::take_fault(Site& site)
{
    const Fault fault = site.state->fault;
    if (site.state->fault_times > 0) {
        State next = *site.state;
        if (--next.fault_times == 0) next.fault = Fault::none;
        replace(site, std::move(next), false);
    }
    return fault;
}

void World::drift_later(Site& site)
{
    site.next_drift.cancel();
    if (site.state->live.count() == 0) return;
    site.next_drift.expires_after(site.state->live);
    site.next_drift.async_wait([this, &site](const boost::system::error_code& error) {
        if (error) return;
        State next = *site.state;
        next.changed_at = wall_now();
        site.kind->drift(next, dice_(), next.changed_at);
        replace(site, std::move(next), false);
        drift_later(site);
    });
}

State starting_state(const Kind& kind, WallTime now)
{
    State state;
    auto items = std::make_shared<std::vector<Item>>();
    for (std::uint64_t serial = 1; serial <= kind.items_at_start; ++serial) {
        auto item = std::make_shared<Json>();
        item->SetObject();
        kind.complete(*item, serial, now - std::chrono::hours(kind.items_at_start - serial));
        items->push_back(std::move(item));
    }
    std::ranges::reverse(*items);
    state.items = std::move(items);
    state.serial_last = kind.items_at_start;
    if (!kind.body_at_start.empty()) state.body = std::make_shared<const std::string>(kind.body_at_start);
    state.validators = kind.validators;
    state.fault = kind.fault_at_start;
    state.changed_at = now;
    return state;
}

void add_items(State& state, const Kind& kind, const JsonValue& array, WallTime now)
{
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    std::unordered_map<std::string, std::size_t> known;
    if (!kind.id.empty())
        for (std::size_t i = 0; i < items->size(); ++i) known.emplace(text_of(*(*items)[i], kind.id), i);

    std::vector<Item> added; // the newest last
    for (rapidjson::SizeType i = array.Size(); i-- > 0;) {
        auto item = std::make_shared<Json>(copy_of(array[i]));
        kind.complete(*item, ++state.serial_last, now);
        const auto same = kind.id.empty() ? known.end() : known.find(text_of(*item, kind.id));
        if (same != known.end() && kind.replaces_in_place) {
            (*items)[same->second] = std::move(item);
            continue;
        }
        if (same != known.end()) (*items)[same->second] = nullptr;
        added.push_back(std::move(item));
    }
    std::erase(*items, nullptr);
    items->insert(items->begin(), added.rbegin(), added.rend());
    state.items = std::move(items);
}

void remove_oldest(State& state, std::size_t count)
{
    auto items = std::make_shared<std::vector<Item>>(*state.items);
    items->resize(items->size() - std::min(count, items->size()));
    state.items = std::move(items);
}

} // namespace upstream
