// SPDX-License-Identifier: Apache-2.0
// Ten thousand jobs, fifty events a second: the page stays quick.
import assert from "node:assert/strict";
import { cpus, loadavg } from "node:os";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { until, World } from "./world.mjs";

let world;
before(async () => {
  world = await World.start();
  for (let thousand = 0; thousand < 10; ++thousand) await world.ask("POST", "/v1/jobs", Array.from({ length: 1000 }, (_, i) => ({ queue: "mail", input: i })));
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

test("10,000 jobs are listed page by page, and 50 events a second cost no long task", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/jobs?queue=mail`);
  const rows = () => page.locator("tbody tr").count();
  await until("the first page", async () => (await rows()) === 100);
  await page.locator(".chip", { hasText: "queued" }).getByText(/10,000/).waitFor();
  // The pointer is elsewhere: rows may move.
  await page.mouse.move(5, 5);

  await page.evaluate(() => {
    window.long = [];
    new PerformanceObserver((list) => list.getEntries().forEach((entry) => window.long.push(Math.round(entry.duration)))).observe({ type: "longtask" });
  });
  const claimed = [];
  while (claimed.length < 150) claimed.push(...(await world.ask("POST", "/v1/work/claim", { worker: "w-1", queues: ["mail"], slots: 50, wait: 5 })).jobs);
  const began = Date.now();
  for (let i = 0; i < claimed.length; i += 5) {
    await world.ask("POST", "/v1/work/complete", { worker: "w-1", jobs: claimed.slice(i, i + 5).map(({ id, fence }) => ({ id, fence, result: i })) });
    await sleep(Math.max(0, began + 20 * (i + 5) - Date.now()));
  }
  const seconds = (Date.now() - began) / 1000;
  await page.locator(".chip", { hasText: "succeeded" }).getByText(/150/).waitFor();
  const long = await page.evaluate(() => window.long);
  // Other work on the machine stretches what a task takes.
  const crowd = Math.max(1, loadavg()[0] / cpus().length);
  console.log(`${Math.round(claimed.length / seconds)} events/s, long tasks: ${long.join(" ") || "none"} ms (load ${crowd.toFixed(1)} per core)`);
  assert.ok(Math.max(0, ...long) < 50 * crowd, `${long}`);

  for (let more = 0; more < 6; ++more) {
    const before = await page.locator("tbody tr").last().innerText();
    await page.getByRole("button", { name: "Show more" }).click();
    await until("another page", async () => (await page.locator("tbody tr").last().innerText()) !== before);
  }
  assert.ok((await rows()) <= 500);
  await page.getByRole("button", { name: "Back to the first" }).click();
  await until("the first page again", async () => (await rows()) === 100);
});
