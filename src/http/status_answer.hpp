// SPDX-License-Identifier: Apache-2.0
#pragma once
// What all status answers have in common (spec "The wire contract" §4): JSON with no-store, lists that are paged by
// keyset, and reads of the disk that are told only when every loop knows what was read. Threads: the loop's.

#include "http/core.hpp"
#include "http/exchange.hpp"
#include "http/streams/frame.hpp"
#include "wire/json_out.hpp"
#include "wire/views.hpp"

#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace freshet::http {

void respond_status(const ExchangePtr& exchange, std::string json, int status = 200);

/// The head that a list was read behind: a stream opened with this cursor misses nothing that the list does not show.
using ReadThen = std::function<void(streams::Cursor)>;
/// Names of the tenants that the caller's list is of: the one it speaks for, or all.
std::vector<std::string> tenants_of(Core& core, const ExchangePtr& exchange);
/// The same, and behind a tenant's own ledger that of shared sources if it lists one: for lists that show both.
std::vector<std::string> ledgers_of(Core& core, const ExchangePtr& exchange);
/// As read_then(), of each of these tenants; the cursor is of the one tenant, or none (epoch 0) for several.
void read_each_then(Core& core, const ExchangePtr& exchange, std::vector<std::string> tenants,
                    std::function<void(Reads&)> work, ReadThen then);
/// Runs `work` off the loop; `then` comes on the loop when all that was on disk by then is published (F4). A store that
/// fails is answered here.
void read_then(Core& core, const ExchangePtr& exchange, std::function<void(Reads&)> work, ReadThen then);

inline constexpr int list_limit = 50;
inline constexpr int list_limit_max = 500;

/// In which order a list is: by a member of its rows, "-" before it for the highest or latest first.
struct ListSort {
    std::string_view by;
    bool down = false;
};

struct ListQuery {
    int limit = list_limit;
    std::string after;
    std::string state, queue, source, key, kind, tag, since, until;
    ListSort sort;
    bool sorted = false; ///< the caller named its order
};
/// Reads a list's query; names beside limit, after, sort and tenant must be in `filters`. nullopt: a problem was
/// answered.
/// @param sorts  what `sort` may name, literals; the first as the list is without it, with its "-". None: it takes no
/// sort.
std::optional<ListQuery> list_query(const ExchangePtr& exchange, std::initializer_list<std::string_view> filters,
                                    std::initializer_list<std::string_view> sorts = {});
/// `after` is not what a page in this order said.
Problem bad_after();

/// True if the query has none but these names (and tenant); else a problem was answered.
bool only_parameters(const ExchangePtr& exchange, std::initializer_list<std::string_view> names);

/// The tenant that the caller speaks for; false: it named none, and a problem was answered.
bool has_tenant(const ExchangePtr& exchange);

/// The tail of a list: next, cursor, now. `next` empty: there is no more. A list of several tenants has no cursor,
/// since each of them has a ledger of its own.
void end_list(JsonOut& out, std::string_view next, streams::Cursor cursor, WallTime now);

/// The members `sources` and `queues` of what a short token is limited to; of other tokens none.
void put_scope(JsonOut& out, const TokenScope& scope);

/// What the engine refused, as its problem. @param key  that it is about, if any
void fail_refused(Core& core, const ExchangePtr& exchange, const Refused& refused, std::string_view key = {});

/// The answer to a pause or resume: {<member>: name, paused, now}.
void respond_paused(Core& core, const ExchangePtr& exchange, const Reply& reply, std::string_view member,
                    std::string_view name, bool paused);

/// Whether the key's source is paused, as far as this loop knows.
bool is_paused(Core& core, std::string_view tenant, std::string_view key);

} // namespace freshet::http
