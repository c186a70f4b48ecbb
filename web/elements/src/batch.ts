// SPDX-License-Identifier: Apache-2.0
// <freshet-batch>: parts of N, each item's way, what failed, and the button that goes on when it is over.
import { isOver, type Batch, type Entry, type Item } from "@freshet/client";
import { css, html, nothing, type PropertyValues } from "lit";
import { announce } from "./announce.js";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";
import { Steps } from "./task.js";
import { bar, glyph, toneOf } from "./view.js";

/** Rows on a page; of more only the number is told. */
const itemsMax = 50;

export class FreshetBatch extends FreshetElement {
  static override styles = [...common, css`li .glyph { align-self: center; } li bdi { flex: none; max-inline-size: 100%; } .card li progress { inline-size: 5em; align-self: center; }`];
  static override properties = { batchId: { attribute: "batch" }, batch: { noAccessor: true, attribute: false }, cancelable: { type: Boolean }, retryFailed: { type: Boolean, attribute: "retry-failed" } };
  declare batchId: string | undefined;
  declare cancelable: boolean;
  declare retryFailed: boolean;
  #known: Batch | undefined;
  #rows: Item[] = [];
  #heardAt = 0;
  #finished: string | undefined;
  readonly #steps = new Steps();

  constructor() {
    super();
    this.cancelable = this.retryFailed = false;
  }

  /** The batch as it is known; an id may be set, too. */
  get batch(): Batch | undefined {
    return this.#known;
  }
  set batch(batch: Batch | string | undefined) {
    this.batchId = typeof batch === "string" ? batch : batch?.id;
  }
  get items(): readonly Item[] {
    return this.#rows;
  }

  protected override watch(): void {
    this.follow("batch", this.batchId && `batch/${this.batchId}`, (entry) => this.#heard(entry));
  }

  protected override forget(): void {
    if (this.#known?.id === this.batchId) return;
    this.#known = this.trouble = undefined;
    this.#rows = [];
  }

  #heard({ batch, items }: Entry): void {
    if (!batch) return;
    const late = this.#known?.id !== batch.id;
    if (batch.state !== this.#known?.state) this.trouble = undefined;
    this.#known = batch;
    this.#heardAt = this.client.now();
    this.#rows = [...((items as unknown as Map<string, Item>) ?? new Map<string, Item>()).values()];
    const generation = `${batch.id} ${batch.generation}`;
    if (!isOver(batch)) this.emit("freshet-progress", { ...batch, items: this.#rows });
    else if (generation !== this.#finished) {
      this.#finished = generation;
      this.emit("freshet-finished", { ...batch, late });
    }
    const say = this.#steps.next(this.label ?? batch.name ?? "", this.word(batch.state), batch.percent, isOver(batch), (n) => this.localize.term("percent", this.word("running"), n));
    if (say) announce(this, say);
    this.requestUpdate();
  }

  cancel(): Promise<void> {
    return this.#ask((id) => this.client.batches.cancel(id));
  }
  retry(): Promise<void> {
    return this.#ask((id) => this.client.batches.retryFailed(id));
  }
  /** Starts what follows. */
  goOn(): Promise<void> {
    return this.#ask(async (id) => this.emit("freshet-then", await this.client.batches.then(id)));
  }
  async #ask(verb: (id: string) => Promise<unknown>): Promise<void> {
    if (this.batchId) await this.act(() => verb(this.batchId!));
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.state = this.#known?.state ?? "";
    this.busy = this.#known !== undefined && !isOver(this.#known);
    this.tick(this.busy);
  }

  #item(item: Item) {
    const { progress } = item;
    return html`<li part="item" class=${item.state}><span class=${toneOf(item.state)}>${glyph(item.state)}</span><bdi dir="auto">${item.label ?? item.key}</bdi><span class="quiet">${this.word(item.state)}</span>${
      item.state === "running" && progress?.total ? html`${bar(item.label ?? item.key, progress.done, progress.total)}` : nothing
    }${item.state === "succeeded" ? nothing : this.bad(this.error(item.error))}</li>`;
  }

  protected override render() {
    const batch = this.#known;
    if (!batch) return this.unknown("card");
    const { done = 0, total = 0, failed = 0 } = batch.counts;
    const over = !this.busy;
    const eta = this.eta(batch, this.#heardAt);
    const then = batch.then?.state === "available" && batch.then.start !== "auto";
    const name = this.label ?? batch.name ?? batch.id;
    const more = Math.max(this.#rows.length, total) - Math.min(this.#rows.length, itemsMax);
    return html`<div class="card" part="card" dir=${this.dirOf}>
      <div class="line"><span class="title"><slot name="title"><bdi>${name}</bdi></slot></span>${this.mark(batch.state)}</div>
      ${bar(name, done, Math.max(1, total))}
      <div class="line quiet" part="counts">${this.number(`${done} / ${total}`)}${failed ? html`<span class="bad">${this.localize.term("nFailed", failed)}</span>` : nothing}${
        eta ? html`<span part="eta">${eta}</span>` : nothing
      }</div>
      ${this.#rows.length ? html`<ul part="list">${this.#rows.slice(0, itemsMax).map((item) => this.#item(item))}${more > 0 ? html`<li class="quiet">${this.localize.term("nMore", more)}</li>` : nothing}</ul>` : html`<slot name="empty"><span class="quiet">${this.word("noItems")}</span></slot>`}
      ${this.bad(this.trouble && this.said(this.trouble))}
      ${(over ? (this.retryFailed && failed > 0) || then : this.cancelable)
        ? html`<div class="line">${
            over
              ? this.retryFailed && failed > 0 ? this.button("operate", this.localize.term("retryFailed", failed), () => this.retry()) : nothing
              : this.cancelable ? this.button("operate", this.word("cancel"), () => this.cancel()) : nothing
          }${then ? this.button("operate", html`<slot name="then"><bdi dir="auto">${batch.then!.label}</bdi></slot>`, () => this.goOn(), this.acting, "then") : nothing}</div>`
        : nothing}
    </div>`;
  }
}

define("freshet-batch", FreshetBatch);
