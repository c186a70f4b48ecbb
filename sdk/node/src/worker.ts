// SPDX-License-Identifier: Apache-2.0
// A worker: claims jobs of its tasks' queues for all free slots at once, runs their handlers, tells how they ended.
//
// A slot is free once its handler is over; the end may still be on its way to the server. Beats come from a thread of
// their own (beats.ts). Everything else is on the main thread.

import { hostname } from "node:os";
import { Beats } from "./beats.js";
import { milliseconds, type Duration } from "./durations.js";
import { Fatal, RateLimited, Refused, Released, Retryable, Shutdown } from "./errors.js";
import { Job, type Post } from "./job.js";
import * as protocol from "./protocol.js";
import { Sender, type End } from "./sender.js";
import { addressOf, Backoff, pause, version, Wire, type ServerAddress } from "./wire.js";

export type Handler<Input = any> = (job: Job<Input>, input: Input) => unknown;

export interface WorkerOptions {
  /** The server's; absent: FRESHET_URL, else this machine's port 7878. */
  url?: string;
  /** The environment variable that holds the token; FRESHET_TOKEN if not given. `token` gives it directly. */
  tokenEnv?: string;
  token?: string;
  /** How many jobs run at a time, 1 to 1000; 4 if not given. */
  slots?: number;
  /** Jobs that are claimed before a slot is free for them, 0 to 1000; 0 if not given. They go back if the worker ends before it began them. */
  ahead?: number;
  /** The longest between two signs of life of a job; if not given, a third of its lease, which is also the most. */
  beatEvery?: Duration;
  /** What the console calls this worker; absent: host name, process id and chance. One worker per id. */
  id?: string;
  /** After SIGTERM: for running jobs to end by themselves; 20 s if not given. */
  grace?: Duration;
  /** After the grace: for handlers to notice that they are to stop; 5 s if not given. */
  stopWait?: Duration;
  /** How long one claim waits for work; 20 s if not given. */
  wait?: Duration;
  /** Takes the words that a person should see; stderr if not given. */
  say?: (text: string) => void;
}

export interface TaskOptions {
  /** What the handler was written for. The queue's own setting decides; a shorter one is told at the first job. */
  lease?: Duration;
  /** Their names in order, so that progress shows "2 of 3". */
  steps?: readonly string[];
}

interface Task {
  handler: Handler;
  leaseMs: number | undefined;
  steps: readonly string[];
}

const endsWaitingMax = 1000;
const claimPatienceMs = 250;
/** Exit codes as those of the freshet command. */
const done = 0;
const leftBehind = 1;
const notAllowed = 4;

/** Runs the handler; says how it ended, whatever it did. Undefined: nothing is left to tell. */
export async function endOf(job: Job, handler: Handler): Promise<End | undefined> {
  try {
    return completed(job, await handler(job, job.input));
  } catch (error) {
    const fail = (errorClass: string, code: string, message: string, retryAfterMs?: number): End => ({ job, verb: "fail", entry: protocol.failEntry(job, errorClass, code, message, retryAfterMs) });
    if (error instanceof Released) {
      return { job, verb: "release", entry: protocol.releaseEntry(job, { waitMs: error.waitMs, reason: error.reason, checkpoint: job.lastCheckpoint }) };
    }
    // Whatever it throws once it was told to stop: most of what takes a signal throws an error of its own.
    const stop = job.stopReason;
    if (stop === "cancelled") return fail("cancelled", "cancelled", `${job.id} was cancelled`);
    if (stop === "lost") return undefined;
    if (stop === "shutdown") return handedBack(job);
    if (error instanceof Fatal) return fail("fatal", error.code, error.message);
    if (error instanceof RateLimited) return fail("rate_limited", error.code, error.message, error.retryAfterMs);
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    // The stack says where; the log has room for it, the error's message does not.
    job.log((stack ?? message).slice(0, 8000), "error");
    return fail("retryable", error instanceof Retryable ? error.code : name, message || "without a message");
  }
}

function handedBack(job: Job): End {
  return { job, verb: "release", entry: protocol.releaseEntry(job, { checkpoint: job.lastCheckpoint }) };
}

function completed(job: Job, result: unknown): End {
  const fatal = (code: string, words: string): End => ({ job, verb: "fail", entry: protocol.failEntry(job, "fatal", code, words) });
  let json: string | undefined;
  try {
    json = result === undefined ? "null" : JSON.stringify(result);
  } catch (error) {
    return fatal("bad_result", `The result is no JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (json === undefined) return fatal("bad_result", `The result is no JSON: it is a ${typeof result}.`);
  if (json.length <= protocol.inlineResultBytesMax / 3 || Buffer.byteLength(json) <= protocol.inlineResultBytesMax) {
    return { job, verb: "complete", entry: protocol.completeEntry(job, json) };
  }
  if (Buffer.byteLength(json) > protocol.resultBytesMax) return fatal("result_too_large", `The result has ${Buffer.byteLength(json)} bytes, ${protocol.resultBytesMax} are the most.`);
  return { job, verb: "complete", entry: "", large: json };
}

export class Worker {
  readonly slots: number;
  readonly ahead: number;
  readonly id: string;
  readonly #address: ServerAddress;
  readonly #beatEveryMs: number;
  readonly #graceMs: number;
  readonly #stopWaitMs: number;
  readonly #waitMs: number;
  readonly #say: (text: string) => void;
  readonly #tasks = new Map<string, Task>();
  readonly #running = new Set<Job>();
  /** Claimed, no slot yet. */
  #waiting: Job[] = [];
  readonly #stopping = new AbortController();
  readonly #atOnce = new AbortController();
  #wire!: Wire;
  #beats!: Beats;
  #sender!: Sender;
  #claim: AbortController | undefined;
  #changed: (() => void) | undefined;
  #exit = done;

  constructor(options: WorkerOptions = {}) {
    this.#address = addressOf(options);
    this.slots = options.slots ?? 4;
    if (!(Number.isInteger(this.slots) && this.slots >= 1 && this.slots <= 1000)) throw new RangeError(`slots is ${this.slots}; it may be 1 to 1000.`);
    this.ahead = options.ahead ?? 0;
    if (!(Number.isInteger(this.ahead) && this.ahead >= 0 && this.ahead <= 1000)) throw new RangeError(`ahead is ${this.ahead}; it may be 0 to 1000.`);
    this.id = options.id ?? `${hostname()}-${process.pid}-${Math.floor(Math.random() * 0xffff).toString(16).padStart(4, "0")}`;
    this.#beatEveryMs = milliseconds(options.beatEvery ?? 0);
    this.#graceMs = milliseconds(options.grace ?? "20s");
    this.#stopWaitMs = milliseconds(options.stopWait ?? "5s");
    this.#waitMs = milliseconds(options.wait ?? "20s");
    this.#say = options.say ?? ((text) => void process.stderr.write(`freshet: ${text}\n`));
  }

  /** Makes a function the handler of a queue. */
  task<Input = any>(queue: string, handler: Handler<Input>): this;
  task<Input = any>(queue: string, options: TaskOptions, handler: Handler<Input>): this;
  task(queue: string, options: TaskOptions | Handler, handler?: Handler): this {
    if (typeof options === "function") this.#tasks.set(queue, { handler: options, leaseMs: undefined, steps: [] });
    else this.#tasks.set(queue, { handler: handler!, leaseMs: options.lease === undefined ? undefined : milliseconds(options.lease), steps: options.steps ?? [] });
    return this;
  }

  /** Takes no more; running jobs may finish within `grace`. A second call ends the grace. */
  stop(): void {
    if (this.#stopping.signal.aborted) this.#atOnce.abort();
    this.#stopping.abort();
    for (const job of this.#running) job.workerStops();
    // On a busy queue the answer to the open claim is on its way: its jobs go back, instead of being lost with it.
    setTimeout(() => this.#claim?.abort(), claimPatienceMs);
    this.#changed?.();
  }

  /** Each beat says it anew: only a person's second word means hurry. */
  #drain(): void {
    if (!this.#stopping.signal.aborted) this.stop();
  }

  /** Works until SIGTERM, SIGINT or stop(); gives the exit code: 0 ended as asked, 1 some jobs could neither end nor be handed back, 4 the server does not let this worker in. */
  async run(): Promise<number> {
    if (this.#tasks.size === 0) throw new Error('This worker has no task. Write worker.task("queue", handler) first.');
    const stop = (): void => this.stop();
    process.on("SIGTERM", stop).on("SIGINT", stop);
    this.#wire = new Wire(this.#address, 4);
    // Held are those that run, those whose end is not told, and what one claim brings.
    this.#beats = new Beats(this.#address, this.id, endsWaitingMax + 3 * (this.slots + this.ahead), this.#beatEveryMs, { drain: () => this.#drain(), reconnect: () => this.#claim?.abort() });
    this.#sender = new Sender(this.#wire, this.id, (jobs) => this.#told(jobs), this.#say);
    try {
      await this.#beats.ready;
      await this.#claimAll();
      await this.#windDown();
      return this.#exit;
    } finally {
      process.off("SIGTERM", stop).off("SIGINT", stop);
      await this.#beats.finish();
      this.#wire.close();
    }
  }

  async #claimAll(): Promise<void> {
    const backoff = new Backoff();
    // Whether an answer may have been lost: then the server is told what is really held, and takes back the rest.
    let unsure = true;
    let said = false;
    while (!this.#stopping.signal.aborted) {
      const free = this.slots + this.ahead - this.#running.size - this.#waiting.length;
      // Work ahead is claimed by halves, so that calls are few when jobs are short.
      if (free <= this.ahead / 2 || this.#sender.backlog > endsWaitingMax) {
        await new Promise<void>((resolve) => (this.#changed = resolve));
        continue;
      }
      const claim = (this.#claim = new AbortController());
      const body = protocol.claimBody({
        worker: this.id,
        host: hostname(),
        sdk: `node/${version}`,
        queues: [...this.#tasks.keys()],
        slots: Math.min(free, protocol.jobsPerCallMax),
        waitMs: this.#waitMs,
        holds: unsure ? this.#beats.held() : undefined,
      });
      try {
        const answer = await this.#wire.ask("POST", protocol.paths.claim, body, { timeoutMs: this.#waitMs + 15_000, signal: claim.signal });
        unsure = said = false;
        backoff.reset();
        this.#take(answer.jobs ?? []);
        // Handlers that end without waiting do so now, so that the next claim offers their slots, too.
        await new Promise((resolve) => setImmediate(resolve));
      } catch (error) {
        unsure = true;
        if (this.#stopping.signal.aborted) return;
        if (error instanceof Refused && (error.status === 401 || error.status === 403)) {
          this.#say(`${this.#address.url} refuses this worker: ${error.message}`);
          this.#exit = notAllowed;
          this.stop();
          return;
        }
        if (!said) this.#say(`${error instanceof Error ? error.message : String(error)}; asking again until it does`);
        said = true;
        await pause(backoff.waitMs(error), this.#stopping.signal);
      }
    }
  }

  #take(claimed: protocol.ClaimedJob[]): void {
    if (claimed.length === 0) return;
    const post: Post = {
      words: (job, words) => this.#beats.words(job, words),
      checkpoint: (job, json) => this.#beats.checkpoint(job, json),
      lines: (job) => this.#sender.lines(job),
    };
    const jobs = claimed.map((one) => new Job(one, this.#beats.cells, this.#beats.takeCell(), post, this.#tasks.get(one.queue)!.steps, this.id));
    this.#beats.hold(jobs);
    this.#waiting.push(...jobs);
    this.#fillSlots();
  }

  #fillSlots(): void {
    if (this.#waiting.length === 0) return;
    // What came with the answer to a claim that was being given up, or never had a slot.
    if (this.#stopping.signal.aborted) for (const job of this.#waiting.splice(0)) this.#sender.add(handedBack(job));
    for (const job of this.#waiting.splice(0, this.slots - this.#running.size)) void this.#runOne(job);
  }

  async #runOne(job: Job): Promise<void> {
    const task = this.#tasks.get(job.queue)!;
    if (task.leaseMs !== undefined && job.leaseMs < task.leaseMs) {
      this.#say(`queue ${job.queue} leases for ${job.leaseMs / 1000} s, its handler was written for ${task.leaseMs / 1000} s.   try: lease = "${task.leaseMs / 1000}s" in [queue.${job.queue}]`);
      task.leaseMs = undefined;
    }
    this.#running.add(job);
    const end = await endOf(job, task.handler);
    if (!job.endOnce()) return;
    this.#running.delete(job);
    if (end === undefined) this.#beats.drop([job]);
    else this.#sender.add(end);
    this.#fillSlots();
    this.#changed?.();
  }

  #told(jobs: Job[]): void {
    this.#beats.drop(jobs);
    this.#changed?.();
  }

  async #windDown(): Promise<void> {
    this.#fillSlots();
    await this.#awaitHandlers(this.#graceMs, this.#atOnce.signal);
    for (const job of this.#running) job.stop(new Shutdown(`${job.id} goes back, since the worker ends`));
    await this.#awaitHandlers(this.#stopWaitMs);
    // The handlers of these take no notice.
    for (const job of this.#running) if (job.endOnce()) this.#sender.add(handedBack(job));
    if (!(await this.#sender.finish(10_000))) {
      this.#say(`${this.#sender.backlog} ends of jobs could not be told; their leases will run out`);
      this.#exit ||= leftBehind;
    }
  }

  async #awaitHandlers(withinMs: number, enough?: AbortSignal): Promise<void> {
    const until = performance.now() + withinMs;
    while (this.#running.size > 0 && !enough?.aborted && performance.now() < until) {
      const given = new AbortController();
      this.#changed = () => given.abort();
      await pause(until - performance.now(), enough === undefined ? given.signal : AbortSignal.any([enough, given.signal]));
    }
  }
}
