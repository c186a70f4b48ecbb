// SPDX-License-Identifier: Apache-2.0
// What a facade looks up of /v1 beside what it asked for, one after the other: keys, the job, the batch, its items,
// lists.
#include "facade/run.hpp"

#include "engine/reads.hpp"
#include "http/problems.hpp"
#include "model/key.hpp"
#include "wire/json_out.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <simdjson.h>

namespace freshet::facade {

namespace {

constexpr int page_rows = 500;

std::function<std::optional<std::string>(Reads&)> tenant_of_job(const std::string& id)
{
    return [job = parse_job_id(id)](Reads& reads) -> std::optional<std::string> {
        const auto found = job ? reads.job(*job) : std::nullopt;
        return found ? std::optional{found->tenant} : std::nullopt;
    };
}

std::function<std::optional<std::string>(Reads&)> tenant_of_batch(const std::string& id)
{
    return [batch = parse_batch_id(id)](Reads& reads) -> std::optional<std::string> {
        std::optional<Batch> found;
        if (batch) reads.in_one_view([&](StoreReads& store) { found = store.batch(*batch); });
        return found ? std::optional{found->tenant} : std::nullopt;
    };
}

} // namespace

void Run::look_up()
{
    if (row_->def.keys.empty()) return look_up_job();
    look_at_keys();
}

void Run::look_at_keys()
{
    std::vector<Entry> more = expand(row_->def.keys);
    if (over_) return;
    const std::size_t first = entries_.size(), end = first + more.size();
    std::ranges::move(more, std::back_inserter(entries_));
    running_ = end - first;
    if (running_ == 0) return look_up_job();
    for (std::size_t i = first; i < end; ++i) {
        if (entries_[i].foreign) {
            told(i, foreign_answer(), &Run::look_up_job);
            continue;
        }
        InnerRequest request;
        request.method = "HEAD"; // starts no work
        request.path = fmt::format("/v1/data/{}", entries_[i].key);
        ask_within(core_, *router_, exchange_, caller_for(entries_[i].tenant), std::move(request),
                   [self = shared_from_this(), i](InnerAnswer answer) {
                       // That it has no data, or fails, is told by its meta.
                       if (answer.status >= 500) answer.status = 200, answer.body.clear();
                       self->told(i, std::move(answer), &Run::look_up_job);
                   });
    }
}

void Run::look_up_one(std::string_view part, std::string path, Next then)
{
    InnerRequest request;
    request.path = std::move(path);
    ask_within(core_, *router_, exchange_, caller_, std::move(request),
               [self = shared_from_this(), part, then](InnerAnswer answer) {
                   if (self->gone_ || self->over_) return;
                   if (answer.is_problem()) return self->fail(answer);
                   if (self->natural_body_.empty()) self->natural_body_ = answer.body;
                   self->document_.set(part, std::move(answer.body));
                   ((*self).*then)();
               });
}

void Run::find_tenant(std::function<std::optional<std::string>(Reads&)> tenant_of, std::function<void()> then)
{
    if (caller_.tenant != "*") return then();
    const auto tenant = std::make_shared<std::optional<std::string>>();
    core_.off_loop([tenant, tenant_of = std::move(tenant_of)](Reads& reads) { *tenant = tenant_of(reads); },
                   [self = shared_from_this(), tenant, then = std::move(then)](const std::exception_ptr& failure) {
                       if (self->gone_ || self->over_) return;
                       if (failure) return self->fail(http::store_problem());
                       if (!*tenant)
                           return self->fail(http::make_problem(404, "not_found", "No such thing",
                                                                "It does not exist, or it is gone.",
                                                                "Look at the id."));
                       self->caller_.tenant = **tenant;
                       then();
                   });
}

void Run::find_tenant_of_job(const std::string& id, std::function<void()> then)
{
    find_tenant(tenant_of_job(id), std::move(then));
}

void Run::find_tenant_of_batch(const std::string& id, std::function<void()> then)
{
    find_tenant(tenant_of_batch(id), std::move(then));
}

void Run::look_up_job()
{
    if (row_->def.job.empty()) return look_up_batch();
    const auto id = fill(row_->def.job, inputs_, &percent_encode);
    if (!id) return fail(id.error());
    find_tenant_of_job(*id, [self = shared_from_this(), id = *id] {
        self->look_up_one("job", fmt::format("/v1/jobs/{}", id), &Run::looked_up_job);
    });
}

void Run::looked_up_job()
{
    if (!row_->def.job_data) return look_up_batch();
    static const Mentions job_alone{".job"};
    const std::string job = member_of(document_.json({&job_alone}), "job");
    key_ = text_member_of(job, "key");
    if (key_.empty()) return look_up_batch();
    with_view(key_, &Run::look_up_batch);
}

void Run::look_up_batch()
{
    if (row_->def.batch.empty()) return look_up_items();
    const auto id = fill(row_->def.batch, inputs_, &percent_encode);
    if (!id) return fail(id.error());
    find_tenant_of_batch(*id, [self = shared_from_this(), id = *id] {
        self->look_up_one("batch", fmt::format("/v1/batches/{}", id), &Run::look_up_items);
    });
}

void Run::look_up_items()
{
    if (row_->def.items.empty()) return look_up_lists();
    const auto id = fill(row_->def.items, inputs_, &percent_encode);
    if (!id) return fail(id.error());
    find_tenant_of_batch(*id, [self = shared_from_this(), id = *id] {
        InnerRequest request;
        request.path = fmt::format("/v1/batches/{}/items", id);
        self->list_page("items", request, self->rows_of("items"), &Run::look_up_lists);
    });
}

void Run::look_up_lists()
{
    list_ = 0;
    next_list();
}

void Run::next_list()
{
    if (list_ >= row_->def.list.size()) {
        end_lists();
        return answer();
    }
    const std::string& text = row_->def.list[list_++];
    const auto question = text.find('?');
    InnerRequest request;
    const std::string part = text.substr(0, question);
    request.path = fmt::format("/v1/{}", part);
    if (question != std::string::npos) request.query = fill_query(std::string_view{text}.substr(question + 1), inputs_);
    list_page(part, request, rows_of(part), &Run::next_list);
}

std::shared_ptr<Run::Rows> Run::rows_of(const std::string& part)
{
    auto& rows = rows_[part];
    if (!rows) {
        rows = std::make_shared<Rows>();
        rows->json.begin_list();
    }
    rows->count = 0;
    rows->after.clear();
    return rows;
}

void Run::end_lists()
{
    for (const auto& [part, rows] : rows_) {
        rows->json.end_list();
        if (natural_body_.empty()) natural_body_ = rows->json.take();
        document_.set(part, rows->json.take());
    }
}

// Pages are followed as far as rows_max goes.
void Run::list_page(const std::string& part, const InnerRequest& request, const std::shared_ptr<Rows>& rows, Next then)
{
    const int rows_max = row_->def.rows_max;
    InnerRequest page = request;
    page.query.emplace_back("limit", fmt::to_string(std::min(page_rows, rows_max - rows->count)));
    if (!rows->after.empty()) page.query.emplace_back("after", rows->after);
    ask_within(core_, *router_, exchange_, caller_, std::move(page),
               [self = shared_from_this(), part, request, rows, then, rows_max](const InnerAnswer& answer) {
                   if (self->gone_ || self->over_) return;
                   if (answer.is_problem()) return self->fail(answer);
                   simdjson::dom::parser parser;
                   simdjson::dom::element root;
                   simdjson::dom::array items;
                   if (parser.parse(answer.body).get(root) != simdjson::SUCCESS ||
                       root["items"].get(items) != simdjson::SUCCESS)
                       return self->fail(http::store_problem());
                   for (const simdjson::dom::element item : items) {
                       rows->json.raw(simdjson::minify(item));
                       ++rows->count;
                   }
                   std::string_view next;
                   if (root["next"].get(next) == simdjson::SUCCESS && !next.empty() && rows->count < rows_max) {
                       rows->after = next;
                       return self->list_page(part, request, rows, then);
                   }
                   ((*self).*then)();
               });
}

} // namespace freshet::facade
