// SPDX-License-Identifier: Apache-2.0
// Puts jobs into a queue.

import { randomUUID } from "node:crypto";
import { addressOf, Backoff, pause, Wire, worthRepeating } from "./wire.js";

const jobsPerCallMax = 1000;
const callBytesMax = 900_000;

export interface ClientOptions {
  url?: string;
  token?: string;
  tokenEnv?: string;
  /** How often a call is made that gets no answer or a busy one; 5 if not given. */
  tries?: number;
}

/** Those of `POST /v1/jobs`, by their names there. */
export interface EnqueueOptions {
  priority?: number;
  due_at?: string;
  start_by?: string;
  deadline_at?: string;
  attempts_max?: number;
  unique?: unknown;
  tags?: string[];
}

/** What names a job that was added. `attached`: uniqueness led to one that was there. */
export interface AddedJob {
  id: string;
  state: string;
  seq: number;
  attached?: boolean;
}

/** A job as the server shows it. */
export interface JobView {
  id: string;
  state: string;
  queue: string;
  result?: any;
  [field: string]: any;
}

export class Client {
  readonly #wire: Wire;
  readonly #tries: number;

  constructor(options: ClientOptions = {}) {
    this.#wire = new Wire(addressOf(options), 4);
    this.#tries = options.tries ?? 5;
  }

  /**
   * Adds a job for each input, in their order, and gives their ids and states; `job(id)` shows a whole one.
   *
   * All calls carry an Idempotency-Key, so that one that got no answer is repeated without adding twice; with an
   * `idempotencyKey` of your own that also holds for a program that was started again. Many inputs are several calls, each
   * all or nothing. Throws Refused or Unreachable.
   */
  async enqueue(queue: string, inputs: Iterable<unknown>, options: EnqueueOptions & { idempotencyKey?: string } = {}): Promise<AddedJob[]> {
    const { idempotencyKey = randomUUID(), ...more } = options;
    const made: AddedJob[] = [];
    let entries: string[] = [];
    let size = 0;
    let call = 0;
    const add = async (): Promise<void> => {
      const answer = await this.#ask("POST", "/v1/jobs", `[${entries.join(",")}]`, { "Idempotency-Key": `${idempotencyKey}-${call++}`, Prefer: "return=minimal" });
      made.push(...answer.items);
      entries = [];
      size = 0;
    };
    for (const input of inputs) {
      const entry = JSON.stringify({ queue, input, ...more });
      if (entries.length === jobsPerCallMax || (entries.length > 0 && size + entry.length * 3 > callBytesMax && size + Buffer.byteLength(entry) > callBytesMax)) await add();
      entries.push(entry);
      size += Buffer.byteLength(entry) + 1;
    }
    if (entries.length > 0) await add();
    return made;
  }

  /** A job as it is now. */
  job(id: string): Promise<JobView> {
    return this.#ask("GET", `/v1/jobs/${id}`, undefined, {});
  }

  close(): void {
    this.#wire.close();
  }

  async #ask(method: string, path: string, body: string | undefined, headers: Record<string, string>): Promise<any> {
    const backoff = new Backoff();
    for (let left = this.#tries - 1; ; --left) {
      try {
        return await this.#wire.ask(method, path, body, { timeoutMs: 60_000, headers });
      } catch (error) {
        if (left <= 0 || !worthRepeating(error)) throw error;
        await pause(backoff.waitMs(error));
      }
    }
  }
}
