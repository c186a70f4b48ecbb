// SPDX-License-Identifier: Apache-2.0
// What a program uses: read, refresh, watch; jobs, batches and lists.
import { Http, randomId, wait, FreshetError, type Ask, type TokenSource } from "./http.js";
import { ServerClock } from "./clock.js";
import type { Hub, HubTimes } from "./hub.js";
import { ageOf, isOver, stateOf, type AgeOf } from "./state.js";
import type { Store, Entry } from "./store.js";
import type { Attempt, Batch, Connection, Counts, Diff, FreshnessRow, Item, Job, Me, Meta, NewJob, Outcome, Page, Problem, State, Why } from "./types.js";

export interface ClientOptions {
  /** Where the server is, with its path prefix if it has one. */
  url: string | URL;
  /** The token, or what gives it: asked before each request, so that a short one can be renewed. */
  token?: TokenSource;
  /** For tokens of all tenants. */
  tenant?: string;
  /** One stream for all tabs of this browser. True where there are tabs. */
  share?: boolean;
  fetch?: typeof fetch;
  times?: HubTimes;
}

export interface KeyOptions {
  /** The source's parameters, in the order in which the config declares them. */
  params?: Record<string, string | number>;
  signal?: AbortSignal;
}

/** Data with what is known of it. `state` and `ageMs()` are of the moment in which they are asked. */
export interface Snapshot<T = unknown> {
  readonly key: string;
  readonly data: T;
  readonly meta: Meta;
  /** "checking": this tab slept, and did not hear from the server since. */
  readonly state: State | "checking";
  readonly why: Why | undefined;
  ageMs(of?: AgeOf): number | undefined;
}

export interface RefreshResult<T = unknown> {
  outcome: Outcome;
  /** Whether this shared a flight that somebody else had asked for. */
  joined: boolean;
  jobId?: string;
  /** The job at its end. */
  receipt?: Job;
  counts?: Counts;
  /** What is there now; after `updated` and `unchanged` never older than this refresh. */
  snapshot?: Snapshot<T>;
  retryAfterMs?: number;
  /** Why it failed, was held or limited. */
  problem?: Problem;
}

/** "90s", "10m", "2h", "1d" or milliseconds. */
export type Span = number | string;
export function toMs(span: Span): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(span)) ?? [];
  if (unit) return Number(number) * { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[unit as "s"];
  if (typeof span === "number") return span;
  throw new TypeError(`"${span}" is no length of time.   try: "30s", "10m"`);
}

/** A whole key: the source and its parameters, percent-encoded. A key that is whole stays as it is. */
export function keyOf(source: string, params: KeyOptions["params"] = {}): string {
  return [source, ...Object.values(params).map((value) => encodeURIComponent(value))].join("/");
}

export type Client = ReturnType<typeof createClient>;

export function createClient(options: ClientOptions) {
  const send = options.fetch ?? ((input: RequestInfo | URL, init?: RequestInit) => fetch(input, init));
  const http = new Http(options.url, options.token, options.tenant, send as typeof fetch);
  const id = randomId();
  const page = typeof document === "object" ? document : undefined;
  const heard = new Set<() => void>();
  const ticks = new Set<(now: number) => void>();
  const counts = new Map<string, number>();
  let words = new Map<string, string>();
  let started = false;
  let spreading = false;
  let timer: ReturnType<typeof setInterval> | undefined;
  let lastTick = 0;
  const clock = new ServerClock();
  const now = () => clock.now();
  const told = () => heard.forEach((one) => one());
  // What holds the stream comes when something is watched: who only reads does not load it.
  let live: typeof import("./live.js") | undefined;
  let hub: Hub | undefined;
  let store: Store | undefined;
  const early = new Set<() => void>();
  let status: Connection = "connecting";
  let topics: string[] = [];

  let mine: Promise<Me> | undefined;
  /** Who asks, asked once. */
  function whoami(): Promise<Me> {
    mine ??= http.json<Me>("GET", "v1/me");
    mine.catch(() => (mine = undefined));
    return mine;
  }

  // ---- the stream, while somebody watches ----

  async function start(checking = false): Promise<void> {
    started = true;
    for (let tries = 0; started; ++tries) {
      try {
        // Not awaited when it is there: who comes back is checking at once.
        live ??= await import("./live.js");
        if (!hub) {
          store ??= new live.Store((key, gen) => http.json("GET", `v1/data/${key}`, { query: { envelope: 1, min_gen: gen || undefined } }));
          hub ??= new live.Hub(id, http, store, clock, told, options.times);
          for (const listen of early) listen();
          early.clear();
        }
        hub.checking = checking;
        if (checking) told();
        hub.want(topics);
        const [how, mode] = await live.sharing(http, options, whoami, () => hub?.start(undefined, "slow"));
        if (started) hub.start(how, mode), (status = "live");
        return;
      } catch (error) {
        const code = error instanceof FreshetError ? error.status : 0;
        becomes(code === 401 || code === 403 ? "signed-out" : "reconnecting");
        await wait(Math.min(5_000, 500 * 2 ** tries));
      }
    }
  }

  function stop(): void {
    if (!started) return;
    started = false;
    hub?.stop();
    becomes("paused");
  }

  function becomes(next: Connection): void {
    status = next;
    told();
  }

  // ---- time passes, tabs sleep ----

  function tick(): void {
    const steady = Date.now();
    const gap = steady - lastTick;
    lastTick = steady;
    if (page?.visibilityState !== "hidden") {
      if (gap > 5_000) hub?.check();
      else hub?.tick();
    }
    const at = now();
    const next = new Map<string, string>();
    for (const entry of store?.all() ?? []) {
      if (!entry.meta) continue;
      const word = stateOf(entry.meta, at);
      next.set(entry.topic, word);
      if ((words.get(entry.topic) ?? entry.meta.state) !== word) store!.touch(entry.topic);
      if (page?.visibilityState !== "hidden") store!.hint(entry.topic, word);
    }
    words = next;
    ticks.forEach((one) => one(at));
  }

  const shown = () => {
    if (page?.visibilityState === "visible" && started) Date.now() - lastTick > 5_000 ? tick() : hub?.tick();
  };
  // Also when the net goes: a stream that nobody ends would be called live until its next beat is missed.
  const network = () => started && hub?.check();
  const hidden = (event: Event) => (event as PageTransitionEvent).persisted && stop();
  const again = (event: Event) => {
    if (!(event as PageTransitionEvent).persisted || !counts.size) return;
    void start(true);
  };

  function wake(on: boolean): void {
    if (on === (timer !== undefined)) return;
    if (on) {
      lastTick = Date.now();
      timer = setInterval(tick, 1000);
      (timer as { unref?: () => void }).unref?.();
    } else {
      clearInterval(timer);
      timer = undefined;
    }
    if (!page) return;
    const listen = on ? "addEventListener" : "removeEventListener";
    page[listen]("visibilitychange", shown);
    for (const [name, act] of [["online", network], ["offline", network], ["pagehide", hidden], ["pageshow", again]] as const) globalThis[listen](name, act);
  }

  // ---- topics ----

  function spread(): void {
    if (spreading) return;
    spreading = true;
    queueMicrotask(() => {
      spreading = false;
      topics = [...counts.keys()];
      hub?.want(topics);
      wake(topics.length + ticks.size > 0);
      if (topics.length && !started) void start();
      if (!topics.length && started) stop();
    });
  }

  /** Calls on every change of a topic, at once with what is known. Ends with the function that it returns. */
  function subscribe(topic: string, listener: (entry: Entry) => void, reads = true): () => void {
    counts.set(topic, (counts.get(topic) ?? 0) + 1);
    let end: (() => void) | undefined;
    let over = false;
    const listen = () => {
      end = store!.listen(topic, listener, reads);
      const known = store!.peek(topic);
      if (known && known.revision > 0) listener(known);
    };
    if (store) listen();
    else early.add(listen);
    spread();
    return () => {
      if (over) return;
      over = true;
      early.delete(listen);
      end?.();
      const left = counts.get(topic)! - 1;
      if (left) counts.set(topic, left);
      else counts.delete(topic);
      // Whoever comes back in a moment, as after a re-render, finds everything as it was.
      setTimeout(spread, 1000);
    };
  }

  /** The changes of a topic, the latest where the reader is slow; ends when `last` says so. */
  async function* follow<T>(topic: string, pick: (entry: Entry) => T | undefined, signal?: AbortSignal, last?: (value: T) => boolean): AsyncGenerator<T, void, void> {
    let latest: { value: T } | undefined;
    let problem: Problem | undefined;
    let ring = () => {};
    const off = subscribe(topic, (entry) => {
      problem = entry.problem;
      const value = pick(entry);
      if (value !== undefined) latest = { value };
      ring();
    });
    const aborted = () => ring();
    signal?.addEventListener("abort", aborted);
    try {
      while (!signal?.aborted) {
        if (latest) {
          const { value } = latest;
          latest = undefined;
          yield value;
          if (last?.(value)) return;
        } else if (problem) throw new FreshetError(problem, new Headers());
        else await new Promise<void>((resolve) => (ring = resolve));
      }
    } finally {
      signal?.removeEventListener("abort", aborted);
      off();
    }
  }

  const made = new WeakMap<Meta, Snapshot>();
  function snapshot<T>(meta: Meta, data: unknown): Snapshot<T> {
    let value = made.get(meta);
    if (!value || value.data !== data) {
      value = {
        key: meta.key,
        data,
        meta,
        get state() {
          return hub?.checking ? "checking" : stateOf(meta, now());
        },
        why: meta.why,
        ageMs: (of) => ageOf(meta, now(), of),
      };
      made.set(meta, value);
    }
    return value as Snapshot<T>;
  }
  const snapshotIn = <T>(entry: Entry | undefined): Snapshot<T> | undefined => (entry?.meta && (entry.ver === entry.meta.ver || entry.meta.ver === 0) ? snapshot<T>(entry.meta, entry.data) : undefined);

  const ask = <T>(method: string, path: string, asked?: Ask) => http.json<T>(method, path, asked);

  async function get<T = unknown>(source: string, { params, maxAge, signal, minGen }: KeyOptions & { maxAge?: Span; minGen?: number } = {}): Promise<Snapshot<T>> {
    const query = { envelope: 1, max_age: maxAge === undefined ? undefined : Math.max(1, Math.floor(toMs(maxAge) / 1000)), min_gen: minGen };
    const { meta, data } = await ask<{ meta: Meta; data: T }>("GET", `v1/data/${keyOf(source, params)}`, { query, signal });
    if (clock.since() > 60_000) clock.hear(meta.now);
    return snapshot<T>(meta, data);
  }

  /** Reads the source again. Never fails for what the source did: that is an outcome, with its reason. */
  async function refresh<T = unknown>(source: string, { params, wait: bound = "60s", signal, onProgress }: KeyOptions & { wait?: Span; onProgress?: (job: Job) => void } = {}): Promise<RefreshResult<T>> {
    const key = keyOf(source, params);
    let response: Response;
    try {
      response = await http.ask("POST", `v1/data/${key}/refresh`, { headers: { prefer: "respond-async" }, signal });
    } catch (error) {
      if (!(error instanceof FreshetError) || !error.problem.outcome) throw error;
      const { problem, retryAfterMs } = error;
      return { outcome: problem.outcome!, joined: false, problem, ...(retryAfterMs !== undefined && { retryAfterMs }), ...(problem.receipt && { receipt: problem.receipt as Job }) };
    }
    const joined = /\bjoined=\?1/.test(response.headers.get("freshet") ?? "");
    let job = (await response.json()) as Job;
    onProgress?.(job);
    const end = new AbortController();
    const limit = setTimeout(() => end.abort(), toMs(bound));
    signal?.addEventListener("abort", () => end.abort());
    try {
      if (!isOver(job)) for await (job of follow(`job/${job.id}`, (entry) => entry.job, end.signal, isOver)) onProgress?.(job);
    } finally {
      clearTimeout(limit);
    }
    signal?.throwIfAborted();
    if (!isOver(job)) return { outcome: "pending", joined, jobId: job.id, receipt: job };
    const result: RefreshResult<T> = { outcome: job.outcome ?? "failed", joined, jobId: job.id, receipt: job, ...(job.counts && { counts: job.counts }) };
    if (job.state === "succeeded") result.snapshot = await get<T>(key, { minGen: job.gen ?? 0, ...(signal && { signal }) });
    else if (job.error) result.problem = { type: "about:blank", title: job.error.message, detail: job.error.message, status: 502, code: job.error.code };
    return result;
  }

  const one = (kind: "jobs" | "batches") => (id: string, verb?: string, body?: unknown) => ask<never>(verb ? "POST" : "GET", `v1/${kind}/${id}${verb ? `/${verb}` : ""}`, verb ? { body: body ?? {} } : {});
  const jobOf = one("jobs");
  const batchOf = one("batches");
  type Query = Ask["query"];

  const client = {
    get,
    refresh,
    /** Data and meta at every change, beginning with what is there. */
    watch: <T = unknown>(source: string, { params, signal }: KeyOptions = {}) => follow<Snapshot<T>>(`data/${keyOf(source, params)}`, snapshotIn<T>, signal),
    me: () => ask<Me>("GET", "v1/me"),
    whoami,
    diff: (key: string, query?: { from?: number; to?: number }) => ask<Diff>("GET", `v1/data/${key}/diff`, { query: { ...query }, headers: { accept: "application/vnd.freshet.diff+json" } }),
    freshness: (query?: Query) => ask<Page<FreshnessRow>>("GET", "v1/freshness", { query }),
    jobs: {
      list: (query?: Query) => ask<Page<Job>>("GET", "v1/jobs", { query }),
      get: (id: string): Promise<Job> => jobOf(id),
      add: (job: NewJob, idempotencyKey?: string) => ask<Job>("POST", "v1/jobs", { body: job, ...(idempotencyKey && { idempotencyKey }) }),
      cancel: (id: string): Promise<Job> => jobOf(id, "cancel"),
      retry: (id: string, how?: { generation?: number; input?: unknown }): Promise<Job> => jobOf(id, "retry", how),
      attempts: (id: string) => ask<Page<Attempt>>("GET", `v1/jobs/${id}/attempts`),
      /** Every state of a job; ends with its last. */
      watch: (id: string, signal?: AbortSignal) => follow(`job/${id}`, (entry) => entry.job, signal, isOver),
    },
    batches: {
      list: (query?: Query) => ask<Page<Batch>>("GET", "v1/batches", { query }),
      get: (id: string): Promise<Batch> => batchOf(id),
      add: (batch: object, idempotencyKey?: string) => ask<Batch>("POST", "v1/batches", { body: batch, ...(idempotencyKey && { idempotencyKey }) }),
      items: (id: string, query?: Query) => ask<Page<Item>>("GET", `v1/batches/${id}/items`, { query }),
      cancel: (id: string): Promise<Batch> => batchOf(id, "cancel"),
      retryFailed: (id: string): Promise<Batch> => batchOf(id, "retry-failed"),
      then: (id: string): Promise<Batch> => batchOf(id, "then"),
      watch: (id: string, signal?: AbortSignal) => follow(`batch/${id}`, (entry) => entry.batch && { batch: entry.batch, items: [...(entry.items?.values() ?? [])] as unknown as Item[] }, signal, ({ batch }) => isOver(batch)),
    },
    /** Any other request, with the token, tries and problems of all others. */
    ask,
    subscribe,
    peek: (topic: string) => store?.peek(topic),
    snapshotIn,
    /** The way to the server, and every change of it. */
    get connection(): Connection {
      return started && status === "live" ? hub!.status : status;
    },
    get checking(): boolean {
      return hub?.checking ?? false;
    },
    onConnection(listener: () => void): () => void {
      heard.add(listener);
      return () => heard.delete(listener);
    },
    /** What the server calls itself: another word than before means that there is a new version of it. */
    get server(): string | undefined {
      return store?.server;
    },
    /** The server's time. */
    now,
    /** Once a second while somebody listens. */
    onTick(listener: (now: number) => void): () => void {
      ticks.add(listener);
      wake(true);
      return () => (ticks.delete(listener), spread());
    },
    /** Stops hearing; what is there stays, and grows old in plain sight. */
    pause: stop,
    resume: () => void (!started && counts.size && start()),
    /** Whether this tab holds the stream for all. */
    get leads(): boolean {
      return hub?.leads ?? false;
    },
    url: http.base,
    close(): void {
      counts.clear();
      wake(false);
      stop();
    },
  };
  return client;
}
