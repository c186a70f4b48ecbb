// SPDX-License-Identifier: Apache-2.0
// Long tasks of two businesses: one run per kind, pauses, lost workers that nobody looks at, a reset that counts.
// --speed 60: five minutes without a sign of life are five seconds here.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { browser, Example, until } from "./example.mjs";

let example;
let chromium;
before(async () => {
  example = await Example.start("longtasks", { speed: 60 });
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await example.end();
});

const start = (business, kind, total, token = `business-${business}`) => example.api(token, "POST", `/api/business/${business}/tasks/${kind}`, { total });
const show = async (token, id) => (await example.api(token, "GET", `/jobs/${id}`)).body;
const reaches = (token, id, state, ms) => until(state, async () => {
  const job = await show(token, id);
  return job.status === state && job;
}, ms);

test("a run goes from its start to its end with every field of the old API", async () => {
  const { status, body } = await start(1, "receipt_sync", 12);
  assert.equal(status, 202);
  const job = await reaches("business-1", body.job_id, "completed");
  for (const field of ["status", "total", "processed", "succeeded", "failed_count", "percent", "heartbeat_at", "is_stuck", "stuck_reason", "last_error", "started_at", "finished_at", "attempt"])
    assert.ok(field in job, field);
  assert.deepEqual([job.total, job.processed, job.succeeded, job.failed_count, job.percent, job.is_stuck, job.stuck_reason], [12, 12, 12, 0, 100, false, null]);
});

test("lock-has-owner: a second start answers 409 with the run that is under way, per business and kind", async () => {
  await example.control("recordings", { delay_ms: 400 });
  const first = (await start(1, "recording", 30)).body.job_id;
  const second = await start(1, "recording", 5);
  assert.equal(second.status, 409);
  assert.equal(second.body.job_id, first);
  assert.equal(second.body.progress.total, 30);
  assert.equal(typeof second.body.detail, "string");
  const other = await start(2, "recording", 2);
  assert.equal(other.status, 202, "another business has its own");
  await reaches("business-2", other.body.job_id, "completed");
  const reset = await example.api("business-1", "POST", "/api/admin/business/1/reset-progress", {});
  assert.deepEqual(reset.body, { success: true, message: "Successfully reset 1 stuck runs", reset_count: 1 });
  assert.equal((await show("business-1", first)).status, "failed");
});

test("tenant-in-every-key: a business sees, starts and resets nothing of the other", async () => {
  const { job_id } = (await start(1, "receipt_sync", 1)).body;
  await reaches("business-1", job_id, "completed");
  assert.equal((await example.api("business-2", "GET", `/jobs/${job_id}`)).status, 404);
  assert.equal((await start(1, "receipt_sync", 1, "business-2")).status, 404);
  assert.equal((await start(1, "receipt_sync", 1, "viewer-1")).status, 403);
  assert.equal((await example.api("business-2", "POST", "/api/admin/business/1/reset-progress", {})).status, 404);
  assert.equal((await example.api("viewer-1", "POST", "/api/admin/business/1/reset-progress", {})).status, 403);
  assert.equal((await example.api("system-admin", "POST", "/api/admin/business/1/reset-progress", {})).status, 200);
  const own = (await example.api("viewer-2", "GET", "/api/business/2/tasks")).body.tasks;
  assert.ok(own.every((task) => task.job_id !== job_id));
});

test("a broadcast pauses, goes on by itself from its checkpoint, and nobody gets it twice", async () => {
  const before = (await example.control("messages")).items;
  const { job_id } = (await start(2, "broadcast", 100)).body;
  const paused = await reaches("business-2", job_id, "paused", 15_000);
  assert.ok(paused.processed > 0 && paused.processed < 100);
  const end = await reaches("business-2", job_id, "completed", 20_000);
  assert.equal(end.succeeded, 100);
  const { messages } = await (await fetch(`${example.upstream}/messages`)).json();
  assert.equal(messages.length, before + 100);
  assert.equal(new Set(messages.map((message) => message.run + message.to)).size, messages.length);
});

test("a worker that is killed in a broadcast costs at most one message twice", async () => {
  const { job_id } = (await start(1, "broadcast", 60)).body;
  await until("some are sent", async () => (await show("business-1", job_id)).processed >= 10);
  for (const worker of example.processes("worker")) process.kill(worker, "SIGKILL");
  const failed = await reaches("business-1", job_id, "failed", 15_000);
  assert.ok(failed.is_stuck);
  const retried = await example.api("business-1", "POST", `/v1/jobs/${job_id}/retry`, {});
  assert.equal(retried.status, 200);
  await reaches("business-1", job_id, "completed", 20_000);
  const { messages } = await (await fetch(`${example.upstream}/messages`)).json();
  const own = messages.filter((message) => message.run === job_id);
  assert.ok(own.length <= 61, `${own.length} messages`);
  assert.equal(new Set(own.map((message) => message.to)).size, 60);
});

test("lease-reaped-without-readers: a stopped worker's run is failed with nobody looking, and stale-worker-fenced when it wakes", async () => {
  await example.control("receipts", { delay_ms: 500 });
  const { job_id } = (await start(1, "receipt_sync", 40)).body;
  await reaches("business-1", job_id, "running");
  const workers = example.processes("worker");
  for (const worker of workers) process.kill(worker, "SIGSTOP");
  await sleep(8000); // nobody asks meanwhile
  const lost = await show("business-1", job_id);
  assert.equal(lost.status, "failed");
  assert.match(lost.last_error, /^Run marked as failed due to no heartbeat for \d+ s$/);
  assert.equal(lost.is_stuck, true);
  await example.control("receipts", { delay_ms: 0 });
  for (const worker of workers) process.kill(worker, "SIGCONT");
  await sleep(1500);
  assert.equal((await show("business-1", job_id)).status, "failed", "what it says when it wakes is refused");
  const again = await start(1, "receipt_sync", 3);
  assert.equal(again.status, 202, "and the way is free");
  await reaches("business-1", again.body.job_id, "completed");
});

test("the page shows the same in two browsers, in Hebrew with its stuck badge, and keeps three fields only", async (t) => {
  if (!chromium) return t.skip("no web packages");
  await example.control("recordings", { delay_ms: 300 });
  const { job_id } = (await start(2, "recording", 60)).body;
  const one = await example.open(chromium, example.pages["main/2"], "business-2");
  const two = await example.open(chromium, `${example.pages["main/2"]}?lang=he`, "viewer-2", { viewport: { width: 360, height: 740 } });
  for (const page of [one, two]) await page.locator(`freshet-task[job=${job_id}]`).getByText(/\d+ \/ 60/).first().waitFor();
  assert.equal(await two.evaluate(() => document.documentElement.dir), "rtl");
  assert.ok(await two.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  const kept = await one.evaluate(() => Object.values({ ...localStorage }).map((text) => Object.keys(JSON.parse(text)).sort().join()));
  assert.ok(kept.length > 0 && kept.every((names) => names === "taskId,taskType,timestamp"), JSON.stringify(kept));

  const workers = example.processes("worker");
  for (const worker of workers) process.kill(worker, "SIGSTOP");
  await two.getByText("תקוע - אין עדכון").waitFor({ timeout: 15_000 });
  await one.getByText("Stuck: no update").waitFor();
  for (const worker of workers) process.kill(worker, "SIGCONT");
  await example.control("recordings", { delay_ms: 0 });
  await one.locator(`freshet-task[job=${job_id}]`).getByRole("button").click();
  await reaches("business-2", job_id, "completed");
  assert.deepEqual([...one.problems, ...two.problems], []);
  await one.context().close();
  await two.context().close();
});

test("another business's page is not there, and older shapes in the browser are dropped", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, example.pages["main/1"], "business-1");
  await page.evaluate(() => localStorage.setItem("longtasks/1/recording", JSON.stringify({ taskId: "j_x", taskType: "recording", timestamp: 1, status: "running" })));
  await page.reload();
  await page.locator("freshet-task").first().waitFor({ state: "attached" });
  const kept = await page.evaluate(() => localStorage.getItem("longtasks/1/recording"));
  assert.ok(kept === null || !("status" in JSON.parse(kept)));
  const response = await page.goto(example.pages["main/2"]);
  assert.equal(response.status(), 404);
  await page.context().close();
});
