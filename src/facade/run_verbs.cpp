// SPDX-License-Identifier: Apache-2.0
// What a facade asks of /v1 to be done or read; what it looks up beside that is in run_look_up.cpp.
#include "facade/run.hpp"

#include "engine/reads.hpp"
#include "http/problems.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <iterator>
#include <simdjson.h>

namespace freshet::facade {

namespace {

/// The part of the wait that is kept for what follows: one of so many.
constexpr int then_share = 4;

// Prefer takes whole seconds.
std::string wait_header(Millis wait)
{
    return fmt::format("wait={}", std::chrono::ceil<std::chrono::seconds>(wait).count());
}

} // namespace

void Run::act()
{
    const FacadeDefinition& def = row_->def;
    const std::string& key_template = def.read.empty() ? def.refresh : def.read;
    if (!key_template.empty()) {
        auto key = fill(key_template, inputs_, &percent_encode);
        if (!key) return fail(std::move(key.error()));
        forced_ |= !def.refresh.empty();
        return read(*key, forced_);
    }
    if (!def.read_all.empty()) return act_on_all(def.read_all, false, &Run::look_up);
    if (!def.refresh_all.empty()) {
        forced_ = true;
        return act_on_all(def.refresh_all, true, &Run::after_keys);
    }
    if (!def.enqueue.empty()) return enqueue();
    if (!def.call.empty()) return call();
    look_up();
}

// --- One key ---

// Of the wait, what the refreshes that are begun now may take. `then` has its part, however late it comes to it.
Millis Run::wait_left() const
{
    const FacadeDefinition& def = row_->def;
    const Millis kept = def.then.empty() ? Millis{0} : def.wait / then_share;
    const Millis left = def.wait - std::chrono::floor<Millis>(core_.steady() - began_);
    return at_then_ ? std::max(kept, left) : std::max(Millis{0}, left - kept);
}

InnerRequest Run::refresh_request(const std::string& key) const
{
    InnerRequest request;
    request.method = "POST";
    request.path = fmt::format("/v1/data/{}/refresh", key);
    const Millis left = wait_left();
    if (left.count() > 0) request.headers.emplace_back("prefer", wait_header(left));
    if (const auto name = exchange_->request().header("idempotency-key"); !name.empty())
        request.headers.emplace_back("idempotency-key", name);
    return request;
}

void Run::read(const std::string& key, bool forced)
{
    key_ = key;
    InnerRequest request;
    if (forced) {
        request = refresh_request(key);
    } else {
        request.method = exchange_->request().method == "HEAD" ? "HEAD" : "GET"; // a HEAD starts no work
        request.path = fmt::format("/v1/data/{}", key);
        if (row_->def.cold == ColdAnswer::refuse) request.headers.emplace_back("cache-control", "only-if-cached");
    }
    if (forced)
        watch_first_attempt(caller_, key,
                            [self = shared_from_this()](Problem problem) { self->fail(std::move(problem)); });
    ask_within(core_, *router_, exchange_, caller_, std::move(request),
               [self = shared_from_this(), key, forced](InnerAnswer answer) {
                   if (!self->gone_ && !self->over_) self->got_key(std::move(answer), key, forced);
               });
}

void Run::got_key(InnerAnswer answer, const std::string& key, bool refreshed)
{
    if (answer.data) {
        view_ = answer.data->view;
        source_ = answer.data->source;
        from_cache_ = answer.data->found == http::Found::hit || answer.data->found == http::Found::hit_ignored;
        if (refreshed) document_.set("job", answer.data->receipt);
        return look_up();
    }
    if (answer.is_problem()) {
        if (answer.status == 504 && text_member_of(answer.body, "code") == "not_cached")
            return fail(http::make_problem(404, "cold", "There is no data yet", fmt::format("{} was never read.", key),
                                           "Refresh it first."));
        return fail(answer);
    }
    // 202: the work goes on.
    document_.set("job", answer.body);
    natural_status_ = answer.status;
    natural_ = std::move(answer.head);
    natural_body_ = std::move(answer.body);
    timed_out_ = row_->def.wait.count() > 0;
    if (timed_out_ && row_->def.on_timeout == TimeoutAnswer::problem) return fail_late(key);
    with_view(key, &Run::look_up);
}

void Run::fail_late(const std::string& key)
{
    Problem late = http::make_problem(504, "timed-out", "The refresh did not end in time",
                                      fmt::format("It goes on; {} were waited.", to_text(row_->def.wait)),
                                      "Look at the job, or ask again.");
    late.key = key;
    late.job = text_member_of(natural_body_, "id");
    late.outcome = "pending";
    late.retry_at = core_.now() + 1s;
    fail(std::move(late));
}

void Run::with_view(const std::string& key, Next then)
{
    core_.view(owner_of(caller_.tenant, key), key, [self = shared_from_this(), key, then](const auto& view) {
        if (self->gone_ || self->over_) return;
        if (!view) return self->fail(http::store_problem());
        self->view_ = view;
        self->source_ = http::source_of(*self->definitions_, key);
        self->from_cache_ = true;
        if (self->timed_out_ && self->row_->def.on_timeout == TimeoutAnswer::stale) {
            // Where there is no earlier data, none can be shown in its place.
            if (!view->record.has_data) return self->fail_late(key);
            self->natural_status_ = 200;
        }
        ((*self).*then)();
    });
}

// --- Several keys ---

std::string_view Run::owner_of(std::string_view tenant, std::string_view key) const
{
    return key_tenant(*definitions_, tenant, key.substr(0, key.find('/')));
}

http::Caller Run::caller_for(const std::string& tenant) const
{
    http::Caller caller = caller_;
    // A tenant that the caller may not speak for stays refused by the door.
    if (!tenant.empty() && caller.all_tenants) caller.tenant = tenant;
    return caller;
}

std::vector<Run::Entry> Run::expand(const std::vector<std::string>& templates)
{
    std::vector<Entry> entries;
    const http::Caller& caller = caller_;
    for (const std::string& text : templates) {
        const KeyTemplate parsed = parse_key_template(text);
        const auto key = fill(parsed.key, inputs_, &percent_encode);
        const auto tenant = fill(parsed.tenant, inputs_);
        if (!key || !tenant) {
            fail(key ? tenant.error() : key.error());
            return {};
        }
        if (*tenant != "*") {
            Entry& entry = entries.emplace_back();
            entry.tenant = tenant->empty() ? caller.tenant : *tenant;
            entry.key = *key;
            entry.foreign = !caller.all_tenants && entry.tenant != caller.tenant;
            continue;
        }
        if (!caller.all_tenants || definitions_->tenants.empty()) {
            entries.emplace_back().tenant = caller.tenant;
            entries.back().key = *key;
            continue;
        }
        const std::string source = key->substr(0, key->find('/'));
        for (const auto& [name, definition] : definitions_->tenants) {
            const auto& sources = definition.sources;
            if (!sources.empty() && std::ranges::find(sources, source) == sources.end()) continue;
            entries.emplace_back().tenant = name;
            entries.back().key = *key;
        }
    }
    return entries;
}

// Whoever asks for another's key is told what he would be told of one that is not there.
InnerAnswer Run::foreign_answer() const
{
    InnerAnswer answer;
    answer.status = 404;
    answer.body =
        problem_json(http::make_problem(404, "not_found", "No such key", "It does not exist, or is not yours."));
    return answer;
}

void Run::told(std::size_t index, InnerAnswer answer, Next then)
{
    Entry& entry = entries_[index];
    // With first_attempt it may have been told already.
    if (entry.told) return;
    entry.told = true;
    entry.answer = std::move(answer);
    if (--running_ == 0 && !gone_ && !over_) ((*this).*then)();
}

void Run::act_on_all(const std::vector<std::string>& templates, bool refreshes, Next then)
{
    std::vector<Entry> more = expand(templates);
    if (over_) return;
    const std::size_t first = entries_.size(), end = first + more.size();
    std::ranges::move(more, std::back_inserter(entries_));
    running_ = end - first;
    if (running_ == 0) return ((*this).*then)();
    // Whoever is told at once may go on to `then` from inside this loop, which adds further entries.
    for (std::size_t i = first; i < end; ++i) {
        const std::string key = entries_[i].key;
        if (entries_[i].foreign) {
            told(i, foreign_answer(), then);
            continue;
        }
        InnerRequest request;
        if (refreshes)
            request = refresh_request(key);
        else
            request.path = fmt::format("/v1/data/{}", key);
        const http::Caller caller = caller_for(entries_[i].tenant);
        if (refreshes)
            watch_first_attempt(caller, key, [self = shared_from_this(), i, then](const Problem& problem) {
                InnerAnswer answer;
                answer.status = problem.status;
                answer.body = problem_json(problem);
                self->told(i, std::move(answer), then);
            });
        ask_within(
            core_, *router_, exchange_, caller, std::move(request),
            [self = shared_from_this(), i, then](InnerAnswer answer) { self->told(i, std::move(answer), then); });
    }
}

void Run::after_keys()
{
    if (row_->def.then.empty()) return look_up();
    at_then_ = true;
    act_on_all(row_->def.then, true, &Run::look_up);
}

// --- Jobs and all else ---

void Run::enqueue()
{
    const FacadeDefinition& def = row_->def;
    const auto queue = fill(def.enqueue, inputs_);
    const auto unique = fill(def.unique, inputs_);
    if (!queue || !unique) return fail(queue ? unique.error() : queue.error());
    JsonOut body;
    body.begin();
    body.text("queue", *queue);
    body.raw_if("input", def.input.empty() ? inputs_.body : decided_.input);
    if (!def.unique.empty()) {
        constexpr std::array<std::string_view, 3> conflicts{"attach", "rerun_after", "reject"};
        body.begin("unique");
        body.text("key", *unique);
        body.text("scope", "live");
        body.text("on_conflict", conflicts[static_cast<std::size_t>(def.on_conflict)]);
        body.end();
    }
    body.end();
    InnerRequest request;
    request.method = "POST";
    request.path = "/v1/jobs";
    request.body = body.take();
    if (const auto name = exchange_->request().header("idempotency-key"); !name.empty())
        request.headers.emplace_back("idempotency-key", name);
    ask_within(core_, *router_, exchange_, caller_, std::move(request),
               [self = shared_from_this()](InnerAnswer answer) {
                   if (self->gone_ || self->over_) return;
                   if (answer.is_problem()) return self->fail(answer);
                   self->document_.set("job", answer.body);
                   self->natural_status_ = answer.status;
                   self->natural_body_ = std::move(answer.body);
                   self->natural_ = std::move(answer.head);
                   self->look_up();
               });
}

void Run::call()
{
    const FacadeDefinition& def = row_->def;
    const auto space = def.call.find(' ');
    const auto question = def.call.find('?');
    const auto path = fill(std::string_view{def.call}.substr(0, question).substr(space + 1), inputs_, &percent_encode);
    if (!path) return fail(path.error());
    InnerRequest request;
    request.method = def.call.substr(0, space);
    request.path = *path;
    if (question != std::string::npos)
        request.query = fill_query(std::string_view{def.call}.substr(question + 1), inputs_);
    request.body = decided_.input == "null" ? "" : decided_.input;
    if (def.wait.count() > 0) request.headers.emplace_back("prefer", wait_header(def.wait));
    if (const auto name = exchange_->request().header("idempotency-key"); !name.empty())
        request.headers.emplace_back("idempotency-key", name);
    auto ask = [self = shared_from_this(), request = std::move(request)]() mutable { self->call(std::move(request)); };
    // A path that names one thing by its id: "/v1/jobs/{id}", "/v1/batches/{id}/cancel".
    constexpr std::string_view of_jobs = "/v1/jobs/", of_batches = "/v1/batches/";
    const std::string& text = *path;
    const auto id_behind = [&text](std::string_view front) {
        return text.starts_with(front) ? text.substr(front.size(), text.find('/', front.size()) - front.size()) : "";
    };
    if (id_behind(of_jobs).starts_with("j_")) return find_tenant_of_job(id_behind(of_jobs), std::move(ask));
    if (id_behind(of_batches).starts_with("b_")) return find_tenant_of_batch(id_behind(of_batches), std::move(ask));
    ask();
}

void Run::call(InnerRequest request)
{
    const std::string path = request.path;
    ask_within(core_, *router_, exchange_, caller_, std::move(request),
               [self = shared_from_this(), path](InnerAnswer answer) {
                   if (self->gone_ || self->over_) return;
                   if (answer.is_problem()) return self->fail(answer);
                   Document& document = self->document_;
                   document.set("answer", answer.body);
                   // Under its own name, too.
                   const bool of_job = path.starts_with("/v1/jobs"), of_batch = path.starts_with("/v1/batches");
                   std::string batch = of_batch ? member_of(answer.body, "batch") : std::string{};
                   if (of_batch) document.set("batch", batch.empty() ? answer.body : std::move(batch));
                   if (of_job) document.set("job", answer.body);
                   self->natural_status_ = answer.status;
                   self->natural_body_ = std::move(answer.body);
                   self->natural_ = std::move(answer.head);
                   self->look_up();
               });
}

// --- Waits that end early ---

// An attempt that failed will be tried again, and the wait for the job's end goes on; the caller need not.
void Run::watch_first_attempt(const http::Caller& caller, const std::string& key, std::function<void(Problem)> failed)
{
    if (!row_->def.first_attempt || row_->def.wait.count() <= 0) return;
    const std::string tenant{owner_of(caller.tenant, key)};
    core_.view(tenant, key, [self = shared_from_this(), tenant, key, failed](const auto& view) {
        if (!view || self->over_) return;
        const int before = view->record.attempts;
        const auto wait = self->core_.wait_key(
            tenant, key, self->core_.steady() + self->wait_left(),
            [before](const KeyView& now) { return now.record.attempts > before; },
            [self, key, before, failed](const std::shared_ptr<const KeyView>& now) {
                if (!now || self->over_ || self->gone_ || now->record.attempts <= before || !now->record.error) return;
                Problem problem = http::failed_problem(*now->record.error, key);
                problem.attempt = now->record.attempts;
                if (now->record.retry_at) problem.retry_at = now->record.retry_at;
                failed(std::move(problem));
            });
        self->waits_.push_back(wait);
    });
}

} // namespace freshet::facade
