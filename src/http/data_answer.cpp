// SPDX-License-Identifier: Apache-2.0
#include "http/data_answer.hpp"

#include "http/codings.hpp"
#include "http/problems.hpp"
#include "model/key.hpp"

#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace freshet::http {

namespace {

DataPicture picture_of(Core& core, const KeyView& view, const SourceDefinition& source)
{
    DataPicture picture;
    picture.view = &view;
    picture.source = &source;
    picture.now = core.now();
    picture.freshness = derive_freshness(view.record, source, picture.now);
    picture.has_origins = !core.definitions()->server.origins.empty();
    return picture;
}

std::string envelope_of(std::string_view meta, std::string_view data, std::string_view receipt)
{
    rapidjson::StringBuffer out;
    out.Reserve(meta.size() + data.size() + receipt.size() + 40);
    rapidjson::Writer<rapidjson::StringBuffer> writer{out};
    const auto raw = [&](const char* name, std::string_view json) {
        writer.Key(name);
        writer.RawValue(json.data(), json.size(), rapidjson::kObjectType);
    };
    writer.StartObject();
    raw("meta", meta);
    raw("data", data);
    if (!receipt.empty()) raw("receipt", receipt);
    writer.EndObject();
    return {out.GetString(), out.GetSize()};
}

} // namespace

std::shared_ptr<const SourceDefinition> source_of(const Definitions& definitions, std::string_view key)
{
    const auto found = definitions.sources.find(key.substr(0, key.find('/')));
    return found == definitions.sources.end() ? nullptr : found->second;
}

std::string meta_of(const KeyView& view, const SourceDefinition& source, const Definitions& definitions,
                    bool from_cache, WallTime now)
{
    MetaInput input;
    input.record = &view.record;
    input.source = &source;
    if (auto key = parse_key(view.record.key, definitions)) input.params = std::move(key->key.params);
    if (view.flight) input.flight = MetaFlight{view.flight->id, view.flight->running, view.flight->requested_at, {}};
    input.paused = view.paused;
    input.from_cache = from_cache;
    return meta_json(input, now);
}

std::string freshet_header(Core& core, const KeyView& view, const SourceDefinition& source, std::string_view outcome)
{
    DataPicture picture = picture_of(core, view, source);
    picture.outcome = outcome;
    return freshet_header(picture);
}

void answer_with_data(Core& core, const ExchangePtr& exchange, DataAnswer answer)
{
    if (auto* taker = dynamic_cast<DataTaker*>(exchange.get())) return taker->take(answer);
    const KeyView& view = *answer.view;
    const HttpRequest& request = exchange->request();
    DataPicture picture = picture_of(core, view, *answer.source);
    picture.is_public = answer.is_public;
    picture.no_store = answer.no_store || answer.envelope;
    picture.found = answer.found;
    picture.outcome = answer.outcome;

    HttpResponse response;
    response.content_type = "application/json";
    if (answer.envelope) {
        response.headers = data_headers(picture, Coding::identity);
        const bool from_cache = answer.found == Found::hit || answer.found == Found::hit_ignored;
        response.body = envelope_of(meta_of(view, *answer.source, *core.definitions(), from_cache, picture.now),
                                    view.body->bytes, answer.receipt);
        // The tag is of the data alone; the envelope changes with every second.
        std::erase_if(response.headers, [](const auto& header) { return header.first == "ETag"; });
        return exchange->respond(std::move(response));
    }
    const AcceptedCodings accepted = accepted_codings(request.header("accept-encoding"));
    Choice choice = choose_coding(*view.body, accepted);
    if (choice.make != Coding::identity && request.method == "GET" && begin_coding(*view.body, choice.make))
        core.off_loop([kept = answer.view, coding = choice.make](Reads&) { make_coding(*kept->body, coding); },
                      [](std::exception_ptr) {});
    response.headers = data_headers(picture, choice.serve);
    const std::string tag = entity_tag(view.record.ver, view.record.hash.high, Coding::identity);
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && !picture.no_store && matches_tag(request.header("if-none-match"), tag)) {
        response.status = 304;
        response.content_type.clear();
        std::erase_if(response.headers, [](const auto& header) { return header.first == "Content-Encoding"; });
        return exchange->respond(std::move(response));
    }
    if (choice.bytes)
        response.shared_body = std::move(choice.bytes);
    else
        response.shared_body = std::shared_ptr<const std::string>{answer.view, &view.body->bytes};
    exchange->respond(std::move(response));
}

std::string meta_of(Core& core, const std::shared_ptr<const KeyView>& view)
{
    const auto source = view ? source_of(*core.definitions(), view->record.key) : nullptr;
    return source ? meta_of(*view, *source, *core.definitions(), true, core.now()) : "null";
}

void fail_with_key(Core& core, const ExchangePtr& exchange, Problem problem, const KeyView& view,
                   const SourceDefinition& source, std::string_view outcome)
{
    if (problem.key.empty()) problem.key = view.record.key;
    if (problem.last_good.empty()) problem.last_good = last_good_json(view.record, exchange->base_url());
    HttpResponse response =
        problem_response(exchange->base_url(), exchange->request().path, std::move(problem), core.now());
    response.headers.emplace_back("Freshet", freshet_header(core, view, source, outcome));
    exchange->respond(std::move(response));
}

void answer_accepted(Core& core, const ExchangePtr& exchange, const Job& job, const KeyView* view,
                     const SourceDefinition& source, std::string_view outcome, bool waited)
{
    HttpResponse response;
    response.status = 202;
    response.content_type = "application/json";
    response.headers.emplace_back("Cache-Control", "no-store");
    response.headers.emplace_back("Location", fmt::format("{}/v1/jobs/{}", exchange->base_url(), to_text(job.id)));
    response.headers.emplace_back("Retry-After", "1");
    if (view != nullptr) response.headers.emplace_back("Freshet", freshet_header(core, *view, source, outcome));
    const Preferences preferred = preferences(exchange->request().header("prefer"));
    if (preferred.respond_async)
        response.headers.emplace_back("Preference-Applied", "respond-async");
    else if (waited && preferred.wait)
        response.headers.emplace_back(
            "Preference-Applied",
            fmt::format("wait={}", std::chrono::floor<std::chrono::seconds>(*preferred.wait).count()));
    response.body = receipt_json(job, view != nullptr && view->paused, core.now());
    exchange->respond(std::move(response));
}

} // namespace freshet::http
