// SPDX-License-Identifier: Apache-2.0
// Where a watchlist comes from: a browser that opens its page, the site's own export, and lists that are short by nature.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Example, until } from "./example.mjs";

const exports = mkdtempSync(join(tmpdir(), "freshet-exports-"));
const user = "ur10000001";
const list = (example, who = user, query = "&refresh=1") => example.api(undefined, "GET", `/api/imdb-watchlist?userId=${who}${query}`);

let plain;
before(async () => (plain = await Example.start("watchlist", { speed: 10, env: { WATCHLIST_EXPORTS: exports } })));
after(async () => {
  await plain.end();
  rmSync(exports, { recursive: true, force: true });
});

test("someone with seven films sees seven; once there were ten, nine are held and the ten stay", async () => {
  await plain.control("imdb", { remove: 417 });
  const seven = await list(plain);
  assert.equal(seven.status, 200, JSON.stringify(seven.body).slice(0, 300));
  assert.equal(seven.body.totalItems, 7);
  await plain.control("imdb", { add: [{}, {}, {}] });
  assert.equal((await list(plain)).body.totalItems, 10);
  await plain.control("imdb", { remove: 1 });
  const nine = await list(plain);
  assert.equal(nine.status, 502, "empty-or-short-is-suspect");
  assert.match(nine.body.detail, /9/);
  assert.equal((await list(plain, user, "")).body.totalItems, 10, "last-good-kept");
  // Of the job, too, what is held is told as failed, in words.
  const asked = await plain.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: true });
  const failed = await until("the job's end", async () => {
    const { body } = await plain.api("worker", "GET", `/jobs/${asked.body.jobId}`);
    return body.status === "failed" && body;
  });
  assert.equal(failed.result, null);
  assert.match(failed.error, /9/);
});

// As the site writes it today, and as it wrote it in other years: other heads, a byte order mark, other line ends.
const today = `Position,Const,Created,Modified,Description,Title,Original Title,URL,Title Type,IMDb Rating,Runtime (mins),Year,Genres
1,tt91000001,2024-01-05,2024-01-05,,1. A Plain One,A Plain One,https://example.com/1,Movie,7.5,101,1999,"Comedy, Drama"
2,tt91000002,2024-03-09,2024-03-09,"two
lines, one cell","Commas, ""Quotes""",x,https://example.com/2,TV Mini Series,,,2020,Crime
3,tt91000003,2024-02-01,2024-02-01,,1917 Again,x,https://example.com/3,Movie,8,,,
`;
const earlier = "\uFEFFConst,Date Added,Title,Title Type,Year\r\ntt92000001,2019-05-01,Nothing Else,tvSeries,2001\r\ntt92000002,2020-05-01,Later,movie,\r\n";

test("the CSV export is read: quotes, line ends in cells, positions in titles, newest first", async () => {
  writeFileSync(join(exports, "ur20000001.csv"), today);
  const { status, body } = await list(plain, "ur20000001");
  assert.equal(status, 200, JSON.stringify(body).slice(0, 300));
  assert.deepEqual(body.items.map(({ imdbId, title, type, addedAt }) => [imdbId, title, type, addedAt]), [
    ["tt91000002", 'Commas, "Quotes"', "tv", "2024-03-09"],
    ["tt91000003", "1917 Again", "movie", "2024-02-01"],
    ["tt91000001", "A Plain One", "movie", "2024-01-05"],
  ]);
  const one = body.items.at(-1);
  assert.deepEqual([one.year, one.rating, one.runtime, one.genres], [1999, 7.5, 101, ["Comedy", "Drama"]]);
});

test("an export of another year is read, too, with fewer columns and a byte order mark", async () => {
  writeFileSync(join(exports, "ur20000002.csv"), earlier);
  const { body } = await list(plain, "ur20000002");
  assert.deepEqual(body.items.map(({ imdbId, title, type, addedAt }) => [imdbId, title, type, addedAt]), [
    ["tt92000002", "Later", "movie", "2020-05-01"],
    ["tt92000001", "Nothing Else", "tv", "2019-05-01"],
  ]);
});

test("what is no export is refused in words, and not tried again", async () => {
  writeFileSync(join(exports, "ur20000003.csv"), "<html>sign in</html>\n");
  const { status, body } = await list(plain, "ur20000003");
  assert.equal(status, 502);
  assert.match(body.detail, /no column Const/);
});

describe("with 12 hours in 4 seconds, a list that is cut at a page, and a token from the environment", () => {
  const secret = `fsh_${"5ec7e7".repeat(8)}`;
  let hurried;
  before(async () => (hurried = await Example.start("watchlist", { speed: 10_000, env: { WATCHLIST_PAGES_MAX: "1", WORKER_SECRET: secret } })));
  after(() => hurried?.end());

  test("page-cap-is-reported: a list of more pages than are read says so in the job's log", async () => {
    const answer = await until("the list", async () => {
      const { status, body } = await list(hurried, user, "");
      return status === 200 && body;
    }, 60_000);
    assert.equal(answer.totalItems, 250);
    const done = (await hurried.api("worker", "GET", "/v1/jobs?source=watchlist&state=succeeded")).body.items.at(-1);
    const { body } = await hurried.api("worker", "GET", `/v1/jobs/${done.id}/log`);
    assert.ok(body.items.some((line) => line.level === "warn" && line.text === "The list has 2 pages, of which 1 are read"), JSON.stringify(body));
  });

  test("a refresh that takes longer than is waited: the old list, which says that it is old and what goes on", async () => {
    // 90 s are a second here, since a wait is told in whole ones.
    await hurried.control("imdb", { delay_ms: 4000 });
    const { status, headers, body } = await list(hurried);
    await hurried.control("imdb", { delay_ms: 0 });
    assert.deepEqual([status, body.source, body.success, body.refresh?.status, body.items?.length], [200, "worker-stale", false, "pending", 250]);
    assert.ok(body.message.length > 10);
    assert.equal(headers.get("cache-control"), "no-store, must-revalidate");
    assert.equal(headers.get("cdn-cache-control"), "no-store");
    await until("that refresh's end", async () => (await hurried.api("worker", "GET", `/jobs/${body.refresh.jobId}`)).body.status === "completed", 30_000);
  });

  test("a list that is read is refreshed every 12 hours, and says so", async () => {
    await until("its word", async () => (await hurried.api("worker", "GET", `/cache/${user}`)).body.metadata?.source === "background sync", 30_000);
  });

  test("WORKER_SECRET is the token, at every start", () => assert.equal(hurried.tokens.worker, secret));
});

test("the browser helper gives the same list as plain HTTP, says what blocks it, and leaves no browser behind", async (t) => {
  const web = new URL("../../web/node_modules/playwright-core", import.meta.url);
  if (!existsSync("/usr/bin/chromium") || !existsSync(web)) return t.skip("no Chromium or no web packages");
  const opened = await Example.start("watchlist", { speed: 10, env: { WATCHLIST_MODE: "browser" } });
  const helpers = () => execFileSync("ps", ["-eo", "pid=,args="], { encoding: "utf8" }).split("\n").filter((row) => row.includes(`127.0.0.1:${opened.upstreamPort}/imdb/`));
  try {
    // The export of a short list, so that the plain one is asked for at the site, too.
    // A browser takes as long as the machine lets it.
    const answer = await until("the list", async () => {
      const read = await list(opened, user, "");
      return read.status === 200 && read;
    }, 120_000);
    assert.equal(answer.body.totalItems, 424);
    assert.equal(answer.body.items[0].imdbId, "tt90000424");
    assert.equal(await opened.requests("imdb"), 2, "a document for each page, and nothing beside them");
    assert.deepEqual(helpers(), []);

    // A worker that dies takes its browser with it.
    await opened.control("imdb", { fault: "hang" });
    const asked = await opened.api("worker", "POST", "/jobs", { imdbUserId: user, forceRefresh: true });
    const own = await until("a helper", () => helpers().length > 0 && helpers());
    for (const worker of opened.processes("worker")) process.kill(worker, "SIGKILL");
    await until("its end", () => helpers().every((row) => !own.includes(row)));
    await opened.control("imdb", { fault: "challenge" });
    const failed = await until("its end", async () => {
      const { body } = await opened.api("worker", "GET", `/jobs/${asked.body.jobId}`);
      return body.status === "failed" && body;
    }, 60_000);
    assert.match(failed.error, /The site blocks the browser: it answered 202/);
    assert.equal((await list(opened, user, "")).body.totalItems, 424);
  } finally {
    await opened.end();
  }
});
