// SPDX-License-Identifier: Apache-2.0
import { expect, test, vi } from "vitest";
import { Store, type Entry } from "../src/store.js";
import type { Batch, Job, Meta } from "../src/index.js";

const meta = (seq: number, gen: number, ver: number) => ({ key: "prices", source: "prices", seq, gen, ver, state: "fresh" }) as Meta;
const job = (seq: number, more: Partial<Job> = {}) => ({ id: "j_1", queue: "work", state: "running", seq, ...more }) as Job;
const progress = (done: number, attempt = 1) => ({ attempt, phase_index: 0, done });

test("F4: data and meta with a lower seq or gen than those shown are dropped", () => {
  const store = new Store();
  store.listen("data/prices", () => {});
  store.apply("snapshot", { topic: "data/prices", meta: meta(10, 3, 2), data: "new" });
  store.apply("change", { topic: "data/prices", meta: meta(9, 3, 2) });
  store.apply("snapshot", { topic: "data/prices", meta: meta(11, 2, 1), data: "old" });
  expect(store.peek("data/prices")).toMatchObject({ data: "new", meta: { seq: 10, gen: 3 } });
});

test("F6: progress of a lower attempt, phase or count than the one shown is dropped", () => {
  const store = new Store();
  store.listen("job/j_1", () => {});
  const done = () => store.peek("job/j_1")!.job!.progress!.done;
  store.apply("snapshot", { topic: "job/j_1", job: job(5, { progress: progress(7) }) });
  store.apply("job", { topic: "job/j_1", job: job(5, { progress: progress(6) }) });
  expect(done()).toBe(7);
  store.apply("job", { topic: "job/j_1", job: job(6, { progress: progress(0, 2) }) });
  expect(done(), "another attempt begins again").toBe(0);
  store.apply("job", { topic: "job/j_1", job: job(6, { progress: progress(9, 1) }) });
  expect(done()).toBe(0);
});

test("F6: a batch never counts back, and its items end as they ended", () => {
  const store = new Store();
  store.listen("batch/b_1", () => {});
  const batch = (seq: number, done: number) => ({ id: "b_1", state: "sealed", counts: { done }, seq }) as unknown as Batch;
  store.apply("snapshot", { topic: "batch/b_1", batch: batch(5, 2), items: [{ key: "a", state: "succeeded", seq: 4 }] });
  store.apply("batch", { topic: "batch/b_1", batch: batch(4, 1), items: [{ key: "a", state: "running", seq: 3 }] });
  expect(store.peek("batch/b_1")).toMatchObject({ batch: { counts: { done: 2 } } });
  expect(store.peek("batch/b_1")!.items!.get("a")).toMatchObject({ state: "succeeded" });
});

test("After another epoch lower seqs are taken; after a reset of the same epoch they are not", () => {
  const store = new Store();
  store.listen("data/prices", () => {});
  store.apply("hello", { resume: "new", head: "7:10" });
  store.apply("snapshot", { topic: "data/prices", meta: meta(10, 3, 2), data: "a" });
  store.apply("hello", { resume: "reset", head: "7:12" });
  store.apply("snapshot", { topic: "data/prices", meta: meta(2, 1, 1), data: "b" });
  expect(store.peek("data/prices")!.data).toBe("a");
  store.apply("hello", { resume: "reset", head: "8:2" });
  store.apply("snapshot", { topic: "data/prices", meta: meta(2, 1, 1), data: "c" });
  expect(store.peek("data/prices")!.data).toBe("c");
});

test("A change to a version that is not here shows together with its data, and not before", async () => {
  let give = (_: { meta: Meta; data: unknown }) => {};
  const load = vi.fn(() => new Promise<{ meta: Meta; data: unknown }>((resolve) => (give = resolve)));
  const store = new Store(load);
  const seen: string[] = [];
  store.listen("data/prices", (entry: Entry) => seen.push(`v${entry.meta!.ver} ${String(entry.data)}`));
  store.apply("snapshot", { topic: "data/prices", meta: meta(10, 1, 1), data: "one" });
  store.apply("change", { topic: "data/prices", meta: meta(12, 2, 2) });
  expect(load).toHaveBeenCalledWith("prices", 2);
  expect(seen).toEqual(["v1 one"]);
  give({ meta: meta(12, 2, 2), data: "two" });
  await vi.waitFor(() => expect(seen).toEqual(["v1 one", "v2 two"]), 5_000);
});

test("A version that was overtaken while it was read is read again, never shown over the newer meta", async () => {
  const store = new Store(async (_, gen) => (gen === 2 ? { meta: meta(12, 2, 2), data: "two" } : { meta: meta(14, 3, 3), data: "three" }));
  const seen: string[] = [];
  store.listen("data/prices", (entry) => seen.push(`v${entry.meta!.ver} ${String(entry.data)}`));
  store.apply("snapshot", { topic: "data/prices", meta: meta(10, 1, 1), data: "one" });
  store.apply("change", { topic: "data/prices", meta: meta(12, 2, 2) });
  store.apply("change", { topic: "data/prices", meta: meta(14, 3, 3) });
  await vi.waitFor(() => expect(seen).toEqual(["v1 one", "v3 three"]), 5_000);
});

test("Who wants the meta alone causes no read", () => {
  const load = vi.fn();
  const store = new Store(load);
  store.listen("data/prices", () => {}, false);
  store.apply("change", { topic: "data/prices", meta: meta(12, 2, 2) });
  expect(load).not.toHaveBeenCalled();
  expect(store.peek("data/prices")!.meta!.ver).toBe(2);
});

test("A list is replaced by the first page of a new state, then grows by what follows", () => {
  const store = new Store();
  store.listen("freshness", () => {});
  const keys = () => [...store.peek("freshness")!.items!.keys()];
  store.apply("hello", { resume: "new", head: "1:1" });
  store.apply("snapshot", { topic: "freshness", items: [{ key: "a", seq: 1 }] });
  store.apply("snapshot", { topic: "freshness", items: [{ key: "b", seq: 1 }] });
  store.apply("change", { topic: "freshness", items: [{ key: "c", seq: 2 }] });
  expect(keys()).toEqual(["a", "b", "c"]);
  store.apply("hello", { resume: "reset", head: "1:9" });
  store.apply("snapshot", { topic: "freshness", items: [{ key: "b", seq: 1 }] });
  expect(keys()).toEqual(["b"]);
});

test("What is known can be told again to somebody who comes later", () => {
  const [from, to] = [new Store(), new Store()];
  const topics = ["data/prices", "job/j_1", "freshness"];
  for (const topic of topics) from.listen(topic, () => {}), to.listen(topic, () => {});
  from.apply("hello", { resume: "new", head: "1:1" });
  from.apply("snapshot", { topic: "data/prices", meta: meta(10, 1, 1), data: { a: 1 } });
  from.apply("snapshot", { topic: "job/j_1", job: job(4) });
  from.apply("snapshot", { topic: "freshness", items: [{ key: "a", seq: 1 }] });
  for (const [event, told] of from.retell(topics)) to.apply(event, told);
  expect(to.peek("data/prices")).toMatchObject({ data: { a: 1 }, ver: 1 });
  expect(to.peek("job/j_1")!.job).toMatchObject({ seq: 4 });
  expect([...to.peek("freshness")!.items!.keys()]).toEqual(["a"]);
});
