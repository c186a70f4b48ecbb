// SPDX-License-Identifier: Apache-2.0
// The elements and the hooks in apps as other teams build them, React 19 and Vue 3 (web/apps), on pages of another origin
// that live by a short token.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { listening, require, shown, top, until, World } from "./world.mjs";

const types = { ".html": "text/html; charset=utf-8", ".js": "text/javascript" };
const { build } = await import(pathToFileURL(require.resolve("vite")));
let world;
let site;
let origin;
let asked = [];
let job;
let batch;
let admin;

before(async () => {
  const shorts = { "/token": { sources: ["list", "other"], refresh: true, ttl: "10m" }, "/work": { queues: ["work", "idle"] } };
  site = createServer(async (ask, answer) => {
    const path = new URL(ask.url, "http://site").pathname;
    const say = (object) => answer.writeHead(200, { "content-type": "application/json", "cache-control": "no-store" }).end(JSON.stringify(object));
    if (shorts[path]) return asked.push(path), say(await world.api("POST", "/v1/tokens/short", shorts[path], { authorization: `Bearer ${admin}` }));
    let file;
    try {
      file = readFileSync(join(world.folder, "apps", path));
    } catch {
      return answer.writeHead(404).end();
    }
    answer.writeHead(200, { "content-type": types[extname(path)] ?? "text/plain" }).end(file);
  });
  origin = `http://127.0.0.1:${await listening(site)}`;
  world = await World.start(`
[source.other]
kind = "command"
run = ["echo", '[{"name":"yak"}]']
format = "json"
key = ["name"]
`, `origins = ["${origin}"]`);
  process.env.FRESHET_WEB_OUT = join(world.folder, "apps");
  await build({ configFile: join(top, "web/apps/vite.config.ts"), logLevel: "error" });
  job = (await world.api("POST", "/v1/jobs", { queue: "work", input: {} })).id;
  batch = (await world.api("POST", "/v1/batches", { name: "Parts", queue: "idle", items: [{ key: "a" }, { key: "b" }] })).id;
  // From here on nobody reads without a token.
  admin = (await world.api("POST", "/v1/tokens", { name: "boss", role: "admin" })).token;
});
after(async () => {
  site?.closeAllConnections();
  site?.close();
  await world?.stop();
});

async function publish(...names) {
  await world.rows(...names);
  await world.api("POST", "/v1/data/list/refresh", undefined, { prefer: "wait=20", authorization: `Bearer ${admin}` });
}
const text = async (page, selector) => (await page.locator(selector).textContent()).replace(/\s+/g, " ").trim();

for (const app of ["react", "vue"])
  test(`In ${app}, on a page of another origin with a short token, values appear, Refresh tells its outcome, the app's handlers hear it, and what is taken away leaves no stream`, async () => {
    await publish("ant");
    await publish("ant", "bee");
    const person = await world.person();
    const page = await person.newPage();
    asked = [];
    await page.goto(`${origin}/${app}/index.html?${new URLSearchParams({ server: world.url, job, batch })}`);

    await until("the badge tells", async () => /^List.*fresh/.test(await shown(page, "freshet-badge")));
    await until("the age, of a property set from what an event brought", async () => /ago|now/.test(await shown(page, "freshet-age")));
    await until("the app drew what the event brought", async () => (await text(page, "#drawn")) === "ant,bee");
    await until("the diff", async () => (await text(page, "#changes")) === "1 added" && /bee/.test(await shown(page, "freshet-diff")));
    await until("a job", async () => /Long.*queued/.test(await shown(page, "#task")));
    await until("a batch, of a property", async () => /Parts.*0 \/ 2/.test(await shown(page, "freshet-batch")));
    await until("how the server is heard", async () => /live/.test(await text(page, "#events")));
    if (app === "react") {
      await until("the hooks tell the same", async () => (await text(page, "#rows")) === "fresh ant,bee" && (await text(page, "#long")) === "queued goes on" && (await text(page, "#parts")) === "0 of 2");
      assert.equal(await text(page, "#way"), "live");
    }

    await world.rows("ant", "bee", app);
    await page.locator("freshet-refresh button").click();
    assert.equal(await page.locator("freshet-refresh").getAttribute("busy"), null, "the app may say no");
    await page.getByLabel("hold").uncheck();
    await page.locator("freshet-refresh button").click();
    await until("the outcome", async () => /updated \+1/.test(await shown(page, "freshet-refresh")));
    await until("the app heard it", async () => (await text(page, "#came")) === "updated +1");
    await until("the new rows", async () => (await text(page, "#drawn")) === `ant,bee,${app}`);
    await until("the flight as a task, of an object set as a property", async () => /succeeded/.test(await shown(page, "#flight")) && /freshet-finished/.test(await text(page, "#events")));
    assert.match(await text(page, "#events"), /freshet-progress/);
    if (app === "react") {
      await page.getByRole("button", { name: "Refresh by hook" }).click();
      await until("the hook's outcome", async () => /unchanged/.test(await text(page, "#outcome")));
    } else {
      await page.getByRole("button", { name: "By method" }).click();
      await until("the method's outcome", async () => /nothing new|unchanged/.test(await shown(page, "freshet-refresh")));
    }

    await page.getByRole("button", { name: "Other source" }).click();
    await until("the other source's rows", async () => (await text(page, "#drawn")) === "yak");
    await until("and its state", async () => /fresh/.test(await shown(page, "freshet-badge")));

    assert.equal(asked.filter((path) => path === "/token").length, 1, "one short token for all requests of a client");
    // Not how many were ever opened: a machine that does not get to its timers for 5 s asks for a new hello.
    await until("a stream for each of the two scopes, and no more, though each client has a token of its own", () => world.streams() === 2);
    await page.getByRole("button", { name: "Take away" }).click();
    await until("nobody looks: no stream", () => world.streams() === 0);
    await page.getByRole("button", { name: "Take away" }).click();
    await until("and all of it is back", async () => /fresh/.test(await shown(page, "freshet-badge")) && world.streams() === 2);
    assert.deepEqual(person.complaints, []);
    await person.close();
  });

test("The types that React gets know each element's attributes, properties and events", () => {
  const { status, stdout } = spawnSync(process.execPath, [join(top, "web/node_modules/typescript/bin/tsc"), "-p", join(top, "web/apps")], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});
