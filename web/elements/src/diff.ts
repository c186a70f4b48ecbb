// SPDX-License-Identifier: Apache-2.0
// <freshet-diff>: how two versions of a key differ, row by row. Read anew when another version comes.
import { FreshetError, type Diff } from "@freshet/client";
import { css, html, nothing, type PropertyValues } from "lit";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";

export class FreshetDiff extends FreshetElement {
  static override styles = [
    ...common,
    css`
      :host { display: block; }
      .scroll { overflow-x: auto; }
      table { border-collapse: collapse; inline-size: 100%; }
      th, td { text-align: start; padding: 0.3em 0.6em; border-block-end: 1px solid var(--_soft); vertical-align: top; overflow-wrap: anywhere; }
      .added td:first-child { color: var(--_fresh); } .removed td:first-child { color: var(--_failing); } .changed td:first-child { color: var(--_stale); }
      del { color: var(--_quiet); }
      ins { text-decoration: none; font-weight: 600; }
    `,
  ];
  static override properties = { source: { type: String }, from: { type: Number }, to: { type: Number }, by: { type: String }, diff: { attribute: false } };
  declare source: string | undefined;
  declare from: number;
  declare to: number | undefined;
  declare by: string | undefined;
  declare diff: Diff | undefined;
  #read: string | undefined;
  #ver = 0;
  #rows: typeof import("./diff-table.js") | undefined;
  #problem: string | undefined;

  constructor() {
    super();
    this.from = -1;
  }

  protected override watch(): void {
    this.follow("key", this.source && `data/${this.source}`, ({ meta }) => {
      this.#ver = meta?.ver ?? 0;
      void this.#load();
    }, false);
    if (this.#ver) void this.#load();
  }

  async #load(): Promise<void> {
    const wanted = `${this.source} ${this.#ver} ${this.from} ${this.to}`;
    if (this.#ver < 2 || !this.source || wanted === this.#read) return;
    this.#read = wanted;
    this.busy = true;
    try {
      const diff = await this.client.diff(this.source, { from: this.from, ...(this.to !== undefined && { to: this.to }) });
      // The table is a module of its own: few pages show one.
      this.#rows ??= await import("./diff-table.js");
      if (wanted !== this.#read) return;
      this.diff = diff;
      this.#problem = undefined;
      this.emit("freshet-diff", diff);
    } catch (error) {
      if (wanted !== this.#read) return;
      // A first version has none before it to differ from.
      const first = error instanceof FreshetError && error.code === "no_version";
      if (first) this.diff = undefined;
      this.#problem = first ? undefined : (error as Error).message;
    }
    this.busy = false;
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    const counts = this.diff?.counts;
    this.state = !counts ? "empty" : counts.added + counts.removed + counts.changed ? "changed" : "unchanged";
  }

  readonly #kind = (kind: "added" | "removed" | "changed") => this.word(`${kind}Row`);
  /** A page's own row. */
  get #template(): HTMLTemplateElement | null {
    return this.querySelector<HTMLTemplateElement>(":scope > template[slot=row]");
  }
  protected override updated(): void {
    if (this.diff && this.#template) this.#rows?.fill(this, this.#template, this.diff, this.#kind);
  }

  protected override render() {
    const { diff } = this;
    const { added = 0, removed = 0, changed = 0 } = diff?.counts ?? {};
    return html`<div dir=${this.dirOf}>
      <div class="line" part="counts">${this.label ? html`<bdi class="title">${this.label}</bdi>` : nothing}${diff ? html`${this.number(`+${added}`)}${this.number(`−${removed}`)}${this.number(`~${changed}`)}` : nothing}</div>
      ${!diff || added + removed + changed === 0
        ? html`<slot name="empty"><span class="quiet">${this.#problem ? html`<bdi dir="auto">${this.#problem}</bdi>` : this.word("noDiff")}</span></slot>`
        : html`<div class="scroll" tabindex="0" role="group" aria-label=${this.label ?? this.source ?? ""}>${this.#template
            ? html`<slot name="row"></slot>`
            : this.#rows?.table(diff, this.by, this.#kind, this.dirOf, (n) => this.localize.term("nMore", n))}</div>`}
    </div>`;
  }
}

define("freshet-diff", FreshetDiff);
