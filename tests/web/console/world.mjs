// SPDX-License-Identifier: Apache-2.0
// The world of the console's tests: the real binary with its own console inside, a small proxy that puts it below a path,
// and Debian's Chromium. Every page that was opened is watched: an error or a refused load fails the test that saw it.
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { AxeBuilder, binary, freePort, listening, until, World as Base } from "../world.mjs";

const sources = `
[defaults]
fresh_for = "60s"
manual_limit = "600/min"
retry = { attempts = 1, wait = "1s", max_wait = "2s" }
[source.list]
kind = "command"
run = ["cat", "list.json"]
format = "json"
key = ["name"]
guard = { min_rows = 1, shrink = "50%" }
[source.strip]
kind = "command"
run = ["cat", "list.json"]
format = "json"
[source.broken]
kind = "command"
run = ["sh", "-c", "echo no route to the shop >&2; exit 3"]
format = "json"
[queue.mail]
lease = "30s"
[queue.brief]
run_limit = "1s"
retry = { attempts = 1, wait = "1s" }
[schedule.nightly]
queue = "mail"
cron = "30 2 * * *"
`;

export class World extends Base {
  /**
   * @param prefix  the server stands below it, behind a proxy that passes the path on as it is; `pages` of the test's own
   * are on the same origin, anywhere.
   */
  static async start({ prefix = "", config = "" } = {}) {
    const world = new World(await freePort());
    world.url = world.direct;
    world.complaints = [];
    world.write([{ name: "ant" }, { name: "bee" }]);
    world.pages = new Map();
    let more = "";
    if (prefix) {
      world.proxy = createServer((ask, answer) => {
        const page = world.pages.get(ask.url);
        if (page) return answer.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(page);
        const on = request({ host: "127.0.0.1", port: world.port, method: ask.method, path: ask.url, headers: ask.headers }, (got) => {
          answer.writeHead(got.statusCode, got.headers);
          answer.flushHeaders();
          got.pipe(answer);
        });
        on.on("error", () => answer.destroy());
        answer.on("close", () => on.destroy());
        if (!ask.url.startsWith(`${prefix}/`)) return on.destroy(), answer.writeHead(404).end("not below the prefix");
        ask.pipe(on);
      });
      world.url = `http://127.0.0.1:${await listening(world.proxy)}${prefix}`;
      more = `public_url = "${world.url}"\n`;
    }
    writeFileSync(join(world.folder, "freshet.toml"), `[server]\nlisten = "127.0.0.1:${world.port}"\ndata_dir = "./data"\n${more}${sources}${config}`);
    await world.startServer();
    await world.launch();
    return world;
  }

  get out() {
    return this.server.out;
  }

  /** What the source `list` will read. */
  write(rows) {
    writeFileSync(join(this.folder, "list.json"), JSON.stringify(rows));
  }

  cli(...words) {
    const { stdout, stderr, status } = spawnSync(binary, words, { cwd: this.folder, encoding: "utf8", env: { PATH: process.env.PATH } });
    if (status !== 0) throw new Error(`freshet ${words.join(" ")}: ${stderr}`);
    return stdout.trim();
  }
  token(name, role, ...more) {
    return this.cli("token", "new", name, "--role", role, ...more);
  }
  /** As the command line of this machine, who may do everything. */
  async ask(method, path, body, headers = {}) {
    const token = readFileSync(join(this.folder, "data", "cli-token"), "utf8").trim();
    const answer = await fetch(`${this.direct}${path}`, { method, headers: { authorization: `Bearer ${token}`, "content-type": "application/json", ...headers }, ...(body !== undefined && { body: JSON.stringify(body) }) });
    return answer.status === 204 ? undefined : answer.json();
  }
  refresh(key) {
    return this.ask("POST", `/v1/data/${key}/refresh`, {}, { prefer: "wait=20" });
  }

  /** A browser profile of its own: another person. */
  async person(options = {}) {
    const person = await this.browser.newContext({ viewport: { width: 1280, height: 800 }, locale: "en", ...options });
    await person.addInitScript(() => addEventListener("securitypolicyviolation", (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`)));
    person.on("page", (page) => {
      page.on("pageerror", (error) => this.complaints.push(`${page.url()}: ${error.stack ?? error}`));
      // Refusals that a test provokes are in the words of the network's own log, which tells the status only.
      page.on("console", (message) => message.type() === "error" && !/status of (401|403|404|409|503)|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/.test(message.text()) && this.complaints.push(`${page.url()}: ${message.text()}`));
    });
    return person;
  }
  /** A person who is signed in by a token. */
  async signedIn(token, options) {
    const person = await this.person(options);
    const page = await person.newPage();
    await page.goto(`${this.url}/console/`);
    await page.getByLabel("Token").fill(token);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("heading", { name: "Freshness" }).waitFor();
    await page.close();
    return person;
  }
  /** What any page complained of since it was last asked. */
  takeComplaints() {
    return this.complaints.splice(0);
  }

  async stop() {
    this.proxy?.close();
    this.proxy?.closeAllConnections();
    await super.stop();
  }
}

export const pages = ["", "source/list", "jobs", "batches", "queues", "workers", "schedules", "access", "system"];
/** Until the page is alive and all that it reads once has come: no request under way but the stream, nothing busy. */
export async function settled(page) {
  await page.locator("h1").first().waitFor();
  await page.locator('.link-state[data-state="live"]').waitFor();
  await page.waitForFunction(() => !document.querySelector("[aria-busy=true]") && ![...document.querySelectorAll(".none")].some((one) => /reading|קורא/.test(one.textContent)));
  await page.evaluate(() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))));
}

export { AxeBuilder, until };
