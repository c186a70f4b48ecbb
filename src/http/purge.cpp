// SPDX-License-Identifier: Apache-2.0
// DELETE of a key, and POST /v1/purge of the keys that are named, or of every key of the sources that bear a tag (spec
// "The wire contract" §2).
//
// Each key is its own request to the engine; keys by tag are read and purged a page at a time, so that a source with
// very many of them fills no inbox. Threads: the loop's.
#include "http/body.hpp"
#include "http/data_answer.hpp"
#include "http/gate.hpp"
#include "http/problems.hpp"
#include "http/route.hpp"
#include "http/status_answer.hpp"
#include "model/key.hpp"
#include "model/shared.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <set>

namespace freshet::http {

namespace {

/// Named at once, read at once, and told of one by one in the answer.
constexpr std::size_t keys_max = 100, tags_max = 20;
constexpr std::array modes{PurgeMode::soft, PurgeMode::hard, PurgeMode::refresh};

void delete_key(Core& core, const ExchangePtr& exchange, std::span<const std::string> captures)
{
    const std::string& key = captures[0];
    PurgeKey purge{exchange->caller().key_tenant, key, key.substr(0, key.find('/')), PurgeMode::hard,
                   exchange->caller().name};
    const bool taken = core.post(std::move(purge), [&core, exchange, key](const Reply& reply) {
        if (!reply) return fail_refused(core, exchange, reply.error(), key);
        const auto* purged = std::get_if<Purged>(&*reply);
        respond_status(exchange, meta_of(core, purged != nullptr ? purged->view : nullptr));
    });
    if (!taken) exchange->fail(busy_problem());
}

/// One answer for many keys: the last reply of a page asks for the next one, that of the last page sends the answer.
class Purging : public std::enable_shared_from_this<Purging> {
public:
    Purging(Core& core, ExchangePtr exchange, PurgeMode mode) : core_{core}, exchange_{std::move(exchange)}, mode_{mode}
    {
    }

    void keys(const std::vector<std::string>& keys) { purge(keys); }

    void sources(std::vector<std::string> sources)
    {
        sources_ = std::move(sources);
        next_page();
    }

private:
    struct Row {
        std::string key, meta, job, problem;
    };

    /// Whose keys those of a source are: a shared one has them of its own.
    std::string owner(std::string_view source) const
    {
        return std::string{key_tenant(*core_.definitions(), exchange_->caller().tenant, source)};
    }

    void next_page()
    {
        if (sources_.empty()) return respond();
        const auto page = std::make_shared<std::vector<std::string>>();
        core_.off_loop(
            [page, tenant = owner(sources_.back()), source = sources_.back(), after = after_](Reads& reads) {
                for (const auto& view : reads.keys(tenant, source, after, static_cast<int>(keys_max)))
                    page->push_back(view->record.key);
            },
            [self = shared_from_this(), page](std::exception_ptr failure) {
                if (failure) return self->exchange_->fail(store_problem());
                if (page->size() < keys_max) {
                    self->sources_.pop_back();
                    self->after_.clear();
                } else {
                    self->after_ = page->back();
                }
                self->purge(*page);
            });
    }

    void purge(const std::vector<std::string>& keys)
    {
        if (keys.empty()) return next_page();
        rows_.clear();
        open_ = keys.size();
        for (const std::string& key : keys) rows_.push_back({key, {}, {}, {}});
        for (std::size_t i = 0; i < keys.size(); ++i) {
            const auto done = [self = shared_from_this(), i](const Reply& reply) { self->told(i, reply); };
            const std::string source = keys[i].substr(0, keys[i].find('/'));
            PurgeKey purge{owner(source), keys[i], source, mode_, exchange_->caller().name};
            if (!core_.post(std::move(purge), done)) done(std::unexpected(Refused{Refusal::busy, {}, {}, {}, 0, {}}));
        }
    }

    void told(std::size_t at, const Reply& reply)
    {
        Row& row = rows_[at];
        if (const auto* purged = reply ? std::get_if<Purged>(&*reply) : nullptr) {
            row.meta = meta_of(core_, purged->view);
            if (purged->job) row.job = to_text(purged->job);
            ++purged_;
        } else if (!reply) {
            row.problem = problem_json(refused_problem(reply.error()));
            ++refused_;
        }
        if (--open_ > 0) return;
        for (Row& ended : rows_)
            if (shown_.size() < keys_max) shown_.push_back(std::move(ended));
        next_page();
    }

    void respond()
    {
        JsonOut out;
        out.begin();
        out.begin_list("items");
        for (const Row& row : shown_) {
            out.begin();
            out.text("key", row.key);
            out.raw_if("meta", row.meta);
            out.text_if("job", row.job);
            out.raw_if("problem", row.problem);
            out.end();
        }
        out.end_list();
        out.begin("counts");
        out.whole("purged", purged_);
        out.whole("refused", refused_);
        out.end();
        out.end();
        respond_status(exchange_, out.take());
    }

    Core& core_;
    ExchangePtr exchange_;
    PurgeMode mode_;
    std::vector<std::string> sources_; ///< whose keys are still to be read, the last one first
    std::string after_;                ///< the page begins behind this key
    std::vector<Row> rows_, shown_;
    std::size_t open_ = 0;
    std::int64_t purged_ = 0, refused_ = 0;
};

// In their text form; nothing is purged when one of them can not be.
std::optional<std::vector<std::string>> parse_keys(Core& core, const ExchangePtr& exchange,
                                                   const std::vector<std::string>& texts)
{
    std::vector<std::string> keys;
    for (const std::string& text : texts) {
        const auto key = parse_key(text, *core.definitions());
        if (!key || !key->rest.empty()) {
            exchange->fail(make_problem(400, "bad_key", "A key can not be used",
                                        key ? fmt::format("{} goes on after its last parameter.", text.substr(0, 200))
                                            : key.error().message,
                                        "Name keys as in /v1/data/KEY."));
            return std::nullopt;
        }
        const std::string& source = key->key.source;
        const std::string& tenant = exchange->caller().tenant;
        if (!tenant_has_source(*core.definitions(), tenant, source)) {
            exchange->fail(make_problem(400, "bad_key", "A key can not be used",
                                        fmt::format("There is no source \"{}\".", source),
                                        "Look at the sources of your tenant."));
            return std::nullopt;
        }
        if (auto problem = check_shared(exchange->caller(), key_tenant(*core.definitions(), tenant, source), source)) {
            exchange->fail(std::move(*problem));
            return std::nullopt;
        }
        keys.push_back(to_text(key->key));
    }
    return keys;
}

// The tenant's sources that bear one of the tags; a tag that none bears is a mistake.
std::optional<std::vector<std::string>> sources_of_tags(Core& core, const ExchangePtr& exchange,
                                                        const std::vector<std::string>& tags)
{
    const Definitions& definitions = *core.definitions();
    std::set<std::string> sources;
    for (const std::string& tag : tags) {
        bool borne = false;
        for (const auto& [name, source] : definitions.sources) {
            if (std::ranges::find(source->tags, tag) == source->tags.end() ||
                !tenant_has_source(definitions, exchange->caller().tenant, name))
                continue;
            const std::string_view owner = key_tenant(definitions, exchange->caller().tenant, name);
            if (auto problem = check_shared(exchange->caller(), owner, name)) {
                exchange->fail(std::move(*problem));
                return std::nullopt;
            }
            sources.insert(name);
            borne = true;
        }
        if (borne) continue;
        exchange->fail(make_problem(404, "unknown_tag", "No source has this tag",
                                    fmt::format("There is no source with the tag \"{}\".", tag),
                                    "Give a source tags = [...] in the config, or name keys."));
        return std::nullopt;
    }
    return std::vector<std::string>{sources.begin(), sources.end()};
}

void purge_many(Core& core, const ExchangePtr& exchange, std::span<const std::string>)
{
    if (!only_parameters(exchange, {}) || !has_tenant(exchange)) return;
    BodyReader reader{exchange->request().body};
    BodyObject body = reader.object();
    const auto texts = body.texts("keys", 1, keys_max, {1, 2048});
    const auto tags = body.texts("tags", 1, tags_max, {1, 64});
    const auto mode = body.word("mode", {"soft", "hard", "refresh"});
    if (texts.empty() && tags.empty()) body.need("keys", "a list of keys; or name tags instead");
    if (!texts.empty() && !tags.empty()) body.refuse("tags", "nothing beside keys: a purge names keys or tags");
    body.end();
    if (reader.problem()) return exchange->fail(*reader.problem());
    const auto purging = std::make_shared<Purging>(core, exchange, modes[mode.value_or(0)]);
    if (!tags.empty()) {
        if (auto sources = sources_of_tags(core, exchange, tags)) purging->sources(std::move(*sources));
    } else if (const auto keys = parse_keys(core, exchange, texts)) {
        purging->keys(*keys);
    }
}

constexpr std::array purge_table{
    Route{"DELETE", "/v1/data/{key}", Right::operate, &delete_key},
    Route{"POST", "/v1/purge", Right::operate, &purge_many},
};

} // namespace

Routes purge_routes()
{
    return purge_table;
}

} // namespace freshet::http
