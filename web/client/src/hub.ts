// SPDX-License-Identifier: Apache-2.0
// What a tab hears and tells: one stream per browser and sign-in.
//
// Tabs of one origin that speak to one server as one person share a lock and a channel. The tab that holds the lock
// leads: it holds the links, keeps what was told of every topic that any tab wants, and passes all on. The others say
// what they want, again on every beat, so that a tab that died is forgotten. When the leader ends, its lock goes to the
// next; when it is silent for three beats or does not answer a nudge, a tab that is looked at takes the lock away.
// Without locks (no secure context) a shared worker leads for ever; without that each tab polls by itself.
import type { ServerClock } from "./clock.js";
import { wait, type Http } from "./http.js";
import { Link, times, type LinkTimes, type Mode } from "./link.js";
import { isOver, stateOf } from "./state.js";
import { Store, type Told } from "./store.js";
import type { Connection } from "./types.js";

export interface Channel {
  postMessage(message: Message): void;
  close(): void;
  onmessage: ((event: { data: Message }) => void) | null;
}
export interface Locks {
  request(name: string, options: { signal?: AbortSignal; steal?: boolean }, held: () => Promise<void>): Promise<unknown>;
}
/** How a tab shares: as the lock decides, behind a worker that leads, as that worker, or not at all. */
export interface Sharing {
  name: string;
  channel: (name: string) => Channel;
  locks?: Locks;
  lead?: boolean;
}
export type Message =
  | { say: "want"; from: string; topics: string[] }
  | { say: "bye"; from: string }
  | { say: "nudge" }
  | { say: "lead" }
  | { say: "events"; to?: string; events: [string, Told][] }
  | { say: "status"; status: Connection; now?: string; beat: number };

export interface HubTimes extends LinkTimes {
  /** For a leader's answer to a nudge. */
  answer: number;
}
export const hubTimes: HubTimes = { ...times, answer: 2_500 };

const topicsPerLink = 90;

export { Store };

export class Hub {
  status: Connection = "connecting";
  /** Nothing that is shown was heard to be so since the tab came back. */
  checking = false;

  #wanted: string[] = [];
  #tabs = new Map<string, { topics: string[]; silent: number }>();
  #links: Link[] | undefined;
  #mode: Mode = "stream";
  #name = "";
  #locks: Locks | undefined;
  #channel: Channel | undefined;
  #lockWish: AbortController | undefined;
  #release: (() => void) | undefined;
  #beatMs = 15_000;
  #heardAt = 0;
  #answers = 0;
  #allAt = 0;
  #allDue = 0;

  constructor(
    private readonly id: string,
    private readonly http: Http,
    private readonly store: Store,
    private readonly clock: ServerClock,
    private readonly onStatus: () => void,
    private readonly limits: HubTimes = hubTimes,
  ) {}

  get leads(): boolean {
    return this.#links !== undefined;
  }

  /** @param mode  the best way that may be tried. */
  start(sharing?: Sharing, mode: Mode = "stream"): void {
    this.stop();
    this.#mode = mode;
    this.status = "connecting";
    if (!sharing) return this.#lead();
    this.#channel = sharing.channel(sharing.name);
    this.#channel.onmessage = ({ data }) => this.#received(data);
    this.#heardAt = Date.now();
    if (sharing.lead) this.#lead();
    else if (sharing.locks) this.#queue(sharing.locks, sharing.name, false);
    this.#locks = sharing.locks;
    this.#name = sharing.name;
    if (!this.#links) this.#post({ say: "want", from: this.id, topics: this.#wanted });
  }

  stop(status: Connection = "paused"): void {
    this.#post({ say: "bye", from: this.id });
    this.#lockWish?.abort();
    this.#lockWish = undefined;
    this.#unlead();
    this.#channel?.close();
    this.#channel = undefined;
    this.#tell(status);
  }

  want(topics: string[]): void {
    this.#wanted = topics;
    if (this.#links) return this.#spread();
    this.store.keep(topics);
    this.#post({ say: "want", from: this.id, topics });
  }

  /** Asks for a new hello, and says that it did until there is one. */
  check(): void {
    if (!this.#wanted.length) return;
    this.checking = true;
    this.onStatus();
    if (this.#links) return this.#links.forEach((link) => link.check());
    const answers = this.#answers;
    this.#post({ say: "nudge" });
    void wait(this.limits.answer).then(() => {
      if (this.#answers === answers) this.#take();
    });
  }

  /** Once a second while somebody looks: a leader that fell silent is replaced. */
  tick(): void {
    if (!this.#links && Date.now() - this.#heardAt > 3 * this.#beatMs) this.#take();
  }

  #take(): void {
    if (this.#links || !this.#channel) return;
    this.#heardAt = Date.now();
    if (!this.#locks) return this.#post({ say: "want", from: this.id, topics: this.#wanted });
    this.#lockWish?.abort();
    this.#queue(this.#locks, this.#name, true);
  }

  #queue(locks: Locks, name: string, steal: boolean): void {
    const wish = (this.#lockWish = new AbortController());
    locks
      .request(name, steal ? { steal } : { signal: wish.signal }, () => {
        if (wish.signal.aborted) return Promise.resolve();
        return new Promise<void>((release) => {
          this.#release = release;
          this.#lead();
        });
      })
      .catch(() => undefined)
      .then(() => {
        // Let go, or taken away by another tab: then this one follows it.
        if (this.#lockWish !== wish) return;
        this.#unlead();
        this.#queue(locks, name, false);
      });
  }

  #lead(): void {
    if (this.#links) return;
    this.#links = [];
    this.#post({ say: "lead" });
    this.#spread();
  }

  #unlead(): void {
    this.#links?.forEach((link) => link.stop());
    this.#links = undefined;
    this.#tabs.clear();
    this.#release?.();
    this.#release = undefined;
  }

  #post(message: Message): void {
    this.#channel?.postMessage(message);
  }

  /** Hands all topics of all tabs to links, each as many as a stream takes. */
  #spread(): void {
    const topics = [...new Set([...this.#wanted, ...[...this.#tabs.values()].flatMap((tab) => tab.topics)])];
    this.store.keep(topics);
    for (let i = 0; i === 0 || i * topicsPerLink < topics.length || i < this.#links!.length; ++i) {
      const link = (this.#links![i] ??= new Link(this.http, this.#host, this.#mode, this.limits));
      link.want(topics.slice(i * topicsPerLink, (i + 1) * topicsPerLink));
      link.start();
    }
  }

  readonly #host = {
    heard: (event: string, told: Told & { now?: string; beat_ms?: number }) => {
      if (told.now) this.clock.hear(told.now);
      if (told.beat_ms) this.#beatMs = told.beat_ms;
      if (event === "poll") this.#beatMs = Math.max(this.#beatMs, 30_000);
      if (event !== "beat") {
        this.store.apply(event, told);
        this.#post({ say: "events", events: [[event, told]] });
      }
      if (event === "hello" || event === "beat" || event === "poll") {
        this.checking = false;
        for (const [id, tab] of this.#tabs) if (++tab.silent > 3) this.#tabs.delete(id), this.#spread();
        this.#tell(this.status, told.now);
      }
    },
    status: (status: Connection) => this.#tell(status),
    due: () => this.#due(),
    rest: () => this.#rest(),
  };

  #tell(status: Connection, now?: string): void {
    const same = status === this.status;
    this.status = status;
    if (this.#links) this.#post({ say: "status", status, beat: this.#beatMs, ...(now && { now }) });
    if (!same || now) this.onStatus();
  }

  #live(): string[] {
    return [...this.store.all()].filter(({ topic, job, batch }) => /^(job|batch)\//.test(topic) && !isOver(job ?? batch)).map(({ topic }) => topic);
  }

  /** What a slow poll asks for now: everything when its time has come, else what is live. [] is everything. */
  #due(): string[] {
    if (Date.now() < this.#allDue) return this.#live();
    this.#allAt = Date.now();
    return [];
  }

  /** Milliseconds to the next slow poll: 15 s while any data is stale, else 30 s; 2 s while a job or batch goes on. */
  #rest(): number {
    const stale = [...this.store.all()].some(({ meta }) => meta && stateOf(meta, this.clock.now()) !== "fresh");
    this.#allDue = this.#allAt + (stale ? 15_000 : 30_000);
    return Math.max(0, Math.min(this.#allDue - Date.now(), this.#live().length ? 2_000 : Infinity));
  }

  #received(message: Message): void {
    switch (message.say) {
      case "lead":
        // Also an answer to a leader that came while this one thought that it leads without a lock.
        if (!this.#links) this.#post({ say: "want", from: this.id, topics: this.#wanted });
        break;
      case "want": {
        if (!this.#links) break;
        const before = new Set(this.#tabs.get(message.from)?.topics);
        this.#tabs.set(message.from, { topics: message.topics, silent: 0 });
        const events = this.store.retell(message.topics.filter((topic) => !before.has(topic)));
        if (events.length) this.#post({ say: "events", to: message.from, events });
        if (message.topics.length !== before.size || message.topics.some((topic) => !before.has(topic))) {
          this.#spread();
          this.#answer();
        }
        break;
      }
      case "bye":
        if (this.#links && this.#tabs.delete(message.from)) this.#spread();
        break;
      case "nudge":
        if (!this.#links) break;
        // A hello of a moment ago serves all tabs that came back together.
        if (this.clock.since() > 3_000) this.#links.forEach((link) => link.check());
        else this.#answer();
        break;
      case "events":
        if (this.#links || (message.to !== undefined && message.to !== this.id)) break;
        for (const [event, told] of message.events) this.store.apply(event, told);
        break;
      case "status":
        if (this.#links) break;
        this.#heardAt = Date.now();
        this.#answers++;
        this.#beatMs = message.beat;
        if (message.now) {
          this.clock.hear(message.now);
          this.checking = false;
          // Every beat is answered, so that the leader knows who is still there.
          this.#post({ say: "want", from: this.id, topics: this.#wanted });
        }
        this.#tell(message.status, message.now);
    }
  }

  #answer(): void {
    const since = this.clock.since();
    this.#tell(this.status, since < Infinity ? new Date(this.clock.now()).toISOString() : undefined);
  }
}
