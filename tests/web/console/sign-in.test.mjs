// SPDX-License-Identifier: Apache-2.0
// Who gets in, by what, and what they are shown.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { until, World } from "./world.mjs";

let world;
let operator;
let viewer;
before(async () => {
  world = await World.start();
  await world.refresh("list");
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

test("without any token the console opens at once on the server's own machine", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/`);
  await page.getByRole("heading", { name: "Freshness" }).waitFor();
  assert.equal(new URL(page.url()).pathname, "/console/");
  await page.getByRole("link", { name: "list", exact: true }).waitFor();
});

test("the link that serve printed signs a browser in, once, and leaves the address", async () => {
  viewer = world.token("looks", "viewer");
  operator = world.token("acts", "operator");
  const link = /console +(\S+#link=\S+)/.exec(world.out)[1];
  const page = await (await world.person()).newPage();
  await page.goto(link);
  await page.getByRole("heading", { name: "Freshness" }).waitFor();
  assert.equal(page.url(), `${world.url}/console/`);
  await page.reload();
  await page.getByRole("heading", { name: "Freshness" }).waitFor();

  const late = await (await world.person()).newPage();
  await late.goto(link);
  await late.getByRole("alert").filter({ hasText: "used" }).waitFor();
  await late.getByLabel("Token").waitFor();
});

test("freshet console prints another link", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(world.cli("console"));
  await page.getByRole("heading", { name: "Freshness" }).waitFor();
});

test("a token signs in, a wrong one is told in words, signing out ends it", async () => {
  const person = await world.person();
  const page = await person.newPage();
  await page.goto(`${world.url}/console/jobs`);
  await page.getByLabel("Token").fill("fsh_wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "revoked" }).waitFor();
  await page.getByLabel("Token").fill(operator);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  const cookies = await person.cookies();
  assert.equal(cookies.length, 1);
  assert.match(cookies[0].name, /^freshet_/);
  assert.ok(cookies[0].httpOnly && cookies[0].sameSite === "Strict");
  assert.equal(await page.evaluate(() => Object.values({ ...localStorage, ...sessionStorage }).some((value) => /fs[hcl]_/.test(value))), false);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByLabel("Token").waitFor();
  assert.equal((await person.cookies()).length, 0);
});

test("a token in the address is exchanged for the cookie and gone from it", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/jobs?state=failed&token=${operator}`);
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(page.url(), `${world.url}/console/jobs?state=failed`);
});

test("a viewer sees no button that would be refused; an operator sees them", async () => {
  const { id } = await world.ask("POST", "/v1/jobs", { queue: "mail", input: 1 });
  const seen = async (token) => {
    const person = await world.signedIn(token);
    const page = await person.newPage();
    const names = [];
    for (const path of ["", "source/list", "jobs", `jobs/${id}`, "queues", "workers", "schedules", "access", "system"]) {
      await page.goto(`${world.url}/console/${path}`);
      await page.locator("h1").waitFor();
      await page.waitForTimeout(500);
      for (const name of await page.locator("main fc-action button, main freshet-refresh button").allTextContents()) names.push(`${path}: ${name.trim()}`);
    }
    const refused = [];
    page.on("response", (answer) => answer.status() === 403 && refused.push(answer.url()));
    return names;
  };
  assert.deepEqual(await seen(viewer), []);
  const acts = await seen(operator);
  for (const wanted of [": Refresh", "source/list: Pause the source", "jobs: Cancel all that fit", `jobs/${id}: Cancel`, "schedules: Run now", "queues: Pause"]) assert.ok(acts.includes(wanted), `${wanted} is not among ${acts.join(" | ")}`);
  assert.ok(!acts.some((name) => /New token|End all live jobs|Limits/.test(name)), "an operator is no admin");
});

test("a session ends with its token, on an open page too", async () => {
  const token = world.token("short", "viewer");
  const person = await world.signedIn(token);
  const page = await person.newPage();
  await page.goto(`${world.url}/console/`);
  await page.locator('.link-state[data-state="live"]').waitFor();
  world.cli("token", "revoke", "short");
  await until("the head says that it is signed out", () => page.locator('.link-state[data-state="live"]').count().then((count) => count === 0));
  await page.reload();
  await page.getByLabel("Token").waitFor();
});
