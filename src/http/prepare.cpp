// SPDX-License-Identifier: Apache-2.0
#include "http/prepare.hpp"

#include "http/codings.hpp"
#include "http/data_headers.hpp"
#include "http/gate.hpp"

namespace freshet::http {

namespace {

constexpr std::string_view json_type = "application/json";

// Which source an entry is of, under the definitions in force; null where the general path must say why not.
bool look_up_source(LoopCore& core, CacheEntry& entry)
{
    if (entry.definitions_version == core.definitions_version()) return entry.source != nullptr;
    entry.definitions_version = core.definitions_version();
    entry.source = nullptr;
    const std::string_view name = entry.name;
    const auto line = name.find('\n');
    const std::string_view key = name.substr(line + 1);
    const Definitions& definitions = *core.definitions();
    const auto found = definitions.sources.find(key.substr(0, key.find('/')));
    if (found == definitions.sources.end()) return false;
    const std::string_view tenant = name.substr(0, line);
    if (!tenant_has_source(definitions, tenant, found->first)) return false;
    if (source_within(definitions, tenant, found->first) == nullptr) return false;
    entry.source = found->second;
    return true;
}

bool build(LoopCore& core, CacheEntry& entry, bool is_public, Coding coding, PreparedAnswer& answer, WallTime now)
{
    const KeyView& view = *entry.view;
    DataPicture picture;
    picture.view = &view;
    picture.source = entry.source.get();
    picture.freshness = derive_freshness(view.record, *entry.source, now);
    picture.now = now;
    picture.is_public = is_public;
    picture.has_origins = !core.definitions()->server.origins.empty();
    if (picture.freshness.state == SnapshotState::overdue && entry.source->on_overdue == OverduePolicy::wait)
        return false;

    answer.coded_body = coded(*view.body, coding);
    if (coding != Coding::identity && !answer.coded_body) return false;
    const Headers headers = data_headers(picture, coding);
    HeadLayout layout;
    layout.headers = &headers;
    layout.content_type = json_type;
    layout.length = answer.coded_body ? answer.coded_body->size() : view.body->bytes.size();
    answer.head = std::make_shared<const std::string>(response_head(layout, now));
    Headers without_coding = headers;
    std::erase_if(without_coding, [](const auto& header) { return header.first == "Content-Encoding"; });
    layout.headers = &without_coding;
    layout.status = 304;
    layout.content_type = {};
    layout.framing = Framing::none;
    answer.head_304 = std::make_shared<const std::string>(response_head(layout, now));
    answer.valid_until = headers_hold_until(picture.freshness, now);
    entry.tag = entity_tag(view.record.ver, view.record.hash.high, Coding::identity);
    entry.refresh_on_read = wants_refresh(view, picture.freshness, now);
    return true;
}

} // namespace

std::optional<ReadyAnswer> ready_answer(LoopCore& core, CacheEntry& entry, const PlainRead& read)
{
    if (!entry.view || !entry.view->body || !entry.view->record.has_data) return std::nullopt;
    if (!look_up_source(core, entry)) return std::nullopt;
    if (read.is_public && !entry.source->is_public) return std::nullopt;
    const WallTime now = core.now();
    auto& answers = entry.prepared[read.is_public ? 1 : 0];

    Coding coding = Coding::identity;
    const Body& body = *entry.view->body;
    if (!read.accept_encoding.empty() && body.bytes.size() >= coded_bytes_min) {
        const AcceptedCodings& accepted = core.accepted(read.accept_encoding);
        for (std::size_t i = 0; i < accepted.count; ++i) {
            const Coding candidate = accepted.order[i];
            if (candidate == Coding::identity) break;
            // Only the coding that the peer likes best is made: a second one would be work for nobody.
            if (!read.head_only && i == 0) core.want_coding(entry, candidate);
            PreparedAnswer& answer = answers[static_cast<std::size_t>(candidate)];
            if (answer.valid_until > now || build(core, entry, read.is_public, candidate, answer, now)) {
                coding = candidate;
                break;
            }
        }
    }
    PreparedAnswer& answer = answers[static_cast<std::size_t>(coding)];
    if (answer.valid_until <= now && !build(core, entry, read.is_public, coding, answer, now)) return std::nullopt;

    if (!read.head_only) {
        if (entry.refresh_on_read) core.hint(entry);
        core.touch(entry);
    }
    ReadyAnswer ready;
    if (!read.if_none_match.empty() && matches_tag(read.if_none_match, entry.tag)) {
        ready.head = &answer.head_304;
        ready.not_modified = true;
        return ready;
    }
    ready.head = &answer.head;
    if (read.head_only) return ready;
    ready.body = answer.coded_body ? answer.coded_body.get() : &body.bytes;
    if (answer.coded_body) ready.coded_body = &answer.coded_body;
    return ready;
}

} // namespace freshet::http
