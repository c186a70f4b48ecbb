// SPDX-License-Identifier: Apache-2.0
// Long tasks of two businesses: one run per kind, pauses, lost workers that nobody looks at, a reset that counts.
// --speed 60: five minutes without a sign of life are five seconds here.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { binaries, browser, Example, until } from "./example.mjs";

let example;
let chromium;
// Binaries of its own, so that the server's can be replaced while it runs.
const own = mkdtempSync(join(tmpdir(), "freshet-binaries-"));
before(async () => {
  for (const name of ["freshet", "freshet-upstream"]) copyFileSync(join(binaries, name), join(own, name));
  example = await Example.start("longtasks", { speed: 60, env: { FRESHET_BUILD: own } });
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await example.end();
  rmSync(own, { recursive: true, force: true });
});

const start = (business, kind, total, token = `business-${business}`) => example.api(token, "POST", `/api/business/${business}/tasks/${kind}`, { total });
const show = async (token, id) => (await example.api(token, "GET", `/jobs/${id}`)).body;
/** What the server has logged of the run's lost worker: known without asking it. */
const loggedAsLost = (id) => example.log("server").split("\n").filter((line) => line.includes(id) && line.includes("worker lost"));
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
  await until("the lease runs out", () => loggedAsLost(job_id).length > 0);
  const lost = await show("business-1", job_id);
  assert.equal(lost.status, "failed");
  assert.match(lost.last_error, /^Run marked as failed due to no heartbeat for \d+ s$/);
  assert.equal(lost.is_stuck, true);
  await example.control("receipts", { delay_ms: 0 });
  for (const worker of workers) process.kill(worker, "SIGCONT");
  const refused = new RegExp(`lost the lease of ${job_id}|the end of ${job_id} was refused`);
  await until("the woken worker hears that its run is not its any more", () => refused.test(example.log("worker-1")));
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
  // The stuck badge stays beside the lost run, which has its log and can be started again, from its checkpoint.
  const section = one.locator("section", { has: one.locator(`freshet-task[job=${job_id}]`) });
  const { processed } = await show("business-2", job_id);
  await section.locator("summary").click();
  await section.locator("pre", { hasText: "Begun: 60 entries" }).waitFor();
  assert.equal(await two.getByRole("button", { name: "התחלה מחדש" }).count(), 0, "a viewer starts nothing");
  await section.getByRole("button", { name: "Start again" }).click();
  const end = await reaches("business-2", job_id, "completed");
  assert.ok(end.processed === 60 && processed > 0, `from ${processed}`);
  await one.getByText("Stuck: no update").waitFor({ state: "hidden" });
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

test("one-threshold: API, page and timer go by the same number of the config, and beats without progress are stuck, not lost", async (t) => {
  const config = readFileSync(join(example.data, "freshet.toml"), "utf8");
  const lengths = [...config.matchAll(/^(?:lease|progress_deadline)\s*=\s*"(\w+)"/gm)].map(([, length]) => length);
  assert.ok(lengths.length >= 6 && lengths.every((length) => length === "5m"), String(lengths)); // 5 s at this speed
  await example.control("receipts", { delay_ms: 60_000 });
  const { job_id } = (await start(1, "receipt_sync", 3)).body;
  const stuck = await until("stuck", async () => {
    const job = await show("business-1", job_id);
    return job.is_stuck && job;
  }, 30_000);
  assert.deepEqual([stuck.status, stuck.stuck_reason, stuck.stuck_after_minutes], ["running", "heartbeats arrive, but no progress", 0.1]);
  if (chromium) {
    const page = await example.open(chromium, `${example.pages["main/1"]}?lang=he`, "viewer-1");
    await page.getByText("תקוע - אין עדכון").waitFor();
    await page.getByText("המשימה לא התעדכנה מזה 0.1 דקות").waitFor();
    await page.context().close();
  } else t.diagnostic("no web packages: the page was not looked at");

  const workers = example.processes("worker");
  for (const worker of workers) process.kill(worker, "SIGSTOP");
  const lost = await reaches("business-1", job_id, "failed", 30_000);
  await example.control("receipts", { delay_ms: 0 });
  for (const worker of workers) process.kill(worker, "SIGCONT");
  const [, seconds] = /for (\d+) s$/.exec(lost.last_error);
  assert.ok(seconds >= 5 && seconds <= 9, lost.last_error);
  assert.deepEqual([lost.is_stuck, lost.stuck_reason], [true, `no heartbeat for ${seconds} s`]);
  const lines = loggedAsLost(job_id);
  assert.equal(lines.length, 1);
  const { level, queue, tenant, silent_s } = JSON.parse(lines[0]);
  assert.deepEqual([level, queue, tenant, String(silent_s)], ["warn", "receipt_sync", "1", seconds]);
});

test("reset-progress takes running and stalled runs, and paused ones only where it says so", async () => {
  const { job_id } = (await start(2, "broadcast", 100)).body;
  await reaches("business-2", job_id, "paused", 30_000);
  const reset = (body) => example.api("business-2", "POST", "/api/admin/business/2/reset-progress", body);
  const none = await reset({});
  assert.deepEqual([none.body.reset_count, (await show("business-2", job_id)).status], [0, "paused"]);
  const one = await reset({ states: ["queued", "running"] });
  assert.equal(one.body.reset_count, 1);
  assert.equal((await show("business-2", job_id)).status, "failed");
});

test("files with a hash are kept for ever, all others are asked for again, the index is never stored", async () => {
  mkdirSync(join(example.data, "page"), { recursive: true });
  writeFileSync(join(example.data, "page", "app-3f9c1a20.js"), "export {};\n");
  const cached = async (path) => (await example.api("business-1", "GET", path)).headers;
  assert.equal((await cached("/dashboard/app-3f9c1a20.js")).get("cache-control"), "public, max-age=31536000, immutable");
  const plain = await cached("/dashboard/page.js");
  assert.equal(plain.get("cache-control"), "private, no-cache");
  assert.ok(plain.get("etag"));
  assert.equal((await cached("/dashboard/1")).get("cache-control"), "no-store, no-cache, must-revalidate");
  const elements = await example.api(undefined, "GET", "/elements.js");
  assert.equal(elements.headers.get("cache-control"), "no-cache");
  for (const [, name] of String(elements.body).matchAll(/["']\.?\/?(assets\/[\w.-]+\.js)["']/g))
    assert.equal((await cached(`/${name}`)).get("cache-control"), "public, max-age=31536000, immutable", name);
});

test("deploy-keeps-data: the binary is replaced during a run, open cards go on, and a reload shows the server's state", async (t) => {
  // At a speed at which a restart is well within the lease, which is 75 s here: else the attempt may be another one.
  await example.end();
  example = await Example.start("longtasks", { speed: 4, env: { FRESHET_BUILD: own } });
  await example.control("recordings", { delay_ms: 250 });
  const { job_id } = (await start(1, "recording", 80)).body;
  const page = chromium && (await example.open(chromium, example.pages["main/1"], "business-1"));
  const steps = page?.locator(`freshet-task[job=${job_id}]`).getByText(/\d+ \/ 80/);
  const shown = async () => Number(/(\d+) \/ 80/.exec((await steps.allInnerTexts()).join(" "))?.[1] ?? -1);
  if (page) {
    await page.locator(`freshet-task[job=${job_id}]`).getByText(/[1-9]\d* \/ 80/).first().waitFor();
    await page.evaluate(() => (window.mark = document.querySelector("freshet-task")));
  }
  const before = (await show("business-1", job_id)).processed;
  const [server] = example.processes("freshet serve");
  const old = statSync(`/proc/${server}/exe`).ino;
  copyFileSync(join(binaries, "freshet"), join(own, "freshet.new"));
  renameSync(join(own, "freshet.new"), join(own, "freshet"));
  process.kill(server, "SIGTERM");
  const next = await until("the new server", () => example.processes("freshet serve").find((pid) => pid !== server));
  await until("its binary", () => {
    try {
      return readFileSync(`/proc/${next}/cmdline`, "utf8").startsWith(join(own, "freshet")) && statSync(`/proc/${next}/exe`).ino !== old;
    } catch {
      return false;
    }
  });
  await until("the run goes on", async () => {
    const job = await show("business-1", job_id).catch(() => undefined);
    return job?.processed > before;
  }, 30_000);
  if (page) {
    await until("the open card goes on", async () => (await shown()) > before, 30_000);
    assert.ok(await page.evaluate(() => window.mark.isConnected), "the same document, the same card");
    await page.reload();
    await page.locator(`freshet-task[job=${job_id}]`).getByText(/[1-9]\d* \/ 80/).first().waitFor();
    assert.ok((await shown()) >= before);
    assert.deepEqual(page.problems.filter((problem) => !/fetch|network/i.test(problem)), []);
    await page.context().close();
  } else t.diagnostic("no web packages: the page was not looked at");
  await example.control("recordings", { delay_ms: 0 });
  const end = await reaches("business-1", job_id, "completed", 60_000);
  assert.deepEqual([end.processed, end.attempt], [80, 1], "the same attempt, to its end");
});
