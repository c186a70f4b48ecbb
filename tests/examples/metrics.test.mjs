// SPDX-License-Identifier: Apache-2.0
// Metrics of several clients: syncs that lose nothing, ids that collide, upstreams that are dead, layers that add up to
// what the raw rows say.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { browser, Example, until } from "./example.mjs";
import { base, many, metrics } from "./metrics.mjs";

let example;
let chromium;
before(async () => {
  example = await Example.start("metrics");
  chromium = await browser();
});
after(async () => {
  await chromium?.close();
  await example.end();
});

const { client, quickSync, freshness, synced, agrees } = metrics(() => example);

test("every configured client is there from the first moment, with 0 and null where nothing was ever read", async () => {
  const { status, body } = await example.api("admin", "GET", `${base}/all`);
  assert.equal(status, 200);
  assert.deepEqual(body.clients.map((row) => row.client_id), ["acme", "globex", "initech"]);
  const { total_executions, total_workflows, success_rate, avg_execution_time, last_activity, last_updated, time_saved_hours } = body.clients[2];
  assert.deepEqual([total_executions, total_workflows, success_rate, avg_execution_time, last_activity, last_updated, time_saved_hours], [0, 0, null, null, null, null, 0]);
});

test("tenant-in-every-key: two clients whose ids collide stay apart, each as its own n8n has it", async () => {
  await until("both are synced", async () => (await freshness("acme")).last_sync && (await freshness("globex")).last_sync);
  await example.control("n8n-acme", { add: [{ id: 555001, status: "success" }, { id: 555002, status: "error" }] });
  await example.control("n8n-globex", { add: [{ id: "555001", status: "error" }, { id: "555002", status: "error" }] });
  await synced();
  const acme = await agrees("acme");
  const globex = await agrees("globex");
  assert.notEqual(acme.total_executions, globex.total_executions);
  assert.deepEqual([acme.total_workflows, acme.active_workflows], [5, 4], "archived ones are not counted");
});

test("counters-derive-from-items: a client's page, its row and the totals of all say the same", async () => {
  const { body } = await example.api("admin", "GET", `${base}/all`);
  for (const row of body.clients) {
    const own = await client(row.client_id);
    assert.deepEqual({ ...own, layers: 0 }, { ...row, layers: 0 });
  }
  const sum = (name) => body.clients.reduce((total, row) => total + row[name], 0);
  for (const name of ["total_workflows", "active_workflows", "total_executions", "successful_executions", "failed_executions", "time_saved_hours"]) assert.equal(body.totals[name], sum(name), name);
  assert.equal(body.overall_success_rate, Math.round((sum("successful_executions") * 1e4) / sum("total_executions")) / 100);
});

test("a client's token reads its own numbers; everything else is 403 or 404, and 401 without a token", async () => {
  assert.equal((await example.api("client-acme", "GET", `${base}/client/acme`)).status, 200);
  for (const [method, path] of [["GET", "/client/globex"], ["GET", "/client/nobody"], ["GET", "/all"], ["GET", "/admin/data-freshness"], ["GET", "/admin/scheduler-status"], ["POST", "/admin/quick-sync"], ["POST", "/admin/refresh-cache"]]) {
    assert.ok([403, 404].includes((await example.api("client-acme", method, base + path)).status), path);
    assert.equal((await example.api(undefined, method, base + path)).status, 401, path);
  }
  assert.equal((await example.api("admin", "GET", `${base}/client/nobody`)).status, 404);
});

test("quick-sync tells an outcome per client and warms; data-freshness says who is healthy (zero-age-is-fresh)", async () => {
  const answer = await synced();
  assert.deepEqual([answer.cache_warmed, typeof answer.message], [true, "string"]);
  assert.deepEqual((await example.api("admin", "POST", "/metrics/admin/quick-sync")).body.results.map(({ client_id, status }) => [client_id, status]), [["acme", "success"], ["globex", "success"], ["initech", "error"]], "at the other address, too");
  assert.deepEqual([answer.successful, answer.failed], [2, 1]);
  assert.match(answer.results.find((row) => row.client_id === "initech").detail, /n8n of initech answered 403/);
  const { body } = await example.api("admin", "GET", `${base}/admin/data-freshness`);
  const acme = body.clients.find((row) => row.client_id === "acme");
  assert.deepEqual([acme.sync_age_minutes, acme.sync_status, acme.overall_health, acme.has_cache], [0, "fresh", "healthy", true]);
  const initech = body.clients.find((row) => row.client_id === "initech");
  assert.deepEqual([initech.last_sync, initech.sync_age_minutes, initech.sync_status, initech.overall_health], [null, null, "never", "degraded"]);
  assert.deepEqual(body.summary, { total_clients: 3, healthy_clients: 2, degraded_clients: 1, cached_clients: 3 });
});

test("refresh-cache recomputes from what is stored, fast and without a request upstream, at both addresses", async () => {
  for (const path of [`${base}/admin/refresh-cache`, "/metrics/admin/refresh-cache"]) {
    const before = await example.requests("n8n-acme");
    const answer = await example.api("admin", "POST", path);
    assert.equal(answer.status, 200);
    assert.deepEqual([answer.body.successful, answer.body.failed], [3, 0]);
    assert.equal(await example.requests("n8n-acme"), before);
  }
});

test("scheduler-status shows workers, what runs and waits, and the schedules of every client", async () => {
  const { body } = await example.api("admin", "GET", `${base}/admin/scheduler-status`);
  assert.ok(body.workers.length >= 2 && Array.isArray(body.active) && Array.isArray(body.scheduled));
  for (const tenant of ["acme", "globex", "initech"])
    assert.deepEqual(body.schedules.filter((row) => row.tenant === tenant).map((row) => row.id), ["ingest", "rollup-daily", "rollup-monthly", "rollup-weekly"]);
});

test("a sync of one client marks and warms that client's numbers and the totals, and touches no other", async () => {
  const [acme, globex, all] = [await client("acme"), await client("globex"), (await example.api("admin", "GET", `${base}/all`)).body];
  await example.control("n8n-acme", { add: [{ status: "success" }] });
  const { body } = await example.api("admin", "POST", "/v1/data/ingest/refresh?tenant=acme");
  assert.equal(typeof body.id, "string", JSON.stringify(body));
  await until("acme's numbers are warm, with nobody having pressed", async () => (await client("acme")).total_executions === acme.total_executions + 1);
  const now = (await example.api("admin", "GET", `${base}/all`)).body;
  assert.equal(now.totals.total_executions, all.totals.total_executions + 1);
  assert.equal((await client("globex")).last_updated, globex.last_updated);
});

test("layers: a roll-up that is started by hand changes where the numbers come from, and no number", async () => {
  const before = await client("acme");
  assert.deepEqual(before.layers, ["L1", "L2", "L3"]);
  const run = await example.api("admin", "POST", "/v1/schedules/rollup-daily/run");
  assert.equal(run.status, 200);
  assert.deepEqual(run.body.items.map((row) => row.tenant), ["acme", "globex", "initech"]);
  await until("the roll-up marked the numbers stale, and they were computed anew", async () => (await client("acme")).last_updated > before.last_updated);
  assert.deepEqual({ ...(await client("acme")), last_updated: 0 }, { ...before, last_updated: 0 });
  await agrees("acme");
  await agrees("globex");
});

test("no-item-left-behind: 5,000 executions between two syncs all arrive", async () => {
  const before = (await client("acme")).total_executions;
  await example.control("n8n-acme", { add: many(5000) });
  await synced();
  assert.equal((await agrees("acme")).total_executions, before + 5000);
});

test("an execution that was unfinished is read again until it ended, also when it is far down the list", async () => {
  const now = new Date().toISOString();
  await example.control("n8n-acme", { add: [{ id: 777001, status: "running", startedAt: now }, { id: 777002, status: "waiting", startedAt: null }] });
  await synced();
  const before = await agrees("acme");
  await example.control("n8n-acme", { add: many(600) });
  await synced();
  await example.control("n8n-acme", { add: [{ id: 777001, status: "success", startedAt: now, stoppedAt: now }] });
  await example.control("n8n-acme", { add: many(300) });
  await synced();
  assert.equal((await agrees("acme")).total_executions, before.total_executions + 900);
});

test("one dead upstream delays nobody, and quick-sync answers within 20 s", async () => {
  await example.control("n8n-globex", { fault: "hang" });
  await example.control("n8n-acme", { add: [{}] });
  const before = await client("acme");
  const began = performance.now();
  const sync = quickSync();
  await until("acme is through", async () => (await client("acme")).total_executions === before.total_executions + 1, 9000);
  assert.ok(performance.now() - began < 9000, "the dead one takes 10 s");
  const { body, ms } = await sync;
  assert.ok(ms < 20_000, `${ms} ms`);
  const globex = body.results.find((row) => row.client_id === "globex");
  assert.equal(globex.status, "error");
  assert.match(globex.detail, /n8n of globex did not answer/);
  assert.equal(body.cache_warmed, true);
  await example.control("n8n-globex", { fault: "none" });
});

for (const fault of ["403", "500", "challenge", "empty", "half", "html_changed", "quota_body"])
  test(`last-good-kept: ${fault} is told in words and takes nothing away`, async () => {
    await synced();
    const before = await client("globex");
    await example.control("n8n-globex", { fault });
    const { body } = await quickSync();
    const row = body.results.find(({ client_id }) => client_id === "globex");
    assert.equal(row.status, "error", JSON.stringify(row));
    assert.match(row.detail, /n8n of globex/);
    assert.deepEqual({ ...(await client("globex")), last_updated: 0 }, { ...before, last_updated: 0 });
    const state = await freshness("globex");
    assert.equal(state.overall_health, "degraded");
    assert.ok(state.error.retry_at, "the next try is told");
    assert.equal(state.error.class, fault === "403" ? "fatal" : "retryable");
    await example.control("n8n-globex", { fault: "none" });
  });

test("a worker that is killed in a sync costs no page twice: it is taken up again from its checkpoint", async () => {
  await synced();
  const before = (await client("acme")).total_executions;
  await example.control("n8n-acme", { add: many(3000), delay_ms: 400 });
  const asked = await example.requests("n8n-acme");
  const { body } = await example.api("admin", "POST", "/v1/data/ingest/refresh?tenant=acme");
  const job = async () => (await example.api("admin", "GET", `/v1/jobs/${body.id ?? body.job}?tenant=acme`)).body;
  await until("some pages are stored", async () => (await job()).progress?.done >= 4);
  for (const worker of example.processes("worker ingest")) process.kill(worker, "SIGKILL");
  const end = await until("the job's end", async () => {
    const now = await job();
    return now.state === "succeeded" && now;
  }, 30_000);
  assert.ok(end.attempt + end.lost > 1);
  await example.control("n8n-acme", { delay_ms: 0 });
  // 13 pages and two lists of workflows, and what was under way when it was killed.
  assert.ok((await example.requests("n8n-acme")) - asked <= 13 + 2 + 2, `${(await example.requests("n8n-acme")) - asked} requests`);
  await until("the numbers are warm", async () => (await client("acme")).total_executions === before + 3000);
  await agrees("acme");
});

test("the page of all clients: quick sync with an outcome per client, a failed sync in the words of the log", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, example.pages.admin, "admin");
  await page.locator("#clients > li").nth(2).waitFor();
  assert.equal(await page.locator('#clients > li[data-key="initech"] li[data-key="success_rate"] b').innerText(), "–");
  await example.control("n8n-acme", { add: many(3) });
  const total = (await client("acme")).total_executions;
  await page.getByRole("button", { name: "Quick sync" }).click();
  await page.getByText("acme: synced, 3 new").waitFor();
  await page.getByText("2 of 3 synced").waitFor();
  await page.locator('#clients > li[data-key="acme"] li[data-key="total_executions"] b').getByText(new Intl.NumberFormat("en").format(total + 3)).waitFor();
  const { error } = await freshness("initech");
  const told = await page.locator('#clients > li[data-key="initech"] .trouble').innerText();
  for (const part of ["initech", error.class, error.message]) assert.ok(told.includes(part), `${told} has no ${part}`);
  await page.getByRole("button", { name: "Refresh" }).click();
  await page.getByText("3 of 3 computed anew").waitFor();
  await page.locator("footer").getByText("live").waitFor();
  // What a sync finds is there at once, though nobody pressed and nobody asked.
  await example.control("n8n-globex", { add: many(4) });
  const others = (await client("globex")).total_executions;
  await example.api("admin", "POST", "/v1/data/ingest/refresh?tenant=globex");
  await page.locator('#clients > li[data-key="globex"] li[data-key="total_executions"] b').getByText(new Intl.NumberFormat("en").format(others + 4)).waitFor({ timeout: 15_000 });
  assert.equal(new URL(page.url()).searchParams.get("token"), null);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("without streams the page of all clients asks again, and says how often", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const context = await chromium.newContext();
  await context.route("**/v1/stream?**", (route) => route.abort());
  const page = await context.newPage();
  await page.goto(`${example.pages.admin}?lang=en&token=${example.tokens.admin}`);
  await page.locator("#clients > li").nth(2).waitFor();
  await page.locator("footer").getByText(/^asked every (30|15) s, the last time .*\d:\d\d/).waitFor();
  await context.close();
});

test("a client's page follows its syncs without a reload, in Hebrew on a phone, and says what failed", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, `${example.pages["client/globex"]}?lang=he`, "client-globex", { viewport: { width: 360, height: 740 } });
  const total = async () => Number((await page.locator('#numbers li[data-key="total_executions"] b').innerText()).replace(/\D/g, ""));
  const before = (await client("globex")).total_executions;
  await until("the numbers are there", async () => (await total()) === before);
  assert.equal(await page.evaluate(() => document.documentElement.dir), "rtl");
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  await page.evaluate(() => (window.stayed = true));
  await example.control("n8n-globex", { add: many(2) });
  await synced();
  await until("two more, without a reload", async () => (await total()) === before + 2);
  await example.control("n8n-globex", { fault: "500" });
  await quickSync();
  await page.locator("#trouble").getByText("n8n of globex answered 500").waitFor();
  assert.equal(await total(), before + 2, "beside the last good numbers");
  await example.control("n8n-globex", { fault: "none" });
  await page.locator("freshet-refresh button").click();
  await synced();
  await until("the trouble is over", async () => (await page.locator("#trouble").innerText()) === "");
  assert.ok(await page.evaluate(() => window.stayed));
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("whoever looks from above sees a client's page with its own stream, one that is signed in for another does not", async (t) => {
  if (!chromium) return t.skip("no web packages");
  const page = await example.open(chromium, example.pages["client/acme"], "admin");
  await page.locator('#numbers li[data-key="total_executions"]').getByText(new Intl.NumberFormat("en").format((await client("acme")).total_executions)).waitFor();
  await page.getByText("live").waitFor();
  assert.equal((await example.api("client-globex", "GET", "/dashboard/acme")).status, 404);
  assert.ok([403, 404].includes((await example.api("client-acme", "GET", "/dashboard")).status));
  await page.context().close();
});

test("started again on its data at speed: a new execution arrives untouched, and page-cap-is-reported", async () => {
  const before = await client("acme");
  await example.stop();
  const { data, port, upstreamPort } = example;
  process.env.METRICS_PAGES_MAX = "2";
  const again = await Example.start("metrics", { data, port, upstreamPort, speed: 60 });
  delete process.env.METRICS_PAGES_MAX;
  again.own = true;
  assert.deepEqual(again.tokens, example.tokens);
  example = again;
  assert.equal((await client("acme")).total_executions, before.total_executions, "deploy-keeps-data");
  await example.control("n8n-acme", { add: [{}] });
  await until("15 minutes are 15 s here", async () => (await client("acme")).total_executions === before.total_executions + 1, 15_000);
  await example.control("n8n-acme", { add: many(1000) });
  const told = await until("a sync that hits its cap", async () => {
    const { body } = await example.api("admin", "GET", "/v1/data/ingest?tenant=acme");
    return body.page_cap_hit && body;
  }, 25_000);
  assert.deepEqual([told.pages, told.read], [2, 500]);
});
