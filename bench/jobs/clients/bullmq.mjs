// SPDX-License-Identifier: Apache-2.0
// BullMQ: add COUNT in bulk, or work until SIGTERM. PORT is Redis's. What is done is removed at once, which costs it least.
import { Queue, Worker } from "bullmq";

const [verb, count] = process.argv.slice(2);
const connection = { host: "127.0.0.1", port: Number(process.env.PORT), maxRetriesPerRequest: null };
if (verb === "add") {
  const queue = new Queue("noop", { connection });
  for (let n = 0; n < Number(count); ) {
    const jobs = [];
    for (; jobs.length < 1000 && n < Number(count); ++n) jobs.push({ name: "noop", data: { n }, opts: { removeOnComplete: true } });
    await queue.addBulk(jobs);
  }
  await queue.close();
} else {
  const worker = new Worker("noop", async () => {}, { connection, concurrency: Number(process.env.CONCURRENCY ?? 100) });
  process.once("SIGTERM", () => void worker.close());
}
