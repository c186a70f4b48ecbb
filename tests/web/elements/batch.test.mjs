// SPDX-License-Identifier: Apache-2.0
// Batches and tasks in a real browser at the worst moments: whatever is cut, restarted, held back or killed, they end in
// their final state by themselves, and never count backwards.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { shown, sleep, until, World } from "./world.mjs";

let world;
let person;
before(async () => {
  world = await World.start();
  person = await world.person();
});
after(() => world?.stop());
afterEach(() => {
  world.mode = "pass";
  world.cutBefore = undefined;
});

const then = { label: "Publish", start: "person", queue: "after", input: {} };
const newBatch = (more = {}) => world.api("POST", "/v1/batches", { name: "Three parts", queue: "work", items: ["a", "b", "c"].map((key) => ({ key, input: { name: key } })), then, ...more });

/** Notes what a viewer saw, as drawn and as told. */
const watcher = `
  const element = document.querySelector("freshet-batch");
  window.drawn = []; window.finished = [];
  addEventListener("freshet-finished", (event) => finished.push(event.detail.state));
  window.look = () => {
    const text = element.shadowRoot?.querySelector("[part=counts] bdi")?.textContent;
    if (text && text !== drawn.at(-1)) drawn.push(text);
  };
  const always = () => (look(), requestAnimationFrame(always));
  always();`;
const page_of = (batch) => world.page(`/batch-${batch.id}`, `<freshet-batch batch="${batch.id}" cancelable retry-failed></freshet-batch>`, { script: watcher });

async function endsWell(page, ms = 20_000) {
  await until("the batch is done on the page", async () => /succeeded/.test(await shown(page, "freshet-batch")) && (await page.locator("freshet-batch").getAttribute("state")) === "succeeded", ms);
  const { drawn, finished } = await page.evaluate(() => (window.look(), { drawn: window.drawn, finished: window.finished }));
  const counts = drawn.map((text) => Number(text.split("/")[0]));
  assert.deepEqual(counts, [...counts].sort((a, b) => a - b), `never backwards: ${drawn}`);
  assert.equal(drawn.at(-1), "3 / 3");
  assert.deepEqual(finished, ["succeeded"], "told once");
  await page.locator("freshet-batch button.then").waitFor({ timeout: 3_000 });
  return counts;
}

test("A page that was left while its batch ran and comes back out of the browser's memory shows the end, told once", async () => {
  const batch = await newBatch();
  const page = await person.newPage();
  world.page("/elsewhere", "<p>elsewhere</p>");
  await page.goto(page_of(batch));
  await until("nothing done yet", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).join() === "0 / 3");
  await page.evaluate(() => {
    addEventListener("pageshow", ({ persisted }) => (window.kept = persisted));
    location.href = "/elsewhere";
  });
  await page.waitForURL("**/elsewhere");
  const worker = world.worker("work", 20);
  await until("it ended meanwhile", async () => (await world.api("GET", `/v1/batches/${batch.id}`)).state === "succeeded");
  worker.kill();
  // Not goBack(), which waits for a load that does not come.
  await page.evaluate(() => void history.back()).catch(() => undefined);
  await until("it is back", () => page.evaluate(() => window.kept).catch(() => false));
  assert.deepEqual(await endsWell(page), [0, 3]);
  await page.close();
});

test("F6: a batch of three goes 0, 1, 2, 3 and ends by itself with the button that goes on", async () => {
  const batch = await newBatch();
  const page = await person.newPage();
  await page.goto(page_of(batch));
  await until("nothing done yet", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).join() === "0 / 3");
  const worker = world.worker("work", 120);
  assert.deepEqual(await endsWell(page), [0, 1, 2, 3]);
  worker.kill();
  await page.locator("freshet-batch button.then").click();
  await until("what follows was started", async () => (await world.api("GET", `/v1/batches/${batch.id}`)).then.state === "started");
  await until("the button went", async () => (await page.locator("freshet-batch button.then").count()) === 0);
  await page.close();
});

test("F6: a stream that is cut between the last item and the end still brings the end", async () => {
  const batch = await newBatch();
  const page = await person.newPage();
  await page.goto(page_of(batch));
  await until("it is shown", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).length > 0);
  let cuts = 0;
  // The frame that would tell of the end is not passed on: the connection breaks in front of it, twice.
  world.cutBefore = (ask, part) => ask.url.startsWith("/v1/stream") && part.includes('"state":"succeeded"') && ++cuts <= 2;
  const worker = world.worker("work", 80);
  await endsWell(page);
  assert.ok(cuts >= 2, "it was cut");
  worker.kill();
  await page.close();
});

test("F6, F10: a server that is killed and started anew in the middle loses nothing that is shown", async () => {
  const batch = await newBatch();
  const page = await person.newPage();
  await page.goto(page_of(batch));
  const worker = world.worker("work", 250);
  await until("one is done", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).includes("1 / 3"));
  await world.stopServer("SIGKILL");
  await sleep(700);
  await world.startServer();
  await endsWell(page, 30_000);
  worker.kill();
  await page.close();
});

test("F6: behind a proxy that keeps streams back it goes on by long poll", async () => {
  world.mode = "buffer";
  const batch = await newBatch();
  const other = await world.person();
  const page = await other.newPage();
  await page.goto(page_of(batch));
  await until("it found another way", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).length > 0, 20_000);
  const worker = world.worker("work", 150);
  await endsWell(page, 20_000);
  worker.kill();
  await other.close();
});

test("F6: behind a proxy that gives up on whatever waits it goes on by asking now and then", async () => {
  world.mode = "buffer";
  world.patience = 3_000;
  const batch = await newBatch();
  const other = await world.person();
  const page = await other.newPage();
  await page.goto(page_of(batch));
  await until("it is shown", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).length > 0, 25_000);
  const worker = world.worker("work", 400);
  await endsWell(page, 25_000);
  worker.kill();
  world.patience = undefined;
  await other.close();
});

test("Twenty tabs over HTTP/1.1 hold one stream, and all see the end, also when the one that leads is closed", async () => {
  const batch = await newBatch();
  const other = await world.person();
  const pages = await Promise.all(Array.from({ length: 20 }, () => other.newPage()));
  for (const page of pages) await page.goto(page_of(batch));
  for (const page of pages) await until("it is shown", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).length > 0);
  assert.equal(world.streams(), 1, "streams open");
  const worker = world.worker("work", 300);
  try {
    // Twenty tabs on a slow machine may be told of two at once.
    await until("one is done", async () => (await pages[7].evaluate(() => window.drawn)).some((text) => /[123] \/ 3/.test(text)), 45_000);
    await pages[0].close();
    await Promise.all(pages.slice(1).map((page) => endsWell(page, 45_000)));
    assert.equal(world.streams(), 1, `streams open after the leader went: ${[...world.open].map((answer) => answer.req.url)}`);
  } finally {
    // A worker that is left takes the next test's job.
    worker.kill();
    await other.close();
  }
});

test("A tab that was frozen for a minute catches up when it is looked at again", async () => {
  const batch = await newBatch();
  const other = await world.person();
  const page = await other.newPage();
  await page.goto(page_of(batch));
  await until("it is shown", async () => (await page.evaluate(() => (window.look?.(), window.drawn ?? []))).length > 0);
  const session = await other.newCDPSession(page);
  await session.send("Page.setWebLifecycleState", { state: "frozen" });
  const worker = world.worker("work", 100);
  await until("it is over", async () => (await world.api("GET", `/v1/batches/${batch.id}`)).state === "succeeded");
  world.cutAll();
  // Longer than the minute after which a watchdog of a tab that is not frozen would have acted.
  await sleep(61_000);
  await session.send("Page.setWebLifecycleState", { state: "active" });
  await endsWell(page);
  worker.kill();
  await other.close();
});

test("F7: a killed worker shows as lost within its lease, and the job goes on with another", async () => {
  const job = await world.api("POST", "/v1/jobs", { queue: "work", input: { name: "long", steps: 60 } });
  const page = await person.newPage();
  await page.goto(world.page("/task", `<freshet-task job="${job.id}" label="Long" cancelable></freshet-task>`, { script: `window.late = []; addEventListener("freshet-finished", (event) => late.push([event.detail.state, event.detail.late]));` }));
  const first = world.worker("work", 100);
  await until("it runs", async () => /fit/.test(await shown(page, "freshet-task")));
  first.kill("SIGKILL");
  await until("lost, in words", async () => /the worker was lost/.test(await shown(page, "freshet-task")), 6_000);
  const second = world.worker("work", 40);
  await until("another attempt", async () => /attempt 2/.test(await shown(page, "freshet-task")));
  await until("done", async () => (await page.locator("freshet-task").getAttribute("state")) === "succeeded");
  assert.deepEqual(await page.evaluate(() => window.late), [["succeeded", false]]);
  await page.reload();
  await until("a page that comes late is told so", async () => (await page.evaluate(() => window.late)).length > 0);
  assert.deepEqual(await page.evaluate(() => window.late), [["succeeded", true]]);
  second.kill();
  await page.close();
});

test("F7: a job without progress shows as stalled by the time alone", async () => {
  const job = await world.api("POST", "/v1/jobs", { queue: "slack", input: {} });
  const page = await person.newPage();
  await page.goto(world.page("/stall", `<freshet-task job="${job.id}" cancelable></freshet-task>`));
  const worker = world.worker("slack", 10, { hang: true });
  await until("stalled", async () => /no progress for/.test(await shown(page, "freshet-task")), 15_000);
  assert.equal(await page.locator("freshet-task").getAttribute("stalled"), "");
  await page.locator("freshet-task button").click();
  await until("cancelled", async () => (await page.locator("freshet-task").getAttribute("state")) === "cancelled");
  worker.kill();
  await page.close();
});

test("Failed parts are told with their reason and can be tried again", async () => {
  const batch = await newBatch({ queue: "fails", then: undefined });
  const page = await person.newPage();
  await page.goto(page_of(batch));
  const worker = world.worker("fails", 20, { fail: ["b"] });
  await until("ended in part", async () => (await page.locator("freshet-batch").getAttribute("state")) === "partial");
  assert.match(await shown(page, "freshet-batch"), /1 failed.*the site said no/);
  worker.kill();
  await worker.ended;
  const mended = world.worker("fails", 20);
  await page.locator("freshet-batch button").click();
  await until("all done", async () => (await page.locator("freshet-batch").getAttribute("state")) === "succeeded");
  mended.kill();
  await page.close();
});

test("Nothing on these pages broke the content policy or threw", () => {
  assert.deepEqual(person.complaints, []);
});
