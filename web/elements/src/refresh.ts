// SPDX-License-Identifier: Apache-2.0
// <freshet-refresh>: the button that reads a source again, and tells what came of it.
//
// It shows every flight of its key, whoever asked for it, with phase, time and what is left. Its own press is followed to
// its own end: a flight from before the press goes on beside it and is not taken for it. While its own runs, another
// press only says what runs. Nothing on the page goes away meanwhile.
import { isOver, type Job, type Meta, type Outcome, type RefreshResult } from "@freshet/client";
import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { define, FreshetElement, troubleIn, type Trouble } from "./base.js";
import { common } from "./styles.js";
import { bar, glyph } from "./view.js";

/** What came of the last: a job's end, or a refusal. */
interface End {
  outcome: Outcome;
  job?: Job;
  problem?: Trouble | undefined;
  at: number;
  until?: string | undefined;
}

export class FreshetRefresh extends FreshetElement {
  static override styles = [...common, css`progress { inline-size: 5em; } .sum { display: inline-flex; gap: 0.45em; flex-wrap: wrap; }`];
  static override properties = { source: {}, meta: { attribute: false }, receipt: { attribute: false } };
  declare source: string | undefined;
  declare meta: Meta | undefined;
  declare receipt: Job | undefined;
  /** The press whose end is awaited, with its job once that is known. */
  #press: { id?: string } | undefined;
  #tracked: string | undefined;
  #heardAt = 0;
  #ended: string | undefined;
  #end: End | undefined;

  protected override watch(): void {
    this.follow("key", this.source && `data/${this.source}`, ({ meta }) => {
      this.meta = meta;
      const flight = meta?.refresh;
      // One that was asked for before the one that is shown may end after it; it is not taken for news.
      if (!this.#press && flight && flight.id !== this.#ended && flight.requested_at >= (this.receipt?.requested_at ?? "")) this.#track(flight.id);
    }, false);
  }

  protected override forget(purpose: string): void {
    if (purpose !== "key") return;
    this.follow("job", undefined, () => {});
    this.#press = this.#end = this.meta = this.receipt = undefined;
  }

  #track(id: string): void {
    this.#tracked = id;
    this.follow("job", `job/${id}`, ({ job }) => job && this.#heard(job));
  }

  #heard(job: Job): void {
    // While a press is awaited no other flight's way is taken for its own.
    if (job.id === this.#ended || (this.#press && this.#press.id !== job.id)) return;
    if (this.receipt?.id !== job.id) this.#end = undefined;
    this.receipt = job;
    this.#heardAt = this.client.now();
    if (isOver(job)) this.#over(job);
    else this.emit("freshet-progress", job);
    this.requestUpdate();
  }

  #over(job: Job): void {
    this.#ended = job.id;
    // Not at once: this may be told while it begins to be followed. By then another may be.
    queueMicrotask(() => this.#tracked === job.id && this.follow("job", undefined, () => {}));
    const outcome = job.outcome ?? "failed";
    this.#ends({ outcome, job, at: Date.parse(job.finished_at ?? "") || this.client.now() }, outcome === "updated" || outcome === "unchanged" ? "freshet-refreshed" : "freshet-error", job);
  }

  #ends(end: End, event: string, detail: unknown): void {
    this.#press = undefined;
    this.#end = end;
    this.emit(event, detail);
    this.say(this.#sentence());
    this.requestUpdate();
  }

  /** Presses the button. Gives what came of it; undefined where the page said no, or one of its own runs already. */
  async refresh(): Promise<RefreshResult | undefined> {
    if (!this.source) return;
    if (this.#press) {
      this.say(this.localize.term("runs", this.#phase(), this.span(this.#elapsed())));
      return;
    }
    if (!this.emit("freshet-request", { key: this.source }, true)) return;
    const press: { id?: string } = (this.#press = {});
    this.#end = this.receipt = undefined;
    this.#heardAt = this.client.now();
    this.requestUpdate();
    this.say(this.word("started"));
    // Of a press before the element was given another source nothing is shown.
    const refused = (outcome: Outcome, problem: Trouble, until?: string) => press === this.#press && this.#ends({ outcome, problem, at: this.client.now(), until }, "freshet-error", problem);
    try {
      // To its end, however long: the job is bounded by the server.
      const result = await this.client.refresh(this.source, {
        wait: "1d",
        onProgress: (job) => {
          if (press !== this.#press) return;
          press.id = job.id;
          this.#track(job.id);
          this.#heard(job);
        },
      });
      const { problem, retryAfterMs } = result;
      if (!result.jobId) refused(result.outcome, problem ?? troubleIn(undefined), problem?.retry_at ?? (retryAfterMs === undefined ? undefined : new Date(this.client.now() + retryAfterMs).toISOString()));
      return result;
    } catch (error) {
      refused("failed", troubleIn(error));
      return;
    }
  }

  get #running(): Job | undefined {
    return this.receipt && !isOver(this.receipt) ? this.receipt : undefined;
  }

  #elapsed(): number {
    const since = this.#running?.requested_at ?? this.meta?.refresh?.requested_at;
    return since && (!this.#press || this.#running) ? this.client.now() - Date.parse(since) : this.client.now() - this.#heardAt;
  }

  #phase(): string {
    const job = this.#running;
    return this.word(job?.state === "running" ? job.progress?.phase || "running" : job?.state ?? (this.#press ? "queued" : this.meta?.refresh?.phase ?? "running"));
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.busy = this.#press !== undefined || (this.meta?.refreshing ?? false);
    this.state = this.busy ? this.#running?.state ?? "queued" : this.#end?.outcome ?? "";
    this.tick(this.busy);
  }

  #sentence(): string {
    const end = this.#end;
    if (!end) return "";
    const { job, problem, until } = end;
    const why = problem ? this.said(problem) : job?.held ? this.word(job.held.reason) : this.error(job?.error) ?? this.word(job?.state);
    switch (end.outcome) {
      case "updated":
        return `${this.word("updated")}: ${job?.counts ? (["added", "removed", "changed"] as const).filter((name) => job.counts![name]).map((name) => this.localize.term(name, job.counts![name])).join(", ") : ""}`;
      case "limited":
        return until ? this.localize.term("limited", this.timeOf(until)) : why;
      case "held":
        return this.localize.term("heldWhy", why);
      case "failed": {
        const showing = this.meta?.checked_at && this.meta.ver > 0 ? `, ${this.localize.term("showing", this.timeOf(this.meta.checked_at))}` : "";
        return `${this.localize.term("failedWhy", why)}${showing}`;
      }
      default:
        return this.word(end.outcome);
    }
  }

  #outcome(end: End): TemplateResult {
    const { outcome, job } = end;
    const counts = job?.counts;
    const bad = outcome === "failed" || outcome === "held";
    const sum = outcome === "updated" && counts
      ? html`<span class="sum">${this.number(`+${counts.added}`)}${this.number(`−${counts.removed}`)}${counts.changed ? this.number(`~${counts.changed}`) : nothing}<span>${this.word("net")} ${this.number(signed(counts.added - counts.removed))}</span></span>`
      : nothing;
    return html`<span part="outcome" class="line ${bad ? "bad" : outcome === "limited" ? "late" : ""}">${glyph(bad ? "failing" : outcome)}<slot name=${outcome}
        >${outcome === "updated" ? html`${this.word("updated")} ${sum}` : html`<span dir="auto">${this.#sentence()}</span>`}</slot
      ><time datetime=${new Date(end.at).toISOString()}>${this.timeOf(new Date(end.at).toISOString())}</time></span>`;
  }

  protected override render() {
    const job = this.#running;
    const progress = job?.progress;
    const eta = this.eta(job, this.#heardAt);
    return html`<span class="line" dir=${this.dirOf}
      >${this.button("refresh", html`<slot>${this.word("refresh")}</slot>`, () => this.refresh(), this.#press !== undefined, "", this.busy, this.label && `${this.word("refresh")}: ${this.label}`)}${
        this.busy
          ? html`${bar(this.#phase(), progress?.total ? progress.done : undefined, progress?.total)}<span part="phase"><slot name="phase">${this.#phase()}</slot></span
              >${this.number(this.span(this.#elapsed()), "elapsed")}${eta ? html`<span part="eta" class="quiet">${eta}</span>` : nothing}`
          : this.#end ? this.#outcome(this.#end) : !this.meta && this.silence ? this.unknown() : nothing
      }</span
    >`;
  }
}

const signed = (n: number) => (n < 0 ? `−${-n}` : `+${n}`);

define("freshet-refresh", FreshetRefresh);
