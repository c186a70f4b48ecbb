// SPDX-License-Identifier: Apache-2.0
// graphile-worker: prepare its schema, add COUNT in bulk, or work until SIGTERM. PGHOST and the like say where.
// As its authors measure it: a local queue, and ends told in batches.
import { Logger, makeWorkerUtils, run } from "graphile-worker";

const [verb, count] = process.argv.slice(2);
const logger = new Logger(() => () => {});
const connectionString = process.env.DATABASE_URL;
if (verb === "work") {
  const runner = await run({
    connectionString,
    taskList: { noop: () => {} },
    logger,
    noHandleSignals: true,
    concurrentJobs: 24,
    preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0, maxPoolSize: 4 } },
  });
  process.once("SIGTERM", () => void runner.stop());
  await runner.promise;
} else {
  const utils = await makeWorkerUtils({ connectionString, logger });
  if (verb === "prepare") await utils.migrate();
  else
    for (let n = 0; n < Number(count); ) {
      const jobs = [];
      for (; jobs.length < 1000 && n < Number(count); ++n) jobs.push({ identifier: "noop", payload: { n } });
      await utils.addJobs(jobs);
    }
  await utils.release();
}
