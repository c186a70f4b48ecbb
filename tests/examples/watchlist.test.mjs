// SPDX-License-Identifier: Apache-2.0
// The watchlist: a list read page by page, titles looked up once, an API whose refresh never answers what was before it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, Example, until } from "./example.mjs";

const user = "ur10000001";
let example;
let chromium;
let estimated; // by the first job
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
  estimated ??= asked.body.estimatedDuration;
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
  const wrong = await example.api("fsh_of_another_server", "GET", `/cache/${user}`);
  assert.equal(wrong.status, 401);
  assert.match(wrong.body.detail, /caller's side is to be checked/);
  assert.equal((await example.api(undefined, "GET", "/health")).status, 200);
});

test("a job goes from pending to completed with 424 films, newest first, titles without their position", async () => {
  const done = await job();
  assert.equal(estimated, "30-60 seconds", "without a history");
  assert.equal(done.status, "completed");
  assert.equal(done.result.totalItems, 424);
  assert.equal(done.result.items[0].imdbId, "tt90000424");
  assert.ok(done.result.items.some((film) => film.title === "1917 Again") && done.result.items.some((film) => film.title === "7.5 Degrees"));
  assert.ok(done.createdAt && done.startedAt && done.completedAt);
  const receipt = (await example.api("worker", "GET", `/v1/jobs/${done.id}`)).body;
  // A worker tells four times a second: what is over sooner need not be in the receipt.
  const names = receipt.phases.map(({ name }) => name);
  const all = ["starting browser", "reading list", "looking up titles", "storing"];
  assert.deepEqual(names, all.filter((name) => names.includes(name)), "in order");
  assert.ok(names.includes("looking up titles"), "seconds per phase");
  assert.ok(receipt.phases.every(({ ms }) => Number.isInteger(ms)));
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

test("refresh=1 a hundred times: itemCount and totalItems agree every time (done-comes-from-the-job)", async () => {
  // Jobs of 1 to 60 s at a speed of 300: two pages are asked for, one behind the other. Always the same hundred.
  let seed = 20261126;
  const draw = () => (seed = (seed * 48271) % 2147483647) / 2147483647;
  let expected = (await list("&refresh=1")).body.totalItems;
  for (let i = 0; i < 100; ++i) {
    const job_ms = (1000 + draw() * 59_000) / 300;
    const grows = i % 2 === 0;
    await example.control("imdb", { ...(grows ? { add: [{}] } : { remove: 1 }), delay_ms: Math.round(job_ms / 2) });
    expected += grows ? 1 : -1;
    const answer = await list(["&refresh=1", "&nocache=1", "&refresh=1&nocache=1"][i % 3]);
    assert.deepEqual([answer.status, answer.body.totalItems, answer.body.items?.length], [200, expected, expected], `round ${i}`);
    assert.equal((await cache()).body.metadata.itemCount, expected, `round ${i}`);
  }
  await example.control("imdb", { delay_ms: 0 });
  const next = await example.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: true });
  assert.match(next.body.estimatedDuration, /^[1-9]\d*-\d+ seconds$/);
  assert.notEqual(next.body.estimatedDuration, "30-60 seconds", "a hundred refreshes tell how long one takes");
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
  const newest = async () => (await example.api("worker", "GET", "/v1/jobs?source=watchlist&limit=1")).body.items[0].id;
  const before = await newest();
  for (const callbackUrl of ["https://elsewhere.example/", "https://app.example.com/hooks/../x", "https://app.example.com@elsewhere.example/hooks/", "http://app.example.com/hooks/done"]) {
    const answer = await example.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: true, callbackUrl });
    assert.equal(answer.status, 400, callbackUrl);
  }
  assert.equal(await newest(), before);
  assert.equal((await example.api("worker", "POST", "/jobs", { imdbUserId: "nobody" })).status, 400);
});

test("a private list fails in the words that help, once, and the last good stays", async () => {
  const before = (await cache()).body.metadata.itemCount;
  await example.control("imdb", { private: true });
  const failed = await job();
  assert.equal(failed.status, "failed");
  assert.equal(failed.error, "Watchlist is private. Change to Public in IMDb settings.");
  const receipt = (await example.api("worker", "GET", `/v1/jobs/${failed.id}`)).body;
  assert.deepEqual([receipt.error.class, receipt.attempt], ["fatal", 1], "not tried again");
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
    const asked = await example.requests("imdb");
    const next = await list("&refresh=1");
    assert.equal(next.status, 429);
    assert.match(next.body.detail, /left alone/);
    assert.equal(await example.requests("imdb"), asked, "the site hears nothing of it");
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

test("the page of a watchlist asks a browser without a token to sign in", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const context = await chromium.newContext();
  const page = await context.newPage();
  assert.equal((await page.goto(`${example.pages.main}?lang=en`)).status(), 401);
  await page.getByLabel("Token").fill("fsh_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").getByText(/token/i).waitFor();
  await page.getByLabel("Token").fill(example.tokens.worker);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.locator("#films li").first().waitFor();
  assert.ok(page.url().endsWith("?lang=en"), "nothing of the token is in the address");
  await context.close();
});

test("twenty presses in three tabs are one flight and at most one behind it, and every tab says what runs", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const pages = await Promise.all([1, 2, 3].map(() => example.open(chromium, example.pages.main, "worker")));
  for (const page of pages) await page.locator("#films li").first().waitFor();
  const before = await example.requests("imdb");
  const known = (await cache()).body.metadata.itemCount;
  await example.control("imdb", { delay_ms: 4000, remove: 1 });
  // In the page itself, so that all twenty come while the first runs.
  const press = (times) => {
    const button = document.querySelector("freshet-refresh").shadowRoot.querySelector("button");
    for (let i = 0; i < times; ++i) button.click();
  };
  await Promise.all(pages.map((page, i) => page.evaluate(press, [8, 6, 6][i])));
  await Promise.all(pages.map(async (page) => {
    const button = page.locator("freshet-refresh");
    // A tab follows the flight that answers its own press: it may be the second.
    await button.getByText("reading list").waitFor();
    assert.ok((await page.locator("#films li").count()) >= known - 1, "a list stays on screen");
    assert.equal(await button.getByRole("button").getAttribute("aria-busy"), "true");
    assert.match(await button.locator("[part=elapsed], .elapsed").first().innerText(), /\d/);
  }));
  for (const page of pages) await page.locator("#found", { hasText: `Found ${known - 1} items: 0 added, 1 removed, net −1` }).or(page.locator("#found", { hasText: `Found ${known - 1} items: nothing new` })).waitFor();
  assert.ok((await example.requests("imdb")) - before <= 4, "two pages for each of two flights");
  await example.control("imdb", { delay_ms: 0 });
  // What was refreshed is what a reload shows, at once and every time.
  for (let i = 0; i < 5; ++i) {
    await pages[0].reload();
    await pages[0].locator("#films li").first().waitFor();
    assert.match(await pages[0].locator("#total").innerText(), new RegExp(`^${known - 1} `));
  }
  for (const page of pages) await page.context().close();
});

for (const [what, fault, words] of [["a private list", { private: true }, /Watchlist is private/], ["a challenge page", { fault: "challenge" }, /asks for a human/]])
  test(`the page says in words what ${what} is, and the list stays`, async (t) => {
    if (!chromium) return t.skip("no web packages");
    const page = await example.open(chromium, example.pages.main, "worker");
    await page.locator("#films li").first().waitFor();
    const rows = await page.locator("#films li").count();
    await example.control("imdb", fault);
    await page.locator("freshet-refresh").getByRole("button").click();
    await page.locator("freshet-refresh").getByText(words).waitFor();
    assert.equal(await page.locator("#films li").count(), rows);
    assert.deepEqual(page.problems, []);
    await page.context().close();
    await example.control("imdb", { private: false, fault: "none" });
    await rested();
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
  assert.equal(await page.locator("#origin").innerText(), "worker (manual refresh)");
  assert.match(await page.locator("#updated").innerText(), /^last updated .*\d:\d\d/);
  assert.ok(!/\b(movie|tv)\b/i.test(await page.locator("#films").innerText()), "no type below a poster");
  // The line opens the difference, by title.
  await page.locator("#outcome summary").click();
  await page.locator("freshet-diff").getByText("A Film for the Page").waitFor();
  assert.match(await page.locator("footer").innerText(), /freshet \d+\.\d+\.\d+/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});
