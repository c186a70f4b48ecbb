// SPDX-License-Identifier: Apache-2.0
// The world of a browser test: the real binary with slow sites behind it, a front that serves pages of one's own on the
// same origin and can misbehave as proxies do, workers that can be killed, and Debian's Chromium.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { AxeBuilder, binary, build, freePort, listening, require, shown, sleep, top, until, World as Base } from "../world.mjs";

/** What the server itself sends with its pages. */
export const policy = "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The worker SDK that the workers of these tests are written with. */
function buildSdk() {
  if (existsSync(join(top, "sdk/node/dist/src/index.js"))) return;
  const { status, stdout } = spawnSync(process.execPath, [join(top, "web/node_modules/typescript/bin/tsc"), "-p", join(top, "sdk/node"), "--typeRoots", join(top, "web/node_modules/@types")], { encoding: "utf8" });
  if (status !== 0) throw new Error(`The Node SDK does not build: ${stdout}`);
}

export class World extends Base {
  /** @param server  more lines of the config's [server] */
  static async start(config = "", server = "") {
    buildSdk();
    const world = new World(await freePort());
    world.pages = new Map();
    world.mode = "pass";
    world.opened = 0;
    world.sitesPort = await freePort();
    writeFileSync(join(world.folder, "freshet.toml"), `
[server]
listen = "127.0.0.1:${world.port}"
data_dir = "./data"
${server}
[defaults]
fresh_for = "60s"
manual_limit = "600/min"
retry = { attempts = 2, wait = "1s", max_wait = "2s" }
[source.list]
kind = "http"
url = "http://127.0.0.1:${world.sitesPort}/any"
key = ["name"]
allow_private = true
[queue.slack]
lease = "3s"
progress_deadline = "2s"
[queue.fails]
lease = "3s"
retry = { attempts = 1, wait = "1s" }
[queue.work]
lease = "2s"
retry = { attempts = 3, wait = "1s" }
${config}`);
    world.sites = world.spawn(join(build, "freshet-upstream"), ["--port", String(world.sitesPort)]);
    await world.startServer();
    await world.startFront();
    return world;
  }

  // ---- the front: pages, and everything else passed on in one of several ways ----

  async startFront() {
    this.open = new Set();
    this.front = createServer((ask, answer) => this.serve(ask, answer));
    this.front.keepAliveTimeout = 20_000;
    this.url = `http://127.0.0.1:${await listening(this.front)}`;
  }

  /** @param body  what stands in the page; elements.js is loaded. */
  page(path, body, { lang = "en", script = "", head = "" } = {}) {
    this.pages.set(path, ["text/html; charset=utf-8", `<!doctype html><html lang="${lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="color-scheme" content="light dark"><title>test</title>${head}<script type="module" src="/elements.js"></script>${script ? `<script type="module" src="${path}.js"></script>` : ""}</head><body><main><h1>Test</h1>${body}</main></body></html>`]);
    if (script) this.pages.set(`${path}.js`, ["text/javascript", script]);
    return this.url + path;
  }

  serve(ask, answer) {
    const path = new URL(ask.url, this.url).pathname;
    const page = this.pages.get(path);
    if (page) return answer.writeHead(200, { "content-type": page[0], "content-security-policy": policy, "cache-control": "no-cache" }).end(page[1]);
    this.pass(ask, answer);
  }

  pass(ask, answer) {
    if (this.mode === "down") return ask.socket.destroy();
    // A front of another name speaks to the server under the server's own, as proxies do.
    const headers = { ...ask.headers };
    if (this.host) {
      headers.host = `127.0.0.1:${this.port}`;
      if (headers.origin) headers.origin = `http://127.0.0.1:${this.port}`;
    }
    const on = request({ host: "127.0.0.1", port: this.port, method: ask.method, path: ask.url, headers }, (got) => {
      if (this.mode === "buffer") {
        // Keeps every byte back until the answer ends, and gives up on what takes too long, as some proxies do.
        const parts = [];
        const limit = setTimeout(() => (on.destroy(), answer.headersSent || answer.writeHead(504).end("Gateway Timeout")), this.patience ?? 60_000);
        got.on("data", (part) => parts.push(part));
        got.on("end", () => (clearTimeout(limit), answer.writeHead(got.statusCode, got.headers).end(Buffer.concat(parts))));
        got.on("error", () => clearTimeout(limit));
        return;
      }
      answer.writeHead(got.statusCode, got.headers);
      answer.flushHeaders();
      got.on("data", (part) => {
        const cut = this.cutBefore?.(ask, part);
        if (cut) return answer.destroy(), got.destroy();
        answer.write(part);
      });
      got.on("end", () => answer.end());
      got.on("error", () => answer.destroy());
    });
    this.open.add(answer);
    if (ask.method === "GET" && ask.url.startsWith("/v1/stream?")) ++this.opened;
    answer.on("close", () => (this.open.delete(answer), on.destroy()));
    on.on("error", () => (answer.headersSent ? answer.destroy() : answer.writeHead(502).end("Bad Gateway")));
    ask.pipe(on);
  }

  cutAll() {
    for (const answer of this.open ?? []) answer.destroy();
  }

  streams() {
    return [...this.open].filter((answer) => answer.req.url.startsWith("/v1/stream?") || answer.req.url.startsWith("/v1/poll")).length;
  }

  // ---- what goes on behind ----

  async api(method, path, body, headers = {}) {
    const response = await fetch(`http://127.0.0.1:${this.port}${path}`, { method, headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers }, ...(body !== undefined && { body: JSON.stringify(body) }) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** What the site shows from now on, and how long it takes. */
  async site(fields) {
    const response = await fetch(`http://127.0.0.1:${this.sitesPort}/_control/any`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(fields) });
    if (!response.ok) throw new Error(await response.text());
  }

  /** What the site counts. */
  async sight() {
    return (await fetch(`http://127.0.0.1:${this.sitesPort}/_control/any`)).json();
  }

  rows(...names) {
    return this.site({ body: JSON.stringify(names.map((name) => ({ name, price: name.length }))), content_type: "application/json" });
  }

  /** A worker of its own process for a queue; each step takes so long. */
  worker(queue, stepMs = 200, more = {}) {
    return this.spawn(process.execPath, [fileURLToPath(new URL("worker.mjs", import.meta.url)), `http://127.0.0.1:${this.port}`, queue, String(stepMs), JSON.stringify(more)]);
  }

  async stop() {
    this.cutAll();
    this.front?.closeAllConnections();
    this.front?.close();
    await super.stop();
  }

  /** A browser of its own: its own storage, locks and channels. What it complains of is kept. */
  async person(options = {}) {
    const context = await (this.browser ?? (await this.launch())).newContext({ viewport: { width: 900, height: 600 }, ...options });
    context.complaints = [];
    context.on("page", (page) => {
      page.on("pageerror", (error) => context.complaints.push(String(error)));
      page.on("console", (message) => /Content Security Policy|Refused to/.test(message.text()) && context.complaints.push(message.text()));
    });
    return context;
  }
}

export { AxeBuilder, binary, listening, readFileSync, require, shown, sleep, top, until };
