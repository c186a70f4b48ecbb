// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ServerClock } from "../src/clock.js";
import { Http } from "../src/http.js";
import { Hub, hubTimes } from "../src/hub.js";
import { Store } from "../src/store.js";
import type { Meta } from "../src/index.js";
import { FakeAir, FakeLocks, FakeServer, json } from "./fake.js";

let server: FakeServer;
let locks: FakeLocks;
let air: FakeAir;
interface Tab { hub: Hub; store: Store; clock: ServerClock; data: () => unknown; freeze: (frozen: boolean) => void }
let tabs: Tab[];

function tab(topics: string[]): Tab {
  const store = new Store();
  for (const topic of topics) store.listen(topic, () => {});
  const clock = new ServerClock();
  const hub: Hub = new Hub(`tab${tabs.length}`, new Http("http://server.test/", undefined, undefined, server.fetch), store, clock, () => {}, { ...hubTimes, answer: 40 });
  let channel!: ReturnType<FakeAir["channel"]>;
  hub.want(topics);
  hub.start({ name: "shared", channel: () => (channel = air.channel()), locks });
  const one: Tab = { hub, store, clock, data: () => store.peek(topics[0]!)?.data, freeze: (frozen) => void (channel.frozen = frozen) };
  tabs.push(one);
  return one;
}
const meta = (seq: number) => ({ key: "a", source: "a", seq, gen: seq, ver: seq, state: "fresh" }) as Meta;
async function live(): Promise<void> {
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/a", meta: meta(1), data: "one" }, "1:0");
  server.last.live();
}

beforeEach(() => {
  server = new FakeServer();
  locks = new FakeLocks();
  air = new FakeAir();
  tabs = [];
});
afterEach(() => {
  tabs.forEach(({ hub }) => hub.stop());
  vi.useRealTimers();
});

test("Tabs share one stream: the first leads, the others hear what it hears", async () => {
  const [first, second] = [tab(["data/a"]), tab(["data/a"])];
  await live();
  await vi.waitFor(() => expect(second.data()).toBe("one"), 5_000);
  expect([first.hub.leads, second.hub.leads]).toEqual([true, false]);
  expect(second.hub.status).toBe("live");
  server.last.send("change", { topic: "data/a", meta: meta(2), data: "two" }, "1:12");
  await vi.waitFor(() => expect(tabs.map((one) => one.data())).toEqual(["two", "two"]), 5_000);
  expect(server.streams.length).toBe(1);
});

test("A tab that comes later gets the state from the leader's memory, without another request", async () => {
  tab(["data/a"]);
  await live();
  await vi.waitFor(() => expect(tabs[0]!.data()).toBe("one"), 5_000);
  const before = server.asked.length;
  const late = tab(["data/a"]);
  await vi.waitFor(() => expect(late.data()).toBe("one"), 5_000);
  expect(server.asked.length).toBe(before);
});

test("Another topic of another tab is added to the one stream, and dropped when that tab goes", async () => {
  tab(["data/a"]);
  await live();
  await vi.waitFor(() => expect(tabs[0]!.hub.status).toBe("live"), 5_000);
  const other = tab(["data/b"]);
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1").map(({ body }) => body)).toEqual([{ add: ["data/b"], drop: [] }]), 5_000);
  other.hub.stop();
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1").at(-1)!.body).toEqual({ add: [], drop: ["data/b"] }), 5_000);
});

test("When the leader goes, the next leads at once and what is shown stays", async () => {
  const [first, second] = [tab(["data/a"]), tab(["data/a"])];
  await live();
  await vi.waitFor(() => expect(second.data()).toBe("one"), 5_000);
  first.hub.stop();
  await vi.waitFor(() => expect(second.hub.leads).toBe(true), 5_000);
  await vi.waitFor(() => expect(server.streams.length).toBe(2), 5_000);
  expect(second.data()).toBe("one");
});

test("A leader that does not answer a tab that comes back loses the lead", async () => {
  const [first, second] = [tab(["data/a"]), tab(["data/a"])];
  await live();
  await vi.waitFor(() => expect(second.data()).toBe("one"), 5_000);
  first.freeze(true);
  second.hub.check();
  expect(second.hub.checking).toBe(true);
  await vi.waitFor(() => expect(second.hub.leads).toBe(true), 5_000);
  await vi.waitFor(() => expect(first.hub.leads).toBe(false), 5_000);
  await vi.waitFor(() => expect(server.streams.length).toBe(2), 5_000);
  expect(second.hub.checking, "nothing was heard yet").toBe(true);
  server.last.hello("ok");
  await vi.waitFor(() => expect(second.hub.checking).toBe(false), 5_000);
});

test("A leader that answers keeps the lead, and a hello of a moment ago serves all who come back", async () => {
  const [, second] = [tab(["data/a"]), tab(["data/a"])];
  await live();
  await vi.waitFor(() => expect(second.data()).toBe("one"), 5_000);
  vi.useFakeTimers();
  second.hub.check();
  // Past the time in which the leader has to answer.
  await vi.advanceTimersByTimeAsync(100);
  expect(second.hub.checking).toBe(false);
  expect(second.hub.leads).toBe(false);
  expect(server.streams.length).toBe(1);
});

test("A leader that is silent for three beats loses the lead to a tab that is looked at", async () => {
  const [first, second] = [tab(["data/a"]), tab(["data/a"])];
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  server.last.hello("new", { beat_ms: 15_000 });
  server.last.live();
  await vi.waitFor(() => expect(second.hub.status).toBe("live"), 5_000);
  first.freeze(true);
  vi.useFakeTimers({ toFake: ["Date"] });
  vi.setSystemTime(Date.now() + 44_000);
  second.hub.tick();
  await Promise.resolve();
  expect(second.hub.leads).toBe(false);
  vi.setSystemTime(Date.now() + 2_000);
  second.hub.tick();
  await vi.waitFor(() => expect(second.hub.leads).toBe(true), 5_000);
});

test("A tab that died is forgotten after three beats that it did not answer", async () => {
  tab(["data/a"]);
  await live();
  await vi.waitFor(() => expect(tabs[0]!.hub.status).toBe("live"), 5_000);
  const other = tab(["data/b"]);
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1").length).toBe(1), 5_000);
  other.freeze(true);
  for (let i = 0; i < 4; ++i) server.last.beat();
  await vi.waitFor(() => expect(server.of("PATCH", "v1/streams/s_1").at(-1)!.body).toEqual({ add: [], drop: ["data/b"] }), 5_000);
});

test("A frozen leader that wakes follows whoever leads now", async () => {
  const [first, second] = [tab(["data/a"]), tab(["data/a"])];
  await live();
  await vi.waitFor(() => expect(second.data()).toBe("one"), 5_000);
  first.freeze(true);
  second.hub.check();
  await vi.waitFor(() => expect(server.streams.length).toBe(2), 5_000);
  first.freeze(false);
  server.last.hello("new");
  server.last.send("snapshot", { topic: "data/a", meta: meta(5), data: "five" }, "1:0");
  server.last.live();
  await vi.waitFor(() => expect(tabs.map((one) => one.data())).toEqual(["five", "five"]), 5_000);
  expect(server.streams[0]!.closed).toBe(true);
});

test("Slow polls ask for all every 30 s while the data is fresh and every 15 s while it is not, for a job every 2 s until it is over", async () => {
  vi.useFakeTimers();
  let [word, job] = ["fresh", { id: "j_1", state: "running", seq: 1 }];
  const told = (topic: string) => ({ event: "snapshot", data: topic.startsWith("job/") ? { topic, job } : { topic, meta: { ...meta(1), state: word } } });
  server.answer = (_, path, url) => (path === "v1/poll" ? json({ resume: "new", cursor: "1:1", now: new Date().toISOString(), events: url.searchParams.getAll("topic").map(told) }) : undefined);
  const topics = ["data/a", "job/j_1"];
  const store = new Store();
  for (const topic of topics) store.listen(topic, () => {});
  const hub = new Hub("alone", new Http("http://server.test/", undefined, undefined, server.fetch), store, new ServerClock(), () => {}, hubTimes);
  tabs.push({ hub } as Tab);
  hub.want(topics);
  hub.start(undefined, "slow");
  let before = 0;
  const passes = async (ms: number): Promise<string[]> => {
    await vi.advanceTimersByTimeAsync(ms);
    const asked = server.of("GET", "v1/poll").slice(before);
    before += asked.length;
    return asked.map(({ url }) => url.searchParams.getAll("topic").join());
  };
  expect(await passes(1_000)).toEqual(["data/a,job/j_1"]);
  expect(await passes(8_000)).toEqual(Array(4).fill("job/j_1"));
  job = { id: "j_1", state: "succeeded", seq: 2 };
  expect(await passes(18_000)).toEqual(["job/j_1"]);
  word = "stale";
  expect(await passes(10_000), "30 s after the first").toEqual(["data/a,job/j_1"]);
  expect(await passes(30_000)).toEqual(["data/a,job/j_1", "data/a,job/j_1"]);
});
