// SPDX-License-Identifier: Apache-2.0
// What's on: config only. Slow sites, quick answers, and none of the faults of a site takes away what is there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, Example, until } from "./example.mjs";

const lists = ["cinema", "events", "google_trend"];
let example;
let chromium;
let first_read; // of the cinema: when it was asked for, and answered

/** As cache_date is written. */
const wall = (instant) => new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Jerusalem", dateStyle: "short", timeStyle: "medium" }).format(instant);
before(async () => {
  example = await Example.start("whatson");
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await example.end();
});

const api = (list) => example.api(undefined, "GET", `/api/${list}`);
/** The quickest of five: how long an answer takes, whatever else the machine does meanwhile. */
async function quickest(list) {
  const answers = [];
  for (let i = 0; i < 5; ++i) answers.push(await api(list));
  return answers.reduce((a, b) => (b.ms < a.ms ? b : a));
}
async function refreshed(list) {
  const asked = await example.api("operator", "POST", `/api/${list}/refresh`);
  assert.equal(asked.status, 202);
  return until(`${list} refreshed`, async () => {
    const { body } = await api(list);
    return body.refreshing_in_background === false && body;
  });
}

test("the first request waits for the site and says so; every later one is instant", async () => {
  await example.control("cinema", { delay_ms: 1200 });
  const asked = Date.now();
  const first = await api("cinema");
  first_read = { asked, answered: Date.now() };
  assert.equal(first.status, 200);
  assert.ok(first.ms >= 1200);
  assert.equal(first.body.from_cache, false);
  assert.equal(first.body.items.length, 18);
  assert.deepEqual(Object.keys(first.body.items[0]).sort(), ["img", "title"]);
  const later = await quickest("cinema");
  assert.ok(later.ms < 50, `${later.ms} ms`);
  assert.equal(later.body.from_cache, true);
  assert.equal(later.body.cache_valid, true);
  assert.match(later.body.cache_date, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  assert.equal(await example.requests("cinema"), 1);
});

test("the three lists have the fields of the old API, and no others", async () => {
  const events = await api("events");
  assert.match(events.body.items[0].poster, /^http:\/\/127\.0\.0\.1:\d+\/_image\//, "resolved against the base");
  assert.deepEqual(Object.keys(events.body).sort(), ["cache_date", "cache_valid", "from_cache", "items", "refreshing_in_background"]);
  const trends = await api("google_trend");
  assert.deepEqual(Object.keys(trends.body.items[0]).sort(), ["category", "query", "search_volume"]);
});

test("zero-age-is-fresh: what was read just now is of age 0, and valid", async () => {
  const { body } = await api("google_trend");
  assert.equal(body.cache_age_hours, 0);
  assert.equal(body.cache_valid, true);
});

test("cache_date is the wall clock of the configured zone", async () => {
  const { body } = await api("events");
  assert.equal(body.cache_date.slice(0, 13), wall(new Date()).slice(0, 13));
});

test("age-is-source-time-not-read-time: reading does not make it younger", async () => {
  const { cache_date } = (await api("cinema")).body;
  // The site takes 1.2 s: its data are as old as the request to it, which is not the second of the answer.
  assert.ok(cache_date >= wall(first_read.asked) && cache_date < wall(first_read.answered), `${cache_date}, answered ${wall(first_read.answered)}`);
  assert.equal((await quickest("cinema")).body.cache_date, cache_date);
});

test("refresh needs the operator; an unknown list is not there", async () => {
  assert.equal((await example.api(undefined, "POST", "/api/cinema/refresh")).status, 401);
  assert.equal((await example.api("operator", "POST", "/api/theatre/refresh")).status, 404);
  assert.equal((await example.api("operator", "GET", "/api/theatre")).status, 404);
});

test("refresh-does-not-delete: while it refreshes the old list is there at once, and the badge's word in the API", async () => {
  await example.control("cinema", { delay_ms: 3000, add: [{ title: "A Film That Opens Today" }] });
  const before = await example.requests("cinema");
  await example.api("operator", "POST", "/api/cinema/refresh");
  const during = await until("refreshing", async () => {
    const answer = await quickest("cinema");
    return answer.body.refreshing_in_background && answer;
  });
  assert.ok(during.ms < 50, `${during.ms} ms`);
  assert.equal(during.body.items.length, 18);
  const answers = await Promise.all(Array.from({ length: 40 }, () => api("cinema")));
  assert.ok(answers.every(({ status }) => status === 200));
  const done = await until("the new film", async () => {
    const { body } = await api("cinema");
    return body.items.length === 19 && body;
  });
  assert.equal(done.items[0].title, "A Film That Opens Today");
  assert.equal(await example.requests("cinema"), before + 1, "one-flight-per-key-across-processes");
});

for (const fault of ["403", "429", "500", "challenge", "empty", "half", "html_changed", "quota_body"])
  test(`last-good-kept: ${fault} takes nothing away, and is told`, async () => {
    const list = lists[fault.length % 3];
    const before = (await api(list)).body.items;
    await example.control(list, { fault, delay_ms: 0 });
    await example.api("operator", "POST", `/api/${list}/refresh`);
    const failed = await until("the error", async () => {
      const { body } = await api(list);
      return body.error && body;
    });
    assert.deepEqual(failed.items, before);
    assert.equal(typeof failed.error, "string");
    await example.control(list, { fault: "none" });
    const good = await until("good again", async () => {
      const body = await refreshed(list);
      return !("error" in body) && body;
    });
    assert.equal(good.cache_valid, true);
  });

test("a site that hangs stops nobody", async () => {
  await example.control("events", { fault: "hang" });
  await example.api("operator", "POST", "/api/events/refresh");
  const answer = await quickest("events");
  assert.ok(answer.ms < 50, `${answer.ms} ms`);
  assert.equal(answer.body.items.length, 14);
  await example.control("events", { fault: "none" });
});

test("atomic-snapshot-swap: readers see the whole old list or the whole new one, never some of each", async () => {
  const titles = (name) => Array.from({ length: 20 }, (_, i) => ({ title: `${name} ${i}` }));
  const count = (await api("cinema")).body.items.length;
  await example.control("cinema", { delay_ms: 0, remove: count, add: titles("Swap 0") });
  await until("the first list", async () => (await refreshed("cinema")).items[0].title.startsWith("Swap 0"));
  for (let round = 1; round <= 5; ++round) {
    await example.control("cinema", { delay_ms: 150, remove: 20, add: titles(`Swap ${round}`) });
    await example.api("operator", "POST", "/api/cinema/refresh");
    await until(`list ${round}`, async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => api("cinema")));
      for (const { body } of answers) {
        assert.equal(body.items.length, 20);
        assert.equal(new Set(body.items.map(({ title }) => title.split(" ")[1])).size, 1, JSON.stringify(body.items));
      }
      return answers.every(({ body }) => body.items[0].title.startsWith(`Swap ${round} `) && !body.refreshing_in_background);
    });
  }
});

test("after a restart the first answer is instant and asks no site", async () => {
  // What earlier tests broke is over: nothing is to be tried again by itself.
  const before = await until("all is well", async () => {
    const body = await refreshed("cinema");
    return body.cache_valid && !("error" in body) && !body.refreshing_in_background && body;
  });
  const { ms } = await example.stop();
  assert.ok(ms < 5000);
  const { data, own, port, upstreamPort } = example;
  // At the same addresses: another address of a site would be another source, and stale.
  example = await Example.start("whatson", { data, port, upstreamPort });
  example.own = own;
  await example.control("cinema", { delay_ms: 8000 });
  const answer = await quickest("cinema");
  assert.ok(answer.ms < 50, `${answer.ms} ms`);
  assert.deepEqual(answer.body.items, before.items);
  assert.equal(answer.body.from_cache, true);
  assert.equal(await example.requests("cinema"), 0);
});

test("what has become stale is asked for once, however many read it, and nobody waits for it", async () => {
  // 24 hours are 2 s here.
  const hurried = await Example.start("whatson", { speed: 40_000 });
  try {
    const read = () => hurried.api(undefined, "GET", "/api/google_trend");
    await until("the first list", async () => (await read()).status === 200);
    await hurried.control("google_trend", { delay_ms: 1000 });
    const first = await hurried.requests("google_trend");
    const dates = new Set();
    let meanwhile = 0; // answers that came while the site was asked
    await until("it was stale twice", async () => {
      const answers = await Promise.all(Array.from({ length: 10 }, read));
      for (const { status, body } of answers) {
        assert.equal(status, 200);
        dates.add(body.cache_date);
        if (body.refreshing_in_background) ++meanwhile;
      }
      return dates.size >= 3;
    }, 60_000);
    // The one that is on its way may not be to be seen yet.
    const asked = (await hurried.requests("google_trend")) - first;
    assert.ok(asked >= 2 && asked <= dates.size, `${asked} requests for ${dates.size} lists`);
    assert.ok(meanwhile >= 20, `${meanwhile} answers while it was asked`);
  } finally {
    await hurried.end();
  }
});

test("the page shows three lists, updates them without a reload, and says what may be outdated", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await example.control("cinema", { delay_ms: 0, fault: "none" });
  const page = await example.open(chromium, example.pages.main, "operator");
  assert.ok(!page.url().includes("token="), "the token is gone from the address");
  const cinema = page.locator("section[data-list=cinema]");
  await cinema.locator("li").first().waitFor();
  for (const list of lists) {
    await page.locator(`section[data-list=${list}] li`).first().waitFor();
    assert.ok((await page.locator(`section[data-list=${list}] li`).count()) > 5);
  }
  const rows = await cinema.locator("li").count();

  await page.evaluate(() => (window.mark = document.querySelector("section[data-list=cinema] li")));
  // The site answers when all was looked at.
  await example.control("cinema", { fault: "hang", add: [{ title: "The Film of the Test" }] });
  await cinema.locator("freshet-refresh").getByRole("button").click();
  await cinema.locator("freshet-badge").getByText("updating…").waitFor();
  assert.equal(await cinema.locator("li").count(), rows, "the old data stays on screen");
  await example.control("cinema", { fault: "none" });
  await cinema.locator("li", { hasText: "The Film of the Test" }).waitFor();
  assert.equal(await cinema.locator("li").count(), rows + 1);
  assert.ok(await page.evaluate(() => window.mark.isConnected), "rows that stayed keep their nodes");

  await example.control("cinema", { fault: "empty" });
  // The rows come before the receipt, and until that a press only says what runs.
  await cinema.locator("freshet-refresh:not([busy])").waitFor();
  await cinema.locator("freshet-refresh").getByRole("button").click();
  await cinema.locator(".note", { hasText: "may be outdated" }).waitFor();
  assert.equal(await cinema.locator("li").count(), rows + 1, "empty-or-short-is-suspect");
  assert.match(await page.locator("footer").innerText(), /freshet \d+\.\d+\.\d+/);
  assert.match(await page.locator("footer").innerText(), /live/);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the page speaks Hebrew, from right to left, and fits a phone", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, `${example.pages.main}?lang=he`, "operator", { viewport: { width: 360, height: 740 } });
  await page.getByRole("heading", { name: "קולנוע" }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
  await page.locator("section[data-list=cinema] li").first().waitFor();
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth), "nothing sticks out");
  await page.context().close();
});

test("the old front end works unchanged", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, `${example.pages.main}/plain.html`, "operator");
  await page.locator("#google_trend li").first().waitFor();
  await page.locator("#cinema li").nth(5).waitFor();
  await page.context().close();
});
