// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createClient, FreshetError, keyOf, toMs, type Client } from "../src/index.js";
import { FakeServer, json } from "./fake.js";

let server: FakeServer;
let client: Client;
beforeEach(() => {
  server = new FakeServer();
  client = createClient({ url: "http://server.test/tools/freshet", fetch: server.fetch, token: async () => "secret" });
});
afterEach(() => client.close());

const job = { id: "j_1", key: "prices", queue: "prices", state: "queued", attempt: 0, seq: 1 };
const meta = { key: "prices", source: "prices", gen: 7, ver: 3, seq: 9, state: "fresh", attempts: 0, now: "2026-11-24T16:00:00.000Z" };

test("A key is its source and its parameters, each percent-encoded, below the server's prefix", async () => {
  server.answer = () => json({ meta, data: [1] });
  const snap = await client.get("rates", { params: { base: "a/b c", of: "€" }, maxAge: "10m" });
  expect(server.asked[0]!.url.href).toBe("http://server.test/tools/freshet/v1/data/rates/a%2Fb%20c/%E2%82%AC?envelope=1&max_age=600");
  expect(server.asked[0]!.headers.get("authorization")).toBe("Bearer secret");
  expect(snap.data).toEqual([1]);
  expect(keyOf("rates", { base: "x" })).toBe("rates/x");
});

test("A length of time is told in words, and a wrong one says how", () => {
  expect([toMs("1.5h"), toMs("250ms"), toMs(7)]).toEqual([5_400_000, 250, 7]);
  expect(() => toMs("soon")).toThrow(/try: "30s"/);
});

test("A refusal becomes an error with the server's words, and is not tried again", async () => {
  server.answer = () => json({ title: "No such key", detail: 'there is no source "nix"', status: 404, code: "unknown_key" }, 404);
  const error = (await client.get("nix").catch((one: unknown) => one)) as FreshetError;
  expect(error).toBeInstanceOf(FreshetError);
  expect([error.code, error.status, error.message]).toEqual(["unknown_key", 404, 'there is no source "nix"']);
  expect(server.asked.length).toBe(1);
});

test("What a proxy says in the server's place is sent again with the same Idempotency-Key; the server's own 503 is not", async () => {
  const answers = [() => new Response("<h1>Bad Gateway</h1>", { status: 502 }), () => Promise.reject(new TypeError("cut")), () => json(job, 201)];
  server.answer = () => answers.shift()!() as Response;
  await client.jobs.add({ queue: "work" });
  const keys = server.asked.map(({ headers }) => headers.get("idempotency-key"));
  expect(keys.length).toBe(3);
  expect(keys[0]).toMatch(/^[0-9a-f]{24}$/);
  expect(new Set(keys).size).toBe(1);
  server.asked.length = 0;
  server.answer = () => json({ title: "Busy", status: 503, code: "busy" }, 503, { "retry-after": "2" });
  const error = (await client.jobs.add({ queue: "work" }).catch((one: unknown) => one)) as FreshetError;
  expect([error.retryAfterMs, server.asked.length]).toEqual([2_000, 1]);
});

test("F3: a refresh asks for an answer at once, follows its job, and ends with data not older than it", async () => {
  server.answer = (_, path, url) => {
    if (path.endsWith("/refresh")) return json(job, 202, { freshet: "state=stale, outcome=pending, joined=?1, callers=2" });
    if (path.endsWith("v1/data/prices")) return json({ meta, data: url.searchParams.get("min_gen") });
    return path.endsWith("v1/stream") ? undefined : json({});
  };
  server.answer = wrap(server.answer);
  const seen: string[] = [];
  const end = client.refresh("prices", { onProgress: (one) => seen.push(one.state) });
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  expect(server.last.topics).toEqual(["job/j_1"]);
  server.last.hello();
  server.last.send("snapshot", { topic: "job/j_1", job: { ...job, state: "running", seq: 2 } }, "1:0");
  server.last.live();
  await vi.waitFor(() => expect(seen).toContain("running"), 5_000);
  server.last.send("job", { topic: "job/j_1", job: { ...job, state: "succeeded", outcome: "updated", gen: 7, counts: { added: 1, removed: 0, changed: 0, total: 5 }, seq: 3 } }, "1:12");
  const result = await end;
  expect(result).toMatchObject({ outcome: "updated", joined: true, jobId: "j_1", counts: { added: 1 } });
  expect(result.snapshot!.data, "read with min_gen").toBe("7");
  expect(server.asked.find(({ path }) => path.endsWith("/refresh"))!.headers.get("prefer")).toBe("respond-async");
});

test("A refresh whose wait is used up is pending, and says of which job", async () => {
  server.answer = (_, path) => (path.endsWith("/refresh") ? json(job, 202) : undefined);
  server.answer = wrap(server.answer);
  expect(await client.refresh("prices", { wait: "30ms" })).toMatchObject({ outcome: "pending", jobId: "j_1" });
});

test("A refresh that is limited is an outcome with the time to wait, no exception", async () => {
  server.answer = () => json({ title: "Too many", status: 429, code: "limited", outcome: "limited" }, 429, { "retry-after": "12" });
  expect(await client.refresh("prices")).toMatchObject({ outcome: "limited", retryAfterMs: 12_000 });
});

test("A job that is watched ends with its last state", async () => {
  server.answer = wrap(() => undefined);
  const states: string[] = [];
  const over = (async () => {
    for await (const one of client.jobs.watch("j_1")) states.push(one.state);
  })();
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  server.last.hello();
  server.last.send("snapshot", { topic: "job/j_1", job: { ...job, seq: 2 } }, "1:0");
  server.last.live();
  await vi.waitFor(() => expect(states).toEqual(["queued"]), 5_000);
  server.last.send("job", { topic: "job/j_1", job: { ...job, state: "failed", seq: 5 } }, "1:12");
  await over;
  expect(states).toEqual(["queued", "failed"]);
});

/** The fake server stands at the root; this client speaks below a prefix. */
function wrap(answer: FakeServer["answer"]): FakeServer["answer"] {
  return (method, path, url) => {
    const own = answer(method, path, url);
    if (own || !path.endsWith("/v1/stream")) return own;
    const inner = new URL(url.href.replace("/tools/freshet", ""));
    return server.fetch(inner, {});
  };
}
