// SPDX-License-Identifier: Apache-2.0
// One way of hearing from the server: a stream, else a long poll, else a poll now and then.
//
// Life: topics are set at any time; the loop runs from start() to stop(). It opens a stream with the cursor that it
// has, so that nothing is missed and nothing is told twice; a topic that was not told its state yet makes it begin
// anew. No hello within a few seconds, or a stream that fell silent twice, means that somebody on the way keeps bytes
// back: then it polls, and tries the stream again later. Every try, hello and end is told to the host.
import { createParser } from "eventsource-parser";
import { FreshetError, refusal, wait, type Http } from "./http.js";
import type { Told } from "./store.js";
import type { Connection, Problem } from "./types.js";

export interface LinkHost {
  heard(event: string, told: Told & { now?: string; beat_ms?: number }): void;
  status(status: Connection): void;
  /** What a slow poll is to ask for; [] is all. */
  due(): string[];
  /** Milliseconds to the next slow poll. */
  rest(): number;
}

export interface LinkTimes {
  /** For the first frame of a stream. */
  hello: number;
  /** A request that fails later than this was held by somebody on the way. */
  patience: number;
  /** A way that works worse is kept for so long before the better one is tried again. */
  worse: number;
  /** The longest wait before the next try. */
  retry: number;
  /** What was refused is asked for again after so long. */
  again: number;
}
export const times: LinkTimes = { hello: 6_000, patience: 2_000, worse: 300_000, retry: 5_000, again: 30_000 };

/** The server will not tell of what was named, or not to this token. */
const refusing = (status: number) => status === 400 || status === 403 || status === 404;

export type Mode = "stream" | "poll" | "slow";

export class Link {
  readonly #topics = new Set<string>();
  /** Those whose state was told, on this cursor. */
  readonly #stated = new Set<string>();
  /** Those that the server refuses to tell of. They are asked for again now and then: they may be there by then. */
  readonly #refused = new Set<string>();
  #againAt = 0;
  #cursor: string | undefined;
  #stream: string | undefined;
  #opened: string[] = [];
  #mode: Mode;
  #modeUntil = Infinity;
  #silent = 0;
  #greeted = false;
  #fails = 0;
  #running: AbortController | undefined;
  #once = new AbortController();
  #changing: ReturnType<typeof setTimeout> | undefined;
  #telling = false;

  constructor(
    private readonly http: Http,
    private readonly host: LinkHost,
    private readonly lowest: Mode = "stream",
    private readonly limits: LinkTimes = times,
  ) {
    this.#mode = lowest;
  }

  /** The topics from now on. */
  want(topics: Iterable<string>): void {
    const wanted = new Set(topics);
    let changed = false;
    for (const topic of this.#refused) if (!wanted.delete(topic)) this.#refused.delete(topic);
    for (const topic of this.#topics) if (!wanted.has(topic)) this.#topics.delete(topic), this.#stated.delete(topic), (changed = true);
    for (const topic of wanted) if (!this.#topics.has(topic)) this.#topics.add(topic), (changed = true);
    if (!changed || !this.#running) return;
    // What a page asks for while it is being made goes out as one.
    this.#changing ??= setTimeout(() => ((this.#changing = undefined), void this.#change()), 20);
  }

  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    void this.#run(this.#running.signal);
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
    this.#once.abort();
  }

  /** Hears from the server now, whatever was waited for. */
  check(): void {
    this.#fails = 0;
    if (this.#modeUntil < Infinity && this.#mode !== this.lowest) this.#modeUntil = 0;
    this.#once.abort();
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#once = new AbortController();
      const once = this.#once.signal;
      if (this.#topics.size === 0) {
        this.#opened = [];
        await wait(this.#refused.size ? this.limits.again : 1e9, once);
        for (const topic of this.#refused) this.#topics.add(topic);
        this.#refused.clear();
        continue;
      }
      if (Date.now() > this.#modeUntil) (this.#mode = this.lowest), (this.#modeUntil = Infinity);
      const [began, mode] = [Date.now(), this.#mode];
      this.#greeted = false;
      try {
        if (mode === "stream") await this.#follow(once);
        else await this.#poll(once);
      } catch (error) {
        if (signal.aborted || once.aborted) continue;
        // Nobody refused, and nobody was down, which is told at once: somebody on the way waited for more, and gave up.
        if (!this.#greeted && Date.now() - began > this.limits.patience) this.#worse(mode === "stream" ? "poll" : "slow");
        await this.#failed(error, once);
      }
    }
  }

  async #failed(error: unknown, once: AbortSignal): Promise<void> {
    const status = error instanceof FreshetError ? error.status : 0;
    if (status === 401) {
      this.host.status("signed-out");
      return wait(30_000, once);
    }
    if (refusing(status) && (await this.#sift(once))) {
      if (status === 403 && this.#topics.size === 0) this.host.status("signed-out");
      return;
    }
    this.host.status("reconnecting");
    const after = error instanceof FreshetError ? error.retryAfterMs : undefined;
    await wait(after ?? Math.min(this.limits.retry, 250 * 2 ** this.#fails++) * (0.5 + Math.random()), once);
  }

  /** Takes out what the server refuses to tell of, so that one wrong name does not silence the rest. */
  async #sift(signal: AbortSignal): Promise<boolean> {
    const refused = await this.#refusals([...this.#topics], signal).catch(() => []);
    for (const [topic, problem] of refused) {
      if (!this.#topics.delete(topic)) continue;
      this.#refused.add(topic);
      this.host.heard("refused", { topic, problem });
    }
    this.#againAt = Date.now() + this.limits.again;
    return refused.length > 0;
  }

  /** Which of these are refused: all are asked for together, then by halves. */
  async #refusals(topics: string[], signal: AbortSignal): Promise<[string, Problem][]> {
    const response = await this.http.raw("GET", "v1/poll", { query: { topic: topics, wait: 0 }, signal });
    if (!refusing(response.status)) return void response.body?.cancel(), [];
    if (topics.length === 1) return [[topics[0]!, (await refusal(response)).problem]];
    const half = topics.length >> 1;
    return (await Promise.all([topics.slice(0, half), topics.slice(half)].map((part) => this.#refusals(part, signal)))).flat();
  }

  /** Asks for what was refused, where the rest goes on. */
  async #again(signal: AbortSignal): Promise<void> {
    if (!this.#refused.size || Date.now() < this.#againAt) return;
    this.#againAt = Date.now() + this.limits.again;
    const still = new Map(await this.#refusals([...this.#refused], signal).catch(() => [...this.#refused].map((topic) => [topic, undefined] as const)));
    for (const topic of this.#refused) if (!still.has(topic)) this.#refused.delete(topic), this.#topics.add(topic);
    await this.#change();
  }

  #query(topics: string[], resume: boolean) {
    if (!resume || topics.some((topic) => !this.#stated.has(topic))) this.#cursor = undefined;
    if (!this.#cursor) this.#stated.clear();
    return { topic: topics, cursor: this.#cursor };
  }

  #heard(event: string, told: Told & { now?: string; beat_ms?: number }, id: string | undefined): void {
    if (event === "live") for (const topic of this.#opened) this.#stated.add(topic);
    if (event === "snapshot" && told.topic) this.#stated.add(told.topic);
    if (id) this.#cursor = id;
    this.host.heard(event, told);
  }

  #worse(mode: Mode): void {
    this.#mode = mode;
    this.#modeUntil = Date.now() + this.limits.worse;
  }

  async #follow(once: AbortSignal): Promise<void> {
    const abort = new AbortController();
    const end = () => abort.abort();
    once.addEventListener("abort", end, { once: true });
    let silence = this.limits.hello;
    const late = () => {
      if (!this.#greeted || ++this.#silent >= 2) this.#worse("poll");
      end();
    };
    let timer = setTimeout(late, silence);
    const awake = () => (clearTimeout(timer), (timer = setTimeout(late, silence)));
    try {
      this.#opened = [...this.#topics];
      const response = await this.http.raw("GET", "v1/stream", {
        query: this.#query(this.#opened, true),
        headers: { accept: "text/event-stream" },
        signal: abort.signal,
      });
      if (response.status !== 200 || !response.body) throw await refusal(response);
      let bye: number | undefined;
      const parser = createParser({
        onEvent: ({ event, data, id }) => {
          const told = JSON.parse(data) as Told & { stream?: string; beat_ms?: number; retry_ms?: number; now?: string };
          if (event === "hello") {
            this.#greeted = true;
            silence = 2.5 * (told.beat_ms ?? 15_000);
            this.#fails = 0;
            this.#stream = told.stream;
            this.host.status("live");
            if (this.#opened.length !== this.#topics.size || this.#opened.some((topic) => !this.#topics.has(topic))) void this.#change();
          } else if (event === "beat") (this.#silent = 0), void this.#again(once);
          else if (event === "goodbye") bye = told.retry_ms ?? 1000;
          this.#heard(event ?? "message", told, id);
        },
      });
      const reader = response.body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        awake();
        parser.feed(value);
      }
      if (bye !== undefined) {
        this.host.status("reconnecting");
        return await wait(bye, once);
      }
      throw new Error("The stream ended.");
    } finally {
      clearTimeout(timer);
      once.removeEventListener("abort", end);
      this.#stream = undefined;
    }
  }

  /** Tells the open stream what changed, one change after the other, since of two at once the later may arrive first;
   * where that can not be, begins anew. */
  async #change(): Promise<void> {
    while (!this.#telling) {
      const [before, once, stream] = [new Set(this.#opened), this.#once, this.#stream];
      const add = [...this.#topics].filter((topic) => !before.has(topic));
      const drop = this.#opened.filter((topic) => !this.#topics.has(topic));
      if (add.length + drop.length === 0) return;
      // One that is being opened compares when it greets.
      if (!stream && this.#mode === "stream" && this.#opened.length) return;
      if (!stream || this.#topics.size === 0) return once.abort();
      this.#opened = [...this.#topics];
      this.#telling = true;
      const response = await this.http.raw("PATCH", `v1/streams/${stream}`, { body: { add, drop }, signal: AbortSignal.timeout(this.limits.hello) }).catch(() => undefined);
      this.#telling = false;
      if (!response?.ok && this.#stream === stream) return once.abort();
    }
  }

  async #poll(once: AbortSignal): Promise<void> {
    const slow = this.#mode === "slow";
    this.#opened = [...this.#topics];
    for (;;) {
      // A slow poll asks for the state itself: what moved in between is in no ledger.
      const due = slow ? this.host.due().filter((topic) => this.#topics.has(topic)) : [];
      const limit = AbortSignal.timeout((slow ? 10 : 40) * 1000);
      const response = await this.http.raw("GET", "v1/poll", {
        query: { ...this.#query(due.length ? due : this.#opened, !slow), wait: slow ? 1 : 25 },
        signal: AbortSignal.any([once, limit]),
      });
      if (!response.ok) throw await refusal(response);
      const said = (await response.json()) as { resume: string; cursor: string; now: string; events: { event: string; data: Told }[] };
      this.#fails = 0;
      this.#greeted = true;
      this.host.status("polling");
      this.host.heard("poll", { resume: said.resume, head: said.cursor, now: said.now });
      for (const { event, data } of said.events) this.#heard(event, data, undefined);
      this.#cursor = said.cursor;
      if (!slow) for (const topic of this.#opened) this.#stated.add(topic);
      this.host.heard("live", { now: said.now });
      void this.#again(once);
      if (slow) await wait(this.host.rest(), once);
      if (once.aborted || Date.now() > this.#modeUntil) return;
    }
  }
}
