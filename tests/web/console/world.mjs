// SPDX-License-Identifier: Apache-2.0
// The world of the console's tests: the real binary with its own console inside, a small proxy that puts it below a path,
// and Debian's Chromium. Every page that was opened is watched: an error or a refused load fails the test that saw it.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../../..", import.meta.url));
const require = createRequire(join(top, "web/package.json"));
const { chromium } = require("playwright-core");
export const { default: AxeBuilder } = require("@axe-core/playwright");
const binary = join(process.env.FRESHET_BUILD ?? join(top, "build/release"), "freshet");

async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function until(what, holds, ms = 15_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(50);
  }
}

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
[source.broken]
kind = "command"
run = ["sh", "-c", "echo no route to the shop >&2; exit 3"]
format = "json"
[queue.mail]
lease = "30s"
[schedule.nightly]
queue = "mail"
cron = "30 2 * * *"
`;

export class World {
  /** @param prefix  the server stands below it, behind a proxy that passes the path on as it is. */
  static async start({ prefix = "" } = {}) {
    const world = new World();
    world.folder = mkdtempSync(join(tmpdir(), "freshet-console-"));
    world.port = await freePort();
    world.direct = `http://127.0.0.1:${world.port}`;
    world.url = world.direct;
    world.complaints = [];
    world.write([{ name: "ant" }, { name: "bee" }]);
    let more = "";
    if (prefix) {
      world.proxy = createServer((ask, answer) => {
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
      await new Promise((done) => world.proxy.listen(0, "127.0.0.1", done));
      world.url = `http://127.0.0.1:${world.proxy.address().port}${prefix}`;
      more = `public_url = "${world.url}"\n`;
    }
    writeFileSync(join(world.folder, "freshet.toml"), `[server]\nlisten = "127.0.0.1:${world.port}"\ndata_dir = "./data"\n${more}${sources}`);
    await world.startServer();
    world.browser = await chromium.launch({
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
    });
    return world;
  }

  async startServer() {
    this.out = "";
    this.server = spawn(binary, ["serve", "--config", "freshet.toml"], { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [this.server.stdout, this.server.stderr]) stream.on("data", (text) => (this.out += text));
    this.ended = new Promise((done) => this.server.on("exit", done));
    await until("the server is ready", () => fetch(`${this.direct}/healthz`).then((answer) => answer.ok, () => false));
  }
  async stopServer() {
    this.server.kill("SIGTERM");
    await this.ended;
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
    await this.browser?.close();
    this.proxy?.close();
    this.proxy?.closeAllConnections();
    await this.stopServer();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export const pages = ["", "source/list", "jobs", "batches", "queues", "workers", "schedules", "access", "system"];
