// SPDX-License-Identifier: Apache-2.0
// <freshet-diff>: how two versions of a key differ, row by row. Read anew when another version comes.
import type { Diff } from "@freshet/client";
import { css, html, nothing, type PropertyValues } from "lit";
import { define, FreshetElement, troubleIn } from "./base.js";
import { common } from "./styles.js";

export class FreshetDiff extends FreshetElement {
  static override styles = [...common, css`:host { display: block; }`];
  static override properties = { source: {}, from: { type: Number }, to: { type: Number }, by: {}, diff: { attribute: false } };
  declare source: string | undefined;
  declare from: number;
  declare to: number | undefined;
  declare by: string | undefined;
  declare diff: Diff | undefined;
  #read: string | undefined;
  /** Undefined until the key is known. */
  #ver: number | undefined;
  #rows: typeof import("./diff-table.js") | undefined;

  constructor() {
    super();
    this.from = -1;
  }

  protected override watch(): void {
    this.follow("key", this.source && `data/${this.source}`, ({ meta }) => {
      this.#ver = meta?.ver;
      void this.#load();
    }, false);
    if (this.trouble?.code === "unreachable" && this.client.connection === "live") this.#read = undefined;
    void this.#load();
  }

  protected override forget(): void {
    this.diff = this.#ver = this.#read = this.trouble = undefined;
    this.busy = false;
  }

  async #load(): Promise<void> {
    const wanted = `${this.source} ${this.#ver} ${this.from} ${this.to}`;
    if (!this.#ver || this.#ver < 2 || !this.source || wanted === this.#read) return;
    this.#read = wanted;
    this.busy = true;
    try {
      const diff = await this.client.diff(this.source, { from: this.from, ...(this.to !== undefined && { to: this.to }) });
      // The table is a module of its own: few pages show one.
      if (!this.#rows) {
        this.#rows = await import("./diff-table.js");
        this.shadowRoot!.adoptedStyleSheets.push(this.#rows.styles.styleSheet!);
      }
      if (wanted !== this.#read) return;
      this.diff = diff;
      this.trouble = undefined;
      this.emit("freshet-diff", diff);
    } catch (error) {
      if (wanted !== this.#read) return;
      this.trouble = troubleIn(error);
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
    if (!this.source) return nothing;
    const { added = 0, removed = 0, changed = 0 } = diff?.counts ?? {};
    return html`<div dir=${this.dirOf}>
      <div class="line" part="counts">${this.label ? html`<bdi class="title">${this.label}</bdi>` : nothing}${diff ? html`${this.number(`+${added}`)}${this.number(`−${removed}`)}${this.number(`~${changed}`)}` : nothing}</div>
      ${!diff || added + removed + changed === 0
        ? html`<slot name="empty"><bdi dir="auto" class="quiet">${this.trouble ? this.said(this.trouble) : diff || this.#ver === 1 ? this.word("noDiff") : this.#ver === 0 ? this.word("neverRead") : this.silence ?? "…"}</bdi></slot>`
        : html`<div class="scroll" tabindex="0" role="group" aria-label=${this.label ?? this.source ?? ""}>${this.#template
            ? html`<slot name="row"></slot>`
            : this.#rows?.table(diff, this.by, this.#kind, this.dirOf, (n) => this.localize.term("nMore", n))}</div>`}
    </div>`;
  }
}

define("freshet-diff", FreshetDiff);
