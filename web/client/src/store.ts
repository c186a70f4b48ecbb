// SPDX-License-Identifier: Apache-2.0
// What is known of each topic, and who wants to hear of it.
//
// Objects with a lower seq than one already seen are dropped, data with a lower gen too, progress that goes back as well:
// whatever order, cut or replay events come in, nothing that is shown goes backwards. Only another epoch (a store made
// anew or restored) begins again. Data and its meta change together: a change that tells of a version whose data is
// not here yet shows only once that was read.
import type { Batch, Counts, Job, Meta, Outcome, Problem, State } from "./types.js";

export type Row = { seq?: number } & Record<string, unknown>;

export interface Entry {
  readonly topic: string;
  meta?: Meta;
  data?: unknown;
  /** The version that `data` is. */
  ver?: number;
  /** What the last refresh that was heard of came to. */
  outcome?: Outcome;
  counts?: Counts;
  job?: Job;
  batch?: Batch;
  /** Items of a batch, or rows of a list, in the order they came in. */
  items?: Map<string, Row>;
  /** Why the server refuses to tell of this topic. */
  problem?: Problem;
  /** Grows with every change, for those who compare. */
  readonly revision: number;
}

export interface Told {
  topic?: string;
  meta?: Meta;
  data?: unknown;
  href?: string;
  outcome?: Outcome;
  counts?: Counts;
  job?: Job;
  batch?: Batch;
  items?: Row[];
  schedule?: Row;
  worker?: Row;
  seq?: number;
  head?: string;
  resume?: string;
  server?: string;
  problem?: Problem;
}

interface Slot extends Entry {
  revision: number;
  heard: Set<(entry: Entry) => void>;
  readers: number;
  /** Somebody who looks at old or no data has read it, so that the server refreshes what nothing else would. */
  asked: boolean;
  /** The next snapshot replaces the rows. */
  renew: boolean;
  awaited?: Meta;
}

export type Load = (key: string, gen: number) => Promise<{ meta: Meta; data: unknown }>;

const idOf = (row: Row) => String(row["id"] ?? row["key"] ?? row["name"]);

/** Whether `next` may be shown after `known`. */
function follows(known: { seq?: number } | undefined, next: { seq?: number }): boolean {
  if (!known || next.seq === undefined || known.seq === undefined || next.seq > known.seq) return true;
  if (next.seq < known.seq) return false;
  const [a, b] = [(known as Partial<Job>).progress, (next as Partial<Job>).progress];
  if (!a || !b) return !a;
  return (b.attempt - a.attempt || b.phase_index - a.phase_index || b.done - a.done) >= 0;
}

export class Store {
  readonly #slots = new Map<string, Slot>();
  #epoch = "";
  server: string | undefined;

  /** @param load  reads a version that an event did not bring along; absent where nobody reads (another tab will). */
  constructor(private readonly load?: Load) {}

  peek(topic: string): Entry | undefined {
    return this.#slots.get(topic);
  }

  all(): Iterable<Entry> {
    return this.#slots.values();
  }

  #slot(topic: string): Slot {
    let slot = this.#slots.get(topic);
    if (!slot) this.#slots.set(topic, (slot = { topic, revision: 0, heard: new Set(), readers: 0, asked: false, renew: true }));
    return slot;
  }

  /** @param reads  whether the data itself is wanted, not its meta alone. */
  listen(topic: string, heard: (entry: Entry) => void, reads = true): () => void {
    const slot = this.#slot(topic);
    slot.heard.add(heard);
    if (reads) {
      slot.readers++;
      if (slot.meta && slot.ver !== slot.meta.ver) this.#read(slot, slot.meta);
    }
    return () => {
      if (slot.heard.delete(heard) && reads) slot.readers--;
    };
  }

  /** Keeps these, whoever listens, and forgets what nobody wants any more. */
  keep(topics: Iterable<string>): void {
    const kept = new Set(topics);
    for (const topic of kept) this.#slot(topic);
    for (const [topic, slot] of this.#slots)
      if (!kept.has(topic) && slot.heard.size === 0 && !kept.has(`data/${slot.meta?.source}/*`)) this.#slots.delete(topic);
  }

  /** Reads a key once, as a page does that shows old data: hearing of it alone starts no work. */
  hint(topic: string, word: State): void {
    const slot = this.#slots.get(topic);
    if (!slot?.meta || !this.load || word === "failing") return;
    if (word === "fresh") slot.asked = false;
    else if (!slot.asked && slot.readers > 0 && !slot.meta.refreshing) {
      slot.asked = true;
      this.load(slot.meta.key, 0)
        .then(({ meta, data }) => this.#putMeta(slot, meta, { data }))
        .catch(() => undefined);
    }
  }

  /** Tells those who listen that a topic is to be looked at again. */
  touch(topic: string): void {
    const slot = this.#slots.get(topic);
    if (slot) this.#notify(slot);
  }

  #notify(own: Slot): void {
    own.revision++;
    const wide = own.meta && this.#slots.get(`data/${own.meta.source}/*`)?.heard;
    for (const heard of [...own.heard, ...(wide ?? [])]) {
      try {
        heard(own);
      } catch (error) {
        // A listener's mistake is the page's; the stream goes on.
        queueMicrotask(() => { throw error; });
      }
    }
  }

  apply(event: string, told: Told): void {
    if (event === "hello" || event === "poll") this.#begins(told);
    const { topic } = told;
    if (topic === undefined) return;
    const slot = this.#slots.get(topic);
    if (told.problem) {
      if (slot) (slot.problem = told.problem), this.#notify(slot);
    } else if (told.meta) {
      const known = slot ?? (this.#slots.has(`data/${told.meta.source}/*`) ? this.#slot(topic) : undefined);
      if (known) this.#putMeta(known, told.meta, told);
    } else if (told.job) {
      if (slot && follows(slot.job, told.job)) {
        slot.job = told.job;
        delete slot.problem;
        this.#notify(slot);
      }
      this.#putRows(this.#slots.get(`jobs/${told.job.queue}`), [told.job as unknown as Row]);
    } else if (topic.startsWith("batch/")) {
      const batch = told.batch;
      if (slot) {
        if (event === "snapshot") this.#renews(slot);
        // A batch that runs again is no step back, and its items begin again with it.
        const put = batch && follows(slot.batch, batch as Row);
        if (put) (slot.batch = batch), delete slot.problem;
        if (!this.#putRows(slot, told.items ?? []) && put) this.#notify(slot);
      }
      if (batch) this.#putRows(this.#slots.get("batches"), [batch as unknown as Row]);
    } else if (told.worker || told.schedule) {
      this.#putRows(this.#slots.get(told.worker ? "workers" : "schedules"), [(told.worker ?? told.schedule)!]);
    } else if (told.items && slot) {
      if (event === "snapshot") this.#renews(slot);
      if (!this.#putRows(slot, told.items) && event === "snapshot") this.#notify(slot);
    }
  }

  #begins(told: Told): void {
    this.server = told.server ?? this.server;
    const epoch = told.head?.split(":")[0] ?? this.#epoch;
    const anew = this.#epoch !== "" && epoch !== this.#epoch;
    this.#epoch = epoch;
    for (const slot of this.#slots.values()) {
      if (told.resume !== "ok") slot.renew = true;
      if (!anew) continue;
      for (const thing of [slot.meta, slot.job, slot.batch, ...(slot.items?.values() ?? [])]) if (thing) thing.seq = -1;
      if (slot.meta) slot.meta.gen = -1;
      delete slot.ver;
    }
  }

  #renews(slot: Slot): void {
    // Rows that are told again keep what is newer here; those that are gone go.
    if (slot.renew) slot.items = new Map(slot.topic.startsWith("batch/") ? slot.items : []);
    slot.items ??= new Map();
    slot.renew = false;
  }

  #putRows(slot: Slot | undefined, rows: readonly Row[]): boolean {
    if (!slot) return false;
    slot.items ??= new Map();
    let put = false;
    for (const row of rows) {
      if (!follows(slot.items.get(idOf(row)), row)) continue;
      slot.items.set(idOf(row), row);
      put = true;
    }
    if (put) this.#notify(slot);
    return put;
  }

  #putMeta(own: Slot, meta: Meta, told: Told): void {
    if (own.meta && (meta.seq < own.meta.seq || meta.gen < own.meta.gen)) return;
    if (own.awaited && (meta.seq < own.awaited.seq || meta.gen < own.awaited.gen)) return;
    if (told.outcome) (own.outcome = told.outcome), (own.counts = told.counts!);
    if ("data" in told) (own.data = told.data), (own.ver = meta.ver);
    if (own.ver !== meta.ver && meta.ver > 0 && own.readers > 0 && this.load) return this.#read(own, meta);
    delete own.awaited;
    delete own.problem;
    own.meta = meta;
    this.#notify(own);
    this.hint(own.topic, meta.state);
  }

  #read(slot: Slot, meta: Meta): void {
    const under_way = slot.awaited;
    slot.awaited = meta;
    if (under_way || !this.load) return;
    const read = async (): Promise<void> => {
      for (let tries = 0; slot.awaited && this.#slots.get(slot.topic) === slot && tries < 8; ++tries) {
        try {
          const { meta: now, data } = await this.load!(meta.key, slot.awaited.gen);
          const awaited: Meta = slot.awaited ?? now;
          if (awaited.gen > now.gen && awaited.ver !== now.ver) continue;
          delete slot.awaited;
          // What was told meanwhile of the same version is newer than what the read says of it.
          return this.#putMeta(slot, awaited.ver === now.ver && awaited.seq > now.seq ? awaited : now, { data });
        } catch {
          await new Promise((done) => setTimeout(done, 500 * 2 ** tries));
        }
      }
      delete slot.awaited;
    };
    void read();
  }

  /** The events that tell somebody who comes later what is known of these topics. */
  retell(topics: Iterable<string>): [string, Told][] {
    const events: [string, Told][] = this.#epoch ? [["hello", { resume: "ok", head: `${this.#epoch}:0` }]] : [];
    for (const topic of topics) {
      const wildcard = topic.endsWith("/*") && topic.slice(0, -1);
      const slots = wildcard ? [...this.#slots.values()].filter((one) => one.meta && one.topic.startsWith(wildcard)) : [this.#slots.get(topic)];
      for (const slot of slots) {
        if (!slot) continue;
        const { meta, job, batch, problem } = slot;
        const rows = slot.items && { items: [...slot.items.values()] };
        if (problem) events.push(["refused", { topic: slot.topic, problem }]);
        else if (meta) events.push(["snapshot", { topic: slot.topic, meta, ...(slot.ver === meta.ver && { data: slot.data }) }]);
        else if (job) events.push(["snapshot", { topic, job }]);
        else if (batch) events.push(["snapshot", { topic, batch, ...rows }]);
        else if (rows && !slot.renew) events.push(["snapshot", { topic, ...rows }]);
      }
    }
    return events;
  }
}
