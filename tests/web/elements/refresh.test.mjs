// SPDX-License-Identifier: Apache-2.0
// The Refresh button and the badge in a real browser, against the real server.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { shown, until, World } from "./world.mjs";

/** A page as a team would write it: the rows are drawn on each snapshot of the badge. */
const body = `<freshet-badge source="list" label="List"></freshet-badge> <freshet-refresh source="list"></freshet-refresh><ul id="rows"></ul>`;
const script = `
  const badge = document.querySelector("freshet-badge"), events = (window.events = []), seen = (window.seen = []);
  const draw = ({ detail: { data, meta } }) => {
    seen.push(meta.gen);
    document.getElementById("rows").replaceChildren(...data.map((row) => Object.assign(document.createElement("li"), { textContent: row.name })));
  };
  badge.addEventListener("freshet-snapshot", draw);
  if (badge.data) draw({ detail: badge });
  for (const name of ["freshet-request", "freshet-progress", "freshet-refreshed", "freshet-error"]) addEventListener(name, (event) => events.push([name, event.detail?.id ?? event.detail?.key, event.detail?.state]));
`;

let world;
let url;
let person;
before(async () => {
  world = await World.start(`[source.many]\nkind = "command"\nrun = ["echo", "[{n}]"]\nformat = "json"\nparams = { n = "\\\\d{1,3}" }\nfresh_for = "10m"`);
  url = world.page("/list", body, { script });
  await world.rows("ant", "bee");
  person = await world.person();
});
after(() => world?.stop());

const rows = (page) => page.locator("#rows li").allTextContents();
const button = (page) => page.locator("freshet-refresh button");

test("F3: a press while a flight from before runs brings the new row without reload, by one further flight", async () => {
  const page = await person.newPage();
  await page.goto(url);
  await until("the first rows", async () => (await rows(page)).join() === "ant,bee");

  // A flight begins, and has read the old rows before the press: it must not pass for the press's own.
  await world.site({ delay_ms: 4000, content_at: "arrival" });
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "respond-async" });
  await until("the older flight is at the site", async () => (await world.sight()).in_flight === 1);
  await world.rows("ant", "bee", "cow");
  // However slow the machine, it is seen: the page itself looks at every change.
  const busy = button(page).evaluate((b) => new Promise((seen) => {
    const look = () => b.getAttribute("aria-busy") === "true" && b.getAttribute("aria-disabled") === "true" && seen(true);
    new MutationObserver(look).observe(b, { attributes: true });
  }));
  await button(page).click();
  assert.equal(await busy, true, "the button is busy");
  for (let i = 0; i < 2; ++i) await button(page).click({ force: true });
  assert.equal(await button(page).evaluate((b) => b.getRootNode().host.ownerDocument.activeElement?.localName), "freshet-refresh", "the focus stays on the button");

  await until("the new row", async () => (await rows(page)).join() === "ant,bee,cow");
  await until("the outcome", async () => /updated/.test(await shown(page, "freshet-refresh")));
  assert.match(await shown(page, "freshet-refresh"), /updated \+1 ?−0 ?net \+1/);
  const jobs = (await world.api("GET", "/v1/jobs?source=list")).items.filter((job) => job.trigger !== "cold" && job.key === "list");
  assert.ok(jobs.length <= 2, `one flight from before and one of the press, not ${jobs.length}`);
  const events = (await page.evaluate(() => window.events)).filter((_, i, all) => i >= all.findIndex(([name]) => name === "freshet-request"));
  assert.equal(events.filter(([name]) => name === "freshet-request").length, 1);
  assert.equal(events.filter(([name]) => name === "freshet-refreshed").length, 1, JSON.stringify(events));
  await page.close();
});

test("F4: a reload right after a refresh never shows the older data", async () => {
  const page = await person.newPage();
  await world.site({ delay_ms: 0 });
  await page.goto(url);
  for (const names of [["ant"], ["ant", "dog"], ["ant", "dog", "eel"]]) {
    await world.rows(...names);
    await button(page).click();
    await until(`rows ${names}`, async () => (await rows(page)).join() === names.join());
    await page.reload();
    await until("rows after the reload", async () => (await rows(page)).length > 0);
    assert.deepEqual(await rows(page), names);
  }
  await page.close();
});

test("F5: a second tab and a second browser show the same flight and the same end", async () => {
  const other = await world.person();
  const pages = [await person.newPage(), await person.newPage(), await other.newPage()];
  for (const page of pages) await page.goto(url);
  for (const page of pages) await until("rows", async () => (await rows(page)).length > 0);
  await world.site({ delay_ms: 1500 });
  await world.rows("ant", "fox");
  await button(pages[0]).click();
  for (const page of pages) await until("all show that it runs", () => page.locator("freshet-refresh[busy]").count());
  for (const page of pages) await until("a phase in words", async () => /waiting for the source/.test(await shown(page, "freshet-refresh")));
  for (const page of pages) await until("the new rows", async () => (await rows(page)).join() === "ant,fox");
  for (const page of pages) await until("the outcome", async () => /updated \+1 ?−2 ?net −1/.test(await shown(page, "freshet-refresh")));
  const ids = await Promise.all(pages.map((page) => page.evaluate(() => window.events.filter(([name]) => name === "freshet-refreshed").map(([, id]) => id))));
  assert.deepEqual(ids[1], ids[0]);
  assert.deepEqual(ids[2], ids[0]);
  for (const page of pages) await page.close();
  await other.close();
});

test("F8: a refresh that fails says why, and the old rows and their age stay", async () => {
  const page = await person.newPage();
  await world.site({ delay_ms: 0 });
  await page.goto(url);
  await until("rows", async () => (await rows(page)).length > 0);
  const kept = await rows(page);
  await world.site({ status: 404 });
  await button(page).click();
  await until("the failure in words", async () => /failed: .*404.*showing the data of/.test(await shown(page, "freshet-refresh")));
  assert.deepEqual(await rows(page), kept);
  await world.site({ status: 200 });
  await button(page).click();
  await until("it recovers", async () => /nothing new|updated/.test(await shown(page, "freshet-refresh")));
  await page.close();
});

test("F2: a badge turns stale by itself when its time has come, and looking at it reads the source again", async () => {
  const quick = await World.start(`[source.quick]\nkind = "http"\nurl = "http://127.0.0.1:${world.sitesPort}/any"\nkey = ["name"]\nallow_private = true\nfresh_for = "2s"\n`);
  try {
    await world.site({ delay_ms: 1200 });
    const context = await world.browser.newContext();
    const page = await context.newPage();
    await page.goto(quick.page("/quick", `<freshet-badge source="quick"></freshet-badge>`, { script: `window.states = []; document.querySelector("freshet-badge").addEventListener("freshet-state", (event) => states.push(event.detail.state));` }));
    await until("stale, then fresh again", async () => /stale,fresh/.test((await page.evaluate(() => window.states)).join()), 12_000);
    await context.close();
  } finally {
    await quick.stop();
    await world.site({ delay_ms: 0 });
  }
});

test("A wrong source, job or batch on a page says so in its language and silences nothing else", async () => {
  const page = await person.newPage();
  await page.goto(world.page("/wrong", `<freshet-badge id="a" source="nix"></freshet-badge><freshet-badge id="b" source="list"></freshet-badge><freshet-refresh source="list"></freshet-refresh><freshet-task job="nix"></freshet-task><freshet-batch batch="nix"></freshet-batch>
    <freshet-task id="gone" job="j_01jd8m3k5w7xa"></freshet-task><freshet-batch id="past" batch="b_01jd8m3k5w7xa"></freshet-batch><freshet-diff source="nix"></freshet-diff><section lang="he"><freshet-task id="he" job="j_01jd8m3k5w7xa"></freshet-task></section>`));
  await until("the wrong job says why", async () => /"nix" is no job id/.test(await shown(page, "freshet-task")));
  await until("the wrong batch says why", async () => /"nix" is no batch id/.test(await shown(page, "freshet-batch")));
  await until("the wrong one says why", async () => /no source "nix"/.test(await shown(page, "#a")));
  await until("the diff says why", async () => /no source "nix"/.test(await shown(page, "freshet-diff")));
  await until("a job that is not there", async () => /there is no job/.test(await shown(page, "#gone")));
  await until("a batch that is not there", async () => /there is no batch/.test(await shown(page, "#past")));
  await until("a job that is not there, in Hebrew", async () => /אין כאן דבר כזה/.test(await shown(page, "#he")));
  await until("the right one lives", async () => /fresh/.test(await shown(page, "#b")));
  const before = world.opened;
  await button(page).click();
  await until("the outcome", async () => /nothing new|updated/.test(await shown(page, "freshet-refresh")));
  assert.equal(world.opened, before, "what is asked for more makes nothing begin anew");
  await page.close();
});

test("Fifty badges on a page live by one stream, and one that names nothing costs the others nothing", async () => {
  const page = await person.newPage();
  const before = world.opened;
  const many = Array.from({ length: 50 }, (_, i) => `<freshet-badge source="many/${i}"></freshet-badge>`).join(" ");
  await page.goto(world.page("/many", `${many}<freshet-badge id="no" source="many/none"></freshet-badge>`));
  await until("all are fresh", async () => (await page.locator("freshet-badge[state=fresh]").count()) === 50, 60_000);
  assert.deepEqual(await page.locator("freshet-badge").evaluateAll((all) => all.slice(0, 50).map(({ data }) => data?.[0])), Array.from({ length: 50 }, (_, i) => i));
  await until("the wrong one says why", async () => /n must match/.test(await shown(page, "#no")));
  assert.equal(world.streams(), 1);
  assert.ok(world.opened - before <= 2, `${world.opened - before} streams: one that was refused, and one without the wrong name`);
  await page.close();
});

test("Nothing on these pages broke the content policy or threw", () => {
  assert.deepEqual(person.complaints, []);
});
