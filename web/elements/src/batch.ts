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
  static override properties = { batchId: { type: String, attribute: "batch" }, batch: { noAccessor: true, attribute: false }, cancelable: { type: Boolean }, retryFailed: { type: Boolean, attribute: "retry-failed" } };
  declare batchId: string | undefined;
  declare cancelable: boolean;
  declare retryFailed: boolean;
  #known: Batch | undefined;
  #rows: Item[] = [];
  #finished: string | undefined;
  #acting = false;
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

  #heard({ batch, items }: Entry): void {
    if (!batch) return;
    const late = this.#known?.id !== batch.id;
    this.#known = batch;
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
    return this.#act((id) => this.client.batches.cancel(id));
  }
  retry(): Promise<void> {
    return this.#act((id) => this.client.batches.retryFailed(id));
  }
  /** Starts what follows. */
  async goOn(): Promise<void> {
    await this.#act(async (id) => {
      const batch = await this.client.batches.then(id);
      this.emit("freshet-then", batch);
      return batch;
    });
  }
  async #act(verb: (id: string) => Promise<Batch>): Promise<void> {
    if (!this.batchId || this.#acting) return;
    this.#acting = true;
    this.requestUpdate();
    try {
      await verb(this.batchId);
    } catch (error) {
      this.emit("freshet-error", (error as { problem?: unknown }).problem ?? { code: "unreachable" });
      announce(this, (error as Error).message);
    } finally {
      this.#acting = false;
      this.requestUpdate();
    }
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.state = this.#known?.state ?? "";
    this.busy = this.#known !== undefined && !isOver(this.#known);
  }

  #item(item: Item) {
    const { progress } = item;
    return html`<li part="item" class=${item.state}><span class=${toneOf(item.state)}>${glyph(item.state)}</span><bdi dir="auto">${item.label ?? item.key}</bdi><span class="quiet">${this.word(item.state)}</span>${
      item.state === "running" && progress?.total ? html`${bar(item.label ?? item.key, progress.done, progress.total)}` : nothing
    }${item.error && item.state !== "succeeded" ? html`<bdi dir="auto" class="bad">${this.error(item.error)}</bdi>` : nothing}</li>`;
  }

  protected override render() {
    const batch = this.#known;
    if (!batch) return this.unknown();
    const { done = 0, total = 0, failed = 0 } = batch.counts;
    const operate = this.may("operate");
    const then = batch.then?.state === "available" && batch.then.start !== "auto";
    const name = this.label ?? batch.name ?? batch.id;
    const more = Math.max(this.#rows.length, total) - Math.min(this.#rows.length, itemsMax);
    return html`<div class="card" dir=${this.dirOf}>
      <div class="line"><span class="title"><slot name="title"><bdi>${name}</bdi></slot></span>${this.mark(batch.state)}</div>
      ${bar(name, done, Math.max(1, total))}
      <div class="line quiet" part="counts">${this.number(`${done} / ${total}`)}${failed ? html`<span class="bad">${this.localize.term("nFailed", failed)}</span>` : nothing}${
        batch.eta?.high_ms ? html`<span>${this.localize.term("eta", this.range(batch.eta.low_ms ?? 0, batch.eta.high_ms))}</span>` : nothing
      }</div>
      ${this.#rows.length ? html`<ul part="list">${this.#rows.slice(0, itemsMax).map((item) => this.#item(item))}${more > 0 ? html`<li class="quiet">${this.localize.term("nMore", more)}</li>` : nothing}</ul>` : html`<slot name="empty"><span class="quiet">${this.word("noItems")}</span></slot>`}
      ${operate && ((this.cancelable && this.busy) || (this.retryFailed && failed > 0 && isOver(batch)) || then)
        ? html`<div class="line">
            ${this.cancelable && this.busy ? html`<button part="button" type="button" @click=${() => void this.cancel()}>${this.word("cancel")}</button>` : nothing}
            ${this.retryFailed && failed > 0 && isOver(batch) ? html`<button part="button" type="button" @click=${() => void this.retry()}>${this.localize.term("retryFailed", failed)}</button>` : nothing}
            ${then ? html`<button part="button" type="button" class="then" aria-disabled=${this.#acting ? "true" : nothing} @click=${() => void this.goOn()}><slot name="then"><bdi dir="auto">${batch.then!.label}</bdi></slot></button>` : nothing}
          </div>`
        : nothing}
    </div>`;
  }
}

define("freshet-batch", FreshetBatch);
