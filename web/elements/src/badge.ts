// SPDX-License-Identifier: Apache-2.0
// <freshet-badge> and <freshet-age>: how a key stands, and how old it is, in words. They never speak by themselves.
import { stateOf, type AgeOf, type Entry, type Meta } from "@freshet/client";
import { html, nothing, type PropertyValues } from "lit";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";

export class FreshetAge extends FreshetElement {
  static override styles = common;
  static override properties = { source: { type: String }, clock: { type: String }, meta: { attribute: false } };
  declare source: string | undefined;
  declare clock: string;
  declare meta: Meta | undefined;

  constructor() {
    super();
    this.clock = "checked_at";
  }

  protected override watch(): void {
    this.tick(true);
    this.follow("key", this.source && `data/${this.source}`, ({ meta }) => void (this.meta = meta), false);
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.state = this.meta ? stateOf(this.meta, this.client.now()) : "";
    this.busy = this.meta?.refreshing ?? false;
  }

  protected override render() {
    return html`<span class="line" dir=${this.dirOf}>${this.label ? html`<bdi class="quiet">${this.label}</bdi>` : nothing}${this.meta ? this.age(this.meta[this.clock as AgeOf]) : nothing}</span>`;
  }
}

export class FreshetBadge extends FreshetElement {
  static override styles = common;
  static override properties = { source: { type: String }, clock: { type: String }, meta: { attribute: false }, data: { attribute: false } };
  declare source: string | undefined;
  declare clock: string;
  declare meta: Meta | undefined;
  declare data: unknown;
  #shown: unknown;

  constructor() {
    super();
    this.clock = "checked_at";
  }

  protected override watch(): void {
    this.tick(true);
    this.follow("key", this.source && `data/${this.source}`, (entry) => this.#heard(entry));
  }

  #heard(entry: Entry): void {
    const snapshot = this.client.snapshotIn(entry);
    if (snapshot) {
      this.meta = snapshot.meta;
      this.data = snapshot.data;
      const version = `${snapshot.key} ${snapshot.meta.gen} ${snapshot.meta.ver}`;
      if (version !== this.#shown && snapshot.meta.ver > 0) this.emit("freshet-snapshot", { meta: snapshot.meta, data: snapshot.data });
      this.#shown = version;
    }
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    const { meta } = this;
    const before = this.state;
    this.busy = meta?.refreshing ?? false;
    this.state = this.problem ? "failing" : !meta ? "" : this.client.checking ? "checking" : stateOf(meta, this.client.now());
    if (this.state !== before && meta && this.state !== "checking") this.emit("freshet-state", { ...meta, state: this.state });
  }

  protected override render() {
    const { meta, state } = this;
    if (!state) return html`<span class="line quiet" dir=${this.dirOf}>…</span>`;
    const why = this.problem ?? (state === "failing" ? this.error(meta?.error) ?? this.why(meta?.why) : /overdue|empty/.test(state) ? this.why(meta?.why) : undefined);
    const flags = (["paused", "held"] as const).filter((flag) => meta?.[flag]);
    return html`<span class="line" dir=${this.dirOf}
      >${this.label ? html`<bdi>${this.label}</bdi>` : nothing}${this.mark(state)}${this.busy ? html`<span class="quiet"><slot name="refreshing">${this.word("refreshing")}</slot></span>` : nothing}${flags.map((flag) => html`<span class="quiet">${this.word(flag)}</span>`)}${
        meta && meta.ver > 0 ? this.age(meta[this.clock as AgeOf], "age") : nothing
      }${why ? html`<span part="why" class="quiet"><slot name="why"><bdi dir="auto">${why}</bdi></slot></span>` : nothing}</span
    >`;
  }
}

define("freshet-age", FreshetAge);
define("freshet-badge", FreshetBadge);
