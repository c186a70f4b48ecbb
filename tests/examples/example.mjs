// SPDX-License-Identifier: Apache-2.0
// An example as a person starts it: the runner with its server, workers and stand-in sites, what it printed, its API and
// its pages in Debian's Chromium.
import { spawn, execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const top = fileURLToPath(new URL("../..", import.meta.url));
export const runner = join(top, "examples/run");
export const binaries = process.env.FRESHET_BUILD ?? join(top, "build/release");

/** Chromium, or nothing where the web packages are not installed. */
export function browser() {
  if (!existsSync(join(top, "web/node_modules/playwright-core"))) return undefined;
  const { chromium } = createRequire(join(top, "web/package.json"))("playwright-core");
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox"] });
}

export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

export async function until(what, holds, ms = 20_000) {
  const end = Date.now() + ms;
  let value;
  while (Date.now() < end) {
    value = await holds();
    if (value) return value;
    await sleep(40);
  }
  throw new Error(`not within ${ms} ms: ${what}; last: ${JSON.stringify(value)}`);
}

/** Longer than whatever a test waits for: a server that never answers fails its test instead of holding up the file. */
const answers_within = 180_000;

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** The examples that are up: a test that fails before it ends its own leaves none, for a process that is left keeps its file from ending. */
const up = new Set();
after(() => Promise.all([...up].map((example) => example.end())));

export class Example {
  /** @param options {data, speed, port, upstreamPort, env}: those that are absent are made here. */
  static async start(name, options = {}) {
    const example = new Example();
    example.name = name;
    example.own = !options.data;
    example.data = options.data ?? mkdtempSync(join(tmpdir(), "freshet-example-"));
    example.port = options.port ?? (await freePort());
    example.upstreamPort = options.upstreamPort ?? (await freePort());
    const args = [name, "--port", example.port, "--upstream-port", example.upstreamPort, "--data", example.data, "--speed", options.speed ?? 1];
    example.child = spawn(runner, args.map(String), { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...options.env } });
    up.add(example);
    example.ended = new Promise((done) => example.child.once("exit", (code) => (up.delete(example), done(code))));
    example.tokens = {};
    example.pages = {};
    example.lines = [];
    example.errors = "";
    example.child.stderr.on("data", (text) => (example.errors += text));
    const ready = new Promise((done, refuse) => {
      let rest = "";
      example.child.stdout.on("data", (text) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          example.lines.push(line);
          const [, kind, title, value] = /^(token|page) (\S+): (\S+)$/.exec(line) ?? [];
          if (kind === "token") example.tokens[title] = value;
          if (kind === "page") example.pages[title] = value;
          if (line.startsWith("upstream: ")) example.upstream = line.slice(10);
          if (line.startsWith("ready: ")) done((example.url = line.slice(7)));
        }
      });
      example.ended.then((code) => refuse(new Error(`the example ended with ${code}: ${example.errors}`)));
    });
    const late = setTimeout(() => example.child.kill("SIGKILL"), 120_000);
    await ready.finally(() => clearTimeout(late));
    return example;
  }

  /** The processes of this example, by their command lines. */
  processes(part = "") {
    const rows = execFileSync("ps", ["-eo", "pid=,ppid=,args="], { encoding: "utf8" }).trim().split("\n");
    return rows
      .map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row))
      .filter(([, , parent, args]) => Number(parent) === this.child.pid && args.includes(part))
      .map(([, pid]) => Number(pid));
  }

  /** What one of its processes has logged: `server`, `worker-1`. */
  log(process) {
    return readFileSync(join(this.data, `${process}.log`), "utf8");
  }

  /** Stops it and says how long that took, and who of its children was left. */
  async stop(signal = "SIGTERM") {
    const children = this.processes();
    const began = Date.now();
    this.child.kill(signal);
    const late = setTimeout(() => this.child.kill("SIGKILL"), 30_000);
    await this.ended;
    clearTimeout(late);
    const left = children.filter(alive);
    return { ms: Date.now() - began, left };
  }

  async end() {
    if (this.child.exitCode === null && this.child.signalCode === null) await this.stop();
    // Whoever outlived it holds the other ends of these.
    for (const stream of [this.child.stdout, this.child.stderr]) stream.destroy();
    if (this.own) rmSync(this.data, { recursive: true, force: true });
  }

  async control(site, fields) {
    const response = await fetch(`${this.upstream}/_control/${site}`, { signal: AbortSignal.timeout(answers_within), ...(fields && { method: "PUT", body: JSON.stringify(fields) }) });
    return response.json();
  }
  async requests(site) {
    return (await this.control(site)).requests;
  }

  /** @param token a name of a token, or nothing for none. */
  async api(token, method, path, body) {
    const began = performance.now();
    const response = await fetch(this.url + path, {
      method,
      signal: AbortSignal.timeout(answers_within),
      headers: { ...(token && { Authorization: `Bearer ${this.tokens[token] ?? token}` }), ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const ms = performance.now() - began;
    let answer = text;
    try {
      answer = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: response.status, headers: response.headers, body: answer, ms };
  }

  /** A page of the example in a browser of its own (cookies, storage), signed in by ?token= as a person would. */
  async open(chromium, url, token, options = {}) {
    const context = await chromium.newContext(options);
    const page = await context.newPage();
    page.problems = [];
    page.on("pageerror", (error) => page.problems.push(String(error)));
    await page.goto(`${url}${url.includes("?") ? "&" : "?"}token=${this.tokens[token]}`);
    return page;
  }
}
