// SPDX-License-Identifier: Apache-2.0
#pragma once
// Facades and pages of the config as routes of the server (docs/design/facades.md).
//
// Life: made by app before the server, ends after it. Each core has its own table, made anew when the core sees other
// facades or definitions; a request that has begun keeps the one it began with. Threads: find() on each loop's own.
// Always holds: what the server answers by itself is never asked here.

#include "facade/core_state.hpp"
#include "facade/row.hpp"
#include "http/own_routes.hpp"
#include "http/services.hpp"
#include "runners/shape/shape.hpp"

#include <atomic>
#include <memory>
#include <vector>

namespace freshet::facade {

class Facades final : public http::OwnRoutes {
public:
    /// @param shape  as runners are given it: answers from any thread.
    Facades(int cores, std::shared_ptr<const FacadeSet> facades, ShapeCall shape);
    ~Facades() override;

    /// Puts others in force: with the next request of each core. Threads: any.
    void reconfigure(std::shared_ptr<const FacadeSet> facades);

    std::expected<http::Match, http::NoMatch> find(http::Core& core, const http::HttpRequest& request) override;

private:
    struct Table;
    struct PerCore {
        std::shared_ptr<const Definitions> of;
        std::shared_ptr<const FacadeSet> facades;
        std::shared_ptr<const Table> table;
        std::shared_ptr<CoreState> state;
    };
    PerCore& of_core(http::Core& core);
    http::Match match_of(PerCore& own, const std::shared_ptr<const FacadeRow>& row, const http::HttpRequest& request,
                         std::vector<std::string> captures) const;

    std::atomic<std::shared_ptr<const FacadeSet>> facades_;
    std::shared_ptr<const http::Router> router_; ///< of /v1, for what is asked within
    Shape shape_;
    std::shared_ptr<EndsTold> ends_told_;
    std::vector<PerCore> cores_; ///< each touched by its own loop alone
};

} // namespace freshet::facade
