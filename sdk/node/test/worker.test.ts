// SPDX-License-Identifier: Apache-2.0
// A worker against a scripted server: what it says on the wire, and when.

import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { afterEach, beforeEach, describe, test } from "node:test";
import { Client, Refused, Worker, type Handler, type WorkerOptions } from "../src/index.js";
import { aJob, ScriptedServer } from "./scripted_server.js";

let server: ScriptedServer;
let children: ChildProcess[];
let running: { worker: Worker; code: Promise<number> }[];

beforeEach(async () => {
  server = await new ScriptedServer().listen();
  running = [];
  children = [];
});
afterEach(async () => {
  for (const { worker, code } of running) {
    worker.stop();
    worker.stop();
    await code;
  }
  for (const child of children) child.kill("SIGKILL");
  server.close();
});

/** A worker whose handler has this body, in a process of its own: the scripted server needs this one's thread. */
function startProcess(handlerBody: string): ChildProcess {
  const child = spawn(process.execPath, ["--input-type=module", "-e", `
    import { Worker } from ${JSON.stringify(new URL("../src/index.js", import.meta.url).href)};
    const worker = new Worker({ url: ${JSON.stringify(server.url)}, say: () => {} });
    worker.task("work", (job) => { ${handlerBody} });
    process.exitCode = await worker.run();
  `], { stdio: "inherit" });
  children.push(child);
  return child;
}

/** A worker of the queue `work`; gives a function that stops it and gives its exit code. */
function start(handler: Handler, options: WorkerOptions = {}): () => Promise<number> {
  const worker = new Worker({ url: server.url, id: "w1", wait: "5s", grace: "5s", stopWait: "1s", say: () => {}, ...options });
  worker.task("work", handler);
  const code = worker.run();
  running.push({ worker, code });
  return () => {
    worker.stop();
    return code;
  };
}

/** Something that is awaited in handlers and let go by the test. */
function gate(): { wait: Promise<void>; open: () => void } {
  let open = (): void => {};
  const wait = new Promise<void>((resolve) => (open = resolve));
  return { wait, open };
}
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("a worker", () => {
  test("claims for all free slots at once and tells ends together", async () => {
    server.offer(...Array.from({ length: 40 }, (_, n) => aJob(n, { input: n })));
    const end = start((_, value) => value * 2, { slots: 20 });
    await server.until(() => server.ended().length === 40);
    assert.equal(await end(), 0);
    assert.deepEqual(server.of("/v1/work/claim").slice(0, 2).map((call) => call.body.slots), [20, 20]);
    assert.deepEqual(server.ended().map((job) => [job.id, job.fence, job.result]), Array.from({ length: 40 }, (_, n) => [`j_${n}`, 100 + n, n * 2]));
    assert.equal(server.of("/v1/work/complete").length, 2);
    assert.equal(server.of("/v1/work/complete")[0]!.body.worker, "w1");
  });

  test("claims ahead of its slots and gives back what it never began", async () => {
    const [go, begun] = [gate(), gate()];
    server.offer(...[0, 1, 2, 3].map((n) => aJob(n)));
    const end = start(() => (begun.open(), go.wait), { slots: 1, ahead: 3 });
    await begun.wait;
    assert.equal(server.of("/v1/work/claim")[0]!.body.slots, 4);
    const code = end();
    go.open();
    assert.equal(await code, 0);
    assert.deepEqual([server.ended().map((job) => job.id), server.ended("release").map((job) => job.id)], [["j_0"], ["j_1", "j_2", "j_3"]]);
  });

  test("hands back what the open claim brings when it ends", async () => {
    const [asked, go] = [gate(), gate()];
    server.scripts.set("/v1/work/claim", async () => {
      asked.open();
      await go.wait;
      return [200, { jobs: [aJob(1)] }];
    });
    const end = start(() => null);
    await asked.wait;
    const code = end();
    go.open();
    assert.equal(await code, 0);
    assert.deepEqual(server.ended("release").map((job) => job.id), ["j_1"]);
  });

  test("beats while a handler keeps the main thread busy, and tells progress from there", async () => {
    server.offer(aJob(1, { lease_ms: 1200 }));
    const child = startProcess(`
      const end = performance.now() + 1800;
      let n = 0;
      while (performance.now() < end - 800) job.progress(++n, { step: "count" });
      while (performance.now() < end);
    `);
    await server.until(() => server.ended().length === 1);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
    const beats = server.of("/v1/work/beat");
    const gaps = beats.slice(1).map((call, at) => call.at - beats[at]!.at);
    assert.ok(beats.length >= 6, `${beats.length} beats`);
    assert.ok(Math.max(...gaps) < 1200, `gaps ${gaps.join(" ")}`);
    const told = beats.flatMap((call) => call.body.jobs).filter((job) => job.progress).map((job) => job.progress.done);
    assert.ok(told.length >= 3 && told.length <= 6, `told ${told.join(" ")}`);
    assert.deepEqual(told, [...told].sort((a, b) => a - b));
  });

  test("beats as often as it is told", async () => {
    // The lease is 30 s: by itself the first beat would leave after 8 s at the soonest.
    server.offer(aJob(1, { lease_ms: 30_000 }));
    const end = start(() => server.until(() => server.of("/v1/work/beat").length >= 3), { beatEvery: 50 });
    await server.until(() => server.ended().length === 1);
    assert.equal(await end(), 0);
    assert.deepEqual(server.ended("complete").map((job) => job.id), ["j_1"]);
  });

  test("stops a cancelled handler that keeps the main thread busy", async () => {
    server.words.set("j_1", "cancel");
    server.offer(aJob(1, { lease_ms: 300 }));
    const child = startProcess("for (;;) job.check();");
    await server.until(() => server.ended("fail").length === 1);
    child.kill("SIGTERM");
    assert.deepEqual(await once(child, "exit"), [0, null]);
    assert.equal(server.ended("fail")[0].error.class, "cancelled");
  });

  test("tells progress at most four times a second and the last always", async () => {
    server.offer(aJob(1));
    start(async (job) => {
      const end = performance.now() + 1000;
      for (let n = 1; performance.now() < end; ++n) {
        job.progress(n, { step: "count", message: `row ${n}` });
        await sleep(1);
      }
      job.progress(1e9, { total: 1e9, message: "last" });
    });
    await server.until(() => server.ended().length === 1);
    const told = server.of("/v1/work/beat").flatMap((call) => call.body.jobs).filter((job) => job.progress).map((job) => job.progress);
    assert.ok(told.length >= 3 && told.length <= 6, `${told.length} told`);
    assert.deepEqual(told.at(-1), { phase: "count", phase_index: 0, done: 1e9, total: 1e9, message: "last" });
    const paths = server.calls.map((call) => call.path);
    assert.ok(paths.lastIndexOf("/v1/work/beat") < paths.indexOf("/v1/work/complete"));
  });

  test("tells progress that changed a moment before a pause", async () => {
    const go = gate();
    const told = () => server.of("/v1/work/beat").at(-1)?.body.jobs[0].progress?.done;
    server.offer(aJob(1));
    start(async (job) => {
      job.progress(1, { total: 2 });
      await server.until(() => told() === 1);
      job.progress(2);
      await go.wait;
    });
    await server.until(() => told() === 2);
    go.open();
  });

  test("aborts the signal of a cancelled job and confirms", async () => {
    server.words.set("j_1", "cancel");
    server.offer(aJob(1, { lease_ms: 300 }));
    start((job) => new Promise((_, reject) => job.signal.addEventListener("abort", () => reject(new Error("aborted")))));
    await server.until(() => server.ended("fail").length === 1);
    assert.equal(server.ended("fail")[0].error.class, "cancelled");
  });

  test("aborts a handler whose lease is lost and says no more of it", async () => {
    server.words.set("j_1", "lost");
    server.offer(aJob(1, { lease_ms: 300 }), aJob(2));
    const lost = gate();
    const end = start(async (job) => {
      if (job.id === "j_2") return;
      await new Promise<void>((resolve) => job.signal.addEventListener("abort", () => resolve()));
      lost.open();
      job.check();
    });
    await lost.wait;
    assert.equal(await end(), 0);
    assert.deepEqual([...server.ended(), ...server.ended("fail"), ...server.ended("release")].map((job) => job.id), ["j_2"]);
  });

  test("does not tell a new job what was said of the one before", async () => {
    const late = gate();
    let beats = 0;
    let cell: number;
    server.scripts.set("/v1/work/beat", async (call) => {
      if (++beats > 1) return [200, { jobs: [] }];
      await late.wait;
      return [200, { jobs: call.body.jobs.map(({ id }: any) => ({ id, answer: "lost" })) }];
    });
    const end = start(async (job) => {
      if (job.id === "j_1") {
        cell = job.cell;
        return void (await server.until(() => beats === 1));
      }
      if (job.cell !== cell) return "in another's cell";
      late.open();
      await server.until(() => beats > 1); // by then it has read the answer to the one before
      job.check();
      return "untouched";
    }, { slots: 1 });
    // A cell is free a moment after the server has taken its job's end: until then the next job has another.
    for (let n = 1; n < 20 && server.ended().at(-1)?.result !== "untouched"; ++n) {
      server.offer(aJob(n, { lease_ms: 200 }));
      await server.until(() => server.ended().length === n);
    }
    assert.equal(server.ended().at(-1)?.result, "untouched");
    assert.equal(await end(), 0);
  });

  test("sends checkpoints and log lines while it works", async () => {
    const go = gate();
    server.offer(aJob(1));
    start(async (job) => {
      job.checkpoint({ page: 3 });
      job.log("page 3", "warning");
      await go.wait;
    });
    await server.until(() => server.of("/v1/work/j_1/log").length > 0 && server.of("/v1/work/beat").length > 0);
    assert.deepEqual(server.of("/v1/work/j_1/log")[0]!.body, { fence: 101, lines: [{ level: "warn", text: "page 3" }] });
    assert.deepEqual(server.of("/v1/work/beat")[0]!.body.jobs[0].checkpoint, { page: 3 });
    go.open();
  });

  test("sends the last checkpoint before it says that the attempt failed", async () => {
    server.offer(aJob(1));
    start((job) => {
      job.checkpoint({ page: 3 });
      throw new Error("no more");
    });
    await server.until(() => server.ended("fail").length === 1);
    assert.deepEqual(server.of("/v1/work/beat")[0]!.body.jobs[0].checkpoint, { page: 3 });
    const paths = server.calls.map((call) => call.path);
    assert.ok(paths.indexOf("/v1/work/beat") < paths.indexOf("/v1/work/fail"));
  });

  test("tells an end until the server has answered, and beats meanwhile", async () => {
    const answers: ([number, unknown] | undefined)[] = [undefined, [503, { code: "busy" }], undefined, [200, {}]];
    server.scripts.set("/v1/work/complete", () => answers.shift());
    server.offer(aJob(1, { lease_ms: 300 }));
    start(() => "kept");
    await server.until(() => answers.length === 0);
    assert.deepEqual(new Set(server.ended().map((job) => job.result)), new Set(["kept"]));
    assert.ok(server.of("/v1/work/beat").length >= 1);
  });

  test("beats ever more rarely once its lease is over and nobody answers", async () => {
    server.scripts.set("/v1/work/beat", () => undefined);
    server.offer(aJob(1, { lease_ms: 300 }));
    const gone = gate();
    start(async (job) => {
      for (let done = 0; done < 160; ++done) job.progress(done), await sleep(25);
      await gone.wait;
    });
    await server.until(() => server.of("/v1/work/beat").length > 0);
    const first = server.of("/v1/work/beat")[0]!.at;
    await sleep(3_700); // time itself: two seconds in which there may be next to no beat
    const times = server.of("/v1/work/beat").map((call) => call.at - first);
    assert.ok(times.filter((at) => at < 300).length >= 4, `soon at first: ${times}`);
    assert.ok(times.filter((at) => at > 1_700).length <= 4, `rarely then: ${times}`);
    server.scripts.delete("/v1/work/beat");
    gone.open();
  });

  test("says what it holds when the answer to a claim was lost", async () => {
    const go = gate();
    const claims: unknown[] = [];
    server.scripts.set("/v1/work/claim", async (call) => {
      claims.push(call.body.holds);
      if (claims.length === 2) return undefined;
      if (claims.length > 3) await go.wait;
      return [200, { jobs: claims.length === 1 ? [aJob(1)] : [] }];
    });
    start(() => go.wait);
    await server.until(() => claims.length === 4);
    assert.deepEqual(claims, [[], undefined, [{ id: "j_1", fence: 101 }], undefined]);
    go.open();
  });

  test("sends a large result ahead by PUT", async () => {
    const put = "/v1/work/j_1/result?fence=101";
    server.scripts.set(put, () => [200, { payload: 9, bytes: 600_002 }]);
    server.offer(aJob(1));
    start(() => "x".repeat(600_000));
    await server.until(() => server.ended().length === 1);
    assert.equal(server.of(put)[0]!.body.length, 600_000);
    assert.equal("result" in server.ended()[0], false);
  });

  test("fails a job for good whose result the server refuses", async () => {
    server.scripts.set("/v1/work/complete", (call) =>
      call.body.jobs.length > 1 || call.body.jobs[0].id === "j_1" ? [400, { code: "bad_request", detail: "no such result" }] : [200, {}]);
    server.offer(aJob(1), aJob(2));
    start(() => null);
    await server.until(() => server.ended("fail").length === 1 && server.of("/v1/work/complete").some((call) => call.body.jobs.length === 1 && call.body.jobs[0].id === "j_2"));
    const failed = server.ended("fail")[0];
    assert.deepEqual([failed.id, failed.error.class], ["j_1", "fatal"]);
    assert.match(failed.error.message, /no such result/);
  });

  test("hands back with the checkpoint what cannot finish in the grace", async () => {
    const begun = gate();
    server.offer(aJob(1));
    const end = start(async (job) => {
      job.checkpoint({ page: 3 });
      begun.open();
      for (;;) {
        await sleep(10);
        job.check();
      }
    }, { grace: "100ms" });
    await begun.wait;
    assert.equal(await end(), 0);
    assert.deepEqual(server.ended("release"), [{ id: "j_1", fence: 101, checkpoint: { page: 3 } }]);
  });

  test("hands back also what takes no notice", async () => {
    const begun = gate();
    server.offer(aJob(1));
    const end = start(() => (begun.open(), new Promise(() => {})), { grace: "50ms", stopWait: "50ms" });
    await begun.wait;
    assert.equal(await end(), 0);
    assert.deepEqual(server.ended("release").map((job) => job.id), ["j_1"]);
  });

  test("lets running work finish and takes no more", async () => {
    const [begun, go] = [gate(), gate()];
    server.offer(aJob(1));
    const end = start(async (job) => {
      begun.open();
      await go.wait;
      return job.stopping;
    });
    await begun.wait;
    const code = end();
    setTimeout(go.open, 100);
    assert.equal(await code, 0);
    assert.deepEqual(server.ended().map((job) => job.result), [true]);
  });

  test("ends with 4 when the server does not let it in", async () => {
    server.scripts.set("/v1/work/claim", () => [401, { code: "unauthorized", detail: "no such token" }]);
    start(() => null, { token: "secret" });
    assert.equal(await running[0]!.code, 4);
    assert.equal(server.calls[0]!.headers.authorization, "Bearer secret");
  });

  test("stops when it is drained, and lets what runs end however often it is told", async () => {
    server.scripts.set("/v1/work/beat", () => [200, { jobs: [], drain: true }]);
    server.offer(aJob(1, { lease_ms: 200 }));
    start(async (job) => {
      await server.until(() => server.of("/v1/work/beat").length >= 3);
      return job.stopReason ?? "whole";
    });
    assert.equal(await running[0]!.code, 0);
    assert.deepEqual(server.ended().map((job) => job.result), ["whole"]);
  });
});

describe("a client", () => {
  test("sends lists of a thousand and repeats without adding twice", async () => {
    const client = new Client({ url: server.url });
    let cut = false;
    server.scripts.set("/v1/jobs", (call) => (cut ? [201, { items: call.body.map((job: any) => ({ id: `j_${job.input}` })) }] : ((cut = true), undefined)));
    const made = await client.enqueue("work", Array.from({ length: 1500 }, (_, n) => n), { priority: 2 });
    client.close();
    assert.deepEqual(made.map((job) => job.id), Array.from({ length: 1500 }, (_, n) => `j_${n}`));
    const calls = server.of("/v1/jobs");
    assert.deepEqual(calls.map((call) => call.body.length), [1000, 1000, 500]);
    const keys = calls.map((call) => call.headers["idempotency-key"]);
    assert.equal(keys[0], keys[1]);
    assert.notEqual(keys[1], keys[2]);
    assert.deepEqual(calls[0]!.body[7], { queue: "work", input: 7, priority: 2 });
  });

  test("says why it was refused", async () => {
    const client = new Client({ url: server.url });
    server.scripts.set("/v1/jobs", () => [422, { code: "bad_input", detail: "no", try: "this" }]);
    await assert.rejects(client.enqueue("work", [1]), (error) => error instanceof Refused && /no   try: this/.test(error.message));
    client.close();
    assert.equal(server.calls.length, 1);
  });
});
