// SPDX-License-Identifier: Apache-2.0
#pragma once
// What the config file declares, as values: sources, queues, tenants, server. `config` reads them, everyone else only
// looks at them. A Definitions object never changes; a reload makes a new one and passes it on.
//
// `hash` of a source covers what shapes its data (kind, where from, select, key ...) and nothing that is policy
// (fresh_for, retry ...): a snapshot keeps the hash it was fetched under, and another hash means stale (F2).

#include "base/time.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace freshet {

/// A value that may be a secret: written in the file, or taken from the environment or a file when it is used.
struct Secret {
    enum class From : std::uint8_t { literal, env, file };
    From from = From::literal;
    std::string text; ///< the literal, the variable's name, or the file's path
    friend bool operator==(const Secret&, const Secret&) = default;
};

/// One declared parameter of a source: the only values it takes, or the pattern they match whole (ECMAScript regex).
struct ParamDeclaration {
    std::string name;
    std::vector<std::string> values;
    std::string pattern;
};

struct RetryPolicy {
    int attempts = 3;
    Millis wait = 2s;
    Millis max_wait = 1min;
};

/// `count` per `per`: "6/min".
struct RateLimit {
    std::int64_t count = 0; ///< 0: no limit
    Millis per = 1min;
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

/// What a result must be to replace the last good one. An empty result after a non-empty one is always held unless
/// `allow_empty`.
struct GuardPolicy {
    std::int64_t min_rows = 0;       ///< fewer rows than this are held, whatever was there before
    std::int64_t min_rows_known = 0; ///< as min_rows, but only against a last good that had as many
    double shrink = 1.0;             ///< losing more than this share of the last good's rows is held; 1.0: never
    bool allow_empty = false;
};

enum class SourceKind : std::uint8_t { http, command, sql, worker };
enum class InputFormat : std::uint8_t { auto_detect, json, ndjson, csv, table, text, html, xml };
enum class PagingKind : std::uint8_t { none, link, next, page, cursor };
/// What a reader of an overdue key gets.
enum class OverduePolicy : std::uint8_t { serve, wait };

/// How a source's pages follow one another.
struct Paging {
    PagingKind kind = PagingKind::none;
    std::string next;       ///< next: jq over the page giving the next URL (or null); cursor: jq giving the next cursor
    std::string param;      ///< page, cursor: the query parameter that carries it
    std::int64_t first = 1; ///< page: number of the first page
    std::string items;      ///< jq over a page giving its rows; default: the page itself
    int pages_max = 100;    ///< a cap that was hit is reported on the receipt
};

struct HttpDefinition {
    std::string url; ///< template: {param} is replaced by the percent-encoded value
    std::vector<std::pair<std::string, Secret>> headers;
    std::string method = "GET";
    std::string body; ///< POST only; a template as url
    Paging paging;
    std::string proxy;
    bool allow_private = false;
    std::string ca_file; ///< further certificates to trust; empty: the system's
    int redirects_max = 5;
};

struct CommandDefinition {
    std::vector<std::string> run; ///< argument list; {param} is replaced inside an argument, never split
    std::vector<std::pair<std::string, Secret>> env;
    std::string directory;
    std::int64_t memory_max = 1LL << 30; ///< bytes of address space
};

struct SqlDefinition {
    Secret database; ///< sqlite:PATH or postgres://...
    std::string query;
    std::vector<std::pair<std::string, std::string>> bind; ///< name -> text, "today-30d", or "{param}"
    std::int64_t rows_max = 100'000;
};

enum class GapRule : std::uint8_t { shift, skip };
enum class FoldRule : std::uint8_t { first, last, both };
enum class MisfireRule : std::uint8_t { coalesce, skip, all };
enum class OverlapRule : std::uint8_t { skip, queue_one, replace, allow };

/// When a source refreshes, or a task is enqueued, by itself. Empty cron and zero every: never.
struct SourceSchedule {
    Millis every{0};
    std::string cron;
    std::string timezone = "UTC";
    OverlapRule overlap = OverlapRule::skip;
    MisfireRule misfire = MisfireRule::coalesce;
    int misfire_all_max = 10;
    Millis misfire_grace = 1min;
    GapRule gap = GapRule::shift;
    FoldRule fold = FoldRule::first;
    bool any() const { return every.count() > 0 || !cron.empty(); }
};

struct SourceDefinition {
    std::string name;
    SourceKind kind = SourceKind::http;
    std::string queue; ///< the source's name; of kind worker: the queue that remote workers claim from
    std::vector<ParamDeclaration> params;

    HttpDefinition http;
    CommandDefinition command;
    SqlDefinition sql;

    // Shaping.
    InputFormat format = InputFormat::auto_detect;
    std::string select;                                     ///< jq
    std::string rows;                                       ///< XPath: one row per match
    std::vector<std::pair<std::string, std::string>> cells; ///< name -> XPath from the row
    std::string as_of;                                      ///< jq over the answer
    std::vector<std::string> key;                           ///< fields that name a row
    std::vector<std::string> ignore;                        ///< paths that diffs do not show
    std::vector<std::string> tags;                          ///< what a purge may name instead of keys

    // Policy: applies when read.
    Millis fresh_for = 1min;
    Millis overdue_after = 1h;
    OverduePolicy on_overdue = OverduePolicy::serve;
    Millis fresh_for_forced{0}; ///< 0: as fresh_for
    Millis cold_wait = 3s;
    RetryPolicy retry;
    RateLimit manual_limit{6, 1min};
    Millis keep_warm = 168h;
    GuardPolicy guard;
    SourceSchedule schedule;
    std::vector<std::string> after;
    bool is_public = false;
    Millis edge = 10s;
    bool shared = false;

    // Limits.
    Millis run_limit = 30s;
    Millis lease = 30s;
    std::int64_t bytes_max = 8LL << 20;
    int concurrency = 4;
    RateLimit rate;
    std::int64_t keys_max = 10'000;
    int versions_max = 20;

    std::uint64_t hash = 0;
};

struct ServerDefinition {
    std::string listen = "127.0.0.1:7878";
    std::string data_dir = "./data";
    std::string public_url;
    std::vector<std::string> origins;
    std::vector<std::pair<std::string, std::string>> consoles; ///< name and address of those that this one's leads to
    bool behind_proxy = false;
    int loops = 0;                          ///< 0: one per core
    std::int64_t cache_bytes = 256LL << 20; ///< read cache over all cores
    int connections_max = 20'000;
    int connections_per_peer = 2'000;
    RateLimit requests; ///< of each token, or of each peer without one; a tenant may have its own
    Millis ledger_keep = 24h;
    std::int64_t ledger_bytes_max = 256LL << 20;
    std::string log = "info";
};

/// What is kept of what is over: by age, and per tenant by number and bytes.
struct RetentionLimits {
    Millis jobs_keep = 48h;                  ///< ended jobs and batches
    std::int64_t jobs_max = 1'000'000;       ///< ended jobs of one tenant
    std::int64_t jobs_bytes_max = 1LL << 30; ///< their records and results
    Millis versions_keep = 24h * 90;         ///< versions that are not the current one
    std::int64_t versions_bytes_max = 0;     ///< of all versions of one tenant; 0: no limit
    Millis audit_keep = 24h * 90;
    std::int64_t audit_max = 100'000; ///< rows of one tenant
};

struct TenantLimits {
    RateLimit refreshes;            ///< started by hand, over all keys
    std::int64_t waiting_jobs = 0;  ///< 0: no limit of its own
    std::int64_t storage_bytes = 0; ///< 0: no limit of its own
    std::int64_t keys = 0;          ///< over all sources; 0: no limit of its own
    std::int64_t streams = 0;       ///< open at once, with long polls; 0: no limit of its own
    RateLimit requests;             ///< of each of its tokens; without: the server's
};

struct TenantDefinition {
    std::string name;
    std::vector<std::string> sources; ///< empty: all
    TenantLimits limits;
};

/// What becomes of a job whose lease ran out.
enum class LostRule : std::uint8_t { retry, fail };

/// A queue that remote workers serve; one that no config names has these defaults.
struct QueueDefinition {
    std::string name;
    Millis lease = 30s;
    LostRule on_lost = LostRule::retry;
    Millis cancel_grace = 30s;
    Millis progress_deadline{0}; ///< 0: never called stalled
    Millis run_limit{0};         ///< 0: none
    Millis start_deadline{0};    ///< 0: none
    Millis deadline = 24h;       ///< overall, from the request, unless the job names its own
    RetryPolicy retry{5, 5s, 15min};
    int concurrency = 0; ///< 0: no limit
    RateLimit rate;
    int priority = 1;                     ///< 0 to 3
    std::int64_t waiting_max = 1'000'000; ///< queued jobs of one tenant
};

/// A task that is enqueued by the clock, for each of its tenants. Schedules and sources share one space of names.
struct TaskSchedule {
    std::string name, queue;
    std::string input; ///< JSON; empty: none
    SourceSchedule when;
    std::vector<std::string> tenants; ///< empty: all that are configured, or the default one
    int priority = -1;                ///< -1: the queue's
};

enum class Role : std::uint8_t { viewer, operator_, worker, admin };

/// A token that the file declares by its hash; it cannot be changed over the API.
struct TokenDefinition {
    std::string name;
    std::string tenant; ///< "*": all
    Role role = Role::viewer;
    bool refresh = false;
    std::string sha256; ///< 64 lower-case hex digits
};

/// Everything that one config file says. Immutable once made.
struct Definitions {
    ServerDefinition server;
    RetentionLimits retention;
    std::map<std::string, std::shared_ptr<const SourceDefinition>, std::less<>> sources;
    std::map<std::string, TenantDefinition, std::less<>> tenants; ///< without any: one, "default"
    std::map<std::string, QueueDefinition, std::less<>> queues;   ///< those that the file names
    std::map<std::string, TokenDefinition, std::less<>> tokens;
    std::map<std::string, TaskSchedule, std::less<>> schedules;
    double speed = 1.0;

    const SourceDefinition* source(std::string_view name) const
    {
        const auto found = sources.find(name);
        return found == sources.end() ? nullptr : found->second.get();
    }
};

} // namespace freshet
