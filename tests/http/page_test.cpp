// SPDX-License-Identifier: Apache-2.0
// Pages of the config from outside: an index, its files, a field for a token.

#include "tests/http/facade_world.hpp"

#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>

namespace freshet::outside {
namespace {

using namespace std::chrono_literals;

TEST(Page, ServesItsIndexAndFilesAndNothingElse)
{
    Server server{"", {.start = false}};
    const auto dist = server.folder() / "dist";
    std::filesystem::create_directories(dist / "sub");
    const auto write = [](const std::filesystem::path& path, const std::string& text) { std::ofstream{path} << text; };
    write(dist / "index.html", "<!doctype html><title>offers</title>");
    write(dist / "app-3f9c1a20.js", "export {}");
    write(dist / "plain.css", "a{}");
    write(dist / "sub" / "x.json", "{}");
    write(dist / ".hidden.txt", "secret");
    write(server.folder() / "outside.txt", "secret");
    std::filesystem::create_symlink(server.folder() / "outside.txt", dist / "link.txt");
    server.write_config(R"(
[tenant.acme]
[tenant.globex]
)" + token_table("acme", "acme", "viewer") +
                        R"(
[[page]]
on = "GET /offers"
access = "public"
dir = "dist"
img = ["https://images.example.com"]
[[page]]
on = "GET /dashboard/{id}"
dir = "dist"
tenant = "{id}"
params = { id = '[a-z]{1,16}' }
)");
    server.start();
    Client nobody = server.client(), acme = server.client(token_of("acme"));
    const Answer index = nobody.get("/offers");
    ASSERT_EQ(index.status, 200) << index.body;
    EXPECT_EQ(index.header("cache-control"), "no-store, no-cache, must-revalidate");
    EXPECT_EQ(index.header("content-type"), "text/html; charset=utf-8");
    EXPECT_NE(index.header("content-security-policy").find("img-src 'self' data: https://images.example.com"),
              std::string::npos);
    EXPECT_NE(index.header("content-security-policy").find("object-src 'none'"), std::string::npos);
    const Answer hashed = nobody.get("/offers/app-3f9c1a20.js");
    EXPECT_EQ(hashed.header("cache-control"), "public, max-age=31536000, immutable");
    EXPECT_EQ(hashed.header("content-type"), "text/javascript; charset=utf-8");
    const Answer plain = nobody.get("/offers/plain.css");
    EXPECT_EQ(plain.header("cache-control"), "public, no-cache");
    EXPECT_EQ(nobody.get("/offers/plain.css", {{"If-None-Match", plain.header("etag")}}).status, 304);
    EXPECT_EQ(nobody.get("/offers/sub/x.json").status, 200);
    for (const char* bad : {"/offers/.hidden.txt", "/offers/link.txt", "/offers/%2e%2e/outside.txt",
                            "/offers/..%2foutside.txt", "/offers/sub/%2e%2e/%2e%2e/outside.txt", "/offers/missing.js",
                            "/offers/sub", "/offers/%00.js", "/offers/..%5coutside.txt"})
        EXPECT_EQ(acme.get(bad).status, 404) << bad;
    EXPECT_EQ(nobody.post("/offers").status, 401);

    EXPECT_EQ(nobody.get("/dashboard/acme").status, 401);
    EXPECT_EQ(acme.get("/dashboard/acme").status, 200);
    EXPECT_EQ(acme.get("/dashboard/globex").status, 404);
    EXPECT_EQ(acme.get("/dashboard/a.b").status, 404);
    EXPECT_EQ(acme.get("/dashboard/plain.css").status, 200);
    EXPECT_EQ(nobody.get("/dashboard/plain.css").status, 401);
}

TEST(Page, SendsTextsInTheCodingThatTheReaderTakes)
{
    Server server{"", {.start = false}};
    const auto dist = server.folder() / "dist";
    std::filesystem::create_directories(dist);
    std::string script = "export default [";
    for (int i = 0; i < 500; ++i) script += fmt::format("{{ id: {}, name: \"row\" }}, ", i);
    const auto write = [&](const std::string& name, const std::string& text) { std::ofstream{dist / name} << text; };
    write("index.html", "<!doctype html>" + script);
    write("app.js", script);
    write("photo.png", script);
    write("small.css", "a{}");
    server.write_config("[[page]]\non = \"GET /offers\"\naccess = \"public\"\ndir = \"dist\"\n");
    server.start();
    Client client = server.client();
    const Headers takes{{"Accept-Encoding", "br;q=0.5, gzip"}};
    const Answer whole = client.get("/offers/app.js");
    EXPECT_EQ(whole.header("content-encoding"), "");
    EXPECT_EQ(whole.body, script);
    EXPECT_EQ(whole.header("vary"), "Accept-Encoding");
    for (int i = 0; i < 2; ++i) {
        const Answer coded = client.get("/offers/app.js", takes);
        EXPECT_EQ(coded.header("content-encoding"), "gzip") << "the first reader, too";
        EXPECT_LT(coded.body.size(), script.size() / 4);
        EXPECT_TRUE(coded.header("etag").ends_with("-gzip\"")) << coded.header("etag");
        EXPECT_EQ(client.get("/offers/app.js", {{"If-None-Match", coded.header("etag")}}).status, 304);
    }
    EXPECT_EQ(client.get("/offers", takes).header("content-encoding"), "gzip");
    EXPECT_EQ(client.get("/offers", takes).header("etag"), "");
    EXPECT_EQ(client.get("/offers/photo.png", takes).header("content-encoding"), "") << "it would not get smaller";
    EXPECT_EQ(client.get("/offers/small.css", takes).header("content-encoding"), "");
    // Another content is another one, at once.
    write("app.js", script + "// built again");
    const Answer again = client.get("/offers/app.js", takes);
    EXPECT_NE(again.header("etag"), whole.header("etag").insert(whole.header("etag").size() - 1, "-gzip"));
    EXPECT_EQ(client.get("/offers/app.js").body, script + "// built again");
}

TEST(Page, ShowsABrowserThatMayNotSeeItAFieldForAToken)
{
    Server server{"", {.start = false}};
    const auto dist = server.folder() / "dist";
    std::filesystem::create_directories(dist);
    std::ofstream{dist / "index.html"} << "<!doctype html><title>own</title>";
    server.write_config("[tenant.acme]\n[tenant.globex]\n" + token_table("acme", "acme", "viewer") + R"(
[[page]]
on = "GET /dashboard/{id}"
dir = "dist"
tenant = "{id}"
)");
    server.start();
    Client nobody = server.client(), acme = server.client(token_of("acme"));
    const Headers browser{{"Accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}};
    const auto holds = [](const Answer& answer, std::string_view text) {
        return answer.body.find(text) != std::string::npos;
    };
    const Answer asked = nobody.get("/dashboard/acme?lang=he&q=%22%3Cb%3E", browser);
    EXPECT_EQ(asked.status, 401);
    EXPECT_EQ(asked.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(asked.header("cache-control"), "no-store");
    EXPECT_FALSE(asked.header("www-authenticate").empty());
    EXPECT_TRUE(holds(asked, "dir=\"rtl\"")) << asked.body;
    EXPECT_TRUE(holds(asked, "value=\"&quot;&lt;b&gt;\"")) << "what was asked for comes back, and is no markup";
    EXPECT_FALSE(holds(asked, "own"));
    // Its style and its script are there, at addresses that hold below any prefix.
    for (const std::string_view file : {"href=\"../assets/help-", "src=\"../assets/sign-in-"}) {
        const auto at = asked.body.find(file);
        ASSERT_NE(at, std::string::npos) << file;
        const auto from = asked.body.find("/assets", at);
        const std::string address = asked.body.substr(from, asked.body.find('"', from) - from);
        EXPECT_EQ(nobody.get(address).status, 200) << address;
    }
    // A token that opens nothing, and one of somebody else: words, no data, and another try.
    const Answer wrong = nobody.get("/dashboard/acme?token=fsh_wrong%3Cb%3E", browser);
    EXPECT_EQ(wrong.status, 401);
    EXPECT_TRUE(holds(wrong, "id=\"sign-in\"")) << wrong.body;
    EXPECT_FALSE(holds(wrong, "fsh_wrong"));
    EXPECT_FALSE(wrong.header("set-cookie").starts_with("freshet"));
    const Answer foreign = acme.get("/dashboard/globex", browser);
    EXPECT_EQ(foreign.status, 404);
    EXPECT_TRUE(holds(foreign, "id=\"sign-in\""));
    // A program is told as ever.
    EXPECT_EQ(nobody.get("/dashboard/acme").header("content-type"), "application/problem+json");
    EXPECT_EQ(nobody.get("/dashboard/app.js", browser).header("content-type"), "application/problem+json");
    EXPECT_EQ(nobody.get("/v1/freshness", browser).header("content-type"), "application/problem+json");
}

} // namespace
} // namespace freshet::outside
