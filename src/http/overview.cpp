// SPDX-License-Identifier: Apache-2.0
// What there is as a whole: freshness of every key, and pauses of sources (spec "The wire contract" §4).
// Threads: the loop's.
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/sorted_page.hpp"
#include "http/status_answer.hpp"
#include "http/streams/present.hpp"
#include "model/pauses.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace freshet::http {

namespace {

constexpr int scan_page = 500;
/// Beyond this many keys the counts are left out: they would cost a scan.
constexpr std::size_t counted_max = 5000;

constexpr std::array state_words{SnapshotState::fresh, SnapshotState::stale, SnapshotState::overdue,
                                 SnapshotState::failing, SnapshotState::empty};

using Views = std::vector<std::shared_ptr<const KeyView>>;

SnapshotState state_of(const KeyView& view, const Definitions& definitions, WallTime now)
{
    const SourceDefinition* source = definitions.source(view.record.source);
    return source == nullptr ? SnapshotState::empty : derive_freshness(view.record, *source, now).state;
}

// --- Freshness ---

/// The rows of one answer and what the tenant's keys amount to.
struct Rows {
    Views shown;
    bool more = false;
    std::array<std::int64_t, state_words.size()> by_state{};
    std::int64_t total = 0, refreshing = 0;
    bool counted = true;
    std::set<std::string, std::less<>> read; ///< sources without parameters whose key is on disk
    Pauses paused;

    /// Two parts of one tenant's rows, each in the order of keys, become one.
    void merge(const Rows& other, std::size_t limit)
    {
        append(other, shown.size() + other.shown.size());
        std::ranges::sort(shown, {}, [](const auto& view) -> const std::string& { return view->record.key; });
        if (shown.size() > limit) shown.resize(limit), more = true;
    }

    /// Behind the rows of this tenant come those of the next.
    void append(const Rows& next, std::size_t limit)
    {
        const std::size_t room = limit - std::min(limit, shown.size());
        more = more || next.more || next.shown.size() > room;
        shown.insert(shown.end(), next.shown.begin(),
                     next.shown.begin() + static_cast<std::ptrdiff_t>(std::min(room, next.shown.size())));
        for (std::size_t i = 0; i < by_state.size(); ++i) by_state[i] += next.by_state[i];
        total += next.total;
        refreshing += next.refreshing;
        counted = counted && next.counted;
    }
};

struct RowsQuery {
    std::string tenant, source, after;
    std::optional<SnapshotState> state;
    std::size_t limit = list_limit;
    bool sorted = false; ///< all rows are wanted, or none
    std::string reader;  ///< of the tenant of shared sources: who is shown those that it lists; empty: all
};

void read_rows(Reads& reads, const RowsQuery& query, const Definitions& definitions, WallTime now, Rows& rows)
{
    reads.in_one_view([&](StoreReads& store) { rows.paused = Pauses{store.paused()}; });
    std::string at;
    for (;;) {
        const Views page = reads.keys(query.tenant, query.source, at, scan_page);
        for (const auto& view : page) {
            // Keys of sources that left the config, or are shared by now, answer 404 and are not shown.
            if (source_within(definitions, query.tenant, view->record.source) == nullptr) continue;
            if (!query.reader.empty() && !tenant_has_source(definitions, query.reader, view->record.source)) continue;
            if (view->record.key == view->record.source) rows.read.insert(view->record.source);
            const SnapshotState state = state_of(*view, definitions, now);
            ++rows.total;
            ++rows.by_state[static_cast<std::size_t>(state)];
            rows.refreshing += view->flight ? 1 : 0;
            if (view->record.key <= query.after || (query.state && state != *query.state)) continue;
            if (rows.shown.size() < query.limit)
                rows.shown.push_back(view);
            else
                rows.more = true;
        }
        if (page.size() < scan_page) return;
        at = page.back()->record.key;
        if (rows.total >= static_cast<std::int64_t>(counted_max)) {
            rows.counted = false;
            if (query.sorted) rows.more = true;
            if (rows.more) return;
            // The page that was asked for lies further on: from here only its rows are read.
            if (at < query.after) at = query.after;
        }
    }
}

void add_unread(Rows& rows, const RowsQuery& query, const Definitions& definitions)
{
    if (rows.more || (query.state && *query.state != SnapshotState::empty)) return;
    for (auto& view : streams::unread_keys(definitions, query.tenant, rows.paused, rows.read, query.reader))
        if ((query.source.empty() || query.source == view->record.source) && view->record.key > query.after)
            rows.shown.push_back(std::move(view));
    std::ranges::sort(rows.shown, {}, [](const auto& view) -> const std::string& { return view->record.key; });
}

// Over several tenants a page ends at a tenant's key.
std::string place_name(const ExchangePtr& exchange, const KeyRecord& record)
{
    return exchange->caller().tenant == "*" ? fmt::format("{} {}", record.tenant, record.key) : record.key;
}

std::int64_t value_of(const KeyRecord& record, std::string_view sort)
{
    if (sort == "as_of") return place_of(record.as_of);
    if (sort == "checked_at") return place_of(record.checked_at);
    if (sort == "changed_at") return place_of(record.changed_at);
    if (sort == "next_at") return place_of(record.next_at);
    return 0;
}

void answer_rows(Core& core, const ExchangePtr& exchange, const Rows& rows, const std::string& next,
                 streams::Cursor cursor)
{
    const Definitions& definitions = *core.definitions();
    JsonOut out;
    out.begin();
    out.begin_list("items");
    for (const auto& view : rows.shown)
        out.raw(freshness_row_json(streams::meta_input(*view, definitions), core.now()));
    out.end_list();
    if (rows.counted) {
        out.begin("counts");
        out.whole("total", rows.total);
        for (const SnapshotState state : state_words)
            out.whole(to_text(state), rows.by_state[static_cast<std::size_t>(state)]);
        out.whole("refreshing", rows.refreshing);
        out.end();
    }
    end_list(out, next, cursor, core.now());
    out.end();
    respond_status(exchange, out.take());
}

void show_freshness(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    const auto query =
        list_query(exchange, {"state", "source"}, {"key", "as_of", "checked_at", "changed_at", "next_at"});
    if (!query) return;
    RowsQuery wanted{
        exchange->caller().tenant, query->source, query->after, {}, static_cast<std::size_t>(query->limit)};
    // The disk has keys in their own order; any other is made of all of them.
    wanted.sorted = query->sort.by != "key" || query->sort.down;
    if (wanted.sorted) {
        wanted.after.clear();
        wanted.limit = counted_max;
    }
    if (!query->state.empty()) {
        const auto found =
            std::ranges::find(state_words, query->state, [](SnapshotState state) { return to_text(state); });
        if (found == state_words.end())
            return exchange->fail(bad_parameter(fmt::format("state \"{}\" is not known.", query->state.substr(0, 32)),
                                                "fresh, stale, overdue, failing or empty."));
        wanted.state = *found;
    }
    std::string after_tenant;
    const auto tenants = tenants_of(core, exchange);
    if (wanted.tenant == "*") {
        const auto blank = wanted.after.find(' ');
        after_tenant = wanted.after.substr(0, blank);
        wanted.after = blank == std::string::npos ? std::string{} : wanted.after.substr(blank + 1);
    }
    const auto found = std::make_shared<std::vector<std::pair<RowsQuery, Rows>>>();
    for (const std::string& tenant : tenants) {
        RowsQuery of_one = wanted;
        of_one.tenant = tenant;
        // Keys of the tenants before the one where the last page ended are counted, and not shown again.
        if (wanted.tenant == "*" && tenant < after_tenant) of_one.limit = 0;
        if (wanted.tenant == "*" && tenant > after_tenant) of_one.after.clear();
        found->emplace_back(std::move(of_one), Rows{});
    }
    const auto ledgers = ledgers_of(core, exchange);
    const bool with_shared = ledgers.size() > tenants.size();
    if (with_shared) {
        RowsQuery of_shared = wanted;
        of_shared.reader = std::exchange(of_shared.tenant, std::string{shared_tenant});
        found->emplace_back(std::move(of_shared), Rows{});
    }
    const auto definitions = core.definitions();
    read_each_then(
        core, exchange, ledgers,
        [found, definitions, now = core.now()](Reads& reads) {
            for (auto& [of_one, rows] : *found) read_rows(reads, of_one, *definitions, now, rows);
        },
        [&core, exchange, found, with_shared, sorted = wanted.sorted, query = *query](streams::Cursor cursor) {
            Rows all;
            for (auto& [of_one, rows] : *found) {
                const std::size_t known = rows.shown.size();
                rows.more = rows.more && of_one.limit > 0;
                add_unread(rows, of_one, *core.definitions());
                const auto unread = static_cast<std::int64_t>(rows.shown.size() - known);
                rows.total += unread;
                rows.by_state[static_cast<std::size_t>(SnapshotState::empty)] += unread;
                if (rows.shown.size() > of_one.limit) rows.shown.resize(of_one.limit), rows.more = of_one.limit > 0;
                const std::size_t most = sorted ? counted_max : static_cast<std::size_t>(query.limit);
                if (with_shared)
                    all.merge(rows, most);
                else
                    all.append(rows, most);
            }
            if (!sorted)
                return answer_rows(core, exchange, all,
                                   all.more ? place_name(exchange, all.shown.back()->record) : std::string{}, cursor);
            if (all.more)
                return exchange->fail(
                    bad_parameter(fmt::format("There are more than {} keys, too many to be sorted.", counted_max),
                                  "Name one source with source=, or leave sort out: the list is then by key."));
            auto page = sorted_page(std::move(all.shown), query, query.sort.by == "key", [&](const auto& view) {
                return Place{value_of(view->record, query.sort.by), place_name(exchange, view->record)};
            });
            if (!page) return exchange->fail(bad_after());
            all.shown = std::move(page->rows);
            answer_rows(core, exchange, all, page->next, cursor);
        });
}

// --- Pauses ---

void pause_source(Core& core, const ExchangePtr& exchange, const std::string& name, bool paused)
{
    if (!only_parameters(exchange, {})) return;
    const Caller& caller = exchange->caller();
    const bool known = core.definitions()->source(name) != nullptr &&
                       (caller.tenant == "*" || tenant_has_source(*core.definitions(), caller.tenant, name));
    if (!known)
        return exchange->fail(make_problem(404, "unknown_source", "No such source",
                                           fmt::format("There is no source \"{}\".", name.substr(0, 128)),
                                           "GET /v1/freshness lists what there is."));
    const std::string owner{key_tenant(*core.definitions(), caller.tenant, name)};
    if (auto problem = check_shared(caller, owner, name)) return exchange->fail(std::move(*problem));
    const bool taken =
        core.post(PauseSource{name, paused, owner, caller.name}, [&core, exchange, name, paused](const Reply& reply) {
            respond_paused(core, exchange, reply, "source", name, paused);
        });
    if (!taken) exchange->fail(busy_problem());
}

void pause(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    pause_source(core, exchange, captures[0], true);
}
void resume(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    pause_source(core, exchange, captures[0], false);
}

constexpr std::array overview_table{
    Route{"GET", "/v1/freshness", Right::read, &show_freshness},
    Route{"POST", "/v1/sources/{source}/pause", Right::operate, &pause},
    Route{"POST", "/v1/sources/{source}/resume", Right::operate, &resume},
};

} // namespace

Routes overview_routes()
{
    return overview_table;
}

} // namespace freshet::http
