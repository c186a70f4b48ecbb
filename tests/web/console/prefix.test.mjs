// SPDX-License-Identifier: Apache-2.0
// The console below a path, behind a proxy.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { pages, until, World } from "./world.mjs";

let world;
before(async () => {
  world = await World.start({ prefix: "/tools/freshet" });
  await world.refresh("list");
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

test("every page loads below the prefix, the stream flows, and the cookie is bound to it", async () => {
  const person = await world.signedIn(world.token("acts", "operator"));
  const [cookie] = await person.cookies(`${world.url}/console/`);
  assert.equal(cookie.path, "/tools/freshet");
  const page = await person.newPage();
  for (const path of pages) {
    await page.goto(`${world.url}/console/${path}`);
    await page.locator("h1").waitFor();
    await page.locator('.link-state[data-state="live"]').waitFor();
    const links = await page.locator("nav a, main a").evaluateAll((all) => all.map((link) => link.getAttribute("href")));
    assert.deepEqual(links.filter((link) => !new URL(link, page.url()).pathname.startsWith("/tools/freshet/")), []);
  }
  await page.goto(`${world.url}/console/source/list`);
  world.write([{ name: "ant" }, { name: "bee" }, { name: "cow" }]);
  await page.getByRole("button", { name: "Refresh" }).first().click();
  await page.locator("pre.json", { hasText: "cow" }).waitFor();
});

test("the printed link names the address that people use", async () => {
  const link = world.cli("console");
  assert.ok(link.startsWith(`${world.url}/console/#link=`), link);
  const page = await (await world.person()).newPage();
  await page.goto(link);
  await until("it is signed in", () => page.getByRole("heading", { name: "Freshness" }).count());
});
