// SPDX-License-Identifier: Apache-2.0
// One attempt at a job, as its handler sees it.
//
// Nothing here waits for the network. Counters go into shared memory, from where the beat thread takes them; words
// (step, message) and checkpoints are posted to it, words at most four times a second. Each of these calls is also where
// a handler that keeps the main thread busy learns that it must stop: it throws what `signal` has as its reason.

import { Cells, Word } from "./cells.js";
import { milliseconds, type Duration } from "./durations.js";
import { Cancelled, LeaseLost, Released, Stopped, type StopReason } from "./errors.js";
import type { ClaimedJob, ProgressJson } from "./protocol.js";
import { clip } from "./wire.js";

export type Level = "debug" | "info" | "warning" | "error";
const levels: readonly string[] = ["debug", "info", "warning", "error"];
const linesWaitingMax = 1000;
const lineBytesMax = 8 * 1024;
const checkpointBytesMax = 64 * 1024;
const wordsEveryMs = 250;
const turnEveryMs = 10;

export interface ProgressOptions {
  total?: number;
  /** A new step starts anew at 0. */
  step?: string;
  unit?: string;
  message?: string;
}

export interface TrackOptions {
  step?: string;
  total?: number;
  unit?: string;
}

/** What the words of a progress are; the counters are in the job's cell. */
export type Words = Omit<ProgressJson, "done" | "total">;

/** Where a job leaves what is not in its cell. */
export interface Post {
  words(job: Job, words: Words): void;
  checkpoint(job: Job, json: string): void;
  lines(job: Job): void;
}

export class Job<Input = any> {
  readonly id: string;
  /** Grows with every hand-out of the job. Put it into your own writes (`… WHERE fence < :fence`): a worker that lost the job cannot overwrite what its successor wrote. */
  readonly fence: number;
  readonly queue: string;
  readonly tenant: string;
  /** The id of the worker that runs it. */
  readonly worker: string;
  /** 1 is the first. */
  readonly attempt: number;
  readonly generation: number;
  readonly input: Input;
  /** The last checkpoint of an earlier attempt, or undefined. */
  readonly resumed: any;
  /** When the job must be over at the latest, RFC 3339. */
  readonly deadlineAt: string | undefined;
  readonly leaseMs: number;

  /** @internal */ readonly cell: number;
  /** @internal */ readonly epoch: number;
  /** @internal */ lastCheckpoint: string | undefined;
  /** @internal */ lines: [Level, string][] = [];
  /** @internal */ sendingLines: Promise<void> | undefined;
  readonly #cells: Cells;
  readonly #post: Post;
  readonly #steps: readonly string[];
  readonly #abort = new AbortController();
  #words: Words | undefined;
  #wordsPosted: Words | undefined;
  #wordsPostedAt = -Infinity;
  #workerStops = false;
  #ended = false;

  /** @internal */
  constructor(claimed: ClaimedJob, cells: Cells, cell: number, post: Post, steps: readonly string[] = [], worker = "") {
    this.worker = worker;
    this.id = claimed.id;
    this.fence = claimed.fence;
    this.queue = claimed.queue;
    this.tenant = claimed.tenant ?? "";
    this.attempt = claimed.attempt ?? 1;
    this.generation = claimed.generation ?? 1;
    this.input = claimed.input as Input;
    this.resumed = claimed.checkpoint ?? undefined;
    this.deadlineAt = claimed.deadline_at;
    this.leaseMs = claimed.lease_ms ?? 30_000;
    this.#cells = cells;
    this.#post = post;
    this.#steps = steps;
    this.cell = cell;
    this.epoch = cells.begin(cell);
  }

  /** Aborted, with Cancelled, LeaseLost or Shutdown as its reason, when the handler is to end. Give it to fetch and the like. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Why the handler is to end; undefined while it is not. */
  get stopReason(): StopReason | undefined {
    this.#listen();
    const reason: unknown = this.#abort.signal.reason;
    return reason instanceof Stopped ? reason.reason : undefined;
  }

  /** The worker was told to end: finish soon, or `release()` with a checkpoint. */
  get stopping(): boolean {
    return this.#workerStops;
  }

  /** Notes how far the work is; what is left out stays as it was. Within a step `done` never goes back. */
  progress(done?: number, options: ProgressOptions = {}): void {
    this.check();
    this.note(done, options);
  }

  /** @internal */
  note(done: number | undefined, options: ProgressOptions = {}): void {
    const before = this.#words;
    const { step, unit, message } = options;
    const total = options.total === undefined ? undefined : count(options.total);
    if (before === undefined || (step !== undefined && step !== before.phase)) {
      const named = this.#steps.indexOf(step ?? "");
      const words: Words = { phase: step ?? "", phase_index: named >= 0 ? named : before === undefined ? 0 : before.phase_index + 1 };
      if (this.#steps.length > 0) words.phases = this.#steps.length;
      if (unit) words.unit = unit;
      if (message) words.message = message;
      this.#words = words;
      this.#cells.count(this.cell, count(done ?? 0), total);
    } else {
      if ((unit !== undefined && unit !== before.unit) || (message !== undefined && message !== before.message)) {
        this.#words = { ...before, ...(unit !== undefined && { unit }), ...(message !== undefined && { message }) };
      }
      const was = this.#cells.done(this.cell);
      this.#cells.count(this.cell, done === undefined ? was : Math.max(count(done), was), total ?? this.#cells.total(this.cell));
    }
    if (this.#words !== this.#wordsPosted) {
      const now = performance.now();
      if (now - this.#wordsPostedAt >= wordsEveryMs || this.#words?.phase !== this.#wordsPosted?.phase) {
        this.#wordsPostedAt = now;
        this.#wordsPosted = this.#words;
        this.#post.words(this, this.#words!);
      }
    }
  }

  /**
   * Goes through `items` and counts them; throws where the job is cancelled or lost. `for` and `for await` both work; the
   * latter lets the rest of the program have its turn every 10 ms.
   */
  track<T>(items: Iterable<T>, options?: TrackOptions): Iterable<T> & AsyncIterable<T>;
  track<T>(items: AsyncIterable<T>, options?: TrackOptions): AsyncIterable<T>;
  track<T>(items: Iterable<T> | AsyncIterable<T>, options: TrackOptions = {}): Iterable<T> & AsyncIterable<T> {
    const { length, size } = items as { length?: unknown; size?: unknown };
    const total = options.total ?? (typeof length === "number" ? length : typeof size === "number" ? size : undefined);
    const begin = (): void => this.progress(0, { ...options, ...(total !== undefined && { total }) });
    const job = this;
    return {
      *[Symbol.iterator]() {
        if (!(Symbol.iterator in items)) throw new TypeError("These items come one after the other: use `for await`.");
        begin();
        let done = 0;
        for (const item of items) {
          yield item;
          job.note(++done);
          // Work that is done whole is worth its result, whoever wanted it stopped meanwhile.
          if (total === undefined || done < total) job.check();
        }
      },
      async *[Symbol.asyncIterator]() {
        begin();
        let done = 0;
        let turnAt = performance.now() + turnEveryMs;
        for await (const item of items) {
          yield item;
          job.note(++done);
          // Work that is done whole is worth its result, whoever wanted it stopped meanwhile.
          if (total === undefined || done < total) job.check();
          if (performance.now() >= turnAt) {
            await new Promise((resolve) => setImmediate(resolve));
            turnAt = performance.now() + turnEveryMs;
          }
        }
      },
    };
  }

  /** Keeps `value` (JSON) for the next attempt, should this one not come to its end; there it is `job.resumed`. It is sent within a tenth of a second, without waiting for it. */
  checkpoint(value: unknown): void {
    this.check();
    this.noteCheckpoint(value);
    this.#cells.count(this.cell, this.#cells.done(this.cell), this.#cells.total(this.cell));
    this.#post.checkpoint(this, this.lastCheckpoint!);
  }

  /** A line for the job's log (`freshet jobs logs`). */
  log(text: string, level: Level = "info"): void {
    if (!levels.includes(level)) throw new RangeError(`${JSON.stringify(level)} is no level. There are: ${levels.join(", ")}.`);
    if (this.lines.length === linesWaitingMax) {
      this.lines[linesWaitingMax - 1] = ["warning", "lines were left out: they came faster than they could be sent"];
      return;
    }
    this.lines.push([level, clip(text, lineBytesMax)]);
    if (this.lines.length === 1) this.#post.lines(this);
  }

  /** Hands the job back by throwing: due again after `wait`, not counted as a failure. `reason` is shown while it waits. */
  release(options: { wait?: Duration; reason?: string; checkpoint?: unknown } = {}): never {
    if (options.checkpoint !== undefined) this.noteCheckpoint(options.checkpoint);
    throw new Released(milliseconds(options.wait ?? 0), options.reason);
  }

  /** Throws Cancelled, LeaseLost or Shutdown if the handler is to end. The other calls do so by themselves. */
  check(): void {
    this.#listen();
    this.#abort.signal.throwIfAborted();
  }

  /** @internal */
  stop(reason: Stopped): void {
    if (!this.#abort.signal.aborted) this.#abort.abort(reason);
  }
  /** @internal */
  workerStops(): void {
    this.#workerStops = true;
  }
  /** True for the first of handler and worker to say how the attempt ended. @internal */
  endOnce(): boolean {
    const first = !this.#ended;
    this.#ended = true;
    return first;
  }
  /** From now on the beat thread tells no progress of it, and none is under way. @internal */
  async silenceBeats(): Promise<void> {
    this.#cells.end(this.cell);
    while (this.#cells.speaking(this.cell)) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  /** The progress if the server has not been told it. @internal */
  untoldProgress(): ProgressJson | undefined {
    if (this.#words === undefined) return undefined;
    const untold = this.#words !== this.#wordsPosted || this.#cells.changed(this.cell) !== this.#cells.told(this.cell);
    return untold ? progressOf(this.#words, this.#cells, this.cell) : undefined;
  }
  /** The checkpoint if the server may not have it. @internal */
  untoldCheckpoint(): string | undefined {
    return this.#cells.changed(this.cell) !== this.#cells.told(this.cell) ? this.lastCheckpoint : undefined;
  }
  /** @internal */
  takeLines(): [Level, string][] {
    const lines = this.lines;
    this.lines = [];
    return lines;
  }

  /** What the beat thread left in the cell; its message may still wait for the main thread. */
  #listen(): void {
    const word = this.#cells.word(this.cell);
    if (word !== Word.ok) this.stop(word === Word.cancel ? new Cancelled(`${this.id} was cancelled`) : new LeaseLost(`${this.id} is no longer this worker's`));
  }

  /** @internal */
  noteCheckpoint(value: unknown): void {
    const json = JSON.stringify(value);
    if (json === undefined) throw new TypeError("A checkpoint must be JSON.");
    if (Buffer.byteLength(json) > checkpointBytesMax) {
      throw new RangeError(`The checkpoint has ${Buffer.byteLength(json)} bytes, ${checkpointBytesMax} are the most. Keep what is large elsewhere and its name here.`);
    }
    this.lastCheckpoint = json;
  }
}

function count(value: number): number {
  return Math.min(Math.max(Math.floor(value) || 0, 0), Number.MAX_SAFE_INTEGER);
}

export function progressOf(words: Words, cells: Cells, cell: number): ProgressJson {
  const total = cells.total(cell);
  const clipped = { ...words, phase: clip(words.phase, 128), ...(words.unit && { unit: clip(words.unit, 32) }), ...(words.message && { message: clip(words.message, 1024) }) };
  return { ...clipped, done: cells.done(cell), ...(total !== undefined && { total }) };
}
