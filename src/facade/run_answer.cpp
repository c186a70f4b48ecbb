// SPDX-License-Identifier: Apache-2.0
// What a facade answers: status, headers, body. What an expression made of a key is kept while nothing that it looks at
// has changed.
#include "facade/run.hpp"

#include "base/hash.hpp"
#include "base/log.hpp"
#include "http/codings.hpp"
#include "http/negotiate.hpp"
#include "http/problems.hpp"
#include "model/freshness.hpp"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

namespace freshet::facade {

namespace {

constexpr Millis kept_for = 1s; ///< where an age or the clock is looked at
constexpr SteadyTime any_time = SteadyTime::min();

void set_header(http::HttpResponse& response, const std::string& name, std::string value)
{
    const auto same = [&](const auto& header) {
        return std::ranges::equal(header.first, name,
                                  [](char a, char b) { return std::tolower(a) == std::tolower(b); });
    };
    const auto found = std::ranges::find_if(response.headers, same);
    if (found != response.headers.end())
        found->second = std::move(value);
    else
        response.headers.emplace_back(name, std::move(value));
}

int status_number(const std::string& json)
{
    double status = 0;
    const auto [end, error] = std::from_chars(json.data(), json.data() + json.size(), status);
    const bool good = error == std::errc{} && end == json.data() + json.size() && status >= 200 && status <= 599;
    return good ? static_cast<int>(status) : 0;
}

std::string tag_of(std::string_view body)
{
    return fmt::format("\"{}\"", to_hex(hash128(body)));
}

std::shared_ptr<const Body> body_of(std::string bytes)
{
    auto body = std::make_shared<Body>();
    body->bytes = std::move(bytes);
    return body;
}

void vary_by(http::HttpResponse& response, std::string_view name)
{
    const auto vary = std::ranges::find(response.headers, "Vary", [](const auto& header) { return header.first; });
    if (vary == response.headers.end())
        response.headers.emplace_back("Vary", name);
    else
        vary->second += fmt::format(", {}", name);
}

} // namespace

void Run::answer()
{
    for (const std::uint64_t wait : waits_) core_.cancel_wait(wait);
    waits_.clear();
    if (row_->def.log_end) log_ends();
    if (!row_->shapes()) {
        add_key_parts();
        const int status = row_->status != 0 ? row_->status : natural_status_;
        if (view_ && view_->body && view_->record.has_data && !document_.has("job"))
            return respond(status, view_->body, fmt::format("\"{}\"", to_hex(view_->record.hash)), true);
        if (natural_body_.empty()) natural_body_ = document_.json({&row_->respond});
        std::string tag = tag_of(natural_body_);
        return respond(status, body_of(std::move(natural_body_)), std::move(tag), false);
    }
    const FacadeDefinition& def = row_->def;
    const bool looks_up =
        !def.keys.empty() || !def.job.empty() || !def.batch.empty() || !def.items.empty() || !def.list.empty();
    const bool kept = !def.read.empty() && !forced_ && !looks_up && view_;
    if (!kept) return render({});
    const std::string name = kept_name();
    const SteadyTime not_before = row_->mentions_time() ? core_.steady() - kept_for : any_time;
    if (auto made = state_->rendered.find(name, not_before)) return rendered(std::move(made));
    const bool first = state_->rendered.begin(name, [self = shared_from_this()](const auto& made) {
        if (self->gone_) return;
        if (made) return self->rendered(made);
        self->fail(
            http::make_problem(503, "busy", "The answer could not be made", "Its expression gave none.", "Ask again."));
    });
    if (first) render(name);
}

// An old API logged what it answered; of many who ask, the first to be told of an end is enough.
void Run::log_ends() const
{
    static const Mentions looked_up{".job .batch"};
    const std::string document = document_.json({&looked_up});
    for (const std::string_view part : {"job", "batch"}) {
        const std::string thing = member_of(document, part);
        if (thing.empty() || text_member_of(thing, "finished_at").empty()) continue;
        core_.off_loop(
            [told = state_->ends_told, facade = row_->def.on, part, id = text_member_of(thing, "id"),
             state = text_member_of(thing, "state"), tenant = caller_.tenant](Reads&) {
                if (told->first(id))
                    log::info("an end was served",
                              {{"facade", facade}, {part, id}, {"state", state}, {"tenant", tenant}});
            },
            [](const std::exception_ptr&) {});
    }
}

// All that the answer depends on, of what the expressions mention.
std::string Run::kept_name() const
{
    const KeyRecord& record = view_->record;
    const Freshness freshness = derive_freshness(record, *source_, core_.now());
    std::string name = fmt::format("{}\n{}\n{}\n{}.{}.{}.{}\n", row_->number, record.tenant, record.key, record.seq,
                                   record.gen, static_cast<int>(freshness.state), record.attempts);
    name += fmt::format("{}{}{}{}", view_->paused ? 'p' : '-', record.held ? 'h' : '-', from_cache_ ? 'c' : '-',
                        view_->flight ? (view_->flight->running ? 'r' : 'q') : '-');
    if (view_->flight) name += to_text(view_->flight->id);
    if (row_->mentions("request")) (name += '\n') += inputs_.request;
    return name;
}

std::string Run::meta_text(const KeyView& view, bool with_time, bool from_cache) const
{
    const auto source = http::source_of(*definitions_, view.record.key);
    if (!source) return {};
    return meta_of(view, *source, *definitions_, from_cache, core_.now(), with_time, row_->def.timezone);
}

void Run::add_key_parts()
{
    if (forced_) document_.set("forced", "true");
    if (timed_out_) document_.set("timed_out", "true");
    if (!entries_.empty() || !row_->def.keys.empty() || !row_->def.read_all.empty() || !row_->def.refresh_all.empty())
        add_entries();
    if (!view_) return;
    document_.set_data(view_);
    if (row_->mentions("meta") || row_->problem_of.has("meta"))
        document_.set("meta", meta_text(*view_, row_->mentions_time() || row_->problem_of.time(), from_cache_));
}

void Run::add_entries()
{
    const bool with_data = row_->mentions("data");
    JsonOut out;
    out.begin_list();
    for (const Entry& entry : entries_) {
        out.begin();
        out.text("tenant", entry.tenant);
        out.text("key", entry.key);
        // As it stands now: what the answer brought may have been followed by more.
        const KeyView* view = entry.answer.data ? entry.answer.data->view.get() : nullptr;
        if (const KeyView* latest = core_.cached(owner_of(entry.tenant, entry.key), entry.key);
            latest != nullptr && (view == nullptr || latest->record.gen >= view->record.gen))
            view = latest;
        const bool foreign = entry.answer.is_problem() && entry.answer.status < 500 && entry.answer.status != 429;
        if (view != nullptr && !foreign) {
            const bool from_cache = entry.answer.data && (entry.answer.data->found == http::Found::hit ||
                                                          entry.answer.data->found == http::Found::hit_ignored);
            out.raw_if("meta", meta_text(*view, true, from_cache));
            if (with_data && view->record.has_data && view->body) out.key("data"), out.raw(view->body->bytes);
        }
        if (entry.answer.data && !entry.answer.data->receipt.empty()) {
            out.text_if("outcome", text_member_of(entry.answer.data->receipt, "outcome"));
            out.key("job");
            out.raw(entry.answer.data->receipt);
        } else if (entry.answer.status == 202) {
            out.text("outcome", "pending");
            out.raw_if("job", entry.answer.body);
        } else if (entry.answer.is_problem()) {
            const std::string outcome = text_member_of(entry.answer.body, "outcome");
            out.text("outcome", outcome.empty() ? "failed" : outcome);
            out.key("problem");
            out.raw(entry.answer.body);
        }
        out.end();
    }
    out.end_list();
    document_.set("keys", out.take());
}

void Run::render(const std::string& name)
{
    add_key_parts();
    ShapeOrder order;
    order.format = InputFormat::json;
    order.input = document_.json({&row_->respond, &row_->status_of});
    order.select = row_->def.respond.empty() ? "null" : row_->def.respond;
    if (row_->status == 0 && !row_->def.status.empty()) order.extracts.emplace_back("status", row_->def.status);
    shape_(core_, std::move(order), [self = shared_from_this(), name](ShapeResult<Shaped> result) {
        std::shared_ptr<Rendered> made;
        if (result) {
            made = std::make_shared<Rendered>();
            if (!self->row_->def.respond.empty()) made->body.bytes = std::move(result->json);
            if (!result->extracts.empty()) made->status = status_number(result->extracts[0].second);
            made->tag = tag_of(made->body.bytes);
            made->kept = !name.empty();
        }
        // Twice its size: with the coding that most readers take.
        const std::size_t bytes = made ? 2 * made->body.bytes.size() : 0;
        if (!name.empty()) self->state_->rendered.made(name, made, bytes, self->core_.steady());
        if (self->gone_ || self->over_) return;
        if (made) return self->rendered(made);
        log::warn("a facade's expression failed",
                  {{"facade", self->row_->def.on}, {"error", result ? "" : result.error().message}});
        self->fail(shape_problem(result.error(), false));
    });
}

void Run::rendered(std::shared_ptr<const Rendered> made)
{
    const int said = row_->status != 0 ? row_->status : made->status;
    const int status = said != 0 ? said : natural_status_;
    if (row_->def.respond.empty()) {
        const bool of_key = view_ && view_->body && view_->record.has_data && !document_.has("job");
        std::shared_ptr<const Body> body =
            of_key ? view_->body : body_of(natural_body_.empty() ? "null" : natural_body_);
        std::string tag = tag_of(body->bytes);
        return respond(status, std::move(body), std::move(tag), of_key);
    }
    respond(status, std::shared_ptr<const Body>{made, &made->body}, made->tag, made->kept);
}

// A body that others will be sent, too, goes out as it is until somebody has coded it; one of this answer alone is
// coded first.
void Run::respond(int status, std::shared_ptr<const Body> body, std::string tag, bool kept)
{
    if (over_) return;
    if (status >= 400) {
        http::HttpResponse head;
        const Problem base = http::make_problem(status, "refused", "Refused", {});
        std::string json =
            http::problem_response(exchange_->base_url(), exchange_->request().path, base, core_.now()).body;
        return send_problem(status, laid_over(json, body->bytes), std::move(head));
    }
    over_ = true;
    const http::HttpRequest& request = exchange_->request();
    http::HttpResponse response = head_of(status);
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && status == 200 && http::matches_tag(request.header("if-none-match"), tag)) {
        response.status = 304;
        response.content_type.clear();
        response.headers.emplace_back("ETag", tag);
        return exchange_->respond(std::move(response));
    }
    const http::AcceptedCodings accepted = http::accepted_codings(request.header("accept-encoding"));
    auto finish = [exchange = exchange_, response = std::move(response), body, tag = std::move(tag), accepted,
                   tagged = reads && status == 200]() mutable {
        const http::Choice choice = http::choose_coding(*body, accepted);
        if (tagged) {
            if (choice.bytes) tag.insert(tag.size() - 1, fmt::format("-{}", http::coding_word(choice.serve)));
            response.headers.emplace_back("ETag", std::move(tag));
        }
        if (response.status != 204) {
            if (body->bytes.size() >= http::coded_bytes_min) vary_by(response, "Accept-Encoding");
            if (choice.bytes) response.headers.emplace_back("Content-Encoding", http::coding_word(choice.serve));
            response.shared_body = choice.bytes ? choice.bytes : std::shared_ptr<const std::string>{body, &body->bytes};
        }
        exchange->respond(std::move(response));
    };
    const http::Coding make = http::choose_coding(*body, accepted).make;
    const bool makes = request.method != "HEAD" && status != 204 && http::begin_coding(*body, make);
    if (!makes) return finish();
    const auto code = [body, make](Reads&) { http::make_coding(*body, make); };
    if (!kept) return core_.off_loop(code, [finish](const std::exception_ptr&) mutable { finish(); });
    core_.off_loop(code, [](const std::exception_ptr&) {});
    finish();
}

http::HttpResponse Run::head_of(int status) const
{
    const FacadeDefinition& def = row_->def;
    http::HttpResponse response;
    response.status = status;
    const bool keeps = !def.cache.empty() && status == 200 && !forced_;
    response.headers.emplace_back("Cache-Control", keeps ? def.cache : "no-store");
    for (const auto& [name, value] : natural_.headers)
        if (name == "Retry-After") response.headers.emplace_back(name, value);
    if (view_ && source_) response.headers.emplace_back("Freshet", http::freshet_header(core_, *view_, *source_, {}));
    if (def.access != "public") response.headers.emplace_back("Vary", "Authorization, Cookie");
    for (const auto& [name, value] : forced_ && !def.headers_forced.empty() ? def.headers_forced : def.headers)
        set_header(response, name, value);
    if (status == 204) return response;
    response.content_type = "application/json";
    const auto own = std::ranges::find_if(response.headers, [](const auto& h) { return h.first == "Content-Type"; });
    if (own != response.headers.end()) {
        response.content_type = own->second;
        response.headers.erase(own);
    }
    return response;
}

// --- Refusals ---

void Run::fail(Problem problem)
{
    http::HttpResponse response =
        http::problem_response(exchange_->base_url(), exchange_->request().path, std::move(problem), core_.now());
    std::string json = std::move(response.body);
    this->problem(response.status, std::move(json), std::move(response));
}

void Run::fail(const InnerAnswer& answer)
{
    // It happened here, not at the path of /v1 that was asked within.
    JsonOut here;
    here.begin();
    here.text("instance", exchange_->request().path);
    here.end();
    problem(answer.status, laid_over(answer.body, here.take()), answer.head);
}

void Run::problem(int status, std::string json, http::HttpResponse head)
{
    if (over_ || gone_) return;
    for (const std::uint64_t wait : waits_) core_.cancel_wait(wait);
    waits_.clear();
    const std::string code = text_member_of(json, "code");
    for (const auto& [name, text] : row_->def.statuses)
        if (name == code) status = status_number(text);
    if (row_->def.respond_problem.empty()) return send_problem(status, std::move(json), std::move(head));
    over_ = true; // what else comes of it is of no use any more
    document_.set("problem", json);
    if (!view_ && !key_.empty())
        if (const KeyView* latest = core_.cached(owner_of(caller_.tenant, key_), key_); latest != nullptr)
            view_ = std::make_shared<const KeyView>(*latest);
    add_key_parts();
    ShapeOrder order;
    order.format = InputFormat::json;
    order.input = document_.json({&row_->problem_of});
    order.select = row_->def.respond_problem;
    shape_(core_, std::move(order),
           [self = shared_from_this(), status, json, head = std::move(head)](ShapeResult<Shaped> result) {
               if (self->gone_) return;
               self->over_ = false;
               self->send_problem(status, result ? laid_over(json, result->json) : json, head);
           });
}

void Run::send_problem(int status, std::string json, http::HttpResponse head)
{
    over_ = true;
    JsonOut own;
    own.begin();
    own.whole("status", status);
    own.end();
    http::HttpResponse response;
    response.status = status;
    response.content_type = "application/problem+json";
    response.headers.emplace_back("Cache-Control", "no-store");
    for (const auto& [name, value] : head.headers)
        if (name == "Retry-After" || name.starts_with("RateLimit") || name == "WWW-Authenticate")
            response.headers.emplace_back(name, value);
    response.body = laid_over(json, own.take());
    exchange_->respond(std::move(response));
}

Problem Run::shape_problem(const ShapeError& error, bool of_request)
{
    // What shaping calls "select" is called "respond" here.
    constexpr std::string_view shaping = "select: ";
    const std::string words = error.message.starts_with(shaping)
                                  ? fmt::format("respond: {}", error.message.substr(shaping.size()))
                                  : error.message;
    switch (error.code) {
    case ShapeErrorCode::busy:
    case ShapeErrorCode::stopped:
    case ShapeErrorCode::timed_out:
    case ShapeErrorCode::crashed:
    case ShapeErrorCode::out_of_memory:
    case ShapeErrorCode::cancelled:
        return http::make_problem(503, "busy", "The answer could not be made in time", words, "Ask again.");
    case ShapeErrorCode::bad_input:
    case ShapeErrorCode::number_too_large:
        if (of_request)
            return http::make_problem(400, "bad_request", "The request can not be used", words,
                                      "Send what this API says that it takes.");
        break;
    default: break;
    }
    return http::make_problem(500, "facade", "This API is not set up right for this answer", words,
                              "Tell who runs it: an expression in its config failed.");
}

} // namespace freshet::facade
