// SPDX-License-Identifier: Apache-2.0
// What holds on every page: nothing that a policy refuses, nothing serious that axe finds, keyboard, deep links, first paint.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AxeBuilder, pages, settled, until, World } from "./world.mjs";

let world;
let person;
let job;
let batch;
before(async () => {
  world = await World.start();
  await world.refresh("list");
  world.write([{ name: "ant" }, { name: "cat" }]);
  await world.refresh("list");
  await world.refresh("broken");
  job = (await world.ask("POST", "/v1/jobs", { queue: "mail", input: { to: "ann" }, tags: ["letters"] })).id;
  batch = (await world.ask("POST", "/v1/batches", { queue: "mail", name: "letters", items: [{ key: "a", input: 1 }, { key: "b", input: 2 }] })).id;
  await world.ask("POST", "/v1/work/claim", { worker: "w-1", queues: ["mail"], slots: 2, wait: 5 });
  person = await world.person();
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

const every = () => [...pages, `jobs/${job}`, `batches/${batch}`, "nowhere"];
const open = async (page, path) => {
  await page.goto(`${world.url}/console/${path}`);
  await settled(page);
};

for (const [lang, theme] of [["en", "light"], ["he", "dark"]]) {
  test(`axe finds nothing serious on any page (${lang}, ${theme})`, async () => {
    const reader = await world.person({ locale: lang, colorScheme: theme });
    const page = await reader.newPage();
    for (const path of every()) {
      await open(page, path);
      assert.equal(await page.evaluate(() => document.documentElement.dir), lang === "he" ? "rtl" : "ltr");
      const { violations } = await new AxeBuilder({ page }).analyze();
      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      assert.deepEqual(serious.map(({ id, nodes }) => `${path}: ${id} ${nodes[0].html.slice(0, 200)} ${nodes[0].failureSummary}`), []);
    }
    await reader.close();
  });
}

test("no page scrolls sideways, on a phone in either direction of writing, nor on a screen", async () => {
  for (const [locale, width] of [["en", 390], ["he", 390], ["en", 1280]]) {
    const phone = await world.person({ locale, viewport: { width, height: 800 } });
    const page = await phone.newPage();
    for (const path of every()) {
      await open(page, path);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, `${locale} ${width} ${path}`);
    }
    await phone.close();
  }
});

test("as many keys are counted as are listed, also those that nobody read yet", async () => {
  const page = await person.newPage();
  await open(page, "");
  const rows = await page.getByRole("table", { name: "Freshness" }).locator("tbody tr").count();
  assert.equal(rows, 3, "list, strip and broken");
  const counts = (await page.locator(".chip").allInnerTexts()).map((text) => Number(/\d+/.exec(text)[0]));
  assert.deepEqual([counts[0], counts.slice(1).reduce((sum, one) => sum + one)], [rows, rows]);
  assert.match(await page.getByRole("row").filter({ hasText: "strip" }).innerText(), /empty/);
  await page.close();
});

test("a deep link with its filters is the same page after a reload, and back leads back", async () => {
  const page = await person.newPage();
  await open(page, "jobs?queue=mail&kind=item");
  const rows = () => page.locator("tbody tr").count();
  await until("the items", async () => (await rows()) === 2);
  await page.reload();
  await until("the same jobs", async () => (await rows()) === 2);
  await page.locator("tbody a.id").first().click();
  await page.locator("h1", { hasText: "j_" }).waitFor();
  await page.reload();
  await page.locator("h1", { hasText: "j_" }).waitFor();
  await page.goBack();
  await until("the filter again", async () => page.url().endsWith("jobs?queue=mail&kind=item") && (await rows()) === 2);
});

test("the keyboard alone leads to a page, asks, answers no, and finds the focus where it was", async () => {
  const page = await person.newPage();
  await open(page, "");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.className), "skip");
  const focus = () => page.evaluate(() => document.activeElement.textContent.trim());
  const tabTo = async (name, most = 60) => {
    for (let presses = 0; presses < most; ++presses) {
      if ((await focus()) === name) return;
      await page.keyboard.press("Tab");
    }
    assert.fail(`Tab does not lead to ${name}`);
  };
  await tabTo("Jobs");
  await page.keyboard.press("Enter");
  await until("the heading has the focus", async () => (await focus()) === "Jobs" && (await page.evaluate(() => document.activeElement.tagName)) === "H1");
  await tabTo("Cancel all that fit");
  await page.keyboard.press("Enter");
  await page.locator("dialog").waitFor();
  await page.keyboard.press("Escape");
  await until("the dialog is gone", async () => (await page.locator("dialog").count()) === 0);
  assert.equal(await focus(), "Cancel all that fit");
});

test("the first paint comes within a second", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/`);
  await page.locator("h1").waitFor();
  // The browser tells of a paint a moment after it.
  const painted = await page.evaluate(
    () =>
      new Promise((done) => {
        new PerformanceObserver((list) => {
          for (const { name, startTime } of list.getEntries()) if (name === "first-contentful-paint") done(startTime);
        }).observe({ type: "paint", buffered: true });
      }),
  );
  console.log(`first contentful paint ${Math.round(painted)} ms`);
  assert.ok(painted < 1000, `${painted} ms`);
});

test("files are compressed, hashed and kept for ever; the document is not kept", async () => {
  const document = await fetch(`${world.url}/console/jobs/x`);
  assert.equal(document.headers.get("cache-control"), "no-store");
  assert.match(document.headers.get("content-security-policy"), /default-src 'self'/);
  const html = await document.text();
  const files = [...html.matchAll(/(?:src|href)="(\.\.\/\.\.\/assets\/[^"]+)"/g)].map(([, file]) => file);
  assert.ok(files.length > 1, html);
  for (const file of files) {
    const answer = await fetch(new URL(file, `${world.url}/console/jobs/x`), { headers: { "accept-encoding": "br" } });
    assert.equal(answer.status, 200, file);
    assert.match(answer.headers.get("cache-control"), /immutable/);
  }
});
