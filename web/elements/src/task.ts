// SPDX-License-Identifier: Apache-2.0
// <freshet-task>: a long job: how far, when it was last heard of, whether it is stuck or its worker lost, how it ended.
import { isOver, isStalled, type Job } from "@freshet/client";
import { html, nothing, type PropertyValues } from "lit";
import { announce } from "./announce.js";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";
import { bar, glyph } from "./view.js";

/** The steps of a thing's way that are spoken: begin, each quarter, and how it ended, each once. */
export class Steps {
  #said = "";
  /** What is to be said now, if anything. */
  next(name: string, word: string, percent: number | undefined, over: boolean, speak: (n: number) => string): string | undefined {
    const quarter = Math.floor((percent ?? 0) / 25) * 25;
    const step = over ? word : quarter > 0 && quarter < 100 ? String(quarter) : word;
    if (step === this.#said) return;
    const first = this.#said === "";
    this.#said = step;
    // What was over when the page came is on it; nobody needs to be told.
    return first && over ? undefined : [name, step === word ? word : speak(quarter)].filter(Boolean).join(": ");
  }
}

export class FreshetTask extends FreshetElement {
  static override styles = common;
  static override properties = { jobId: { attribute: "job" }, job: { noAccessor: true, attribute: false }, cancelable: { type: Boolean }, retryable: { type: Boolean }, stalled: { type: Boolean, reflect: true } };
  declare jobId: string | undefined;
  declare cancelable: boolean;
  declare retryable: boolean;
  declare stalled: boolean;
  #known: Job | undefined;
  /** Set before the element stands in a page, where nobody could hear of it yet. */
  #given: Job | undefined;
  #heardAt = 0;
  #finished: string | undefined;
  readonly #steps = new Steps();

  constructor() {
    super();
    this.cancelable = this.retryable = this.stalled = false;
  }

  /** The job as it is known; an id may be set, too. */
  get job(): Job | undefined {
    return this.#known;
  }
  set job(job: Job | string | undefined) {
    this.jobId = typeof job === "string" ? job : job?.id;
    this.#given = typeof job === "object" ? job : undefined;
    if (this.isConnected) this.#hearGiven();
  }
  #hearGiven(): void {
    const job = this.#given;
    this.#given = undefined;
    if (job) this.#heard(job);
  }

  protected override watch(): void {
    this.#hearGiven();
    this.follow("job", this.jobId && `job/${this.jobId}`, ({ job }) => job && this.#heard(job));
  }

  protected override forget(): void {
    if (this.#known?.id !== this.jobId) this.#known = this.trouble = undefined;
  }

  #heard(job: Job): void {
    const known = this.#known;
    const late = known?.id !== job.id;
    // The answer to a press may come after what it led to.
    if (!late && job.seq < known.seq) return;
    if (job.state !== known?.state) this.trouble = undefined;
    this.#known = job;
    this.#heardAt = this.client.now();
    const generation = `${job.id} ${job.generation}`;
    if (!isOver(job)) this.emit("freshet-progress", job);
    else if (generation !== this.#finished) {
      this.#finished = generation;
      this.emit("freshet-finished", { ...job, late });
    }
    const name = this.label ?? job.label ?? job.queue;
    const say = this.#steps.next(name, this.word(job.state), job.progress?.percent, isOver(job), (n) => this.localize.term("percent", this.word("running"), n));
    if (say) announce(this, say);
    this.requestUpdate();
  }

  cancel(): Promise<void> {
    return this.#ask((id) => this.client.jobs.cancel(id));
  }
  retry(): Promise<void> {
    return this.#ask((id) => this.client.jobs.retry(id, this.#known ? { generation: this.#known.generation } : undefined));
  }
  async #ask(verb: (id: string) => Promise<Job>): Promise<void> {
    const job = this.jobId && (await this.act(() => verb(this.jobId!)));
    if (job && job.id === this.jobId) this.#heard(job);
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    const job = this.#known;
    this.state = job?.state ?? "";
    this.busy = job !== undefined && !isOver(job);
    this.stalled = job !== undefined && isStalled(job, this.client.now());
    this.tick(this.busy);
  }

  protected override render() {
    const job = this.#known;
    if (!job) return this.unknown("card");
    const now = this.client.now();
    const { progress } = job;
    const name = this.label ?? job.label ?? job.queue;
    const running = job.state === "running" || job.state === "cancelling";
    const lost = job.lost > 0 && (job.state === "retrying" || job.state === "queued");
    const eta = running && this.eta(job, this.#heardAt);
    const tryIn = job.retry_at && Date.parse(job.retry_at) - now;
    const of = progress?.total ? `${progress.done} / ${progress.total}` : progress && progress.done > 0 ? String(progress.done) : "";
    return html`<div class="card" part="card" dir=${this.dirOf}>
      <div class="line"><span class="title"><slot name="title"><bdi>${name}</bdi></slot></span>${this.mark(job.state)}${job.attempt > 1 && this.busy ? html`<span class="quiet">${this.localize.term("attempt", String(job.attempt), String(job.attempts_max ?? ""))}</span>` : nothing}</div>
      ${this.busy ? bar(name, progress?.total ? progress.done : undefined, progress?.total) : nothing}
      ${running || of
        ? html`<div class="line quiet">
            ${running && progress?.phase ? html`<span part="phase"><bdi dir="auto">${this.word(progress.phase)}</bdi></span>` : nothing}${of ? html`<span>${this.number(of)} <bdi>${progress?.unit ?? ""}</bdi></span>` : nothing}${progress?.message && running ? html`<bdi dir="auto">${progress.message}</bdi>` : nothing}
            ${running && job.beat_at ? html`<span part="beat">${this.localize.term("beat", this.ago(now - Date.parse(job.beat_at)))}</span>` : nothing}
            ${eta ? html`<span part="eta">${eta}</span>` : nothing}
          </div>`
        : nothing}
      ${this.stalled && running ? html`<div part="warning" class="line late">${glyph("overdue")}<slot name="stalled">${this.localize.term("stalled", this.span(now - Date.parse(job.progress_at ?? job.began_at ?? job.requested_at)))}</slot></div>` : nothing}
      ${lost ? html`<div part="warning" class="line late">${glyph("overdue")}<slot name="lost">${tryIn && tryIn > 0 ? this.localize.term("lost", this.span(tryIn + 999)) : this.word("lostWaits")}</slot></div>` : nothing}
      ${this.bad(isOver(job) ? this.error(job.error) : undefined)}${this.bad(this.trouble && this.said(this.trouble))}
      ${this.busy
        ? this.cancelable ? html`<div class="line">${this.button("operate", this.word("cancel"), () => job.state !== "cancelling" && this.cancel(), this.acting || job.state === "cancelling")}</div>` : nothing
        : this.retryable && job.kind !== "item" ? html`<div class="line">${this.button("operate", html`<slot name="retry">${this.word("retry")}</slot>`, () => this.retry())}</div>` : nothing}
    </div>`;
  }
}

define("freshet-task", FreshetTask);
