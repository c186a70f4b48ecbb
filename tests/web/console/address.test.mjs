// SPDX-License-Identifier: Apache-2.0
// What the address says is what is shown, at once and also of a quiet server; what is copied runs; what is long has room.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { dirname } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { binary } from "../world.mjs";
import { pages, settled, until, World } from "./world.mjs";

const long = "a-name-that-goes-on-and-on-since-nobody-thought-of-a-short-one";
let world;
let person;
let job;
let batch;
before(async () => {
  world = await World.start({ config: `
[source.city]
kind = "command"
run = ["sh", "-c", "cat list.json", "{name}"]
format = "json"
params = { name = ".{1,60}" }
[source.cold]
kind = "command"
run = ["sh", "-c", "sleep 0.7; cat list.json"]
format = "json"
` });
  await world.refresh("list");
  await world.refresh("broken");
  await world.refresh(`city/${encodeURIComponent("ירושלים (a & b)")}`);
  job = (await world.ask("POST", "/v1/jobs", { queue: long, input: { text: "x".repeat(500) }, tags: ["letters"] })).id;
  batch = (await world.ask("POST", "/v1/batches", { queue: "mail", name: "n".repeat(200), items: [{ key: "k".repeat(60), label: "l".repeat(200), input: 1 }] })).id;
  person = await world.person();
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

const open = async (path, reader = person) => {
  const page = await reader.newPage();
  await page.goto(`${world.url}/console/${path}`);
  await settled(page);
  return page;
};

test("a filter shows what fits at once, with fields that say the same, and back shows what was before", async () => {
  const page = await open("jobs");
  const states = async () => [...new Set(await page.locator("tbody .c-state").allInnerTexts())].map((text) => text.trim());
  await until("all are listed", async () => (await states()).length === 3);
  // Nothing goes on here: what is shown can only come of the address.
  await page.locator(".chip", { hasText: "failed" }).click();
  await until("the failed are listed", async () => (await states()).join() === "failed");
  await page.getByLabel("Queue").selectOption("mail");
  await page.getByText("No jobs fit.").waitFor();
  await page.goBack();
  await until("all again", async () => (await states()).length === 3);
  assert.equal(await page.getByLabel("Queue").inputValue(), "");
  await page.close();
});

test("a count stands at a filter only where it is of what is filtered", async () => {
  const page = await open("jobs");
  await page.locator(".chip b").first().waitFor();
  await page.getByLabel("Tag").fill("letters");
  await page.keyboard.press("Enter");
  await until("the one with the tag", async () => (await page.locator("tbody tr").count()) === 1);
  assert.equal(await page.locator(".chip b").count(), 0);
  await page.close();
});

test("a key is named and addressed as people read it, from its list, typed, and after a reload", async () => {
  const page = await open("");
  await page.getByRole("link", { name: "city/ירושלים (a & b)" }).click();
  const heading = page.getByRole("heading", { name: "city/ירושלים (a & b)", level: 1 });
  await heading.waitFor();
  await page.locator("pre.json", { hasText: "bee" }).waitFor();
  await page.reload();
  await page.locator("pre.json", { hasText: "bee" }).waitFor();
  assert.equal(await page.title(), "city/ירושלים (a & b) · freshet");
  await page.goto(`${world.url}/console/source/city/ירושלים (a & b)`);
  await page.locator("pre.json", { hasText: "bee" }).waitFor();
  // As links of older pages had it.
  await page.goto(`${world.url}/console/source/${encodeURIComponent(`city/${encodeURIComponent("ירושלים")}%20%28a%20%26%20b%29`)}`);
  await heading.waitFor();
  await page.locator("pre.json", { hasText: "bee" }).waitFor();
  await page.goto(`${world.url}/console/jobs/${job}/more`);
  await page.getByRole("heading", { name: "There is no such page" }).waitFor();
  await page.close();
});

test("the page of a key tells what came while it was being opened, and a time that is over is not one to come", async () => {
  const page = await open("source/cold");
  await page.getByRole("table", { name: "Versions" }).getByText("v1").waitFor();
  await page.getByRole("img", { name: /24 hours: 1 updated/ }).waitFor();
  await page.goto(`${world.url}/console/source/broken`);
  await settled(page);
  await until("nothing comes by itself once the retry's time is over", async () => !/Next\s/.test(await page.locator("main").innerText()));
  await page.close();
});

test("the length of a name takes no page out of its frame, from the smallest screen on, in either direction of writing", async () => {
  for (const [locale, width] of [["en", 320], ["he", 320], ["en", 768], ["en", 1280]]) {
    const reader = await world.person({ locale, viewport: { width, height: 800 } });
    const page = await reader.newPage();
    for (const path of [...pages, `jobs/${job}`, `batches/${batch}`]) {
      await page.goto(`${world.url}/console/${path}`);
      await settled(page);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${locale} ${width} ${path}`);
      const cut = await page.locator("main tbody button").evaluateAll((all) => all.filter((one) => ((box) => box.width > 0 && (box.left < 0 || box.right > innerWidth))(one.getBoundingClientRect())).map((one) => one.textContent));
      assert.deepEqual(cut, [], `${locale} ${width} ${path}: buttons out of sight`);
    }
    await reader.close();
  }
});

test("what came of a press stands whole in its row, its numbers in one line", async () => {
  const reader = await world.person({ viewport: { width: 1280, height: 800 } });
  const page = await reader.newPage();
  await page.goto(`${world.url}/console/`);
  await settled(page);
  world.write([{ name: "ant" }, { name: "bee" }, { name: "cow" }, { name: "dog" }]);
  const refresh = page.locator("tbody tr").filter({ has: page.getByRole("link", { name: "list", exact: true }) }).locator("freshet-refresh");
  await refresh.getByRole("button").click();
  await refresh.getByText("updated").waitFor();
  const [outcome, sum, frame] = await refresh.evaluate((element) => {
    const box = (one) => one.getBoundingClientRect();
    const part = element.shadowRoot.querySelector("[part=outcome]");
    return [box(part), box(part.querySelector(".sum")), box(element.closest(".scroll"))].map(({ left, right, height }) => ({ left, right, height }));
  });
  assert.ok(outcome.left >= frame.left && outcome.right <= frame.right, JSON.stringify([outcome, frame]));
  assert.ok(sum.height < 30, `the numbers are ${sum.height} px high`);
  await reader.close();
});

test("a page whose file does not come is told in words, and comes when it is asked for again", async () => {
  const page = await open("");
  await person.setOffline(true);
  await page.getByRole("link", { name: "Workers" }).click();
  await page.getByRole("alert").filter({ hasText: "The server does not answer" }).waitFor();
  await person.setOffline(false);
  await page.getByRole("alert").getByRole("button", { name: "Read again" }).click();
  await page.getByRole("heading", { name: "Workers" }).waitFor();
  await settled(page);
  await page.close();
  world.takeComplaints();
});

// The first token: from here on a page needs one.
test("what is copied on any page runs in a terminal as it is", async () => {
  const admin = world.token("copies", "admin");
  const reader = await world.signedIn(admin);
  const page = await reader.newPage();
  const env = { PATH: `${dirname(binary)}:${process.env.PATH}`, FRESHET_URL: world.url, FRESHET_TOKEN: admin };
  for (const path of [...pages, "?state=stale", `source/city/${encodeURIComponent("ירושלים (a & b)")}`, "jobs?state=failed&kind=refresh&key=broken&tag=a%26b", `jobs/${job}`, "batches?state=open", `batches/${batch}`, "workers?state=lost"]) {
    await page.goto(`${world.url}/console/${path}`);
    await settled(page);
    const group = page.getByRole("group", { name: "Copy as" });
    const run = (command) => spawnSync("sh", ["-c", command], { cwd: world.folder, encoding: "utf8", env, timeout: 20_000 });
    const command = await group.getByRole("button", { name: "CLI" }).getAttribute("title");
    const { status, stderr } = run(command);
    // Doctor says by 1 that something is amiss; a usage it does not know would be 2.
    assert.ok(status === 0 || (command === "freshet doctor" && status === 1), `${path}: ${command}: ${status} ${stderr}`);
    const request = await group.getByRole("button", { name: "curl" }).getAttribute("title");
    const answer = run(request.replace(/^curl/, "curl -s -o answer -w '%{http_code}'"));
    assert.equal(answer.stdout, "200", `${path}: ${request}: ${answer.stderr}`);
  }
  await reader.close();
});
