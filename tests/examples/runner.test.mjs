// SPDX-License-Identifier: Apache-2.0
// What all examples share: processes of their own that come back and that end together, tokens and state that stay.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Example, freePort, runner, until } from "./example.mjs";

let example;
before(async () => (example = await Example.start("conversations")));
after(() => example.end());

test("it prints tokens, pages, upstream and ready, each on a line of its own", () => {
  assert.match(example.tokens.operator, /^fsh_[0-9a-f]{64}$/);
  assert.equal(example.pages.main, `http://127.0.0.1:${example.port}/batch-jobs/{id}`);
  assert.equal(example.upstream, `http://127.0.0.1:${example.upstreamPort}`);
  assert.equal(example.lines.at(-1), `ready: http://127.0.0.1:${example.port}`);
});

test("no token: 401", async () => {
  assert.equal((await example.api(undefined, "GET", "/v1/batches")).status, 401);
  assert.equal((await example.api("operator", "GET", "/v1/batches")).status, 200);
});

test("a worker has no listening port, is started again within a second when killed, and not when stopped", async () => {
  const [worker] = example.processes("worker");
  const ports = execFileSync("ss", ["-Hltnp"], { encoding: "utf8" });
  assert.ok(!ports.includes(`pid=${worker},`), "a worker listens");
  process.kill(worker, "SIGSTOP");
  await sleep(1500); // time itself: longer than a worker that was killed may be missing
  assert.deepEqual(example.processes("worker"), [worker]);
  process.kill(worker, "SIGKILL");
  const killed = Date.now();
  await until("another worker", () => example.processes("worker").find((pid) => pid !== worker), 1000);
  assert.ok(Date.now() - killed < 1000);
});

test("a server that is killed comes back with what it had (deploy-keeps-data)", async () => {
  const made = await example.api("operator", "POST", "/v1/batches", { name: "kept", queue: "nobody", items: [{ key: "a", input: {} }] });
  assert.equal(made.status, 201);
  const [server] = example.processes("freshet serve");
  process.kill(server, "SIGKILL");
  const again = await until("the batch", async () => {
    const found = await example.api("operator", "GET", `/v1/batches/${made.body.id}`).catch(() => ({}));
    return found.status === 200 && found.body;
  });
  assert.equal(again.name, "kept");
});

test("SIGTERM ends all in under 5 s, with no child left, even a stopped one; a second start goes on", async () => {
  await example.control("generator", { delay_ms: 77 });
  const tokens = example.tokens;
  for (const worker of example.processes("worker")) process.kill(worker, "SIGSTOP");
  const { ms, left } = await example.stop();
  assert.ok(ms < 5000, `${ms} ms`);
  assert.deepEqual(left, []);

  const again = await Example.start("conversations", { data: example.data, port: example.port, upstreamPort: example.upstreamPort });
  assert.deepEqual(again.tokens, tokens);
  const state = await again.control("generator");
  assert.equal(state.delay_ms, 77);
  assert.equal(state.requests, 0);
  assert.equal((await again.api("operator", "GET", "/v1/batches")).body.items.length, 1);
  const { ms: ms2, left: left2 } = await again.stop("SIGINT");
  assert.ok(ms2 < 5000 && left2.length === 0);
});

test("a runner that is killed leaves nobody behind", async () => {
  const one = await Example.start("whatson");
  const children = one.processes();
  assert.ok(children.length >= 2);
  one.child.kill("SIGKILL");
  await until("all children gone", () => children.every((pid) => {
    try {
      process.kill(pid, 0);
      return false;
    } catch {
      return true;
    }
  }), 3000);
  await one.end();
});

test("all: the five side by side, each with its server, tokens and pages, and all gone in under 5 s", async () => {
  // Five ports one behind the other; another test may take one of them meanwhile.
  let all;
  for (let tries = 0; !all; ++tries)
    all = await Example.start("all").catch((error) => {
      if (tries >= 4 || !/in use/.test(error.message)) throw error;
    });
  try {
    const servers = all.lines.map((line) => /^example (\w+): (\S+)$/.exec(line)).filter(Boolean);
    assert.deepEqual(servers.map(([, name]) => name), ["watchlist", "metrics", "whatson", "conversations", "longtasks"]);
    for (const [, name, url] of servers) {
      assert.equal((await fetch(`${url}/readyz`)).status, 200, name);
      assert.ok(all.lines.includes(`console ${name}: ${url}/console/`));
      assert.equal((await fetch(`${url}/console/`)).status, 200, name);
      // One token for the consoles of all, with all their tenants.
      const me = await fetch(`${url}/v1/me`, { headers: { Authorization: `Bearer ${all.tokens.console}` } });
      const { role, consoles } = await me.json();
      assert.deepEqual([me.status, role], [200, "admin"], name);
      // And each leads to the others: the five have one console.
      assert.deepEqual(consoles, servers.map(([, each, address]) => ({ name: each, url: `${address}/console/` })), name);
    }
    assert.ok(all.lines.filter((line) => line.startsWith("page ")).length >= 8);
    const named = (name) => new Set(all.lines.filter((line) => line.startsWith(`token ${name}: `)));
    assert.equal(named("operator").size, 1, "a name, a token");
    assert.ok(all.processes("worker").length >= 4);
    const { ms, left } = await all.stop();
    assert.ok(ms < 5000, `${ms} ms`);
    assert.deepEqual(left, []);
  } finally {
    await all.end();
  }
});

test("what cannot be is refused in words, and nothing is started", async () => {
  const run = (...args) => {
    try {
      execFileSync(runner, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 60_000 });
      return undefined;
    } catch (error) {
      return { code: error.status, words: error.stderr };
    }
  };
  assert.match(run("nothing").words, /There is no example nothing; there are: .*whatson/);
  assert.match(run("whatson", "--speed", "0").words, /--speed 0 is no number above 0/);
  assert.equal(run("whatson", "--port", "web").code, 2);
  const port = await freePort();
  const server = (await import("node:net")).createServer().listen(port, "127.0.0.1");
  await new Promise((done) => server.once("listening", done));
  assert.match(run("whatson", "--port", String(port)).words, new RegExp(`Port ${port} is in use`));
  server.close();
});
