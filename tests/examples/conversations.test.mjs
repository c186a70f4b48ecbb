// SPDX-License-Identifier: Apache-2.0
// Conversations: batches of 1, 3, 10 and 1,000 items, workers that die, drivers that share, a page that may be closed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { browser, Example, until } from "./example.mjs";

let example;
let chromium;
let long; // a second one, whose items take 70 s each while the others are tested
const long_ms = 70_000;
before(async () => {
  [example, long] = await Promise.all([Example.start("conversations"), Example.start("conversations")]);
  await long.control("generator", { delay_ms: long_ms });
  const made = (driver) => long.api("operator", "POST", "/api/batch-jobs", { name: driver, items: items(1), driver });
  long.jobs = (await Promise.all([made("workers"), made("caller")])).map(({ body }) => body.jobId);
  long.began = Date.now();
  // Where its test does not run it ends with the example, unheard.
  long.driven = long.api("operator", "POST", `/api/batch-jobs/${long.jobs[1]}/process-next`).catch((error) => ({ status: 0, body: String(error) }));
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await Promise.all([example.end(), long.end()]);
});
beforeEach(() => example.control("generator", { fault: "none", delay_ms: 100 }));

const items = (count, name = "item") => Array.from({ length: count }, (_, i) => ({ key: `${name}-${i + 1}`, topic: `topic ${i + 1}` }));
async function start(count, more = {}) {
  const made = await example.api("operator", "POST", "/api/batch-jobs", { name: `of ${count}`, items: items(count), ...more });
  assert.equal(made.status, 202, JSON.stringify(made.body));
  return made.body.jobId;
}
const status = async (id) => (await example.api("operator", "GET", `/api/batch-jobs/${id}/status`)).body;
const rows = async (id) => (await example.api("operator", "GET", `/api/batch-jobs/${id}/items`)).body.data;
const post = (id, verb) => example.api("operator", "POST", `/api/batch-jobs/${id}/${verb}`);
const ends = (id, ms) => until("the end", async () => {
  const now = await status(id);
  return !["queued", "processing"].includes(now.status) && now;
}, ms);

for (const count of [1, 3, 10])
  test(`no-item-left-behind: ${count} items end as completed, at 100 %, each with its conversation`, async () => {
    const id = await start(count);
    const end = await ends(id);
    assert.equal(end.status, "completed");
    assert.deepEqual(end.progress, { total: count, completed: count, successful: count, failed: 0, percentage: 100 });
    assert.ok(end.startedAt && end.completedAt);
    const all = await rows(id);
    assert.equal(all.length, count);
    assert.ok(all.every((row) => row.status === "completed" && row.conversationId));
    assert.equal((await post(id, "cancel")).body.status, "completed", "what is over stays, in the words of the old API");
  });

test("counters-derive-from-items: of 1,000, and they never go back", async () => {
  await example.control("generator", { delay_ms: 0 });
  const id = await start(1000);
  let before = 0;
  const end = await until("the end", async () => {
    const now = await status(id);
    assert.ok(now.progress.completed >= before, "goes back");
    assert.equal(now.progress.completed, now.progress.successful + now.progress.failed);
    before = now.progress.completed;
    return now.status === "completed" && now;
  }, 60_000);
  assert.equal(end.progress.successful, 1000);
  const all = await rows(id);
  assert.equal(all.length, 1000);
  assert.equal(new Set(all.map((row) => row.id)).size, 1000);
});

test("0 and 1,001 items, and items without a topic, are refused in words", async () => {
  for (const bad of [[], items(1001), [{ key: "a" }]]) {
    const answer = await example.api("operator", "POST", "/api/batch-jobs", { name: "bad", items: bad });
    assert.equal(answer.status, 400);
    assert.equal(typeof answer.body.detail, "string");
  }
  assert.equal((await example.api(undefined, "GET", "/api/batch-jobs")).status, 401);
  assert.equal((await example.api("operator", "GET", "/api/batch-jobs/b_0000000000000/status")).status, 404);
});

test("the list can be asked by status, and status is never stored by a cache", async () => {
  const id = await start(1);
  await ends(id);
  const completed = (await example.api("operator", "GET", "/api/batch-jobs?status=completed")).body.data;
  assert.ok(completed.some((row) => row.jobId === id && row.status === "completed" && row.progress.percentage === 100));
  assert.ok((await example.api("operator", "GET", "/api/batch-jobs?status=failed")).body.data.every((row) => row.jobId !== id));
  const answer = await example.api("operator", "GET", `/api/batch-jobs/${id}/status`);
  assert.equal(answer.headers.get("cache-control"), "no-store");
});

test("all refused is failed, some refused is partial, and neither is completed; retry-failed completes it", async () => {
  await example.control("generator", { fault: "403" });
  const all = await start(2);
  assert.equal((await ends(all)).status, "failed");
  assert.match((await rows(all))[0].error, /403/);

  await example.control("generator", { fault: "403", fault_times: 1 });
  const some = await start(3);
  const end = await ends(some);
  assert.equal(end.status, "partial");
  assert.deepEqual([end.progress.successful, end.progress.failed, end.progress.percentage], [2, 1, 100]);

  assert.equal((await post(some, "retry-failed")).status, 200);
  assert.equal((await ends(some)).status, "completed");
});

test("99 of 100 refused is partial, percentage 100 and all; Enrich All is there for the one success", async () => {
  await example.control("generator", { delay_ms: 0, fault: "403", fault_times: 99 });
  const id = await start(100, { concurrency: 1 });
  const end = await ends(id);
  assert.equal(end.status, "partial");
  assert.deepEqual(end.progress, { total: 100, completed: 100, successful: 1, failed: 99, percentage: 100 });
  const enriched = await post(id, "enrich");
  assert.equal(enriched.status, 202);
  const follow = await ends(enriched.body.jobId);
  assert.deepEqual([follow.status, follow.progress.total], ["completed", 1]);
});

test("claim-is-atomic: two drivers of process-next never get the same item, and the last one says job_completed at 100 %", async () => {
  const id = await start(7, { driver: "caller" });
  const got = [];
  let last = [];
  const drive = async () => {
    for (;;) {
      const { body } = await post(id, "process-next");
      if (body.itemId) got.push(body.itemId);
      if (body.status === "job_completed") last.push(body);
      if (body.status !== "processed") return;
    }
  };
  await Promise.all([drive(), drive()]);
  assert.equal(new Set(got).size, 7);
  assert.equal(got.length, 7);
  const done = last.find((body) => body.itemId);
  assert.equal(done.remainingItems, 0);
  assert.equal(done.progress.percentage, 100);
  assert.equal((await status(id)).status, "completed");
});

test("cancel-is-final, in the middle of an item", async () => {
  await example.control("generator", { delay_ms: 30_000 });
  const id = await start(3);
  await until("an item runs", async () => (await rows(id)).some((row) => row.status === "processing"));
  const cancelled = await post(id, "cancel");
  assert.equal(cancelled.status, 200);
  assert.ok(["processing", "cancelled"].includes(cancelled.body.status), cancelled.body.status);
  const end = await ends(id);
  assert.equal(end.status, "cancelled");
  await example.control("generator", { delay_ms: 0 });
  assert.ok((await rows(id)).every((row) => row.status === "cancelled"));
  assert.equal((await post(id, "process-next")).body.status, "job_cancelled");
});

test("a worker that is killed: its items are taken up again and end", async () => {
  await example.control("generator", { delay_ms: 1500 });
  const id = await start(4);
  await until("items run", async () => (await rows(id)).every((row) => row.status === "processing"));
  for (const worker of example.processes("worker")) process.kill(worker, "SIGKILL");
  assert.equal((await ends(id)).status, "completed");
});

test("enrich is refused before the end, and after it makes a batch of the successes", async () => {
  await example.control("generator", { delay_ms: 700 });
  const id = await start(2);
  assert.equal((await post(id, "enrich")).status, 409);
  await ends(id);
  const enriched = await post(id, "enrich");
  assert.equal(enriched.status, 202);
  const end = await ends(enriched.body.jobId);
  assert.deepEqual([end.status, end.progress.total], ["completed", 2]);
});

test("tab-may-close: the page follows a batch to its end without a reload, and Enrich All appears at that moment", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await example.control("generator", { delay_ms: 4000 });
  const id = await start(3, { concurrency: 1 });
  const url = example.pages.main.replace("{id}", id);
  const page = await example.open(chromium, url, "operator");
  const batch = page.locator("#batch");
  await batch.getByText(/[0-2] \/ 3/).waitFor();
  assert.equal(await batch.getByRole("button", { name: "Enrich All" }).count(), 0);
  await page.context().close();

  await until("two are done", async () => (await status(id)).progress.completed >= 2);
  const again = await example.open(chromium, url, "operator");
  const shown = again.locator("#batch");
  await shown.getByText("3 / 3").waitFor();
  await shown.getByRole("button", { name: "Enrich All" }).click();
  await again.locator("#enrichment").getByText("3 / 3").waitFor();
  assert.equal((await status(id)).status, "completed");
  assert.match(await again.locator("footer").innerText(), /freshet \d+\.\d+\.\d+/);
  assert.deepEqual(again.problems, []);
  await again.context().close();
});

test("the page of a batch that ended in part has Enrich All for the successes, and a retry for the others", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await example.control("generator", { delay_ms: 0, fault: "403", fault_times: 1 });
  const id = await start(3, { concurrency: 1 });
  assert.equal((await ends(id)).status, "partial");
  const page = await example.open(chromium, `${example.pages.main.replace("{id}", id)}?lang=en`, "operator");
  const batch = page.locator("#batch");
  await batch.getByRole("button", { name: /retry/i }).waitFor();
  await batch.getByRole("button", { name: "Enrich All" }).click();
  await page.locator("#enrichment").getByText("2 / 2").waitFor();
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("the page cancels, and is in Hebrew when asked", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await example.control("generator", { delay_ms: 30_000 });
  const id = await start(2);
  const page = await example.open(chromium, `${example.pages.main.replace("{id}", id)}?lang=he`, "operator", { viewport: { width: 360, height: 740 } });
  await page.locator("#batch").getByText("0 / 2").waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  await page.locator("#batch").getByRole("button").first().click();
  assert.equal((await ends(id)).status, "cancelled");
  await page.context().close();
});

test("an item that takes 70 s, which is two leases and more, is cut by nobody: not by its lease, nor in process-next", async () => {
  const { status: answered, body: last } = await long.driven;
  assert.equal(answered, 200, JSON.stringify(last));
  assert.deepEqual([last.status, last.progress.percentage], ["job_completed", 100]);
  assert.ok(Date.now() - long.began >= long_ms);
  for (const id of long.jobs) {
    const end = await until("its end", async () => {
      const { body } = await long.api("operator", "GET", `/api/batch-jobs/${id}/status`);
      return body.status === "completed" && body;
    });
    assert.ok(Date.parse(end.completedAt) - Date.parse(end.startedAt) >= long_ms);
    const { body } = await long.api("operator", "GET", `/v1/batches/${id}/items`);
    assert.deepEqual([body.items[0].attempt, body.items[0].lost ?? 0], [1, 0], "one attempt, never lost");
  }
  assert.equal(await long.requests("generator"), 2);
});

test("the end of an item is logged with its length and its result, and a batch's end once, however often it is asked for", async () => {
  const id = await start(1);
  await ends(id);
  const [row] = await rows(id);
  for (let i = 0; i < 20; ++i) await status(id);
  const logged = (file, ...parts) => readFileSync(join(example.data, file), "utf8").split("\n").filter((line) => parts.every((part) => line.includes(part)));
  const item = await until("the item's line", () => logged("worker-1.log", "item item-1 ended after", row.conversationId)[0]);
  assert.match(item, /ended after \d+ ms/);
  await until("the batch's line", () => logged("server.log", "an end was served", id).length > 0);
  assert.equal(logged("server.log", "an end was served", id).length, 1);
});
