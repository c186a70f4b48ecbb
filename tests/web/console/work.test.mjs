// SPDX-License-Identifier: Apache-2.0
// What is done in the console, and what comes by itself.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { until, World } from "./world.mjs";

let world;
let person;
before(async () => {
  world = await World.start();
  await world.refresh("list");
  person = await world.person();
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

const open = async (path) => {
  const page = await person.newPage();
  await page.goto(`${world.url}/console/${path}`);
  await page.locator("h1").waitFor();
  return page;
};
const claim = async (worker = "w-1") => (await world.ask("POST", "/v1/work/claim", { worker, queues: ["mail"], slots: 1, wait: 5 })).jobs[0];
const end = (job, verb, body) => world.ask("POST", `/v1/work/${job.id}/${verb}`, { worker: "w-1", fence: job.fence, ...body });

test("F3: Refresh shows the new row without reload", async () => {
  const page = await open("source/list");
  await page.locator("pre.json", { hasText: "bee" }).waitFor();
  world.write([{ name: "ant" }, { name: "bee" }, { name: "cow" }]);
  await page.getByRole("button", { name: "Refresh" }).first().click();
  await page.locator("pre.json", { hasText: "cow" }).waitFor();
  await until("one row was added", async () => /\+1/.test(await page.locator("main").innerText()));
});

test("the list of jobs is alive: a new job comes, runs and ends by itself, and no row moves under the pointer", async () => {
  const page = await open("jobs?queue=mail");
  const { id } = await world.ask("POST", "/v1/jobs", { queue: "mail", input: { to: "ann" } });
  const row = page.locator("tbody tr", { hasText: id });
  await row.getByText("queued").waitFor();
  const job = await claim();
  await row.getByText("running").waitFor();
  await end(job, "complete", { result: 1 });
  await row.getByText("succeeded").waitFor();

  await row.hover();
  const second = await world.ask("POST", "/v1/jobs", { queue: "mail", input: { to: "ben" } });
  await page.getByRole("button", { name: "1 new row" }).waitFor();
  assert.equal(await page.locator("tbody tr", { hasText: second.id }).count(), 0);
  await page.getByRole("button", { name: "1 new row" }).click();
  assert.equal(await page.evaluate(() => document.activeElement.getAttribute("role")), "region", "the list has the focus of the button that is gone");
  await page.locator("tbody tr", { hasText: second.id }).waitFor();
  await end(await claim(), "complete", { result: 1 });
});

test("a failed job is retried with another input, once that is JSON", async () => {
  const { id } = await world.ask("POST", "/v1/jobs", { queue: "mail", input: { to: "nobody" } });
  await end(await claim(), "fail", { error: { class: "fatal", code: "no_address", message: "nobody lives nowhere" } });
  const page = await open(`jobs/${id}`);
  await page.getByText("nobody lives nowhere").first().waitFor();
  await page.getByRole("button", { name: "Retry", exact: true }).click();
  const input = page.locator("dialog textarea");
  await input.fill("{to: ann}");
  await page.locator("dialog button.primary").click();
  await page.locator("dialog [role=alert]").waitFor();
  await input.fill('{"to": "ann"}');
  await page.locator("dialog button.primary").click();
  await page.locator(".head .mark", { hasText: "queued" }).waitFor();
  const job = await claim();
  assert.deepEqual(job.input, { to: "ann" });
  assert.equal(job.generation, 2);
  await end(job, "complete", { result: 1 });
  await page.locator(".head .mark", { hasText: "succeeded" }).waitFor();
});

test("the focus of a button that leaves with what it did goes to the head of the page", async () => {
  const { id } = await world.ask("POST", "/v1/jobs", { queue: "mail", input: 1 });
  const page = await open(`jobs/${id}`);
  await page.getByRole("button", { name: "Cancel", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.locator("dialog").waitFor();
  await page.locator("dialog button.danger").focus();
  await page.keyboard.press("Enter");
  await page.locator(".head .mark", { hasText: "cancelled" }).waitFor();
  await until("the heading has the focus", () => page.evaluate(() => document.activeElement.tagName === "H1"));
});

test("a bulk action tells the exact count first, and does nothing when the answer is no", async () => {
  await world.ask("POST", "/v1/jobs", [1, 2, 3].map((input) => ({ queue: "mail", input, tags: ["bulk"] })));
  const page = await open("jobs?tag=bulk&state=queued");
  const button = page.getByRole("button", { name: "Cancel all that fit" });
  await button.click();
  await page.locator("dialog h2", { hasText: "3 jobs fit" }).waitFor();
  await page.getByRole("button", { name: "Not now" }).click();
  assert.equal((await world.ask("GET", "/v1/jobs?tag=bulk&state=queued")).items.length, 3);
  await button.click();
  await page.getByRole("button", { name: "Do it for 3" }).click();
  await until("all are cancelled", async () => (await world.ask("GET", "/v1/jobs?tag=bulk&state=cancelled")).items.length === 3);
});

test("a batch goes to its end before the eye, and its follow-up waits for a person", async () => {
  const { id } = await world.ask("POST", "/v1/batches", {
    queue: "mail", name: "letters", items: ["a", "b", "c"].map((key) => ({ key, input: key })), then: { label: "Send the summary", start: "person", queue: "mail", input: 1 },
  });
  const page = await open(`batches/${id}`);
  const seen = [];
  for (let done = 0; done <= 3; ++done) {
    await page.locator("freshet-batch", { hasText: `${done} / 3` }).waitFor();
    seen.push(done);
    if (done < 3) await end(await claim(), "complete", { result: done });
  }
  assert.deepEqual(seen, [0, 1, 2, 3]);
  await page.locator(".head .mark", { hasText: "succeeded" }).waitFor();
  await page.getByRole("button", { name: "Send the summary" }).click();
  await page.locator(".banner a.id").waitFor();
  await end(await claim(), "complete", { result: 1 });
});

test("a result that is held back is accepted by a person", async () => {
  world.write([]);
  await world.refresh("list");
  const page = await open("source/list");
  await page.getByText("A result is held back").waitFor();
  await page.getByRole("button", { name: "Accept" }).click();
  await page.locator("dialog button.primary").click();
  await until("it is published", async () => (await world.ask("GET", "/v1/data/list")).length === 0);
  await until("the card is gone", async () => (await page.getByText("A result is held back").count()) === 0);
});

test("a held result is discarded by a person, and the good one stays", async () => {
  world.write([{ name: "ant" }, { name: "bee" }]);
  await world.refresh("list");
  world.write([]);
  await world.refresh("list");
  const page = await open("source/list");
  await page.getByText("A result is held back").waitFor();
  await page.getByRole("button", { name: "Discard" }).click();
  await page.locator("dialog button.danger").click();
  await until("the card is gone", async () => (await page.getByText("A result is held back").count()) === 0);
  assert.equal((await world.ask("GET", "/v1/data/list")).length, 2);
});

test("F7: a result that came after its job was given up is adopted by a person", async () => {
  const { id } = await world.ask("POST", "/v1/jobs", { queue: "brief", input: 1 });
  const job = (await world.ask("POST", "/v1/work/claim", { worker: "w-1", queues: ["brief"], slots: 1, wait: 5 })).jobs[0];
  const page = await open(`jobs/${id}`);
  await page.locator(".head .mark", { hasText: "failed" }).waitFor();
  await end(job, "complete", { result: { sent: "late" } });
  await page.getByText("A late result is kept").waitFor();
  await page.getByRole("button", { name: "Adopt the late result" }).click();
  await page.locator("dialog button.primary").click();
  await page.locator(".head .mark", { hasText: "succeeded" }).waitFor();
  assert.deepEqual((await world.ask("GET", `/v1/jobs/${id}`)).result, { sent: "late" });
});

test("the strip of 24 hours shows what the tries of this hour came to, also after a restart", async () => {
  world.write([{ name: "ant" }]);
  await world.refresh("strip");
  await world.refresh("broken");
  const page = await open("");
  const last = (key) => page.locator("tbody tr", { has: page.getByRole("link", { name: key, exact: true }) }).locator(".strip i").last();
  await until("the hour is good", async () => (await last("strip").getAttribute("class")) === "good");
  await until("the hour is bad", async () => (await last("broken").getAttribute("class")) === "bad");
  await world.stopServer();
  await world.startServer();
  await page.reload();
  await until("it is still known", async () => (await last("strip").getAttribute("class")) === "good");
  await page.goto(`${world.url}/console/source/strip`);
  await page.getByRole("img", { name: /24 hours: 1 updated/ }).waitFor();
});

test("the head says when the server is away, and the page goes on when it is back", async () => {
  const page = await open("queues");
  await page.locator('.link-state[data-state="live"]').waitFor();
  await world.stopServer();
  await page.locator('.link-state[data-state="reconnecting"]').waitFor();
  await world.startServer();
  await page.locator('.link-state[data-state="live"]').waitFor({ timeout: 20_000 });
  await page.getByRole("button", { name: "Pause", exact: true }).first().click();
  await page.locator('.link-state[data-state="paused"]').waitFor();
  await page.locator(".link-state", { hasText: /heard (now|\d)/ }).waitFor();
  await page.getByRole("button", { name: "Resume", exact: true }).first().click();
  await page.locator('.link-state[data-state="live"]').waitFor();
  assert.doesNotMatch(await page.locator(".link-state").innerText(), /heard/);
});

test("Copy as CLI and curl give what a terminal can run", async () => {
  await person.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await open("jobs?queue=mail&state=succeeded");
  await page.getByRole("button", { name: "CLI" }).click();
  const command = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(command, "freshet jobs list --state succeeded --queue mail");
  assert.match(world.cli(...command.split(" ").slice(1)), /succeeded|SUCCEEDED/);
  await page.getByRole("button", { name: "curl" }).click();
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^curl -H "Authorization: Bearer \$FRESHET_TOKEN" 'http:\/\/127\.0\.0\.1:\d+\/v1\/jobs\?state=succeeded&queue=mail'$/);
});
