// SPDX-License-Identifier: Apache-2.0
// A list that is read page by page and then kept up to date by the stream.
//
// Always holds: a row keeps its place while the pointer or the focus is in the list; new rows wait above it until they
// are asked for, or until nobody points at it. A row that does not fit the filter any more stays as long. At most so many
// rows are in the document at once: what comes after them takes their place.
import type { ReactiveController } from "lit";
import { html, nothing, type TemplateResult } from "lit";
import type { Page as ListPage, Problem } from "@freshet/client";
import { problemOf } from "./api.js";
import type { Page } from "./controllers.js";
import { t } from "./i18n.js";
import { ago } from "./ui.js";

export interface Listed {
  seq?: number;
}
export interface ListOptions<T> {
  read: (after: string | undefined) => Promise<ListPage<T>>;
  id: (row: T) => string;
  fits?: (row: T) => boolean;
  /** Whether a row that was never listed belongs above what is; undefined: at the end. */
  newer?: (row: T, newest: string) => boolean;
  /** What `after` would name a row, so that rows that had to leave come again with the next page. */
  after?: (row: T) => string;
}
const rowsMax = 500;

export class List<T extends Listed> implements ReactiveController {
  counts: Record<string, number> | undefined;
  now: string | undefined;
  problem: Problem | undefined;
  busy = false;
  private rows = new Map<string, T>();
  private waiting = new Map<string, T>();
  private next: string | undefined;
  /** Older pages are shown, without the newest. */
  private past = false;
  private newest = "";
  private asked: string | undefined;
  private number = 0;
  private options: ListOptions<T> | undefined;

  constructor(private readonly host: Page) {
    host.addController(this);
  }
  hostDisconnected(): void {
    this.number++;
    this.asked = undefined;
  }

  /** @param asked  names the question: another one reads anew. */
  show(asked: string, options: ListOptions<T>): void {
    this.options = options;
    if (asked === this.asked) return;
    this.asked = asked;
    this.rows = new Map();
    this.waiting = new Map();
    this.next = undefined;
    this.newest = "";
    void this.read();
  }
  again = (): void => {
    this.next = undefined;
    void this.read();
  };

  private async read(after?: string): Promise<void> {
    const { options } = this;
    if (!options) return;
    const number = ++this.number;
    this.busy = true;
    this.host.requestUpdate();
    try {
      const page = await options.read(after);
      if (number !== this.number) return;
      this.past = after !== undefined && (this.past || this.rows.size + page.items.length > rowsMax);
      if (!after || this.rows.size + page.items.length > rowsMax) {
        this.rows = new Map();
        this.waiting = new Map();
        this.newest = "";
      }
      for (const row of page.items) {
        const id = options.id(row);
        this.rows.set(id, row);
        if (id > this.newest) this.newest = id;
      }
      this.next = page.next;
      this.counts = page.counts;
      this.now = page.now;
      this.problem = undefined;
    } catch (error) {
      if (number !== this.number) return;
      this.problem = problemOf(error);
    }
    this.busy = false;
    this.host.requestUpdate();
  }

  private pointedAt(): boolean {
    const list = this.host.querySelector("tbody");
    return list !== null && (list.matches(":hover") || list.contains(document.activeElement));
  }

  /** Rows as the stream told them. */
  hear(rows: Iterable<T>): void {
    const { options } = this;
    if (!options || !this.now) return;
    for (const row of rows) {
      const id = options.id(row);
      const known = this.rows.get(id) ?? this.waiting.get(id);
      if (known && (row.seq ?? 0) < (known.seq ?? 0)) continue;
      if (this.rows.has(id)) this.rows.set(id, row);
      else if (!this.past && (options.fits?.(row) ?? true) && (known || !options.newer || options.newer(row, this.newest))) this.waiting.set(id, row);
      else this.waiting.delete(id);
    }
    if (!this.pointedAt()) this.settle();
  }

  /** New rows come in, rows that do not fit any more leave. */
  settle = (): void => {
    const { options } = this;
    if (!options) return;
    if (options.fits) for (const [id, row] of this.rows) if (!options.fits(row)) this.rows.delete(id);
    if (this.waiting.size) {
      const fresh = [...this.waiting].sort(([a], [b]) => (a < b ? 1 : -1));
      this.rows = new Map(options.newer ? [...fresh, ...this.rows] : [...this.rows, ...fresh]);
      for (const [id] of fresh) if (id > this.newest) this.newest = id;
      this.waiting = new Map();
      while (this.rows.size > rowsMax) {
        const [last, row] = [...this.rows].at(-1)!;
        this.rows.delete(last);
        this.next = options.after?.(row) ?? this.next;
      }
    }
    this.host.requestUpdate();
  };

  /** The button goes with what waited: the list has the focus then. */
  private showWaiting = (): void => {
    this.settle();
    void this.host.updateComplete.then(() => this.host.querySelector<HTMLElement>(".scroll")?.focus({ preventScroll: true }));
  };

  get items(): T[] {
    return [...this.rows.values()];
  }
  get loaded(): boolean {
    return this.now !== undefined;
  }

  /** Above the list: what waits. Below: the next page. */
  above(): TemplateResult | typeof nothing {
    return this.waiting.size
      ? html`<p class="waiting"><button type="button" class="link" @click=${this.showWaiting}>${t("newRows", { n: this.waiting.size })}</button></p>`
      : nothing;
  }
  below(): TemplateResult {
    return html`<p class="below">
      ${this.next ? html`<button type="button" aria-busy=${this.busy} @click=${() => this.busy || this.read(this.next)}>${t("more")}</button>` : nothing}
      <span class="soft">${this.loaded ? html`${t("listed", { n: this.rows.size })} · ${t("read")} ${ago(this.now)}` : t("reading")}</span>
      <button type="button" class="link" @click=${this.again}>${this.past ? t("newest") : t("readAgain")}</button>
    </p>`;
  }
}
