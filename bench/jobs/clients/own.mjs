// SPDX-License-Identifier: Apache-2.0
// The Node SDK's row: add COUNT, or work until SIGTERM. The server comes from FRESHET_URL and FRESHET_TOKEN.
import { Client, Worker } from "../../../sdk/node/dist/src/index.js";

const [verb, count] = process.argv.slice(2);
if (verb === "add") {
  const client = new Client();
  await client.enqueue("noop", Array.from({ length: Number(count) }, (_, n) => ({ n })));
  client.close();
} else {
  const worker = new Worker({ id: "bench", slots: 100, ahead: 1000 });
  worker.task("noop", () => {});
  process.exitCode = await worker.run();
}
