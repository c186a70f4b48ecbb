// SPDX-License-Identifier: Apache-2.0
#include "facade/run.hpp"

#include "http/problems.hpp"
#include "model/key.hpp"

#include <fmt/format.h>

namespace freshet::facade {

namespace {

ShapeOrder order_of(std::string input)
{
    ShapeOrder order;
    order.input = std::move(input);
    order.format = InputFormat::json;
    return order;
}

std::string request_document(const std::string& request, std::string_view meta = {})
{
    Document document;
    document.set("request", request);
    if (!meta.empty()) document.set("meta", std::string{meta});
    static const Mentions of_both{".request .meta.state"};
    return document.json({&of_both});
}

} // namespace

Run::Run(http::Core& core, http::ExchangePtr exchange, std::shared_ptr<const FacadeRow> row,
         std::shared_ptr<CoreState> state, std::shared_ptr<const http::Router> router, Shape shape)
    : core_{core}, exchange_{std::move(exchange)}, row_{std::move(row)}, state_{std::move(state)},
      router_{std::move(router)}, shape_{std::move(shape)}, definitions_{core.definitions()}, began_{core.steady()},
      caller_{exchange_->caller()}
{
}

void Run::begin(std::span<const std::string> captures)
{
    auto inputs = read_inputs(*row_, exchange_->request(), captures, caller_);
    if (!inputs) return fail(std::move(inputs.error()));
    inputs_ = std::move(*inputs);
    document_.set("request", inputs_.request);
    exchange_->on_closed([weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->gone_ = true;
    });
    decide();
}

void Run::decide()
{
    if (!row_->decides) return decided({});
    const std::string name = fmt::format("{}\n{}", row_->number, inputs_.request);
    // Expressions that look at the request alone say the same to the same request.
    if (row_->decides_once) {
        if (const auto kept = state_->decided.find(name, SteadyTime::min())) return decided(*kept);
        const bool first = state_->decided.begin(name, [self = shared_from_this()](const auto& made) {
            if (made) return self->decided(*made);
            self->fail(http::make_problem(503, "busy", "The request could not be looked at",
                                          "The expressions of this facade gave no answer.", "Ask again."));
        });
        if (!first) return;
    }
    ShapeOrder order = order_of(request_document(inputs_.request));
    order.select = "null";
    std::vector<std::string Decided::*> members;
    const auto add = [&](const char* what, const std::string& expression, std::string Decided::* member) {
        if (expression.empty()) return;
        order.extracts.emplace_back(what, expression);
        members.push_back(member);
    };
    const FacadeDefinition& def = row_->def;
    add("check", def.check, &Decided::check);
    add("input", def.input, &Decided::input);
    if (!row_->forces_by_meta()) add("force_when", def.force_when, &Decided::force);
    shape_(core_, std::move(order), [self = shared_from_this(), name, members](ShapeResult<Shaped> result) {
        std::shared_ptr<Decided> made;
        if (result && result->extracts.size() == members.size()) {
            made = std::make_shared<Decided>();
            for (std::size_t i = 0; i < members.size(); ++i) (*made).*members[i] = result->extracts[i].second;
        }
        const std::size_t bytes = made ? made->check.size() + made->input.size() + made->force.size() : 0;
        if (self->row_->decides_once) self->state_->decided.made(name, made, bytes, self->core_.steady());
        if (made) return self->decided(*made);
        self->fail(shape_problem(result ? ShapeError{} : result.error(), true));
    });
}

void Run::decided(const Decided& decided)
{
    if (gone_) return;
    decided_ = decided;
    if (!decided_.check.empty() && decided_.check != "null" && decided_.check != "true") {
        std::string words = text_member_of(fmt::format("{{\"words\":{}}}", decided_.check), "words");
        return fail(http::make_problem(400, "bad_request", "The request can not be used",
                                       words.empty() ? "It does not pass the check of this API." : std::move(words)));
    }
    if (row_->forces_by_meta()) return decide_by_meta();
    forced_by(decided_.force);
}

void Run::forced_by(const std::string& json)
{
    forced_ = json == "true" && exchange_->request().method != "HEAD";
    act();
}

// force_when looks at the key as it stands, before anything is asked of it.
void Run::decide_by_meta()
{
    auto key = fill(row_->def.read, inputs_, &percent_encode);
    if (!key) return fail(std::move(key.error()));
    // The right to read it is looked at by the same door as a read; a HEAD starts no work.
    InnerRequest request;
    request.method = "HEAD";
    request.path = fmt::format("/v1/data/{}", *key);
    ask_within(core_, *router_, exchange_, caller_, std::move(request),
               [self = shared_from_this(), key = *key](InnerAnswer answer) {
                   if (self->gone_) return;
                   if (answer.is_problem() && answer.status < 500) return self->fail(answer);
                   self->core_.view(self->owner_of(self->caller_.tenant, key), key, [self, key](const auto& view) {
                       if (self->gone_) return;
                       const auto source = http::source_of(*self->definitions_, key);
                       if (!view || !source) return self->fail(http::store_problem());
                       ShapeOrder order = order_of(request_document(
                           self->inputs_.request, meta_of(*view, *source, *self->definitions_, true, self->core_.now(),
                                                          true, self->row_->def.timezone)));
                       order.select = "null";
                       order.extracts.emplace_back("force_when", self->row_->def.force_when);
                       self->shape_(self->core_, std::move(order), [self](ShapeResult<Shaped> result) {
                           if (self->gone_) return;
                           if (!result) return self->fail(shape_problem(result.error(), true));
                           self->forced_by(result->extracts.at(0).second);
                       });
                   });
               });
}

} // namespace freshet::facade
