// SPDX-License-Identifier: Apache-2.0
// Facades and pages of a config: read as they are written, and each mistake told with its place and a way out.
#include "config/load.hpp"
#include "config/settings.hpp"

#include <algorithm>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freshet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

constexpr std::string_view sources = R"([source.offers]
kind = "command"
run = ["echo", "{shop}"]
params = { shop = ["a", "b"] }
[source.plain]
kind = "command"
run = ["true"]
[queue.tasks]
[tenant.default]
)";

ConfigResult parse(std::string_view facades)
{
    const Environment nothing_set = [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
    ConfigChecks checks;
    checks.jq = [](const std::string& text) -> std::optional<std::string> {
        return text.find("((") == std::string::npos ? std::nullopt : std::optional<std::string>{"syntax error"};
    };
    checks.call = [](std::string_view method, std::string_view path) -> std::optional<std::string> {
        if (path != "/v1/batches/x/cancel") return "there is no such path";
        return method == "POST" ? std::nullopt : std::optional<std::string>{"it takes POST"};
    };
    return parse_config(fmt::format("{}{}", sources, facades), "/etc/freshet", nothing_set, checks);
}

std::string problems(std::string_view facades)
{
    const auto result = parse(facades);
    return result ? "" : to_lines(result.error(), "t.toml");
}

TEST(FacadeConfig, ReadsEverySetting)
{
    const auto result = parse(R"(
[[facade]]
on = "GET /api/offers/{shop}"
access = "public"
params = { shop = ["a", "b"] }
defaults = { shop = "a" }
read = "offers/{shop}"
force_when = '.request.query.refresh == "1"'
wait = "90s"
on_timeout = "stale"
cold = "refuse"
status = 203
statuses = { cold = 404 }
headers = { X-A = "1" }
cache = "public, max-age=60"
timezone = "Asia/Jerusalem"
respond = '.data'
[[facade]]
on = "POST /api/tasks"
enqueue = "tasks"
unique = "{shop}"
on_conflict = "reject"
body = { total = "whole 1..5" }
[[page]]
on = "GET /dashboard/{id}"
dir = "dist"
img = ["https://images.example.com"]
)");
    ASSERT_TRUE(result.has_value()) << to_lines(result.error(), "t.toml");
    const FacadeDefinition& read = result->facades->facades.at(0);
    EXPECT_EQ(read.wait, 90s);
    EXPECT_EQ(read.on_timeout, TimeoutAnswer::stale);
    EXPECT_EQ(read.cold, ColdAnswer::refuse);
    EXPECT_EQ(read.status, "203");
    EXPECT_THAT(read.statuses, ElementsAre(Pair("cold", "404")));
    const FacadeDefinition& task = result->facades->facades.at(1);
    EXPECT_EQ(task.on_conflict, ConflictAnswer::reject);
    EXPECT_EQ(result->facades->pages.at(0).dir, "/etc/freshet/dist");
    EXPECT_EQ(apply_speed(*result->facades, 10).facades.at(0).wait, 9s);
}

struct Mistake {
    std::string_view name, text, words;
    int line; ///< below the sources
};

class FacadeMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(FacadeMistakes, AreToldWithTheirPlace)
{
    const Mistake& mistake = GetParam();
    const auto result = parse(mistake.text);
    ASSERT_FALSE(result.has_value()) << "taken";
    const std::string all = to_lines(result.error(), "t.toml");
    EXPECT_THAT(all, HasSubstr(std::string{mistake.words}));
    const int above = static_cast<int>(std::ranges::count(sources, '\n'));
    EXPECT_EQ(result.error().front().line - above, mistake.line) << all;
    EXPECT_GT(result.error().front().column, 0);
}

#define ON "[[facade]]\non = 'GET /x'\n"
INSTANTIATE_TEST_SUITE_P(
    All, FacadeMistakes,
    testing::Values(
        Mistake{"typo", ON "reed = 'plain'", "did you mean read", 3}, Mistake{"nothing", ON, "does nothing", 1},
        Mistake{"no_on", "[[facade]]\nread = 'plain'", "needs on", 1},
        Mistake{"single", "[facade]\non = 'GET /x'", "must be tables of the form [[facade]]", 1},
        Mistake{"two_verbs", ON "read = 'plain'\nrefresh = 'plain'", "a facade does one thing", 4},
        Mistake{"source", ON "read = 'plein'", "did you mean plain", 3},
        Mistake{"source_of_list", ON "read_all = ['*:plein']", "did you mean plain", 3},
        Mistake{"source_of_param", ON "params = { s = ['plain', 'nope'] }\nread = '{s}'", "\"nope\"", 4},
        Mistake{"params", ON "read = 'offers'", "has 0 parameters, and source offers has 1", 3},
        Mistake{"queue", "[[facade]]\non = 'POST /x'\nenqueue = 'task'", "did you mean tasks", 3},
        Mistake{"queue_of_param",
                "[[facade]]\non = 'POST /x/{q}'\nparams = { q = ['tasks', 'other'] }\nenqueue = '{q}'",
                "queue \"other\"", 4},
        Mistake{"call", ON "call = 'POST /v1/batchs'", "there is no such path", 3},
        Mistake{"call_method", ON "call = 'GET /v1/batches/{id}/cancel'", "it takes POST", 3},
        Mistake{"call_elsewhere", ON "call = 'GET /metrics'", "no request of /v1", 3},
        Mistake{"jq", ON "read = 'plain'\nrespond = '(('", "is no jq: syntax error", 4},
        Mistake{"method", "[[facade]]\non = 'FETCH /x'\nread = 'plain'", "must begin with GET", 2},
        Mistake{"path", "[[facade]]\non = 'GET /x/a{b}'\nread = 'plain'", "a capture takes a whole segment", 2},
        Mistake{"own_path", "[[facade]]\non = 'GET /v1/data'\nread = 'plain'", "a path of the server itself", 2},
        Mistake{"own_file", "[[facade]]\non = 'GET /metrics'\nread = 'plain'", "a path of the server itself", 2},
        Mistake{"capture_first", "[[facade]]\non = 'GET /{x}'\nread = 'plain'", "begins with a capture", 2},
        Mistake{"twice", ON "read = 'plain'\n" ON "read = 'plain'", "is answered by facade[1] already", 5},
        Mistake{"input", ON "read = 'plain'\ninput = '1'", "only with enqueue or call", 4},
        Mistake{"wait", ON "read = 'plain'\nwait = '1s'", "only with refresh", 4},
        Mistake{"long_wait", ON "refresh = 'plain'\nwait = '1h'", "facade[1].wait", 4},
        Mistake{"status", ON "read = 'plain'\nstatus = 99", "99 is no status", 4},
        Mistake{"statuses", ON "read = 'plain'\nstatuses = { cold = 20 }", "200 to 599", 4},
        Mistake{"header", ON "read = 'plain'\nheaders = { Content-Length = '1' }", "cannot be set here", 4},
        Mistake{"zone", ON "read = 'plain'\ntimezone = 'Asia/Atlantis'", "no time zone", 4},
        Mistake{"body_type", "[[facade]]\non = 'POST /x'\nrefresh = 'plain'\nbody = { a = 'string' }", "not \"string\"",
                4},
        Mistake{"body_bounds", "[[facade]]\non = 'POST /x'\nrefresh = 'plain'\nbody = { a = 'whole 5..1' }", "bounds",
                4},
        Mistake{"body_of_get", ON "read = 'plain'\nbody = { a = 'text' }", "which has none", 4},
        Mistake{"callbacks", "[[facade]]\non = 'POST /x'\nrefresh = 'plain'\nbody = { a = 'callback' }",
                "no URL is let through", 4},
        Mistake{"tenant", ON "read = 'plain'\ntenant = 'acme'", "tenant \"acme\", which does not exist", 4},
        Mistake{"list", ON "list = ['job']", "has \"job\"; there are jobs, batches", 3},
        Mistake{"page_method", "[[page]]\non = 'POST /x'\ndir = 'd'", "must be a GET", 2},
        Mistake{"page_img", "[[page]]\non = 'GET /x'\ndir = 'd'\nimg = [\"'unsafe-inline'\"]", "no origin", 4},
        Mistake{"page_typo", "[[page]]\non = 'GET /x'\ndirr = 'd'", "did you mean dir", 1}),
    [](const auto& mistake) { return std::string{mistake.param.name}; });

TEST(FacadeConfig, MayShareAPathByMethodAndBeShadowedByNoCapture)
{
    EXPECT_EQ(problems(ON "read = 'plain'\n[[facade]]\non = 'POST /x'\nrefresh = 'plain'\n"
                          "[[facade]]\non = 'GET /x/{a}'\nread = 'plain'\n[[facade]]\non = 'GET /x/b'\nread = 'plain'\n"
                          "[[facade]]\non = 'POST /metrics/refresh'\nrefresh = 'plain'\n"),
              "");
}

} // namespace
} // namespace freshet
