// SPDX-License-Identifier: Apache-2.0
#include "facade/facades.hpp"

#include "facade/pages.hpp"
#include "facade/run.hpp"
#include "http/server.hpp"

#include <fmt/format.h>

namespace freshet::facade {

namespace {

constexpr std::size_t facade_body_bytes_max = 4 << 20;
/// What one order may take, waiting included.
constexpr Millis shape_within = 10s;

// A public facade acts by itself, with the rights that what it declares needs, in its tenant alone.
http::Caller public_caller(const std::string& tenant)
{
    http::Caller caller{"public", tenant, Role::operator_, true};
    caller.all_tenants = tenant == "*";
    return caller;
}

} // namespace

struct Facades::Table {
    std::vector<std::shared_ptr<const FacadeRow>> rows;
    PageRows pages;
};

Facades::Facades(int cores, std::shared_ptr<const FacadeSet> facades, ShapeCall shape)
    : facades_{std::move(facades)}, ends_told_{std::make_shared<EndsTold>()}, cores_(static_cast<std::size_t>(cores))
{
    const auto tables = http::all_routes();
    router_ = std::make_shared<const http::Router>(tables);
    shape_ = [shape = std::move(shape)](http::Core& core, ShapeOrder order, ShapeAnswer answer) {
        // The services outlive every loop; the loop is found again by its number, unless it stops.
        shape(std::move(order), shape_within,
              [&services = core.services(), index = core.index(), answer](ShapeResult<Shaped> result) {
                  const auto shared = std::make_shared<ShapeResult<Shaped>>(std::move(result));
                  services.on_loop(index, [shared, answer](http::Core&) { answer(std::move(*shared)); });
              });
    };
}

Facades::~Facades() = default;

void Facades::reconfigure(std::shared_ptr<const FacadeSet> facades)
{
    facades_.store(std::move(facades));
}

Facades::PerCore& Facades::of_core(http::Core& core)
{
    PerCore& own = cores_.at(static_cast<std::size_t>(core.index()));
    std::shared_ptr<const FacadeSet> facades = facades_.load();
    if (own.of == core.definitions() && own.facades == facades) return own;
    auto table = std::make_shared<Table>();
    for (std::size_t i = 0; i < facades->facades.size(); ++i)
        table->rows.push_back(std::make_shared<const FacadeRow>(facades->facades[i], i, facade_body_bytes_max));
    for (const PageDefinition& page : facades->pages) table->pages.push_back(std::make_shared<const PageRow>(page));
    own.facades = std::move(facades);
    own.of = core.definitions();
    own.table = std::move(table);
    own.state = std::make_shared<CoreState>();
    own.state->ends_told = ends_told_;
    return own;
}

http::Match Facades::match_of(PerCore& own, const std::shared_ptr<const FacadeRow>& row,
                              const http::HttpRequest& request, std::vector<std::string> captures) const
{
    http::Match match;
    match.route = &row->route;
    match.foreign_is_missing = true;
    const Inputs inputs = early_inputs(row->pattern, row->def.defaults, request, captures);
    // A tenant that the request does not name is nobody's: it is not found.
    const std::string tenant = fill(row->def.tenant, inputs).value_or("?");
    if (row->def.access == "public")
        match.acts_as = public_caller(tenant.empty() ? "default" : tenant);
    else if (tenant != "*")
        match.tenant = tenant;
    match.captures = std::move(captures);
    match.run = [row, state = own.state, router = router_, shape = shape_](
                    http::Core& core, const http::ExchangePtr& exchange, std::span<const std::string> values) {
        std::make_shared<Run>(core, exchange, row, state, router, shape)->begin(values);
    };
    return match;
}

std::expected<http::Match, http::NoMatch> Facades::find(http::Core& core, const http::HttpRequest& request)
{
    PerCore& own = of_core(core);
    const std::string_view method = request.method == "HEAD" ? "GET" : std::string_view{request.method};
    http::NoMatch none;
    // A literal segment wins over a capture: the row with the fewest captures that fits.
    std::shared_ptr<const FacadeRow> best;
    std::vector<std::string> captures;
    for (const auto& row : own.table->rows) {
        auto laid = lay_path(row->pattern, request.path);
        if (!laid) continue;
        if (row->pattern.method != method) {
            none.why = http::NoMatch::Why::method;
            none.allow += fmt::format("{}{}", none.allow.empty() ? "" : ", ", row->pattern.method);
            if (row->pattern.method == "GET") none.allow += ", HEAD";
            continue;
        }
        if (best && laid->size() >= captures.size()) continue;
        best = row;
        captures = std::move(*laid);
    }
    if (!best) {
        if (auto page = find_page(own.table->pages, own.state, request)) return std::move(*page);
        return std::unexpected(std::move(none));
    }
    return match_of(own, best, request, std::move(captures));
}

} // namespace freshet::facade
