// SPDX-License-Identifier: Apache-2.0
// Who gets in, by what, and what they are shown.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { pages, settled, until, World } from "./world.mjs";

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

test("a session that ends leaves nothing on the screen: in another tab, with a question open, and who signs in again is in everywhere", async () => {
  const person = await world.signedIn(operator);
  const [page, other] = [await person.newPage(), await person.newPage()];
  for (const one of [page, other]) {
    await one.goto(`${world.url}/console/queues`);
    await settled(one);
  }
  await page.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("alert").filter({ hasText: "You are signed out." }).waitFor();
  assert.equal(await other.getByRole("table").count(), 0);
  assert.equal(await other.evaluate(() => document.activeElement.textContent), "Sign in to freshet", "the focus is where it goes on");
  await page.getByLabel("Token").fill(world.token("again", "operator"));
  await page.keyboard.press("Enter");
  await settled(page);
  await other.evaluate(() => document.dispatchEvent(new Event("visibilitychange")));
  await settled(other);
  assert.equal(await other.getByRole("heading", { name: "Queues" }).count(), 1);

  await world.ask("POST", "/v1/jobs", { queue: "mail", input: 1 });
  await other.goto(`${world.url}/console/jobs`);
  await settled(other);
  await other.getByRole("button", { name: "Cancel all that fit" }).click();
  await other.locator("dialog").waitFor();
  world.cli("token", "revoke", "again");
  await other.getByLabel("Token").waitFor();
  assert.equal(await other.locator("dialog").count(), 0);
  await person.close();
});

test("a reader of one tenant asks for nothing that is of the whole server", async () => {
  const person = await world.signedIn(viewer);
  const page = await person.newPage();
  const refused = [];
  page.on("response", (answer) => answer.status() >= 400 && refused.push(answer.url()));
  for (const path of pages) {
    await page.goto(`${world.url}/console/${path}`);
    await settled(page);
  }
  assert.deepEqual(refused, []);
  assert.equal(await page.getByRole("link", { name: "Prometheus" }).count(), 0);
  await person.close();
});

test("a Hebrew page tells a refusal, and what was done by hand, in Hebrew", async () => {
  const token = world.token("hebrew", "admin");
  const person = await world.person({ locale: "he" });
  const page = await person.newPage();
  await page.goto(`${world.url}/console/system`);
  await page.getByLabel("אסימון").fill("fsh_wrong");
  await page.keyboard.press("Enter");
  await page.getByRole("alert").filter({ hasText: "האסימון אינו מוכר" }).waitFor();
  await page.getByLabel("אסימון").fill(token);
  await page.keyboard.press("Enter");
  const row = page.getByRole("table", { name: "ביקורת" }).getByRole("row").filter({ hasText: "hebrew" });
  await row.first().waitFor();
  assert.match(await row.first().innerText(), /אסימון חדש\s+hebrew\s+מנהל/);
  await person.close();
});

test("a token in the address is exchanged for the cookie and gone from it", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/jobs?state=failed&token=${operator}`);
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(page.url(), `${world.url}/console/jobs?state=failed`);
});

test("a viewer sees no button that would be refused, on any page; an operator sees them", async () => {
  const job = async (queue, verb) => {
    const { id } = await world.ask("POST", "/v1/jobs", { queue, input: 1 });
    if (!verb) return id;
    const [{ fence }] = (await world.ask("POST", "/v1/work/claim", { worker: "w-1", queues: [queue], slots: 1, wait: 5 })).jobs;
    await world.ask("POST", `/v1/work/${id}/${verb}`, { worker: "w-1", fence, error: { class: "fatal", code: "no", message: "no" } });
    return id;
  };
  const failed = await job("ends", "fail");
  const waits = await job("mail");
  const batch = async (queue) => (await world.ask("POST", "/v1/batches", { queue, items: [{ key: "a", input: 1 }], then: { label: "Go on", start: "person", queue: "mail", input: 1 } })).id;
  const over = await batch("parts");
  const [{ id, fence }] = (await world.ask("POST", "/v1/work/claim", { worker: "w-1", queues: ["parts"], slots: 1, wait: 5 })).jobs;
  await world.ask("POST", `/v1/work/${id}/fail`, { worker: "w-1", fence, error: { class: "fatal", code: "no", message: "no" } });
  const open = await batch("mail");
  world.write([]);
  await world.refresh("list");
  const paths = [...pages, `jobs/${waits}`, `jobs/${failed}`, `batches/${open}`, `batches/${over}`, "source/broken"];
  // What only looks, copies or reads again is for everybody.
  const free = /^(CLI|curl|Read again|Show more|[+−~\d ]+)$/;
  const seen = async (token) => {
    const person = await world.signedIn(token);
    const page = await person.newPage();
    const names = [];
    for (const path of paths) {
      await page.goto(`${world.url}/console/${path}`);
      await settled(page);
      for (const name of await page.locator("main button").allTextContents()) if (!free.test(name.trim())) names.push(`${path.replace(/[jb]_\w+/, (one) => ({ [waits]: "waits", [failed]: "failed", [open]: "open", [over]: "over" })[one])}: ${name.trim()}`);
    }
    await person.close();
    return names;
  };
  assert.deepEqual(await seen(viewer), []);
  const acts = await seen(operator);
  for (const wanted of [": Refresh", "source/list: Pause the source", "source/list: Accept", "jobs: Cancel all that fit", "jobs/waits: Cancel", "jobs/failed: Retry", "batches/open: Cancel", "batches/over: Retry the failed one", "schedules: Run now", "queues: Pause"])
    assert.ok(acts.includes(wanted), `${wanted} is not among ${acts.join(" | ")}`);
  assert.ok(!acts.some((name) => /New token|End all live jobs|Limits/.test(name)), "an operator is no admin");
});

test("a token of all tenants chooses one, sees that one alone, and may choose anew after signing out", async () => {
  const shared = await World.start({ config: `[tenant.acme]\nsources = ["list", "broken"]\n[tenant.globex]\nsources = ["list"]\n` });
  try {
    const token = shared.token("all", "viewer", "--tenant", "*");
    const page = await (await shared.person()).newPage();
    const enter = async (tenant) => {
      await page.getByLabel("Token").fill(token);
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("heading", { name: "Which tenant?" }).waitFor();
      await page.getByRole("button", { name: tenant }).click();
      await page.getByRole("link", { name: "list", exact: true }).waitFor();
    };
    await page.goto(`${shared.url}/console/`);
    await enter("acme");
    await page.getByRole("link", { name: "broken", exact: true }).waitFor();
    await page.reload();
    await page.getByRole("link", { name: "broken", exact: true }).waitFor();
    // What is copied asks for the same tenant.
    await page.goto(`${shared.url}/console/source/list`);
    await settled(page);
    const copied = (name) => page.getByRole("group", { name: "Copy as" }).getByRole("button", { name }).getAttribute("title");
    assert.equal(await copied("CLI"), "FRESHET_TENANT=acme freshet get list --meta");
    assert.ok((await copied("curl")).endsWith("/v1/data/list?tenant=acme'"), await copied("curl"));
    await page.goto(`${shared.url}/console/access`);
    await page.getByRole("button", { name: "Choose another" }).click();
    await page.getByRole("button", { name: "globex" }).click();
    await page.getByRole("link", { name: "Freshness" }).click();
    await page.getByRole("link", { name: "list", exact: true }).waitFor();
    await page.getByRole("button", { name: "Sign out" }).click();
    await enter("globex");
    await settled(page);
    assert.equal(await page.getByRole("link", { name: "broken", exact: true }).count(), 0, "another tenant's source is none of this one's");
    assert.deepEqual(shared.takeComplaints(), []);
  } finally {
    await shared.stop();
  }
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

test("the head leads to the consoles of other servers that the config names", async () => {
  // The same server by its other name is another one to a browser, which sends it no cookie.
  const other = `${world.url.replace("127.0.0.1", "localhost")}/console/`;
  world.configure((text) => text.replace("[server]\n", `[server]\nconsoles = { here = "${world.url}/console/", there = "${other}" }\n`));
  await world.stopServer();
  await world.startServer();
  const page = await (await world.signedIn(viewer)).newPage();
  await page.goto(`${world.url}/console/jobs`);
  await settled(page);
  const choice = page.getByLabel("Server");
  const chosen = () => choice.locator("option:checked").innerText();
  assert.equal(await chosen(), "here");
  await choice.selectOption("there");
  await page.waitForURL(other);
  await page.getByLabel("Token").waitFor();
  assert.equal(await choice.count(), 0, "who did not sign in is told of no other server");
  await page.goBack();
  await page.getByRole("heading", { name: "Jobs" }).waitFor();
  assert.equal(await chosen(), "here");
});
