// SPDX-License-Identifier: Apache-2.0
// What several tenants share, in the console of one of them: it is shown as shared, and what would be refused is not there.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { settled, until, World } from "./world.mjs";

let world;
let one;
let all;
before(async () => {
  world = await World.start({ config: `
[source.common]
kind = "command"
run = ["cat", "list.json"]
format = "json"
shared = true
every = "1h"
[tenant.acme]
sources = ["list", "common"]
[tenant.globex]
sources = ["common"]
` });
  one = world.token("boss-of-acme", "admin", "--tenant", "acme");
  all = world.token("boss", "admin", "--tenant", "*");
  await world.ask("POST", "/v1/jobs?tenant=acme", { queue: "mail" });
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

async function rowOf(page, path, name) {
  await page.goto(`${world.url}/console/${path}`);
  const row = page.locator("tbody tr").filter({ has: page.getByRole("link", { name, exact: true }) });
  await row.waitFor();
  await settled(page);
  return row;
}
const buttons = (row) => row.getByRole("button").allInnerTexts();

test("an admin of one tenant pauses its own queues, but not what others share, and sets no limits of all", async () => {
  const page = await (await world.signedIn(one)).newPage();
  assert.deepEqual(await buttons(await rowOf(page, "queues", "common")), []);
  assert.deepEqual(await buttons(await rowOf(page, "queues", "list")), ["Pause"]);
  const own = await rowOf(page, "queues", "mail");
  assert.deepEqual(await buttons(own), ["Pause"], "limits hold for all tenants");
  await own.getByRole("button").click();
  await until("what is shown is taken", async () => (await buttons(own)).join() === "Resume");
  await own.getByRole("button").click();
  await until("and goes on", async () => (await buttons(own)).join() === "Pause");
});

test("a shared source may be read and refreshed, not paused, and its schedule not run by one tenant", async () => {
  const page = await (await world.signedIn(one)).newPage();
  await page.goto(`${world.url}/console/source/common`);
  await page.getByText("One copy for all tenants that list it").waitFor();
  await page.getByRole("button", { name: "Refresh" }).waitFor();
  assert.equal(await page.getByRole("button", { name: "Pause the source" }).count(), 0);
  assert.deepEqual(await buttons(await rowOf(page, "schedules", "common")), []);
});

test("who speaks for all tenants has the buttons of both", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/`);
  await page.getByLabel("Token").fill(all);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "acme" }).click();
  await page.getByRole("heading", { name: "Freshness" }).waitFor();
  const common = await rowOf(page, "queues", "common");
  assert.deepEqual(await buttons(common), ["Pause"]);
  assert.deepEqual(await buttons(await rowOf(page, "queues", "mail")), ["Limits …", "Pause"]);
});
