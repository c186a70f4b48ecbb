// SPDX-License-Identifier: Apache-2.0
// What a handler sees and how its ways to end are understood. No server.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Fatal, RateLimited, Retryable, testing, Worker, type Job } from "../src/index.js";
import { Cells, Word } from "../src/cells.js";
import { milliseconds } from "../src/durations.js";

describe("durations", () => {
  test("are read as people write them", () => {
    for (const [written, meant] of [["30s", 30_000], ["500ms", 500], ["1m30s", 90_000], ["2h", 7_200_000], ["1.5s", 1_500], [250, 250]] as const) {
      assert.equal(milliseconds(written), meant);
    }
  });
  test("say what may be written instead", () => {
    for (const wrong of ["30", "s", "-1s", "", "10 s", -1, NaN, Infinity]) assert.throws(() => milliseconds(wrong), /30s/);
  });
});

describe("handlers", () => {
  test("get the input and give the result", async () => {
    const forecast = async (_: Job, { region, days = 30 }: { region: string; days?: number }) => ({ region, days });
    const ran = await testing.run(forecast, { region: "north" });
    assert.equal(ran.end, "succeeded");
    assert.deepEqual(ran.result, { region: "north", days: 30 });
  });
  test("are tried again after a plain error whose trace is in the log", async () => {
    const ran = await testing.run(function fails() {
      throw new TypeError("price");
    });
    assert.deepEqual([ran.end, ran.code, ran.message], ["retryable", "TypeError", "price"]);
    assert.match(ran.log[0]![1], /at fails/);
  });
  test("say themselves what an error means", async () => {
    const says = (error: unknown) => testing.run(() => Promise.reject(error));
    const fatal = await says(new Fatal("no", { code: "gone" }));
    assert.deepEqual([fatal.end, fatal.code], ["fatal", "gone"]);
    const again = await says(new Retryable("no", { code: "slow" }));
    assert.deepEqual([again.end, again.code], ["retryable", "slow"]);
    const limited = await says(new RateLimited("no", { retryAfter: "2m" }));
    assert.deepEqual([limited.end, limited.waitMs], ["rate_limited", 120_000]);
    assert.equal((await says("only text")).message, "only text");
  });
  test("cannot return what is no JSON", async () => {
    const round: any = {};
    round.round = round;
    for (const result of [round, () => 1, 10n]) {
      const ran = await testing.run(() => result);
      assert.deepEqual([ran.end, ran.code], ["fatal", "bad_result"]);
    }
    assert.equal((await testing.run(() => undefined)).result, null);
  });
  test("hand back with a checkpoint for later", async () => {
    const ran = await testing.run((job) => job.release({ wait: "10m", reason: "quota", checkpoint: { page: 3 } }));
    assert.deepEqual([ran.end, ran.waitMs, ran.message, ran.checkpoints], ["released", 600_000, "quota", [{ page: 3 }]]);
  });
  test("go on from what an earlier attempt left", async () => {
    const ran = await testing.run((job) => [job.attempt, job.resumed], null, { attempt: 2, checkpoint: { page: 3 } });
    assert.deepEqual(ran.result, [2, { page: 3 }]);
  });
  test("keep a copy of the checkpoint, not the value that changes", async () => {
    const ran = await testing.run((job) => {
      const state = { page: 1 };
      job.checkpoint(state);
      state.page = 2;
    });
    assert.deepEqual(ran.checkpoints, [{ page: 1 }]);
  });
});

describe("progress", () => {
  test("is counted by track in steps that follow each other, in plain and in waiting loops", async () => {
    const ran = await testing.run(async (job) => {
      for (const _ of job.track([1, 2], { step: "load", unit: "rows" }));
      async function* later() {
        yield* ["a", "b"];
      }
      for await (const _ of job.track(later(), { step: "fit" }));
    });
    const told = ran.progress.map((one) => [one.phase, one.phase_index, one.done]);
    assert.deepEqual(told, [["load", 0, 0], ["load", 0, 1], ["load", 0, 2], ["fit", 1, 0], ["fit", 1, 1], ["fit", 1, 2]]);
    assert.deepEqual([ran.progress[0]!.total, ran.progress[0]!.unit, ran.progress[3]!.total], [2, "rows", undefined]);
  });
  test("never goes back within a step", async () => {
    const ran = await testing.run((job) => {
      job.progress(5, { total: 10, step: "fit" });
      job.progress(3, { message: "again" });
    });
    assert.deepEqual(ran.progress.map((one) => one.done), [5, 5]);
  });
  test("lets the rest of the program have its turn in a waiting loop", async () => {
    let turns = 0;
    const ran = await testing.run(async (job) => {
      const timer = setInterval(() => ++turns, 1);
      const end = performance.now() + 10_000;
      function* busy() {
        while (turns < 3 && performance.now() < end) yield 1;
      }
      for await (const _ of job.track(busy()));
      clearInterval(timer);
    });
    assert.equal(ran.end, "succeeded");
    assert.equal(turns, 3);
  });
});

describe("stops", () => {
  test("are thrown by track and confirm a cancel", async () => {
    const seen: number[] = [];
    const ran = await testing.run((job) => {
      for (const item of job.track([0, 1, 2, 3, 4])) seen.push(item);
    }, null, { stopAfter: 3 });
    assert.deepEqual([ran.end, seen], ["stopped", [0, 1]]);
  });
  test("abort the signal, whatever the handler then throws", async () => {
    for (const stopReason of ["cancelled", "lost", "shutdown"] as const) {
      const ran = await testing.run(async (job) => {
        assert.equal(job.stopReason, stopReason);
        if (job.signal.aborted) throw new DOMException("This operation was aborted", "AbortError");
      }, null, { stopAfter: 0, stopReason });
      assert.equal(ran.end, "stopped");
    }
  });
  test("do not take the result of work that is done whole", async () => {
    const ran = await testing.run((job) => {
      for (const _ of job.track([0, 1, 2]));
      return "whole";
    }, null, { stopAfter: 4 });
    assert.equal(ran.result, "whole");
  });
});

describe("cells", () => {
  test("keep what is said of a job from the next one in the same cell", () => {
    const cells = Cells.of(2);
    const first = cells.begin(1);
    cells.say(1, first, Word.cancel);
    assert.equal(cells.word(1), Word.cancel);
    const second = cells.begin(1);
    cells.say(1, first, Word.lost);
    assert.equal(cells.word(1), Word.ok);
    cells.say(1, second, Word.cancel);
    cells.say(1, second, Word.lost);
    cells.say(1, second, Word.cancel);
    assert.equal(cells.word(1), Word.lost);
    assert.equal(cells.word(0), Word.ok);
  });
  test("take an old word of what was told for news at most", () => {
    const cells = Cells.of(1);
    cells.begin(0);
    cells.count(0, 5, 10);
    const before = cells.changed(0);
    cells.begin(0);
    cells.count(0, 1, undefined);
    cells.tell(0, before);
    assert.notEqual(cells.told(0), cells.changed(0));
    assert.deepEqual([cells.done(0), cells.total(0)], [1, undefined]);
  });
});

test("a worker refuses options that cannot work", async () => {
  const url = "http://127.0.0.1:1";
  for (const options of [{ slots: 0 }, { slots: 1001 }, { ahead: -1 }, { grace: "soon" }, { url: "localhost:7878" }]) {
    assert.throws(() => new Worker({ url, ...options }), RangeError);
  }
  await assert.rejects(new Worker({ url }).run(), /no task/);
});
