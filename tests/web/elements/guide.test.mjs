// SPDX-License-Identifier: Apache-2.0
// What docs/guide/on-your-page.md tells to copy, copied: its HTML, its config line, its call and its content policy.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { listening, shown, top, until, World } from "./world.mjs";

const guide = readFileSync(join(top, "docs/guide/on-your-page.md"), "utf8");
const html = [...guide.matchAll(/^( *)```html\n(.*?)^\1```/gms)].map(([, , text]) => text);
let world;
before(async () => {
  world = await World.start(`
[source.disk]
kind = "command"
run = ["echo", '[{"target": "/", "pcent": "40%"}]']
format = "json"
`);
});
after(() => world?.stop());

test("its two lines and its listener show the data and its age on a page of the server", async () => {
  const person = await world.person();
  const page = await person.newPage();
  const [elements, drawing] = html;
  world.pages.set("/mine", ["text/html; charset=utf-8", `<!doctype html><html lang="en">${elements.replace("http://127.0.0.1:7878", world.url)}${drawing.replace(/<script type="module">.*<\/script>/s, '<script type="module" src="/mine.js"></script>')}</html>`]);
  world.pages.set("/mine.js", ["text/javascript", /<script type="module">(.*?)<\/script>/s.exec(drawing)[1]]);
  await page.goto(`${world.url}/mine`);
  await until("the badge tells", async () => /fresh/.test(await shown(page, "freshet-badge")));
  await until("the page's own rows", async () => (await page.locator("#disks").innerText()) === "/ 40%");
  await page.getByRole("button", { name: "Refresh: Disk" }).click();
  await until("the outcome", async () => /unchanged|nothing new/.test(await shown(page, "freshet-refresh")));
  assert.deepEqual(person.complaints, []);
  await person.close();
});

test("a page of another origin, with a policy of its own, lives by what its server's call gave it", async () => {
  const [, , foreign] = html;
  const body = JSON.parse(/-d '(\{.*?\})'/.exec(guide)[1]);
  const policy = /`(script-src .*?)`/s.exec(guide)[1].replaceAll("https://freshet.example.com", world.url);
  let app;
  let batch;
  const site = createServer(async (ask, answer) => {
    if (ask.url === "/freshet-token") {
      const said = await world.api("POST", "/v1/tokens/short", body, { authorization: `Bearer ${app}` });
      return answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(said));
    }
    answer.writeHead(200, { "content-type": "text/html; charset=utf-8", "content-security-policy": `default-src 'none'; ${policy}` }).end(`<!doctype html><html lang="he" dir="rtl">${foreign.replaceAll("https://freshet.example.com", world.url).replace("b_01jd8m3k5w7xa", batch)}</html>`);
  });
  try {
    const origin = `http://127.0.0.1:${await listening(site)}`;
    await world.stopServer();
    await world.configure((text) => text.replace("[server]", `[server]\n${/`\[server\] (origins = .*?)`/.exec(guide)[1].replace("https://app.example.com", origin)}`));
    await world.startServer();
    batch = (await world.api("POST", "/v1/batches", { name: "Reports", queue: body.queues[0], items: [{ key: "a" }, { key: "b" }] })).id;
    // From here on nobody reads without a token.
    app = (await world.api("POST", "/v1/tokens", { name: "app", role: "viewer", refresh: true })).token;
    const person = await world.person();
    const page = await person.newPage();
    await page.goto(origin);
    await until("the badge tells, in Hebrew", async () => /טרי/.test(await shown(page, "freshet-badge")));
    await until("the batch tells", async () => /Reports.*0 \/ 2/s.test(await shown(page, "freshet-batch")));
    assert.deepEqual(person.complaints, []);
    await person.close();
  } finally {
    site.closeAllConnections();
    site.close();
  }
});
