// SPDX-License-Identifier: Apache-2.0
// The main thread's end of the beat thread (beat_thread.ts), and the owner of the cells.

import { once } from "node:events";
import { Worker as Thread } from "node:worker_threads";
import type { BeatThreadData, FromBeatThread, ToBeatThread } from "./beat_thread.js";
import { Cells } from "./cells.js";
import { Cancelled, LeaseLost } from "./errors.js";
import type { Job, Post, Words } from "./job.js";
import type { Held } from "./protocol.js";
import type { ServerAddress } from "./wire.js";

export class Beats implements Pick<Post, "words" | "checkpoint"> {
  readonly cells: Cells;
  readonly #free: number[];
  readonly #held = new Map<string, Job>();
  readonly #thread: Thread;
  /** The thread listens. Nothing may be claimed before: a busy main thread could not help it to start. */
  readonly ready: Promise<void>;

  constructor(address: ServerAddress, worker: string, cellsMax: number, beatEveryMs: number, told: { drain(): void; reconnect(): void }) {
    this.cells = Cells.of(cellsMax);
    this.#free = Array.from({ length: cellsMax }, (_, at) => cellsMax - 1 - at);
    const data: BeatThreadData = { address, worker, memory: this.cells.memory, beatEveryMs };
    this.#thread = new Thread(new URL("./beat_thread.js", import.meta.url), {
      workerData: data,
      // Not the program's own flags: some of them (--input-type) end a thread at once.
      execArgv: [],
    });
    this.ready = once(this.#thread, "message").then(() => {});
    this.#thread.on("message", (message: FromBeatThread) => {
      for (const [id, fence, word] of message.words ?? []) {
        const job = this.#held.get(id);
        if (job?.fence === fence) job.stop(word === "cancel" ? new Cancelled(`${id} was cancelled`) : new LeaseLost(`${id} is no longer this worker's`));
      }
      if (message.drain) told.drain();
      if (message.reconnect) told.reconnect();
    });
  }

  /** A cell for a job that comes. Bounded by how many jobs a worker takes before their ends are told. */
  takeCell(): number {
    const cell = this.#free.pop();
    if (cell === undefined) throw new Error("more jobs than cells");
    return cell;
  }

  hold(jobs: Job[]): void {
    for (const job of jobs) this.#held.set(job.id, job);
    this.#send({ hold: jobs.map((job) => [job.id, job.fence, job.leaseMs, job.cell, job.epoch]) });
  }
  drop(jobs: Job[]): void {
    for (const job of jobs) {
      if (this.#held.get(job.id) === job) this.#held.delete(job.id);
      this.#free.push(job.cell);
    }
    this.#send({ drop: jobs.map((job) => [job.id, job.fence]) });
  }
  held(): Held[] {
    return [...this.#held.values()].map(({ id, fence }) => ({ id, fence }));
  }

  words(job: Job, words: Words): void {
    this.#send({ words, id: job.id, fence: job.fence });
  }
  checkpoint(job: Job, json: string): void {
    this.#send({ checkpoint: json, id: job.id, fence: job.fence });
  }

  async finish(): Promise<void> {
    const over = once(this.#thread, "exit");
    this.#send({ finish: true });
    const late = setTimeout(() => void this.#thread.terminate(), 1_000);
    await over;
    clearTimeout(late);
  }

  #send(message: ToBeatThread): void {
    this.#thread.postMessage(message);
  }
}
