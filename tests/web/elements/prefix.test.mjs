// SPDX-License-Identifier: Apache-2.0
// The elements of a server that stands below a path: pages of the same site use them from anywhere, without a word about
// where it is.
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { AxeBuilder, until, World } from "../console/world.mjs";
import { shown } from "../world.mjs";

const prefix = "/some/prefix";
let world;
let batch;
let origin;
before(async () => {
  world = await World.start({ prefix });
  origin = new URL(world.url).origin;
  await world.refresh("list");
  world.write([{ name: "ant" }, { name: "cow" }]);
  await world.refresh("list");
  batch = (await world.ask("POST", "/v1/batches", { name: "Letters", queue: "mail", items: [{ key: "ann" }, { key: "ben" }] })).id;
});
after(() => world?.stop());
afterEach(() => assert.deepEqual(world.takeComplaints(), []));

for (const [how, path, inside] of [
  ["by elements.js alone", "/deep/in/the/site/page.html", (elements) => elements],
  ["by a provider that names the path, without a slash at its end", "/named", (elements) => `<freshet-provider server="${prefix}">${elements}</freshet-provider>`],
])
  test(`A page outside of the prefix finds the server ${how}: badge, refresh, diff, batch`, async () => {
    const elements = `<freshet-badge source="list"></freshet-badge><freshet-refresh source="list"></freshet-refresh><freshet-diff source="list"></freshet-diff><freshet-batch batch="${batch}"></freshet-batch>`;
    world.pages.set(path, `<!doctype html><html lang="en"><link rel="icon" href="data:,"><script type="module" src="${prefix}/elements.js"></script>${inside(elements)}</html>`);
    const page = await (await world.person()).newPage();
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.goto(origin + path);
    await until("the badge", async () => /fresh/.test(await shown(page, "freshet-badge")));
    await until("the diff", async () => (await page.locator("freshet-diff tr").count()) > 0);
    await until("the batch", async () => /Letters.*0 \/ 2/.test(await shown(page, "freshet-batch")));
    world.write([{ name: "ant" }, { name: "cow" }, { name: how }]);
    await page.locator("freshet-refresh button").click();
    await until("the outcome", async () => /updated/.test(await shown(page, "freshet-refresh")));
    await until("the diff of it", async () => (await shown(page, "freshet-diff")).includes(how));
    assert.deepEqual(asked.filter((url) => !url.startsWith(`${world.url}/`) && url !== origin + path), [], "nothing is asked outside of the prefix");
    await page.context().close();
  });

test("/elements/ below the prefix is alive, and what it gives to copy names the prefix", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/elements/?lang=he`);
  await until("the badge", async () => /טרי/.test(await shown(page, "freshet-badge")));
  await until("the diff", async () => (await page.locator("freshet-diff tr").count()) > 0);
  assert.match(await page.locator("pre code").first().textContent(), new RegExp(`src="${world.url}/elements.js"`));
  assert.equal(new URL(await page.getByRole("link", { name: "קונסולה" }).getAttribute("href"), page.url()).pathname, `${prefix}/console/`);
  const { violations } = await new AxeBuilder({ page }).analyze();
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes[0].target.join(" ")]), []);
  await page.context().close();
});
