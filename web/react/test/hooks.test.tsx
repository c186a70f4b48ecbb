// SPDX-License-Identifier: Apache-2.0
// @vitest-environment happy-dom
import { createClient, type Client, type Meta } from "@freshet/client";
import { act, type ReactNode } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServer, json } from "../../client/test/fake.js";
import { FreshetProvider, useBatch, useConnection, useJob, useRefresh, useSnapshot } from "../src/index.js";

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;
let server: FakeServer;
let client: Client;
let root: Root;
let place: HTMLElement;

beforeEach(() => {
  server = new FakeServer();
  client = createClient({ url: "http://server.test/", fetch: server.fetch, share: false });
  place = document.body.appendChild(document.createElement("div"));
  root = createRoot(place);
});
afterEach(async () => {
  await act(async () => root.unmount());
  client.close();
  place.remove();
});

const show = (node: ReactNode) => act(async () => root.render(<FreshetProvider client={client}>{node}</FreshetProvider>));
const says = (text: string) => vi.waitFor(async () => (await act(async () => {}), expect(place.textContent).toBe(text)), 3_000);
const meta = (seq: number, more: Partial<Meta> = {}) => ({ key: "prices", source: "prices", gen: seq, ver: seq, seq, state: "fresh", attempts: 0, refreshing: false, ...more }) as Meta;
async function greet(topic: string, told: object): Promise<void> {
  await vi.waitFor(() => expect(server.streams.length).toBeGreaterThan(0), 5_000);
  server.last.hello();
  server.last.send("snapshot", { topic, ...told }, "1:0");
  server.last.live();
}

test("useSnapshot draws data and word together, and anew at every change", async () => {
  let drawn = 0;
  function View() {
    const { data, state } = useSnapshot<string>("prices");
    ++drawn;
    return <p>{data ?? "…"} {state}</p>;
  }
  await show(<View />);
  await says("… ");
  await greet("data/prices", { meta: meta(1), data: "one" });
  await says("one fresh");
  server.last.send("change", { topic: "data/prices", meta: meta(2), data: "two" }, "1:12");
  await says("two fresh");
  expect(drawn, "no more often than needed").toBeLessThan(9);
});

test("F2: useSnapshot says stale when the time has come, without an event", async () => {
  function View() {
    return <p>{useSnapshot("prices").state}</p>;
  }
  await show(<View />);
  await greet("data/prices", { meta: meta(1, { stale_at: new Date(Date.now() + 300).toISOString() }), data: "one" });
  await says("fresh");
  await says("stale");
});

test("A key that the server does not know is a problem in words", async () => {
  server.answer = (_, path) => (/v1\/(stream|poll)/.test(path) ? json({ title: "No such topic", detail: "there is no source nix", status: 404, code: "unknown_topic" }, 404) : undefined);
  function View() {
    return <p>{useSnapshot("nix").problem}</p>;
  }
  await show(<View />);
  await says("there is no source nix");
});

test("useRefresh is busy until its own job is over, and a second press shares the first", async () => {
  const job = { id: "j_1", key: "prices", queue: "prices", state: "queued", attempt: 0, seq: 1 };
  server.answer = (_, path) => (path.endsWith("/refresh") ? json(job, 202) : path === "v1/data/prices" ? json({ meta: meta(7), data: "seven" }) : undefined);
  let press!: () => Promise<unknown>;
  function View() {
    const { refresh, busy, job, result } = useRefresh("prices");
    press = refresh;
    return <p>{busy ? `busy ${job?.state ?? ""}` : result?.outcome ?? "idle"}</p>;
  }
  await show(<View />);
  let [first, second]: Promise<unknown>[] = [];
  await act(async () => void ([first, second] = [press(), press()]));
  expect(first).toBe(second);
  await says("busy queued");
  await greet("job/j_1", { job: { ...job, state: "running", seq: 2 } });
  await says("busy running");
  server.last.send("job", { topic: "job/j_1", job: { ...job, state: "succeeded", outcome: "updated", gen: 7, seq: 3 } }, "1:12");
  await says("updated");
  expect(server.of("POST", "v1/data/prices/refresh").length).toBe(1);
});

test("useJob and useBatch follow to the end; an id that is not there yet asks for nothing", async () => {
  function View({ id }: { id?: string }) {
    const { batch, items, over } = useBatch(id);
    const { job } = useJob(undefined);
    return <p>{batch ? `${batch.state} ${batch.counts.done}/${batch.counts.total} ${items.map((item) => `${item.key}:${item.state}`)} ${over}` : job ? "?" : "none"}</p>;
  }
  await show(<View />);
  await says("none");
  expect(server.asked).toEqual([]);
  await show(<View id="b_1" />);
  const batch = (state: string, done: number, seq: number) => ({ id: "b_1", queue: "work", state, counts: { done, total: 1 }, seq });
  await greet("batch/b_1", { batch: batch("sealed", 0, 2), items: [{ key: "a", state: "running", seq: 2 }] });
  await says("sealed 0/1 a:running false");
  server.last.send("batch", { topic: "batch/b_1", batch: batch("succeeded", 1, 4), items: [{ key: "a", state: "succeeded", seq: 3 }] }, "1:12");
  await says("succeeded 1/1 a:succeeded true");
});

test("useConnection tells that the way is cut", async () => {
  function View() {
    useSnapshot("prices");
    return <p>{useConnection()}</p>;
  }
  await show(<View />);
  await greet("data/prices", { meta: meta(1), data: "one" });
  await says("live");
  server.answer = (_, path) => (path === "v1/stream" ? Promise.reject(new TypeError("refused")) : undefined);
  server.last.cut();
  await says("reconnecting");
});
