// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Http } from "../src/http.js";
import { Link, type LinkTimes } from "../src/link.js";
import type { Told } from "../src/store.js";
import { FakeServer, json } from "./fake.js";

const limits: LinkTimes = { hello: 10_000, patience: 5_000, worse: 60_000, retry: 30, again: 60 };
/** Where the way is to be found slow. */
const hasty: LinkTimes = { ...limits, hello: 60, patience: 40 };
let server: FakeServer;
let link: Link;
let heard: [string, Told][];
let statuses: string[];
let due: string[];

function open(topics: string[], times = limits): void {
  const host = { heard: (event: string, told: Told) => void heard.push([event, told]), status: (status: string) => void (statuses.at(-1) !== status && statuses.push(status)), due: () => due, rest: () => 20 };
  link = new Link(new Http("http://server.test/", undefined, undefined, server.fetch), host, "stream", times);
  link.want(topics);
  link.start();
}
const streams = (n: number) => vi.waitFor(() => expect(server.streams.length).toBe(n), 5_000);
const meta = { key: "a", seq: 4, gen: 1, ver: 1 };

beforeEach(() => {
  server = new FakeServer();
  [heard, statuses, due] = [[], [], []];
});
afterEach(() => {
  link.stop();
  vi.useRealTimers();
});

test("A stream that is cut is opened again with the cursor of the last frame that had one", async () => {
  open(["data/a"]);
  await streams(1);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/a", meta }, "1:0");
  server.last.live("1:10");
  server.last.send("change", { topic: "data/a", meta }, "1:12");
  server.last.send("job", { topic: "job/x" });
  await vi.waitFor(() => expect(heard.length).toBe(5), 5_000);
  server.last.cut();
  await streams(2);
  expect(server.last.cursor).toBe("1:12");
  expect(statuses).toEqual(["live", "reconnecting"]);
});

test("A stream that is cut before its state was told begins anew", async () => {
  open(["data/a", "data/b"]);
  await streams(1);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/a", meta }, "1:0");
  server.last.cut();
  await streams(2);
  expect(server.last.cursor).toBeNull();
});

test("Topics are added and dropped on the open stream; one that was not told its state makes the next begin anew", async () => {
  open(["data/a"]);
  await streams(1);
  server.last.hello();
  server.last.live();
  await vi.waitFor(() => expect(statuses).toEqual(["live"]), 5_000);
  link.want(["data/b"]);
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1")[0]?.body).toEqual({ add: ["data/b"], drop: ["data/a"] }), 5_000);
  server.last.cut();
  await streams(2);
  expect(server.last.topics).toEqual(["data/b"]);
  expect(server.last.cursor).toBeNull();
});

test("What is wanted while a stream is being opened is added once it greets", async () => {
  open(["data/a"]);
  await streams(1);
  link.want(["data/a", "data/b"]);
  await Promise.resolve();
  expect(server.of("PATCH", "v1/streams/s_1"), "nothing is told of a stream that has no name yet").toEqual([]);
  server.last.hello();
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1")[0]?.body).toEqual({ add: ["data/b"], drop: [] }), 5_000);
});

test("Without a hello within its time it goes on by long poll, with one cursor for the next", async () => {
  server.buffers = true;
  let polls = 0;
  server.answer = (_, path) => {
    if (path !== "v1/poll") return;
    return ++polls > 2 ? new Promise(() => {}) : json({ resume: "new", events: [{ event: "snapshot", data: { topic: "data/a", meta } }], cursor: `1:${polls}`, now: "2026-11-24T16:00:00.000Z" });
  };
  open(["data/a"], hasty);
  await vi.waitFor(() => expect(polls).toBe(3), 2_000);
  const asked = server.of("GET", "v1/poll").map(({ url }) => [url.searchParams.get("cursor"), url.searchParams.get("wait")]);
  expect(asked).toEqual([[null, "25"], ["1:1", "25"], ["1:2", "25"]]);
  expect(statuses.at(-1)).toBe("polling");
  expect(heard.filter(([event]) => event === "snapshot").length).toBe(2);
});

test("Where a long poll is given up on the way, too, it asks now and then, without a cursor, for what is due", async () => {
  vi.useFakeTimers();
  const held = () => new Promise<Response>((done) => setTimeout(() => done(new Response("Gateway Timeout", { status: 504 })), 60));
  server.answer = (_, path, url) => {
    if (path === "v1/stream" || url.searchParams.get("wait") === "25") return held();
    return json({ resume: "new", events: [], cursor: "1:5", now: "2026-11-24T16:00:00.000Z" });
  };
  due = ["job/x"];
  open(["data/a", "job/x"], hasty);
  const slow = () => server.of("GET", "v1/poll").filter(({ url }) => url.searchParams.get("wait") === "1");
  await vi.waitFor(() => expect(slow().length).toBeGreaterThan(1), 2_000);
  expect(slow()[0]!.url.searchParams.get("cursor")).toBeNull();
  expect(slow()[0]!.url.searchParams.getAll("topic")).toEqual(["job/x"]);
});

test("A server that is down is no proxy that buffers: the stream is tried again", async () => {
  let tries = 0;
  server.answer = (_, path) => (path === "v1/stream" && ++tries < 4 ? Promise.reject(new TypeError("refused")) : undefined);
  open(["data/a"]);
  await streams(1);
  expect(server.of("GET", "v1/poll")).toEqual([]);
});

test("One topic that the server refuses is told of and left out; the others live", async () => {
  const refuses = (url: URL) => url.searchParams.getAll("topic").includes("data/nix");
  server.answer = (_, path, url) => (/v1\/(stream|poll)/.test(path) && refuses(url) ? json({ title: "No such topic", status: 404, code: "unknown_topic" }, 404) : undefined);
  open(["data/a", "data/nix"]);
  await streams(1);
  expect(server.last.topics).toEqual(["data/a"]);
  expect(heard).toContainEqual(["refused", { topic: "data/nix", problem: expect.objectContaining({ code: "unknown_topic" }) }]);
});

test("Without a right to hear it says signed out, and tries again when it is asked to", async () => {
  let refused = true;
  server.answer = (_, path) => (path === "v1/stream" && refused ? json({ title: "Who are you?", status: 401, code: "unauthorized" }, 401) : undefined);
  open(["data/a"]);
  await vi.waitFor(() => expect(statuses).toEqual(["signed-out"]), 5_000);
  refused = false;
  link.check();
  await streams(1);
});

test("After a goodbye it waits as long as it was told", async () => {
  open(["data/a"]);
  await streams(1);
  server.last.hello();
  server.last.send("goodbye", { reason: "restart", retry_ms: 80 });
  const at = performance.now();
  server.last.cut();
  await streams(2);
  expect(performance.now() - at).toBeGreaterThanOrEqual(75);
});

test("Changes of topics are told one after the other, since of two at once the later could arrive first", async () => {
  const answers: (() => void)[] = [];
  server.answer = (method) => (method === "PATCH" ? new Promise<Response>((done) => answers.push(() => done(json({})))) : undefined);
  const told = () => server.of("PATCH", "v1/streams/s_1").map(({ body }) => body);
  open(["data/a", "data/b"]);
  await streams(1);
  server.last.hello();
  await vi.waitFor(() => expect(statuses).toEqual(["live"]), 5_000);
  link.want(["data/a"]);
  await vi.waitFor(() => expect(told()).toEqual([{ add: [], drop: ["data/b"] }]), 5_000);
  link.want(["data/a", "data/b"]);
  await new Promise((done) => setTimeout(done, 40)); // time itself: longer than changes are gathered
  expect(told().length, "the first is not answered yet").toBe(1);
  answers[0]!();
  await vi.waitFor(() => expect(told()[1]).toEqual({ add: ["data/b"], drop: [] }), 5_000);
  answers[1]!();
});

test("What is refused makes no other topic begin anew, and is asked for again: it may be there by then", async () => {
  let there = false;
  const refuses = (url: URL) => !there && url.searchParams.getAll("topic").includes("data/nix");
  server.answer = (_, path, url) => (/v1\/(stream|poll)/.test(path) && refuses(url) ? json({ title: "No such topic", status: 404, code: "unknown_topic" }, 404) : undefined);
  open(["data/a", "data/nix"]);
  await streams(1);
  server.last.hello();
  link.want(["data/a", "data/nix", "data/b"]);
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1").map(({ body }) => body)).toEqual([{ add: ["data/b"], drop: [] }]), 5_000);
  there = true;
  await vi.waitFor(() => {
    server.last.beat();
    expect(server.of("PATCH", "v1/streams/s_1").map(({ body }) => body).at(-1)).toEqual({ add: ["data/nix"], drop: [] });
  }, 5_000);
  expect(server.streams.length, "the one stream").toBe(1);
});

test("A server that is busy refuses no topic: what it says of a question is not taken for an answer", async () => {
  server.answer = (_, path, url) => {
    if (url.searchParams.getAll("topic").includes("data/nix")) return json({ title: "No such topic", status: 404, code: "unknown_topic" }, 404);
    return path === "v1/poll" ? json({ title: "Too many", status: 429, code: "too_many_requests" }, 429) : undefined;
  };
  open(["data/a", "data/nix", "data/b"]);
  await streams(1);
  expect(server.last.topics).toEqual(["data/a", "data/b"]);
});

test("Where a token may hear of nothing that is asked for, each topic is told why, and it is asked again", async () => {
  let refused = true;
  server.answer = (_, path) => (/v1\/(stream|poll)/.test(path) && refused ? json({ title: "Not allowed", status: 403, code: "limited_token" }, 403) : undefined);
  open(["data/a"]);
  await vi.waitFor(() => expect(statuses).toEqual(["signed-out"]), 5_000);
  expect(heard).toEqual([["refused", { topic: "data/a", problem: expect.objectContaining({ code: "limited_token" }) }]]);
  refused = false;
  await streams(1);
});
