// SPDX-License-Identifier: Apache-2.0
#pragma once
// One request to a facade on its way: inputs -> decisions -> verb -> look-ups -> answer (docs/design/facades.md).
//
//   begin()          run.cpp: what the request brings; check, input and force_when, kept per request
//   act()            run_verbs.cpp: the requests of /v1, side by side where there are several
//   look_up()        run_look_up.cpp: what is looked up beside them
//   answer()         run_answer.cpp: status, headers and body; what was rendered is kept
//
// Life: begun once; kept alive by whatever it waits for; answers its exchange exactly once. When the peer leaves,
// nothing more is begun, but what was begun goes on. Threads: the loop's.

#include "facade/core_state.hpp"
#include "facade/document.hpp"
#include "facade/inner.hpp"
#include "facade/inputs.hpp"
#include "facade/row.hpp"
#include "model/shared.hpp"
#include "wire/json_out.hpp"

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace freshet::facade {

class Run : public std::enable_shared_from_this<Run> {
public:
    Run(http::Core& core, http::ExchangePtr exchange, std::shared_ptr<const FacadeRow> row,
        std::shared_ptr<CoreState> state, std::shared_ptr<const http::Router> router, Shape shape);

    void begin(std::span<const std::string> captures);

private:
    /// A key of a list, and what came of it.
    struct Entry {
        std::string tenant, key;
        InnerAnswer answer;
        bool foreign = false; ///< the caller may not speak for that tenant
        bool told = false;    ///< what came of it is known
    };
    /// Rows of a list, over its pages; of several lists of one kind one behind the other.
    struct Rows {
        JsonOut json;
        int count = 0; ///< of the list that is read
        std::string after;
    };
    using Next = void (Run::*)();

    // run.cpp
    void decide();
    void decided(const Decided& decided);
    void decide_by_meta();
    void forced_by(const std::string& json);

    // run_verbs.cpp
    void act();
    void read(const std::string& key, bool forced);
    void got_key(InnerAnswer answer, const std::string& key, bool refreshed);
    void fail_late(const std::string& key);
    void with_view(const std::string& key, Next then);
    InnerAnswer foreign_answer() const;
    void told(std::size_t index, InnerAnswer answer, Next then);
    void act_on_all(const std::vector<std::string>& templates, bool refreshes, Next then);
    void watch_first_attempt(const http::Caller& caller, const std::string& key, std::function<void(Problem)> failed);
    void enqueue();
    void call();
    void call(InnerRequest request);
    void after_keys();
    std::vector<Entry> expand(const std::vector<std::string>& templates);
    /// Whose the key is for one who speaks for `tenant`. The view borrows from both.
    std::string_view owner_of(std::string_view tenant, std::string_view key) const;
    http::Caller caller_for(const std::string& tenant) const;
    InnerRequest refresh_request(const std::string& key) const;
    Millis wait_left() const;

    // run_look_up.cpp
    void look_up();
    void look_at_keys();
    void look_up_one(std::string_view part, std::string path, Next then);
    /// Whose a thing is that only its id names, for a caller who may speak for everybody.
    void find_tenant(std::function<std::optional<std::string>(Reads&)> tenant_of, std::function<void()> then);
    void find_tenant_of_job(const std::string& id, std::function<void()> then);
    void find_tenant_of_batch(const std::string& id, std::function<void()> then);
    std::shared_ptr<Rows> rows_of(const std::string& part);
    void end_lists();
    void look_up_job();
    void looked_up_job();
    void look_up_batch();
    void look_up_items();
    void look_up_lists();
    void next_list();
    void list_page(const std::string& part, const InnerRequest& request, const std::shared_ptr<Rows>& rows, Next then);

    // run_answer.cpp
    void answer();
    void log_ends() const;
    std::string kept_name() const;
    void render(const std::string& name);
    void rendered(std::shared_ptr<const Rendered> made);
    /// @param kept  the body is shared with other answers.
    void respond(int status, std::shared_ptr<const Body> body, std::string tag, bool kept);
    http::HttpResponse head_of(int status) const;
    void add_key_parts();
    void add_entries();
    std::string meta_text(const KeyView& view, bool with_time, bool from_cache) const;

    /// Ends with a problem of /v1, under the status that the facade gives it.
    void fail(const InnerAnswer& answer);
    void fail(Problem problem);
    void problem(int status, std::string json, http::HttpResponse head);
    void send_problem(int status, std::string json, http::HttpResponse head);
    static Problem shape_problem(const ShapeError& error, bool of_request);

    http::Core& core_;
    http::ExchangePtr exchange_;
    std::shared_ptr<const FacadeRow> row_;
    std::shared_ptr<CoreState> state_;
    const std::shared_ptr<const http::Router> router_;
    Shape shape_;
    const std::shared_ptr<const Definitions> definitions_;
    const SteadyTime began_;
    http::Caller caller_; ///< of the exchange; of one of all tenants, for what is found by its id alone, that tenant's

    Inputs inputs_;
    Decided decided_;
    Document document_;
    std::vector<Entry> entries_; ///< of lists
    std::map<std::string, std::shared_ptr<Rows>, std::less<>> rows_;
    std::vector<std::uint64_t> waits_; ///< of first_attempt
    std::size_t running_ = 0;          ///< requests of a list that are on their way
    std::size_t list_ = 0;             ///< the list that is looked up
    bool at_then_ = false;             ///< those of refresh_all have ended, or their part of the wait

    std::string key_; ///< of read and refresh
    std::shared_ptr<const KeyView> view_;
    std::shared_ptr<const SourceDefinition> source_;
    int natural_status_ = 200;
    http::HttpResponse natural_; ///< head of the one answer of /v1
    std::string natural_body_;   ///< and its body, where there is no respond
    bool forced_ = false, timed_out_ = false, from_cache_ = false, gone_ = false, over_ = false;
};

} // namespace freshet::facade
