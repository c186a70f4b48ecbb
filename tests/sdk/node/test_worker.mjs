// SPDX-License-Identifier: Apache-2.0
// The test worker of the Node SDK: the tasks that ../README.md lists, nothing else.

import { existsSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Fatal, RateLimited, Retryable, Worker } from "../../../sdk/node/dist/src/index.js";

const say = (...words) => void writeSync(1, `${words.join(" ")}\n`);

const { WORKER_ID, WORKER_SLOTS = "4", WORKER_AHEAD = "0", WORKER_GRACE_MS } = process.env;
const worker = new Worker({
  slots: Number(WORKER_SLOTS),
  ahead: Number(WORKER_AHEAD),
  ...(WORKER_ID !== undefined && { id: WORKER_ID }),
  ...(WORKER_GRACE_MS !== undefined && { grace: Number(WORKER_GRACE_MS) }),
});

/** Says `begin` and `end`, and `stop` with the reason where the SDK stops the handler. */
function task(queue, handler) {
  worker.task(queue, async (job, input) => {
    say("begin", queue, job.id, job.attempt);
    try {
      const result = await handler(job, input ?? {});
      say("end", queue, job.id, job.attempt);
      return result;
    } catch (error) {
      if (job.stopReason !== undefined) say("stop", queue, job.id, job.attempt, job.stopReason);
      throw error;
    }
  });
}

worker.task("echo", (_, input) => input);

task("who", ({ id, fence, attempt, generation, queue, worker }) => ({ id, fence, attempt, generation, queue, worker, pid: process.pid }));

task("fail", (job, { message = "", class: kind = "retryable", code = "", retry_after_ms = 0, until = 0 }) => {
  if (until !== 0 && job.attempt >= until) return { attempt: job.attempt };
  const named = code === "" ? {} : { code };
  if (kind === "fatal") throw new Fatal(message, named);
  if (kind === "rate_limited") throw new RateLimited(message, { retryAfter: retry_after_ms, ...named });
  throw code === "" ? new Error(message) : new Retryable(message, named);
});

task("slow", async (job, { ms = 1000, steps = 10, phase = "work" }) => {
  for await (const _ of job.track(Array(steps).keys(), { step: phase, total: steps })) await sleep(ms / steps);
  return { steps, attempt: job.attempt };
});

task("busy", (job, { until }) => {
  let sum = 0;
  while (!existsSync(until)) for (let n = 0; n < 10_000_000; ++n) sum += n;
  return { attempt: job.attempt };
});

task("stubborn", async (job, { ms = 1000 }) => {
  await sleep(ms);
  if (job.stopReason !== undefined) say("stop", "stubborn", job.id, job.attempt, job.stopReason);
  return { attempt: job.attempt };
});

task("hurry", (job, { count = 10_000, phase = "count" }) => {
  for (let n = 1; n <= count; ++n) job.progress(n, { total: count, step: phase });
  return { count };
});

task("checkpoint", async (job, { steps = 10, step_ms = 50, die_at = 0 }) => {
  const from = job.resumed?.done ?? 0;
  for (let done = from + 1; done <= steps; ++done) {
    await sleep(step_ms);
    job.progress(done, { total: steps });
    job.checkpoint({ done });
    if (die_at !== 0 && done === die_at && job.attempt === 1) {
      await sleep(200);
      process.kill(process.pid, "SIGKILL");
    }
  }
  return { from, done: steps, attempt: job.attempt };
});

task("pause", (job, { wait_ms = 100, reason = "later" }) => {
  if (job.attempt === 1) job.release({ wait: wait_ms, reason, checkpoint: { paused: true } });
  return { attempt: job.attempt, checkpoint: job.resumed };
});

task("big", (_, { bytes = 1_000_000 }) => "x".repeat(bytes));

task("log", (job, { lines }) => {
  for (const line of lines) job.log(line);
  return { lines: lines.length };
});

say("ready", process.pid);
process.exitCode = await worker.run();
