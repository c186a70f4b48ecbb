// SPDX-License-Identifier: Apache-2.0
#pragma once
// One reading of an HTTP source as a sequence of steps: requests (redirects, pages), shaping, the end.
//
// Decides, does nothing: begin(), answered() and shaped() each give the next step, and HttpRunner carries it out. Life:
// begin() once, then answered() after each HttpRequest and shaped() after each ShapeOrder, until a step is the end.
// Threads: the runner's only.
// Always holds: configured headers and credentials go to the configured origin alone, and once a URL that the source
// named has led elsewhere not even there (until a page whose URL is our own again); the bodies of all pages together
// are within bytes_max; no URL or cursor is asked for twice; only http and https are asked for, never http after https.

#include "base/hash.hpp"
#include "engine/runner.hpp"
#include "runners/http/transfer.hpp"
#include "runners/shape/shape.hpp"

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace freshet {

class Flight {
public:
    using Step = std::variant<HttpRequest, ShapeOrder, FlightEnd>;

    Flight(FlightOrder order, Millis connect_limit);

    const FlightOrder& order() const { return order_; }
    Step begin();
    Step answered(Transfer& transfer, int code);
    Step shaped(ShapeResult<Shaped> result, Millis took);

    /// Ends early, whatever is under way (null: shaping).
    FlightEnd ended(FlightFailure why, const Transfer* under_way);
    FlightEnd timed_out(const Transfer* under_way, Millis limit, std::string_view limit_name);
    Progress progress(const Transfer* under_way) const;

private:
    struct Header {
        std::string name, value;
    };
    bool is_paged() const { return http_.paging.kind != PagingKind::none; }
    bool may_validate() const { return !is_paged() && method_ == "GET" && redirects_ == 0; }
    std::string shown() const;

    std::optional<FlightFailure> resolve_headers();
    std::optional<FlightFailure> fill_body();
    Step ask_page(const std::string& url);
    Step request();
    Step follow(const Transfer& transfer);
    Step shape_page(Transfer& transfer);
    Step page_shaped(Shaped shaped);
    std::variant<std::string, FlightFailure> next_reference(const Shaped& shaped) const;
    Step next_page(const std::string& reference);
    Step all_pages();
    Step data(std::string json);
    Step fail(FlightFailure why);
    void count(const Transfer& transfer);
    FlightFacts facts();

    FlightOrder order_;
    const SourceDefinition& source_;
    const HttpDefinition& http_;
    Millis connect_limit_;

    std::vector<Header> headers_;
    Url origin_; ///< as configured, with its credentials
    std::string configured_url_;
    std::string configured_body_;

    Url url_; ///< under way, or read last
    std::string method_, body_;
    bool trusted_ = true;           ///< headers and credentials may be sent
    int redirects_ = 0;             ///< of this page
    std::set<std::string> visited_; ///< of this page
    bool validators_sent_ = false;

    int page_ = 1;
    std::vector<std::string> pages_;  ///< rows of each, JSON lists
    std::set<std::string> seen_;      ///< next URLs and cursors
    Hash128 rows_hash_{};             ///< of the page before
    std::optional<std::string> link_; ///< Link rel=next of the page being shaped
    bool last_shaping_ = false;       ///< the one over all pages
    std::int64_t bytes_left_;

    std::optional<WallTime> as_of_;
    Validators validators_;
    FlightFacts facts_;
    TransferTimes times_;
    Millis shaping_{0};
    bool shaped_any_ = false;
};

} // namespace freshet
