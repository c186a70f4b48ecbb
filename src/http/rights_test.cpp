// SPDX-License-Identifier: Apache-2.0
// Every route with every role, through the real gate; and the page that says so, which is printed from the routes.
#include "http/gate.hpp"
#include "http/test_world.hpp"

#include <cstdlib>
#include <fmt/format.h>
#include <fstream>
#include <sstream>

namespace freshet::http {
namespace {

// Written by hand, apart from the routes: who may call what. One letter per right: a(nyone), r(ead), f(resh),
// o(perate), w(ork: workers), d(minister). A route that is not here has no business in the server.
const std::map<std::string, char>& expected()
{
    static const std::map<std::string, char> table{
        {"GET /", 'a'},
        {"GET /assets/{file}", 'a'},
        {"GET /console", 'a'},
        {"GET /console/{path...}", 'a'},
        {"GET /elements", 'a'},
        {"GET /elements/", 'a'},
        {"GET /elements.js", 'a'},
        {"POST /v1/session", 'a'},
        {"DELETE /v1/session", 'a'},
        {"POST /v1/session/links", 'r'},
        {"GET /healthz", 'a'},
        {"GET /readyz", 'a'},
        {"GET /problems/{code}", 'a'},
        {"GET /metrics", 'r'},
        {"GET /openapi.json", 'r'},
        {"GET /v1/data/{key}", 'r'},
        {"GET /v1/t/{tenant}/data/{key}", 'r'},
        {"GET /v1/data/{key}/versions", 'r'},
        {"GET /v1/data/{key}/versions/{ver}", 'r'},
        {"GET /v1/data/{key}/diff", 'r'},
        {"POST /v1/data/{key}/refresh", 'f'},
        {"DELETE /v1/data/{key}", 'o'},
        {"POST /v1/purge", 'o'},
        {"POST /v1/data/{key}/held/accept", 'o'},
        {"POST /v1/data/{key}/held/discard", 'o'},
        {"GET /v1/freshness", 'r'},
        {"GET /v1/explain/{key}", 'r'},
        {"POST /v1/sources/{source}/pause", 'o'},
        {"POST /v1/sources/{source}/resume", 'o'},
        {"GET /v1/schedules", 'r'},
        {"POST /v1/schedules/{id}/pause", 'o'},
        {"POST /v1/schedules/{id}/resume", 'o'},
        {"POST /v1/schedules/{id}/run", 'o'},
        {"GET /v1/jobs", 'r'},
        {"POST /v1/jobs", 'e'},
        {"GET /v1/jobs/{id}", 'r'},
        {"GET /v1/jobs/{id}/attempts", 'r'},
        {"GET /v1/jobs/{id}/events", 'r'},
        {"GET /v1/jobs/{id}/log", 'r'},
        {"POST /v1/jobs/{id}/cancel", 'o'},
        {"POST /v1/jobs/{id}/retry", 'o'},
        {"POST /v1/jobs/{id}/run", 'o'},
        {"POST /v1/jobs/{id}/adopt", 'o'},
        {"POST /v1/bulk", 'o'},
        {"GET /v1/queues", 'r'},
        {"POST /v1/queues/{queue}/pause", 'o'},
        {"POST /v1/queues/{queue}/resume", 'o'},
        {"POST /v1/queues/{queue}/limits", 'd'},
        {"GET /v1/batches", 'r'},
        {"POST /v1/batches", 'e'},
        {"GET /v1/batches/{id}", 'r'},
        {"GET /v1/batches/{id}/items", 'r'},
        {"POST /v1/batches/{id}/items", 'e'},
        {"POST /v1/batches/{id}/seal", 'e'},
        {"POST /v1/batches/{id}/cancel", 'o'},
        {"POST /v1/batches/{id}/retry-failed", 'o'},
        {"POST /v1/batches/{id}/process-next", 'o'},
        {"POST /v1/batches/{id}/then", 'o'},
        {"GET /v1/workers", 'r'},
        {"GET /v1/workers/{worker}", 'r'},
        {"GET /v1/queues/{queue}", 'r'},
        {"GET /v1/jobs/{id}/result", 'r'},
        {"POST /v1/workers/{worker}/drain", 'o'},
        {"GET /v1/stream", 'r'},
        {"GET /v1/poll", 'r'},
        {"PATCH /v1/streams/{stream}", 'r'},
        {"POST /v1/stream-tickets", 'r'},
        {"GET /v1/me", 'r'},
        {"POST /v1/tokens/short", 'r'},
        {"POST /v1/tokens", 'd'},
        {"GET /v1/tokens", 'd'},
        {"GET /v1/tokens/{name}", 'd'},
        {"DELETE /v1/tokens/{name}", 'd'},
        {"GET /v1/audit", 'd'},
        {"POST /v1/admin/tenants/{tenant}/reset", 'd'},
    };
    return table;
}

struct Bearer {
    std::string name;
    Role role;
    bool refresh;
    std::string may; ///< letters of the table above; 'e': enqueue, which operators and workers may
};
const std::vector<Bearer> bearers{
    {"nobody", Role::viewer, false, "a"},          {"viewer", Role::viewer, false, "ar"},
    {"refresher", Role::viewer, true, "arf"},      {"worker", Role::worker, false, "arew"},
    {"operator", Role::operator_, false, "arfeo"}, {"admin", Role::admin, false, "arfeod"}};

void pass(Core&, const ExchangePtr& exchange, std::span<const std::string>)
{
    HttpResponse response;
    response.status = 299;
    exchange->respond(std::move(response));
}

std::string path_of(std::string_view pattern)
{
    std::string path{pattern};
    for (auto open = path.find('{'); open != std::string::npos; open = path.find('{')) {
        const auto close = path.find('}', open);
        const std::string name = path.substr(open + 1, close - open - 1);
        path.replace(open, close - open + 1, name == "key" ? "prices" : name == "tenant" ? "default" : "x1");
    }
    return path;
}

TEST(Rights, EachRouteLetsInWhomItsTableSaysAndNobodyElse)
{
    std::vector<std::vector<Route>> same;
    for (const Routes& routes : all_routes()) {
        auto& copies = same.emplace_back(routes.begin(), routes.end());
        for (Route& route : copies) route.handle = &pass;
    }
    World world;
    world.routes.clear();
    for (const auto& routes : same) world.routes.emplace_back(routes);
    for (const Bearer& bearer : bearers)
        if (bearer.name != "nobody")
            world.definitions->tokens[bearer.name] = {bearer.name, "default", bearer.role, bearer.refresh,
                                                      sha256_hex("token-" + bearer.name)};
    world.start();
    RawClient client{world.port()};
    for (const auto& routes : same)
        for (const Route& route : routes) {
            const std::string row = fmt::format("{} {}", route.method, route.pattern);
            // Routes of workers have a path of their own.
            const bool of_workers = route.pattern.starts_with("/v1/work/");
            const auto found = expected().find(row);
            if (found == expected().end() && !of_workers) {
                ADD_FAILURE() << row << " is not in the table of this test: who may call it?";
                continue;
            }
            const char right = of_workers ? 'w' : found->second;
            for (const Bearer& bearer : bearers) {
                std::string headers;
                if (bearer.name != "nobody") headers = "Authorization: Bearer token-" + bearer.name + "\r\n";
                if (route.method != "GET") headers += "Content-Length: 0\r\n";
                const Answered answer = client.ask(std::string{route.method}, path_of(route.pattern), headers);
                const bool may =
                    bearer.may.find(right) != std::string::npos || (right == 'w' && bearer.role == Role::admin);
                const int refused = bearer.name == "nobody" ? 401 : 403;
                EXPECT_EQ(answer.status, may ? 299 : refused) << row << " as " << bearer.name << " " << answer.body;
            }
        }
}

TEST(Rights, OfAShortTokenEndWhereRoutesDoNotKeepToItsScope)
{
    Caller limited{"page~1", "default", Role::viewer, true};
    limited.scope.sources = {"prices"};
    std::string allowed;
    for (const Routes& routes : all_routes())
        for (const Route& route : routes) {
            const bool of_key = route.pattern.find("{key}") != std::string_view::npos;
            if (route.right != Right::anyone && Gate::may(limited, route.right) &&
                !Gate::check_scope(limited, route, of_key))
                allowed += fmt::format("{} {}\n", route.method, route.pattern);
        }
    EXPECT_EQ(allowed, "GET /v1/data/{key}\n"
                       "GET /v1/t/{tenant}/data/{key}\n"
                       "POST /v1/data/{key}/refresh\n"
                       "GET /v1/data/{key}/versions\n"
                       "GET /v1/data/{key}/versions/{ver}\n"
                       "GET /v1/data/{key}/diff\n"
                       "GET /v1/explain/{key}\n"
                       "GET /v1/jobs/{id}\n"
                       "GET /v1/batches/{id}\n"
                       "GET /v1/batches/{id}/items\n"
                       "GET /v1/me\n"
                       "POST /v1/stream-tickets\n"
                       "GET /v1/stream\n"
                       "GET /v1/poll\n"
                       "PATCH /v1/streams/{stream}\n");
}

// --- The page ---

std::string rights_table()
{
    std::string table = "| Route | Right | viewer | viewer, refresh | worker | operator | admin |\n"
                        "|---|---|---|---|---|---|---|\n";
    const std::array columns{Caller{"", "", Role::viewer, false}, Caller{"", "", Role::viewer, true},
                             Caller{"", "", Role::worker, false}, Caller{"", "", Role::operator_, true},
                             Caller{"", "", Role::admin, true}};
    std::map<std::pair<std::string, std::string>, Right> rows;
    for (const Routes& routes : all_routes())
        for (const Route& route : routes)
            rows.emplace(std::pair{std::string{route.pattern}, std::string{route.method}}, route.right);
    for (const auto& [name, right] : rows) {
        table += fmt::format("| `{} {}` | {} |", name.second, name.first,
                             right == Right::anyone ? "none: open to all" : right_word(right));
        for (const Caller& caller : columns) table += Gate::may(caller, right) ? " yes |" : " |";
        table += '\n';
    }
    return table;
}

TEST(Rights, OfEachRouteStandInTheReference)
{
    const std::string path = std::string{FRESHET_SOURCE_DIR} + "/docs/reference/access.md";
    std::stringstream text;
    text << std::ifstream{path}.rdbuf();
    const std::string page = text.str();
    const std::string mark = "<!-- routes -->\n";
    const auto at = page.find(mark);
    ASSERT_NE(at, std::string::npos) << path;
    const std::string wanted = page.substr(0, at) + mark + rights_table();
    if (std::getenv("FRESHET_WRITE_DOCS") != nullptr) {
        std::ofstream{path} << wanted;
        return;
    }
    EXPECT_EQ(page, wanted) << "print it anew: FRESHET_WRITE_DOCS=1 ./dev test http";
}

} // namespace
} // namespace freshet::http
