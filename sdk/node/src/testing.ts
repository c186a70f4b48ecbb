// SPDX-License-Identifier: Apache-2.0
// Runs a handler without a server, for its own tests:
//
//   const ran = await testing.run(forecast, { region: "north" });
//   assert.deepEqual(ran.result, { region: "north" });

import { Cells } from "./cells.js";
import { Cancelled, LeaseLost, Shutdown, type StopReason } from "./errors.js";
import { Job, type Level, type ProgressOptions } from "./job.js";
import type { ProgressJson } from "./protocol.js";
import { endOf, type Handler } from "./worker.js";

export interface Ran {
  end: "succeeded" | "retryable" | "fatal" | "rate_limited" | "released" | "stopped";
  result?: any;
  /** Of an error. */
  code?: string;
  /** Of an error; of a release: its reason. */
  message?: string;
  /** Of a release, and retryAfter of rate_limited. */
  waitMs: number;
  /** All that were told, not only those that a worker would send. */
  progress: ProgressJson[];
  checkpoints: any[];
  log: [Level, string][];
}

export interface RunOptions {
  attempt?: number;
  fence?: number;
  /** What an earlier attempt left; the handler finds it as job.resumed. */
  checkpoint?: unknown;
  /** The handler is told to stop once it has told so many progresses; 0: before it begins. */
  stopAfter?: number;
  /** `cancelled` if not given. */
  stopReason?: StopReason;
}

const stops = { cancelled: Cancelled, lost: LeaseLost, shutdown: Shutdown };

class WatchedJob extends Job {
  readonly progresses: ProgressJson[] = [];
  readonly checkpoints: any[] = [];

  constructor(claimed: ConstructorParameters<typeof Job>[0], private readonly options: RunOptions) {
    super(claimed, Cells.of(1), 0, { words: () => {}, checkpoint: () => {}, lines: () => {} }, [], "testing");
    if (options.stopAfter === 0) this.#stopNow();
  }

  override note(done: number | undefined, options: ProgressOptions = {}): void {
    super.note(done, options);
    this.progresses.push(this.untoldProgress()!);
    if (this.progresses.length === this.options.stopAfter) this.#stopNow();
  }

  override noteCheckpoint(value: unknown): void {
    super.noteCheckpoint(value);
    this.checkpoints.push(JSON.parse(this.lastCheckpoint!));
  }

  #stopNow(): void {
    const reason = this.options.stopReason ?? "cancelled";
    this.stop(new stops[reason](`the test says ${reason}`));
  }
}

export async function run<Input>(handler: Handler<Input>, input?: Input, options: RunOptions = {}): Promise<Ran> {
  const copied = input === undefined ? undefined : JSON.parse(JSON.stringify(input));
  const claimed = { id: "j_test", fence: options.fence ?? 1, queue: "test", tenant: "default", attempt: options.attempt ?? 1, input: copied, checkpoint: options.checkpoint };
  const job = new WatchedJob(claimed, options);
  const end = await endOf(job, handler as Handler);
  const ran: Ran = { end: "stopped", waitMs: 0, progress: job.progresses, checkpoints: job.checkpoints, log: job.takeLines() };
  const entry = end?.entry ? JSON.parse(end.entry) : {};
  if (end?.verb === "complete") {
    ran.end = "succeeded";
    ran.result = end.large === undefined ? entry.result : JSON.parse(end.large);
  } else if (end?.verb === "fail" && entry.error.class !== "cancelled") {
    ran.end = entry.error.class;
    ran.code = entry.error.code;
    ran.message = entry.error.message;
    ran.waitMs = (entry.retry_after ?? 0) * 1000;
  } else if (end?.verb === "release" && job.stopReason !== "shutdown") {
    ran.end = "released";
    ran.message = entry.reason ?? "";
    ran.waitMs = entry.wait_ms ?? 0;
  }
  return ran;
}
