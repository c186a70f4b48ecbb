// SPDX-License-Identifier: Apache-2.0
// The page at /elements/, and what holds for the elements on any page: languages, accessibility, other origins, pages
// without a secure context.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { AxeBuilder, shown, sleep, until, World } from "./world.mjs";

let world;
let batch;
before(async () => {
  world = await World.start();
  await world.rows("ant", "bee");
  await world.api("GET", "/v1/data/list");
  await world.rows("ant", "cow");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  batch = await world.api("POST", "/v1/batches", { name: "Parts", queue: "work", items: [{ key: "a" }, { key: "b" }], then: { label: "Publish", start: "person", queue: "after", input: {} } });
  await world.api("POST", "/v1/jobs", { queue: "idle", input: {} });
});
after(() => world?.stop());

for (const lang of ["en", "he"])
  for (const colorScheme of ["light", "dark"])
    test(`The page of the elements is alive and without a finding of axe: ${lang}, ${colorScheme}`, async () => {
      const person = await world.person({ colorScheme });
      const page = await person.newPage();
      await page.goto(`${world.url}/elements/?lang=${lang}`);
      await until("the badge tells", async () => (lang === "he" ? /טרי/ : /fresh/).test(await shown(page, "freshet-badge")));
      await until("the diff tells", async () => /cow/.test(await shown(page, "freshet-diff")));
      await until("the batch tells", async () => /0 \/ 2/.test(await shown(page, "freshet-batch")));
      const { violations } = await new AxeBuilder({ page }).analyze();
      assert.deepEqual(violations.map(({ id, impact, nodes }) => [id, impact, nodes[0].target.join(" ")]), []);
      assert.deepEqual(person.complaints, []);
      assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false, "nothing sticks out");
      await person.close();
    });

test("The page of the elements fits a phone", async () => {
  const person = await world.person({ viewport: { width: 360, height: 700 } });
  const page = await person.newPage();
  await page.goto(`${world.url}/elements/?lang=he`);
  await until("it is drawn", async () => (await page.locator("freshet-batch").count()) > 0);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
  await person.close();
});

test("Hebrew runs from right to left by the nearest lang, also in a page that is English, and numbers keep their way", async () => {
  const person = await world.person();
  const page = await person.newPage();
  await page.goto(world.page("/mixed", `<freshet-batch id="en" batch="${batch.id}"></freshet-batch><section lang="iw"><freshet-batch id="he" batch="${batch.id}"></freshet-batch><freshet-refresh id="r" source="list"></freshet-refresh></section>`));
  await until("the Hebrew one speaks Hebrew", async () => /בתור/.test(await shown(page, "#he")));
  assert.match(await shown(page, "#en"), /queued/);
  const look = (id) => page.locator(id).evaluate((element) => {
    const counts = element.shadowRoot.querySelector("[part=counts] bdi");
    return [getComputedStyle(element.shadowRoot.querySelector("[dir]")).direction, getComputedStyle(counts).direction, counts.textContent];
  });
  assert.deepEqual(await look("#en"), ["ltr", "ltr", "0 / 2"]);
  assert.deepEqual(await look("#he"), ["rtl", "ltr", "0 / 2"]);
  await world.rows("ant");
  await page.locator("#r button").click();
  await until("the outcome in Hebrew", async () => /עודכן \+0 ?−1 ?נטו −1/.test(await shown(page, "#r")));
  await page.evaluate(() => (document.querySelector("section").lang = "en"));
  await until("what stands still turns with the page", async () => /queued/.test(await shown(page, "#he")) && /updated \+0 ?−1 ?net −1/.test(await shown(page, "#r")));
  assert.deepEqual(await look("#he"), ["ltr", "ltr", "0 / 2"]);
  await person.close();
});

test("A page's own row draws what differs, under the page's styles, and is drawn anew with the next version", async () => {
  await world.rows("ant", "bee");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  await world.rows("bee", "cow");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  const person = await world.person();
  const page = await person.newPage();
  await page.goto(world.page("/rows", `<freshet-diff source="list"><template slot="row"><p><b data-field="kind"></b> <i data-field="name"></i></p></template></freshet-diff>`));
  const rows = () => page.locator("freshet-diff > p").allInnerTexts();
  await until("two rows", async () => (await rows()).join() === "added cow,removed ant");
  await world.rows("bee");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  await until("the next", async () => (await rows()).join() === "removed cow");
  assert.deepEqual(person.complaints, []);
  await person.close();
});

test("Only one voice speaks, politely, and the focus never moves", async () => {
  const person = await world.person();
  await world.rows("ant");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  const page = await person.newPage();
  await page.goto(world.page("/voice", `<input id="field"><freshet-badge source="list"></freshet-badge><freshet-refresh source="list" label="List"></freshet-refresh>`));
  await until("the badge tells", async () => /fresh/.test(await shown(page, "freshet-badge")));
  await page.locator("#field").focus();
  await world.rows("ant", "elk", "fly");
  await page.evaluate(() => void document.querySelector("freshet-refresh").refresh());
  await until("the outcome", async () => /updated/.test(await shown(page, "freshet-refresh")));
  assert.equal(await page.evaluate(() => document.activeElement.id), "field");
  await until("it is spoken", async () => /List: updated: 2 added/.test(await page.locator("[role=status]").textContent()), 8_000);
  assert.equal(await page.locator("[role=status], [aria-live]").count(), 1);
  assert.equal(await page.locator("freshet-badge").evaluate((badge) => badge.shadowRoot.querySelectorAll("[aria-live], [role=status], [role=alert]").length), 0);
  await person.close();
});

test("The keyboard alone refreshes; a busy button keeps the focus, and another press starts nothing", async () => {
  const person = await world.person();
  const page = await person.newPage();
  await world.site({ delay_ms: 700 });
  await page.goto(world.page("/keys", `<freshet-refresh source="list"></freshet-refresh>`));
  await page.locator("freshet-refresh button").waitFor();
  const flights = async () => (await world.api("GET", "/v1/jobs?kind=refresh&limit=500")).items.length;
  const before = await flights();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  const focused = () => page.evaluate(() => document.activeElement?.shadowRoot?.activeElement?.getAttribute("aria-disabled") ?? document.activeElement?.shadowRoot?.activeElement?.localName);
  await until("busy, with the focus", async () => (await focused()) === "true");
  // Another press starts nothing.
  await page.keyboard.press("Enter");
  await until("over, with the focus", async () => (await focused()) === "button");
  assert.equal(await flights(), before + 1, "one flight");
  await world.site({ delay_ms: 0 });
  await person.close();
});

test("A page that comes back out of the browser's memory says that it is checking until it heard again", async () => {
  const person = await world.person();
  const page = await person.newPage();
  const words = `window.words = []; addEventListener("pageshow", (event) => { if (event.persisted) words.push("kept"); }); const badge = document.querySelector("freshet-badge"); setInterval(() => words.at(-1) !== badge.state && words.push(badge.state), 5);`;
  await page.goto(world.page("/left", `<freshet-badge source="list"></freshet-badge><a href="/next">next</a>`, { script: words }));
  world.page("/next", "<p>next</p>");
  await until("the badge tells", async () => /fresh/.test(await shown(page, "freshet-badge")));
  await page.locator("a").click();
  await page.waitForURL("**/next");
  await until("the stream of the page that was left is closed", () => world.streams() === 0);
  await world.site({ status: 404 });
  // Not goBack(), which waits for a load that does not come.
  await page.evaluate(() => void history.back()).catch(() => undefined);
  await until("heard again", async () => (await page.evaluate(() => window.words?.at(-1)).catch(() => "")) === "fresh" && world.streams() === 1);
  assert.match((await page.evaluate(() => window.words)).join(), /kept,checking,fresh$/);
  await world.site({ status: 200 });
  await person.close();
});

test("What /elements/ says of drawing one's own rows draws them, also where the script comes after the first snapshot", async () => {
  const person = await world.person();
  const page = await person.newPage();
  await page.goto(`${world.url}/elements/?lang=en`);
  const example = await until("the example", async () => (await page.locator("#freshet-badge pre code").allTextContents()).find((text) => text.includes("<script")));
  const [, html, script] = /^([^]*)<script type="module">([^]*)<\/script>/.exec(example);
  assert.match(html, /source="list"/, "of a key of this server");
  // A script that is later than the first event, as one is that waits for something.
  const late = `await new Promise((told) => addEventListener("freshet-snapshot", told, { once: true }));${script}`;
  await page.goto(world.page("/late", html, { script: late }));
  const names = async () => JSON.parse((await page.locator("#rows").textContent()) || "[]").map((row) => row.name).join();
  const before = (await world.api("GET", "/v1/data/list")).map((row) => row.name).join();
  await until("what was there", async () => (await names()) === before);
  await world.rows("ant", "gnu");
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=5" });
  await until("what came", async () => (await names()) === "ant,gnu");
  await person.close();
});

test("What a page set before the elements were there is kept: a client, a job, a batch", async () => {
  const person = await world.person();
  const page = await person.newPage();
  // Module scripts run in their order: this one comes before /elements.js.
  world.pages.set("/early.js", ["text/javascript", `
    const off = () => () => {};
    const client = { connection: "live", now: () => Date.now(), onConnection: off, onTick: off, whoami: async () => ({ rights: [] }), subscribe: (topic, heard) => (heard({ batch: { id: topic.slice(6), name: "Early parts", state: "running", generation: 1, counts: { done: 1, total: 3 } } }), off) };
    document.querySelector("freshet-provider").client = client;
    document.querySelector("freshet-task").job = { id: "j_1", label: "Early job", state: "succeeded", flags: {}, generation: 1, attempt: 1, lost: 0 };
    document.querySelector("freshet-batch").batch = "b_1";
    addEventListener("freshet-finished", ({ detail }) => (document.querySelector("output").textContent += detail.id + " " + detail.late));
  `]);
  await page.goto(world.page("/early", `<freshet-provider><freshet-task></freshet-task><freshet-batch></freshet-batch></freshet-provider><output></output>`, { head: `<script type="module" src="/early.js"></script>` }));
  await until("the job", async () => /Early job.*succeeded/.test(await shown(page, "freshet-task")));
  await until("the batch", async () => /Early parts.*1 \/ 3/.test(await shown(page, "freshet-batch")));
  assert.equal(await page.locator("output").textContent(), "j_1 true", "told once, as over before it came");
  assert.deepEqual(person.complaints, []);
  await person.close();
});

test("A page of another origin lives by a short token from its own server, and sees nothing else", async () => {
  const strict = await World.start();
  let asked = 0;
  let briefs = 0;
  const site = createServer(async (ask, answer) => {
    if (ask.url === "/reads") {
      return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await strict.api("POST", "/v1/tokens/short", { sources: ["list"], ttl: "10m" }, { authorization: `Bearer ${admin.token}` })));
    }
    if (ask.url === "/brief") {
      ++briefs;
      return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await strict.api("POST", "/v1/tokens/short", { sources: ["list"], ttl: "7s" }, { authorization: `Bearer ${admin.token}` })));
    }
    if (ask.url === "/token") {
      ++asked;
      return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(await strict.api("POST", "/v1/tokens/short", { sources: ["list"], refresh: true, ttl: "10m" }, { authorization: `Bearer ${admin.token}` })));
    }
    answer.writeHead(200, { "content-type": "text/html" }).end(`<!doctype html><html lang="en"><script type="module" src="${strict.url}/elements.js"></script>
      <freshet-provider server="${strict.url}" token-src="/token"><freshet-badge source="list"></freshet-badge><freshet-refresh source="list"></freshet-refresh></freshet-provider><freshet-badge id="bare" source="list"></freshet-badge>
      <freshet-provider server="${strict.url}" token-src="/reads"><freshet-badge id="reads" source="list"></freshet-badge><freshet-refresh id="shut" source="list"></freshet-refresh></freshet-provider>
      <freshet-provider server="${strict.url}" token-src="/brief"><freshet-badge id="brief" source="list"></freshet-badge></freshet-provider></html>`);
  });
  await new Promise((done) => site.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${site.address().port}`;
  let admin;
  try {
    await strict.stopServer();
    await strict.configure((text) => text.replace("[server]", `[server]\norigins = ["${origin}"]`));
    await strict.startServer();
    admin = await strict.api("POST", "/v1/tokens", { name: "boss", role: "admin" });
    await strict.rows("ant");
    const person = await (world.browser ?? (await world.launch())).newContext();
    const page = await person.newPage();
    await page.goto(origin);
    await until("the badge tells", async () => /fresh/.test(await shown(page, "freshet-provider freshet-badge")));
    await strict.rows("ant", "bee");
    const button = page.locator("freshet-refresh").first().locator("button");
    await button.click();
    await until("the outcome", async () => /updated \+1/.test(await shown(page, "freshet-refresh"))).catch(async (error) => {
      throw new Error(`${error.message}; it shows: ${await shown(page, "freshet-refresh")}`);
    });
    await until("who only reads is told, too", async () => /fresh/.test(await shown(page, "#reads")));
    await until("and sees no button that would be refused", async () => (await page.locator("#shut button").count()) === 0);
    assert.equal(asked, 1, "one token for all requests");
    assert.equal(await page.locator("freshet-provider").first().getAttribute("state"), "live");
    assert.doesNotMatch(await shown(page, "#bare"), /fresh/, "without a token nothing is told");
    const rows = () => page.locator("#brief").evaluate((badge) => badge.data?.map((row) => row.name).join());
    await until("a token that lives for a moment", async () => (await rows()) === "ant,bee");
    // There is no shorter way to a token that has ended than to wait for it: seven seconds.
    await sleep(9_000);
    await strict.rows("ant", "bee", "cow");
    await button.click();
    await until("the page lives on with the next token", async () => (await rows()) === "ant,bee,cow", 30_000);
    assert.ok(briefs >= 2, `${briefs} tokens`);
    await person.close();
  } finally {
    site.close();
    site.closeAllConnections();
    await strict.stop();
  }
});

test("Without a secure context, where there are no locks, a shared worker holds the one stream of all tabs", async () => {
  const plain = await World.start();
  try {
    const browser = await plain.launch("--host-resolver-rules=MAP dashboard.test 127.0.0.1");
    const person = await browser.newContext();
    const url = plain.page("/plain", `<freshet-badge source="list"></freshet-badge><freshet-refresh source="list"></freshet-refresh>`).replace("127.0.0.1", "dashboard.test");
    plain.host = true;
    await plain.rows("ant");
    const pages = [await person.newPage(), await person.newPage(), await person.newPage()];
    for (const page of pages) await page.goto(url);
    assert.equal(await pages[0].evaluate(() => isSecureContext || "locks" in navigator), false);
    for (const page of pages) await until("fresh", async () => /fresh/.test(await shown(page, "freshet-badge")));
    assert.equal(plain.streams(), 1);
    await plain.rows("ant", "bee");
    await pages[1].locator("freshet-refresh button").click();
    for (const page of pages) await until("the outcome", async () => /updated \+1/.test(await shown(page, "freshet-refresh")));
  } finally {
    await plain.stop();
  }
});
