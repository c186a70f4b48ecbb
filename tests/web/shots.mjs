// SPDX-License-Identifier: Apache-2.0
// Pictures of every page of the console and of the elements, in both languages, both themes, on a phone and on a screen,
// to be looked at by a person:  node tests/web/shots.mjs FOLDER [PART-OF-A-NAME]
// The server behind them has a bit of everything: fresh, failing and held keys, running, failed and late jobs, a batch.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { pages, settled, World } from "./console/world.mjs";

const [folder, only = ""] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node tests/web/shots.mjs FOLDER [PART-OF-A-NAME]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const world = await World.start({ config: `
[source.prices]
kind = "command"
run = ["cat", "list.json"]
format = "json"
key = ["name"]
[queue.slow]
lease = "2s"
progress_deadline = "1s"
retry = { attempts = 1, wait = "1s" }
` });
const ask = (path, body, method = "POST") => world.ask(method, path, body);
const claim = async (queue) => (await ask("/v1/work/claim", { worker: `w-${queue}`, queues: [queue], slots: 1, wait: 5 })).jobs[0];
const work = (job, verb, body) => ask(`/v1/work/${job.id}/${verb}`, { worker: job.worker ?? "w-mail", fence: job.fence, ...body });

world.write([{ name: "ant", price: 3 }, { name: "bee", price: 4 }, { name: "cow", price: 5 }]);
await world.refresh("list");
await world.refresh("prices");
world.write([{ name: "ant", price: 7 }, { name: "bee", price: 4 }, { name: "dog", price: 9 }]);
await world.refresh("list");
world.write([{ name: "ant", price: 7 }]);
await world.refresh("list");
await world.refresh("broken");
const batch = (await ask("/v1/batches", { queue: "mail", name: "Letters of spring", items: ["ann", "ben", "cleo", "dan"].map((key) => ({ key, label: `Letter to ${key}`, input: { to: key } })), then: { label: "Send the summary", start: "person", queue: "mail", input: 1 } })).id;
await work(await claim("mail"), "complete", { result: { sent: true } });
await work(await claim("mail"), "fail", { error: { class: "fatal", code: "no_address", message: "nobody lives at that address" } });
const running = await claim("mail");
await ask("/v1/work/beat", { worker: "w-mail", jobs: [{ id: running.id, fence: running.fence, progress: { attempt: running.attempt, phase: "print", done: 3, total: 8, unit: "pages", message: "page 3" } }] });
const failed = (await ask("/v1/jobs", { queue: "slow", input: { to: "eve" }, tags: ["letters"] })).id;
const lost = await claim("slow");
await ask(`/v1/work/${lost.id}/log`, { fence: lost.fence, lines: [{ level: "info", text: "began to print" }, { level: "error", text: "paper is out" }] });
world.token("looks", "viewer");

const looks = [["en", "light", 1440], ["he", "light", 1440], ["en", "dark", 1440], ["he", "dark", 1440], ["en", "light", 390], ["he", "light", 390], ["en", "dark", 390], ["he", "dark", 390]];
const every = [...pages, "source/broken", `jobs/${failed}`, `jobs/${running.id}`, `batches/${batch}`, "nowhere"].map((path) => [path.replace(/[jb]_\w+/, (id) => (id === running.id ? "running" : id === failed ? "failed" : "one")) || "freshness", `console/${path}`]);
every.push(["elements", "elements/"]);
for (const [lang, theme, width] of looks) {
  const names = every.map(([name, path]) => [`${name.replaceAll("/", "-")}-${lang}-${theme}-${width}`, path]).filter(([name]) => name.includes(only));
  if (!names.length) continue;
  const person = await world.signedIn(world.token(`${lang}-${theme}-${width}`, "admin"), { viewport: { width, height: 900 }, colorScheme: theme });
  await person.addInitScript((lang) => location.protocol === "http:" && localStorage.setItem("freshet-lang", lang), lang);
  const page = await person.newPage();
  for (const [name, path] of names) {
    await page.goto(`${world.url}/${path}${path.startsWith("elements") ? `?lang=${lang}` : ""}`);
    if (path.startsWith("console")) await settled(page);
    else await page.locator("freshet-diff").last().waitFor();
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
  }
  await person.close();
}
await world.stop();
for (const complaint of world.takeComplaints()) console.log(complaint);
