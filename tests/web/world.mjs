// SPDX-License-Identifier: Apache-2.0
// What the worlds of the browser tests have in common: a folder that goes away, the real binary in it, processes that end
// with the test, and Debian's Chromium.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

export const top = fileURLToPath(new URL("../..", import.meta.url));
export const require = createRequire(join(top, "web/package.json"));
const { chromium } = require("playwright-core");
export const { default: AxeBuilder } = require("@axe-core/playwright");
export const build = process.env.FRESHET_BUILD ?? join(top, "build/release");
export const binary = join(build, "freshet");

export async function freePort() {
  const server = createServer();
  const port = await listening(server);
  await new Promise((done) => server.close(done));
  return port;
}

export async function listening(server) {
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return server.address().port;
}

/** Looks until it holds; for what no event tells of. */
export async function until(what, holds, ms = 15_000) {
  const end = Date.now() + ms;
  for (;;) {
    const value = await holds();
    if (value) return value;
    if (Date.now() > end) throw new Error(`not within ${ms} ms: ${what}`);
    await sleep(50);
  }
}

/** The text that an element shows, without what only a machine reads. */
export const shown = (page, selector) => page.locator(selector).first().evaluate((element) => (element.shadowRoot ?? element).textContent.replace(/\s+/g, " ").trim());

export class World {
  processes = new Set();
  browsers = new Set();

  constructor(port) {
    this.folder = mkdtempSync(join(tmpdir(), "freshet-web-"));
    this.port = port;
    this.direct = `http://127.0.0.1:${port}`;
  }

  spawn(program, args, options = {}) {
    const child = spawn(program, args, { cwd: this.folder, stdio: ["ignore", "pipe", "pipe"], ...options });
    child.out = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (child.out += text));
    child.ended = new Promise((done) => child.on("exit", (code, signal) => (this.processes.delete(child), done(signal ?? code))));
    this.processes.add(child);
    return child;
  }

  configure(change) {
    const file = join(this.folder, "freshet.toml");
    writeFileSync(file, change(readFileSync(file, "utf8")));
  }

  async startServer(program = binary) {
    this.server = this.spawn(program, ["serve", "--config", "freshet.toml"]);
    const ready = () => fetch(`${this.direct}/healthz`).then((answer) => answer.ok, () => false);
    // Whoever made a world that did not come up has nothing to end it by.
    await until("the server is ready", ready, 60_000).catch(async (error) => {
      await this.stop();
      throw new Error(`${error.message}\n${this.server.out}`);
    });
  }
  async stopServer(signal = "SIGTERM") {
    this.server.kill(signal);
    await this.server.ended;
  }

  async launch(...more) {
    this.browser = await chromium.launch({
      // A page that is left is kept, as with a person's browser.
      ignoreDefaultArgs: ["--disable-back-forward-cache"],
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage", ...more],
    });
    this.browsers.add(this.browser);
    return this.browser;
  }

  async stop() {
    for (const browser of this.browsers) await browser.close();
    for (const child of this.processes) child.kill("SIGKILL");
    await Promise.all([...this.processes].map((child) => child.ended));
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

export { sleep };
