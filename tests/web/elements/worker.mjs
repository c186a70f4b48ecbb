// SPDX-License-Identifier: Apache-2.0
// A worker of the tests: node worker.mjs URL QUEUE STEP_MS {"steps", "fail", "hang"}
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "../../../sdk/node/dist/src/index.js";

const [url, queue, stepMs, more] = process.argv.slice(2);
const { steps = 3, fail = [], hang = false, rows, slots = 1 } = JSON.parse(more ?? "{}");

const worker = new Worker({ url, slots });
worker.task(queue, { lease: "2s" }, async (job, input) => {
  for await (const _ of job.track(Array(input?.steps ?? steps).keys(), { step: "fit", total: input?.steps ?? steps })) {
    await sleep(Number(stepMs));
    if (hang) await sleep(1e9, undefined, { signal: job.signal });
  }
  if (fail.includes(job.raw?.item ?? input?.name)) throw new Error("the site said no");
  return rows ?? { ok: true };
});
process.exitCode = await worker.run();
