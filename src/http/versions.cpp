// SPDX-License-Identifier: Apache-2.0
// Kept versions of a key and how two of them differ (spec "The wire contract" §1). Never starts work.
//
// A version never changes, so it is immutable for every cache that may hold it. Disk, compression and diffs are off the
// loop. Threads: the loop's.
#include "http/codings.hpp"
#include "http/data_answer.hpp"
#include "http/explain.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "wire/diff.hpp"
#include "wire/views.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace freshet::http {

namespace {

constexpr std::size_t diff_bytes_max = 8 << 20;
constexpr std::string_view immutable = "private, max-age=31536000, immutable";
constexpr std::string_view diff_type = "application/vnd.freshet.diff+json";
constexpr std::string_view patch_type = "application/json-patch+json";

std::string href_of(const ExchangePtr& exchange, const std::string& key, std::int64_t ver)
{
    return fmt::format("{}/v1/data/{}/versions/{}", exchange->base_url(), key, ver);
}

Problem no_such_version(const std::string& key, std::int64_t ver, std::string_view base_url)
{
    Problem problem = make_problem(404, "no_version", "No such version",
                                   fmt::format("{} has no version {}, or it is not kept any more.", key, ver),
                                   fmt::format("GET {}/v1/data/{}/versions lists what is kept.", base_url, key));
    problem.key = key;
    return problem;
}

void list_versions(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const auto query = list_query(exchange, {}, {"-ver"});
    if (!query || !has_tenant(exchange)) return;
    std::int64_t behind = 0;
    if (!query->after.empty()) {
        const auto after = parse_count(query->after);
        if (!after || *after == 0) return exchange->fail(bad_after());
        behind = *after;
    }
    const std::string key = captures[0];
    const auto versions = std::make_shared<std::vector<VersionRecord>>();
    const std::size_t limit = static_cast<std::size_t>(query->limit);
    read_then(
        core, exchange,
        [versions, key, behind, limit, down = query->sort.down, tenant = exchange->caller().key_tenant](Reads& reads) {
            if (down) {
                *versions = reads.versions(tenant, key, behind == 0 ? INT64_MAX : behind, static_cast<int>(limit) + 1);
                return;
            }
            // From the oldest on: a key keeps no more than versions_max of them, so all are looked at.
            for (std::int64_t before = INT64_MAX;;) {
                const auto page = reads.versions(tenant, key, before, list_limit_max);
                for (const VersionRecord& version : page)
                    if (version.ver > behind) versions->push_back(version);
                if (page.size() < static_cast<std::size_t>(list_limit_max) || page.back().ver <= behind) break;
                before = page.back().ver;
            }
            std::ranges::reverse(*versions);
        },
        [&core, exchange, versions, key, limit](streams::Cursor cursor) {
            const bool more = versions->size() > limit;
            if (more) versions->resize(limit);
            JsonOut out;
            out.begin();
            out.begin_list("items");
            for (const VersionRecord& version : *versions)
                out.raw(version_json(version, href_of(exchange, key, version.ver)));
            out.end_list();
            end_list(out, more ? fmt::to_string(versions->back().ver) : std::string{}, cursor, core.now());
            out.end();
            respond_status(exchange, out.take());
        });
}

void show_version(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    const std::string key = captures[0];
    const auto ver = parse_count(captures[1]);
    if (!ver || *ver < 1)
        return exchange->fail(bad_parameter(fmt::format("\"{}\" is no version.", captures[1].substr(0, 32)),
                                            "A version is a whole number from 1."));
    struct Found {
        std::optional<Reads::VersionBody> version;
        Coding coding = Coding::identity;
        std::shared_ptr<const std::string> bytes;
    };
    const auto found = std::make_shared<Found>();
    const AcceptedCodings accepted = accepted_codings(exchange->request().header("accept-encoding"));
    read_then(
        core, exchange,
        [found, key, ver = *ver, accepted, tenant = exchange->caller().key_tenant](Reads& reads) {
            found->version = reads.version(tenant, key, ver);
            if (!found->version) return;
            const auto& body = found->version->body;
            found->bytes = std::shared_ptr<const std::string>{body, &body->bytes};
            if (accepted.count == 0 || body->bytes.size() < coded_bytes_min) return;
            const Coding best = accepted.order[0];
            if (best == Coding::identity) return;
            if (auto smaller = encode(body->bytes, best); !smaller.empty()) {
                found->coding = best;
                found->bytes = std::make_shared<const std::string>(std::move(smaller));
            }
        },
        [exchange, found, key, ver = *ver](streams::Cursor) {
            if (!found->version) return exchange->fail(no_such_version(key, ver, exchange->base_url()));
            const VersionRecord& version = found->version->version;
            HttpResponse response;
            response.headers.emplace_back("Cache-Control", immutable);
            response.headers.emplace_back("ETag", entity_tag(version.ver, version.hash.high, found->coding));
            response.headers.emplace_back("Last-Modified", to_http_date(version.changed_at));
            response.headers.emplace_back("Vary", "Authorization, Cookie, Accept-Encoding");
            const std::string tag = entity_tag(version.ver, version.hash.high, Coding::identity);
            if (matches_tag(exchange->request().header("if-none-match"), tag)) {
                response.status = 304;
                return exchange->respond(std::move(response));
            }
            if (found->coding != Coding::identity)
                response.headers.emplace_back("Content-Encoding", coding_word(found->coding));
            response.content_type = "application/json";
            response.shared_body = found->bytes;
            exchange->respond(std::move(response));
        });
}

// --- Differences ---

/// A version as it is asked for: a ver, or with a minus so many versions before the newest (from) one.
struct Named {
    std::int64_t number = 0;
    bool given = false;
};

std::optional<Named> named(std::optional<std::string_view> text)
{
    if (!text) return Named{};
    const bool back = text->starts_with('-');
    const auto number = parse_count(back ? text->substr(1) : *text);
    if (!number) return std::nullopt;
    return Named{back ? -*number : *number, true};
}

enum class DiffForm : std::uint8_t { rows, patch };

// The first of the two that Accept names; without a word of either, rows.
std::optional<DiffForm> diff_form(std::string_view accept)
{
    if (trimmed(accept).empty()) return DiffForm::rows;
    while (!accept.empty()) {
        std::string_view element = take_element(accept);
        element = trimmed(element.substr(0, element.find(';')));
        if (same_word(element, patch_type)) return DiffForm::patch;
        if (same_word(element, diff_type) || same_word(element, "application/json") ||
            same_word(element, "application/*") || element == "*/*")
            return DiffForm::rows;
    }
    return std::nullopt;
}

struct DiffWork {
    std::string tenant, key, base_url;
    Named from, to;
    DiffForm form = DiffForm::rows;
    DiffPolicy policy;
    std::int64_t from_ver = 0, to_ver = 0;
    std::optional<Problem> problem;
    std::string body;
};

void do_diff(Reads& reads, DiffWork& work)
{
    const std::int64_t newest = reads.meta(work.tenant, work.key)->record.ver;
    const auto absolute = [&](Named name, std::int64_t base, std::int64_t otherwise) {
        return !name.given ? otherwise : name.number > 0 ? name.number : base + name.number;
    };
    work.to_ver = absolute(work.to, newest, newest);
    work.from_ver = absolute(work.from, work.to_ver, work.to_ver - 1);
    const auto from = reads.version(work.tenant, work.key, work.from_ver);
    const auto to = reads.version(work.tenant, work.key, work.to_ver);
    if (!from || !to) {
        work.problem = no_such_version(work.key, !to ? work.to_ver : work.from_ver, work.base_url);
        return;
    }
    const auto unreadable = [&](const std::string& words) {
        work.problem = make_problem(422, "no_diff", "The two versions can not be compared", words + ".",
                                    "Read both versions whole.");
    };
    if (work.form == DiffForm::patch) {
        auto patch = json_patch(from->body->bytes, to->body->bytes);
        if (!patch) return unreadable(patch.error());
        work.body = std::move(*patch);
        return;
    }
    auto rows = diff(from->body->bytes, to->body->bytes, work.policy, diff_bytes_max);
    if (!rows) return unreadable(rows.error());
    work.body = std::move(rows->json);
}

void show_diff(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    if (!only_parameters(exchange, {"from", "to"}) || !has_tenant(exchange)) return;
    const HttpRequest& request = exchange->request();
    const auto from = named(request.param("from")), to = named(request.param("to"));
    if (!from || !to)
        return exchange->fail(
            bad_parameter("from and to take a ver, or how many versions before.", "from=41&to=42, or from=-1."));
    const auto form = diff_form(request.header("accept"));
    if (!form)
        return exchange->fail(make_problem(406, "not_acceptable", "A diff has two forms", "Accept names neither.",
                                           fmt::format("Accept: {} or {}.", diff_type, patch_type)));
    const auto source = source_of(*core.definitions(), captures[0]);
    const auto work = std::make_shared<DiffWork>();
    work->tenant = exchange->caller().key_tenant;
    work->key = captures[0];
    work->base_url = exchange->base_url();
    work->from = *from;
    work->to = *to;
    work->form = *form;
    if (source) work->policy = {source->key, source->ignore};
    read_then(
        core, exchange, [work](Reads& reads) { do_diff(reads, *work); },
        [exchange, work](streams::Cursor) {
            if (work->problem) return exchange->fail(*work->problem);
            // What names its two versions never changes, but for what the config says to ignore: a day, not for ever.
            const bool fixed = work->from.number > 0 && work->to.number > 0;
            HttpResponse response;
            response.content_type = work->form == DiffForm::patch ? patch_type : diff_type;
            response.headers.emplace_back("Cache-Control", fixed ? "private, max-age=86400" : "no-store");
            response.headers.emplace_back("Vary", "Authorization, Cookie, Accept-Encoding, Accept");
            response.headers.emplace_back("Link", fmt::format("<{}>; rel=\"predecessor-version\", <{}>; rel=\"item\"",
                                                              href_of(exchange, work->key, work->from_ver),
                                                              href_of(exchange, work->key, work->to_ver)));
            response.body = std::move(work->body);
            exchange->respond(std::move(response));
        });
}

constexpr std::array version_table{
    Route{"GET", "/v1/data/{key}/versions", Right::read, &list_versions},
    Route{"GET", "/v1/data/{key}/versions/{ver}", Right::read, &show_version},
    Route{"GET", "/v1/data/{key}/diff", Right::read, &show_diff},
    Route{"GET", "/v1/explain/{key}", Right::read, &explain},
};

} // namespace

Routes version_routes()
{
    return version_table;
}

} // namespace freshet::http
