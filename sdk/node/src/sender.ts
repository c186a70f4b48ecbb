// SPDX-License-Identifier: Apache-2.0
// Tells how attempts ended: everything that waits goes in one call.
//
// A call that gets no answer is repeated until it has one: the server takes the same end twice and answers the same. A job
// counts as held until then, so its lease lasts while the server is away. What a handler said last about its progress is
// sent before its end. Main thread.

import { Refused, Unreachable } from "./errors.js";
import type { Job } from "./job.js";
import * as protocol from "./protocol.js";
import { Backoff, pause, worthRepeating, type Wire } from "./wire.js";

export type Verb = "complete" | "fail" | "release";

/** How one attempt ended. `large`: a result that goes ahead by PUT. */
export interface End {
  job: Job;
  verb: Verb;
  entry: string;
  large?: string;
}

const linesEveryMs = 250;

export class Sender {
  #waiting: End[] = [];
  #sending = 0;
  #over: Promise<void> | undefined;
  readonly #giveUp = new AbortController();
  readonly #withLines = new Set<Job>();
  #linesTimer: NodeJS.Timeout | undefined;

  constructor(
    private readonly wire: Wire,
    private readonly worker: string,
    private readonly onTold: (jobs: Job[]) => void,
    private readonly say: (text: string) => void,
  ) {}

  add(end: End): void {
    this.#waiting.push(end);
    // After the microtasks of this turn: what ends together is told together.
    this.#over ??= new Promise((resolve) => setImmediate(resolve)).then(() => this.#run());
  }

  lines(job: Job): void {
    this.#withLines.add(job);
    this.#linesTimer ??= setTimeout(() => {
      this.#linesTimer = undefined;
      const jobs = [...this.#withLines];
      this.#withLines.clear();
      // Those of ended jobs go with their ends.
      void Promise.allSettled(jobs.map((job) => this.#sendLines(job)));
    }, linesEveryMs);
  }

  get backlog(): number {
    return this.#waiting.length + this.#sending;
  }

  /** True: everything was told within the time. */
  async finish(withinMs: number): Promise<boolean> {
    const late = setTimeout(() => this.#giveUp.abort(), withinMs);
    while (this.#over !== undefined && !this.#giveUp.signal.aborted) await this.#over;
    clearTimeout(late);
    clearTimeout(this.#linesTimer);
    return this.backlog === 0;
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0 && !this.#giveUp.signal.aborted) {
      const ends = this.#take();
      this.#sending = ends.length;
      if (!(await this.#sendAll(ends))) break;
      this.#sending = 0;
      this.onTold(ends.map((end) => end.job));
    }
    this.#over = undefined;
  }

  #take(): End[] {
    let size = 0;
    let count = 0;
    for (const end of this.#waiting) {
      // Text of three bytes a character at most; mostly it is one.
      size += end.entry.length;
      if (count === protocol.jobsPerCallMax || (count > 0 && size > protocol.callBytesMax / 2)) break;
      ++count;
    }
    return this.#waiting.splice(0, count);
  }

  /** False: the time to finish was used up before the server answered. */
  async #sendAll(ends: End[]): Promise<boolean> {
    const news: protocol.BeatEntry[] = [];
    for (const { job, verb } of ends) {
      await job.silenceBeats();
      const progress = job.untoldProgress();
      const checkpoint = verb === "fail" ? job.untoldCheckpoint() : undefined;
      if (progress !== undefined || checkpoint !== undefined) news.push({ id: job.id, fence: job.fence, progress, checkpoint });
    }
    for (const call of protocol.callsOf(news)) {
      if (!(await this.#insist(() => this.wire.ask("POST", protocol.paths.beat, protocol.beatBody(this.worker, call), { timeoutMs: 10_000 })))) return false;
    }
    const byVerb = new Map<Verb, End[]>();
    for (const end of ends) {
      if ((end.job.lines.length > 0 || end.job.sendingLines) && !(await this.#insist(() => this.#sendLines(end.job)))) return false;
      if (end.large !== undefined && !(await this.#insist(() => this.#put(end)))) return false;
      const same = byVerb.get(end.verb);
      if (same) same.push(end);
      else byVerb.set(end.verb, [end]);
    }
    for (const [verb, ofVerb] of byVerb) if (!(await this.#send(verb, ofVerb))) return false;
    return true;
  }

  /** After lines that are under way: an end that overtook them would make the server refuse them. */
  async #sendLines(job: Job): Promise<void> {
    const before = job.sendingLines;
    const sending = (async () => {
      await before?.catch(() => undefined);
      await this.#sendOwnLines(job);
    })();
    job.sendingLines = sending;
    try {
      await sending;
    } finally {
      if (job.sendingLines === sending) job.sendingLines = undefined;
    }
  }

  async #sendOwnLines(job: Job): Promise<void> {
    const lines = job.takeLines();
    if (lines.length === 0) return;
    try {
      await this.wire.ask("POST", protocol.paths.log(job.id), protocol.logBody(job, lines), { timeoutMs: 10_000 });
    } catch (error) {
      if (error instanceof Unreachable) {
        job.lines = [...lines, ...job.lines];
        throw error;
      }
    }
  }

  async #put(end: End): Promise<void> {
    try {
      const put = await this.wire.ask("PUT", protocol.paths.result(end.job.id, end.job.fence), end.large, { timeoutMs: 120_000 });
      end.entry = protocol.completePutEntry(end.job, put);
    } catch (error) {
      if (worthRepeating(error) || !(error instanceof Refused)) throw error;
      this.#asFailure(end, error.code, error.words);
    }
    delete end.large;
  }

  async #send(verb: Verb, ends: End[]): Promise<boolean> {
    const again: End[] = [];
    const call = async (): Promise<void> => {
      let refused: Map<string, [string, string]>;
      try {
        refused = protocol.refusals(await this.wire.ask("POST", protocol.paths.end(verb), protocol.endsBody(this.worker, ends.map((end) => end.entry)), { timeoutMs: 60_000 }));
      } catch (error) {
        if (worthRepeating(error) || !(error instanceof Refused)) throw error;
        if (ends.length > 1) {
          // One of them spoils it for all: each for itself.
          again.push(...ends);
          return;
        }
        refused = new Map([[ends[0]!.job.id, [error.code, error.words]]]);
      }
      if (refused.size === 0) return;
      for (const end of ends) {
        const why = refused.get(end.job.id);
        if (why !== undefined) this.#refused(end, why[0], why[1], again);
      }
    };
    if (!(await this.#insist(call))) return false;
    for (const end of again) if (!(await this.#send(end.verb, [end]))) return false;
    return true;
  }

  #refused(end: End, code: string, words: string, again: End[]): void {
    if (["lease_lost", "not_running", "not_found", "gone"].includes(code)) {
      this.say(`${end.job.id}: the end of attempt ${end.job.attempt} came too late: ${words}`);
    } else if (end.verb === "complete") {
      this.#asFailure(end, code, words);
      again.push(end);
    } else {
      this.say(`${end.job.id}: ${end.verb} was refused: ${words} (${code})`);
    }
  }

  /** A result that the server does not take will not be taken the next time either. */
  #asFailure(end: End, code: string, words: string): void {
    this.say(`${end.job.id}: the result was refused: ${words} (${code})`);
    end.verb = "fail";
    end.entry = protocol.failEntry(end.job, "fatal", code, `The result was refused: ${words}`);
  }

  /** Repeats a call until the server has answered it. Other refusals of the call are the callee's business. */
  async #insist(call: () => Promise<unknown>): Promise<boolean> {
    const backoff = new Backoff();
    for (let said = false; !this.#giveUp.signal.aborted; ) {
      try {
        await call();
        return true;
      } catch (error) {
        if (!worthRepeating(error)) return true;
        if (!said && error instanceof Refused) this.say(`the server does not take ends of jobs now: ${error.message}`);
        said = true;
        await pause(backoff.waitMs(error), this.#giveUp.signal);
      }
    }
    return false;
  }
}
