// SPDX-License-Identifier: Apache-2.0
// The watchlist: a list read page by page, titles looked up once, an API whose refresh never answers what was before it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, Example, until } from "./example.mjs";

const user = "ur10000001";
let example;
let chromium;
before(async () => {
  // The first refresh looks up 424 titles at 40 a second; at 10 times the speed that is a second.
  example = await Example.start("watchlist", { speed: 10 });
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await example.end();
});

const cache = () => example.api("worker", "GET", `/cache/${user}`);
const list = (query = "") => example.api(undefined, "GET", `/api/imdb-watchlist?userId=${user}${query}`);
async function job(force = true) {
  const asked = await example.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: force });
  assert.equal(asked.status, 202, JSON.stringify(asked.body).slice(0, 300));
  return until("the job's end", async () => {
    const { body } = await example.api("worker", "GET", `/jobs/${asked.body.jobId}`);
    return ["completed", "failed"].includes(body.status) && body;
  }, 60_000);
}
/** Where a site blocks, the source is left alone for a while; the next test waits for the end of that. */
const rested = () => until("a refresh is taken again", async () => (await list("&refresh=1")).status === 200, 30_000);

test("a user that was never fetched is 404, and 401 without the token", async () => {
  assert.equal((await cache()).status, 404);
  assert.equal((await example.api(undefined, "GET", `/cache/${user}`)).status, 401);
  assert.equal((await example.api(undefined, "GET", "/health")).status, 200);
});

test("a job goes from pending to completed with 424 films, newest first, titles without their position", async () => {
  const done = await job();
  assert.equal(done.status, "completed");
  assert.equal(done.result.totalItems, 424);
  assert.equal(done.result.items[0].imdbId, "tt90000424");
  assert.ok(done.result.items.some((film) => film.title === "1917 Again") && done.result.items.some((film) => film.title === "7.5 Degrees"));
  assert.ok(done.createdAt && done.startedAt && done.completedAt);
  const { body } = await cache();
  assert.equal(body.metadata.itemCount, 424);
  assert.equal(body.metadata.source, "worker (manual refresh)");
  const again = await example.api("worker", "POST", "/jobs", { imdbUserId: user });
  assert.equal(again.status, 200);
  assert.deepEqual([again.body.status, again.body.cached, again.body.result.totalItems], ["completed", true, 424]);
});

test("a refresh asks the catalogue only for new titles, and answers what was read after it was asked", async () => {
  const before = await example.requests("tmdb");
  await example.control("imdb", { remove: 5, add: [{ title: "1. The Film of the Test" }] });
  const answer = await list("&refresh=1");
  assert.equal(answer.status, 200);
  assert.equal(answer.body.source, "worker-refresh");
  assert.equal(answer.body.totalItems, 420);
  assert.equal(answer.body.items[0].title, "The Film of the Test");
  assert.equal(answer.headers.get("cache-control"), "no-store, must-revalidate");
  assert.equal(answer.headers.get("cdn-cache-control"), "no-store");
  assert.equal(await example.requests("tmdb"), before + 1);
  assert.equal((await cache()).body.metadata.itemCount, 420);
  const cached = await list();
  assert.equal(cached.body.source, "worker-cache");
  assert.equal(cached.headers.get("cache-control"), "public, s-maxage=1800");
  assert.equal(cached.headers.get("cdn-cache-control"), "max-age=30");
});

test("refresh=1, again and again: itemCount and totalItems agree every time (done-comes-from-the-job)", async () => {
  let expected = 420;
  for (let i = 0; i < 10; ++i) {
    await example.control("imdb", { add: [{}], delay_ms: (i * 37) % 300 });
    expected += 1;
    assert.equal((await list(i % 2 ? "&refresh=1" : "&nocache=1")).body.totalItems, expected);
    assert.equal((await cache()).body.metadata.itemCount, expected);
  }
  await example.control("imdb", { delay_ms: 0 });
});

test("twenty refreshes at once are one flight, and at most one behind it (one-flight-per-key-across-processes)", async () => {
  const before = await example.requests("imdb");
  await example.control("imdb", { delay_ms: 400 });
  const answers = await Promise.all(Array.from({ length: 20 }, () => list("&refresh=1")));
  assert.ok(answers.every(({ status }) => status === 200));
  assert.ok((await example.requests("imdb")) - before <= 4, "two pages for each of two flights");
  await example.control("imdb", { delay_ms: 0 });
});

test("callback-vetted: one that is not in the config is refused, and nothing is started", async () => {
  const answer = await example.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: true, callbackUrl: "https://elsewhere.example/" });
  assert.equal(answer.status, 400);
  assert.equal((await example.api("worker", "POST", "/jobs", { imdbUserId: "nobody" })).status, 400);
});

test("a private list fails in the words that help, once, and the last good stays", async () => {
  const before = (await cache()).body.metadata.itemCount;
  await example.control("imdb", { private: true });
  const failed = await job();
  assert.equal(failed.status, "failed");
  assert.equal(failed.error, "Watchlist is private. Change to Public in IMDb settings.");
  const answer = await list("&refresh=1");
  assert.equal(answer.status, 502);
  assert.match(answer.body.detail, /Watchlist is private/);
  assert.equal((await cache()).body.metadata.itemCount, before, "last-good-kept");
  await example.control("imdb", { private: false });
  await rested();
});

for (const fault of ["empty", "half", "html_changed"])
  test(`empty-or-short-is-suspect: ${fault} does not replace the list`, async () => {
    const before = (await cache()).body.metadata.itemCount;
    await example.control("imdb", { fault });
    const answer = await list("&refresh=1");
    assert.equal(answer.status, 502);
    assert.equal(typeof answer.body.detail, "string");
    assert.equal((await cache()).body.metadata.itemCount, before);
    await example.control("imdb", { fault: "none" });
    await rested();
  });

for (const fault of ["403", "challenge"])
  test(`refresh-backoff: ${fault} is blocked, the source is left alone, and a new ask is told so`, async () => {
    await example.control("imdb", { fault });
    const answer = await list("&refresh=1");
    assert.equal(answer.status, 502);
    assert.match(answer.body.detail, /block/);
    const next = await list("&refresh=1");
    assert.equal(next.status, 429);
    assert.match(next.body.detail, /left alone/);
    assert.equal((await list()).status, 200, "and readers still get the list");
    await example.control("imdb", { fault: "none" });
    await rested();
  });

test("a list that shows the oldest first is turned round", async () => {
  const newest = (await cache()).body.data[0].imdbId;
  await example.control("imdb", { oldest_first: true, numbered: true });
  const { body } = await list("&refresh=1");
  assert.equal(body.items[0].imdbId, newest);
  assert.ok(body.items.every((film) => !/^\d{2,}\. /.test(film.title)), "and numbered titles lose their position");
  await example.control("imdb", { oldest_first: false, numbered: false });
});

test("the page: a film added upstream is on top after Refresh, counted in words, without a reload", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await list("&refresh=1");
  const page = await example.open(chromium, example.pages.main, "worker");
  await page.locator("#films li").first().waitFor();
  const total = Number((await page.locator("#total").innerText()).match(/\d+/)[0]);
  await example.control("imdb", { delay_ms: 600, add: [{ title: "A Film for the Page" }] });
  await page.locator("freshet-refresh").getByRole("button").click();
  await page.locator("#films li", { hasText: "A Film for the Page" }).waitFor();
  assert.match(await page.locator("#films li").first().innerText(), /A Film for the Page/);
  assert.match(await page.locator("#found").innerText(), new RegExp(`Found ${total + 1} items: 1 added, 0 removed, net \\+1`));
  assert.match(await page.locator("#total").innerText(), new RegExp(String(total + 1)));
  assert.match(await page.locator("footer").innerText(), /freshet \d+\.\d+\.\d+/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
