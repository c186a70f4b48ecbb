// SPDX-License-Identifier: Apache-2.0
// <freshet-refresh>: the button that reads a source again, and tells what came of it.
//
// It shows every flight of its key, whoever asked for it, with phase, time and what is left. Its own press is followed to
// its own end: a flight from before the press goes on beside it and is not taken for it. While its own runs, another
// press only says what runs. Nothing on the page goes away meanwhile.
import { FreshetError, isOver, type Counts, type Job, type Meta, type Outcome, type Problem, type RefreshResult } from "@freshet/client";
import { css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { announce } from "./announce.js";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";
import { bar, glyph } from "./view.js";

interface End {
  outcome: Outcome;
  counts?: Counts | undefined;
  why?: string | undefined;
  at: number;
  until?: string | undefined;
}

export class FreshetRefresh extends FreshetElement {
  static override styles = [...common, css`progress { inline-size: 5em; } .sum { display: inline-flex; gap: 0.45em; flex-wrap: wrap; }`];
  static override properties = { source: { type: String }, meta: { attribute: false }, receipt: { attribute: false } };
  declare source: string | undefined;
  declare meta: Meta | undefined;
  declare receipt: Job | undefined;
  #own = false;
  #heardAt = 0;
  #ended: string | undefined;
  #end: End | undefined;

  protected override watch(): void {
    this.follow("key", this.source && `data/${this.source}`, ({ meta }) => {
      this.meta = meta;
      const flight = meta?.refresh;
      // One that was asked for before the one that is shown may end after it; it is not taken for news.
      if (!this.#own && flight && flight.id !== this.receipt?.id && flight.requested_at >= (this.receipt?.requested_at ?? "")) this.#track(flight.id);
      this.requestUpdate();
    }, false);
  }

  #track(id: string): void {
    this.follow("job", `job/${id}`, ({ job }) => job && this.#heard(job));
  }

  #heard(job: Job): void {
    if (job.id === this.#ended) return;
    const first = this.receipt?.id !== job.id;
    this.receipt = job;
    this.#heardAt = this.client.now();
    if (first) this.#end = undefined;
    if (isOver(job)) this.#over(job);
    else this.emit("freshet-progress", job);
    this.requestUpdate();
  }

  #over(job: Job): void {
    this.#ended = job.id;
    this.#own = false;
    const outcome = job.outcome ?? "failed";
    this.#end = { outcome, counts: job.counts, why: job.held ? this.word(job.held.reason) : this.error(job.error) ?? this.word(job.state), at: Date.parse(job.finished_at ?? "") || this.client.now() };
    const good = outcome === "updated" || outcome === "unchanged";
    this.emit(good ? "freshet-refreshed" : "freshet-error", job);
    announce(this, [this.label, this.#sentence()].filter(Boolean).join(": "));
    queueMicrotask(() => this.follow("job", undefined, () => {}));
  }

  #refused(outcome: Outcome, problem: Problem | undefined, until?: string): void {
    this.#own = false;
    this.#end = { outcome, why: problem?.detail ?? problem?.title ?? this.word("unreachable"), at: this.client.now(), until };
    this.emit("freshet-error", problem ?? { code: "unreachable" });
    announce(this, [this.label, this.#sentence()].filter(Boolean).join(": "));
    this.requestUpdate();
  }

  /** Presses the button. Gives what came of it; undefined where the page said no, or one of its own runs already. */
  async refresh(): Promise<RefreshResult | undefined> {
    if (!this.source) return;
    if (this.#own) {
      announce(this, this.localize.term("runs", this.#phase(), this.span(this.#elapsed())));
      return;
    }
    if (!this.emit("freshet-request", { key: this.source }, true)) return;
    this.#own = true;
    this.#end = this.receipt = undefined;
    this.#heardAt = this.client.now();
    this.requestUpdate();
    announce(this, [this.label, this.word("started")].filter(Boolean).join(": "));
    try {
      // To its end, however long: the job is bounded by the server.
      const result = await this.client.refresh(this.source, { wait: "1d", onProgress: (job) => (job.id !== this.receipt?.id && this.#track(job.id), this.#heard(job)) });
      if (!result.jobId) this.#refused(result.outcome, result.problem, result.problem?.retry_at ?? (result.retryAfterMs === undefined ? undefined : new Date(this.client.now() + result.retryAfterMs).toISOString()));
      return result;
    } catch (error) {
      this.#refused("failed", error instanceof FreshetError ? error.problem : undefined);
      return;
    }
  }

  get #running(): Job | undefined {
    return this.receipt && !isOver(this.receipt) ? this.receipt : undefined;
  }

  #elapsed(): number {
    const since = this.#running?.requested_at ?? this.meta?.refresh?.requested_at;
    return since && (this.#own ? this.#running : true) ? this.client.now() - Date.parse(since) : this.client.now() - this.#heardAt;
  }

  #phase(): string {
    const job = this.#running;
    return this.word(job?.state === "running" ? job.progress?.phase || "running" : job?.state ?? (this.#own ? "queued" : this.meta?.refresh?.phase ?? "running"));
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.busy = this.#own || (this.meta?.refreshing ?? false);
    this.state = this.busy ? this.#running?.state ?? "queued" : this.#end?.outcome ?? "";
    this.tick(this.busy);
  }

  #sentence(): string {
    const end = this.#end;
    if (!end) return "";
    const { counts } = end;
    switch (end.outcome) {
      case "updated":
        return `${this.word("updated")}: ${counts ? (["added", "removed", "changed"] as const).filter((name) => counts[name]).map((name) => this.localize.term(name, counts[name])).join(", ") : ""}`;
      case "limited":
        return end.until ? this.localize.term("limited", this.timeOf(end.until)) : end.why ?? "";
      case "held":
        return this.localize.term("heldWhy", end.why ?? "");
      case "failed": {
        const showing = this.meta?.checked_at && this.meta.ver > 0 ? `, ${this.localize.term("showing", this.timeOf(this.meta.checked_at))}` : "";
        return `${this.localize.term("failedWhy", end.why ?? "")}${showing}`;
      }
      default:
        return this.word(end.outcome);
    }
  }

  #outcome(end: End): TemplateResult {
    const { outcome, counts } = end;
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
    const allowed = this.may("refresh");
    const left = job?.eta && { low: Math.max(0, job.eta.low_ms - (this.client.now() - this.#heardAt)), high: job.eta.high_ms - (this.client.now() - this.#heardAt) };
    return html`<span class="line" dir=${this.dirOf}
      >${allowed
        ? html`<button part="button" type="button" aria-disabled=${this.#own ? "true" : nothing} aria-busy=${this.busy ? "true" : nothing} aria-label=${this.label ? `${this.word("refresh")}: ${this.label}` : nothing} @click=${() => void this.refresh()}>
            <slot>${this.word("refresh")}</slot>
          </button>`
        : nothing}${
        this.busy
          ? html`${bar(this.#phase(), progress?.total ? progress.done : undefined, progress?.total)}<span part="phase"><slot name="phase">${this.#phase()}</slot></span
              >${this.number(this.span(this.#elapsed()), "elapsed")}${left && left.high > 0 ? html`<span part="eta" class="quiet">${this.localize.term("eta", this.range(left.low, left.high))}</span>` : nothing}`
          : this.#end ? this.#outcome(this.#end) : nothing
      }</span
    >`;
  }
}

const signed = (n: number) => (n < 0 ? `−${-n}` : `+${n}`);

define("freshet-refresh", FreshetRefresh);
