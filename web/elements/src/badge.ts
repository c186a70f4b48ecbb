// SPDX-License-Identifier: Apache-2.0
// <freshet-badge> and <freshet-age>: how a key stands, and how old it is, in words. They never speak by themselves.
import { stateOf, type AgeOf, type Entry, type Meta } from "@freshet/client";
import { html, nothing, type PropertyValues } from "lit";
import { define, FreshetElement } from "./base.js";
import { common } from "./styles.js";

export class FreshetAge extends FreshetElement {
  static override styles = common;
  static override properties = { source: {}, clock: {}, meta: { attribute: false } };
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
  protected override forget(): void {
    this.meta = undefined;
  }

  protected override willUpdate(changed: PropertyValues): void {
    super.willUpdate(changed);
    this.state = this.meta ? stateOf(this.meta, this.client.now()) : "";
    this.busy = this.meta?.refreshing ?? false;
  }

  protected override render() {
    const { meta } = this;
    if (!meta) return this.source ? this.unknown() : nothing;
    return html`<span class="line" dir=${this.dirOf}>${this.label ? html`<bdi class="quiet">${this.label}</bdi>` : nothing}${this.age(meta[this.clock as AgeOf])}</span>`;
  }
}

export class FreshetBadge extends FreshetElement {
  static override styles = common;
  static override properties = { source: {}, clock: {}, meta: { attribute: false }, data: { attribute: false } };
  declare source: string | undefined;
  declare clock: string;
  declare meta: Meta | undefined;
  declare data: unknown;
  #shown: unknown;
  #told: string | undefined;

  constructor() {
    super();
    this.clock = "checked_at";
  }

  protected override watch(): void {
    this.tick(true);
    this.follow("key", this.source && `data/${this.source}`, (entry) => this.#heard(entry));
  }

  protected override forget(): void {
    this.meta = this.data = this.#shown = this.#told = undefined;
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
    this.busy = meta?.refreshing ?? false;
    this.state = this.problem ? "failing" : !meta ? "" : this.client.checking ? "checking" : stateOf(meta, this.client.now());
    if (!meta || this.state === "checking") return;
    // How it stands is more than its word: also whether it is paused, what is held back, what went wrong, what comes next.
    const { paused, held, error, retry_at } = meta;
    const told = JSON.stringify([this.state, paused, held, error, retry_at]);
    if (told !== this.#told) this.emit("freshet-state", { ...meta, state: this.state });
    this.#told = told;
  }

  protected override render() {
    const { meta, state } = this;
    if (!state) return this.unknown();
    const why = this.problem ? this.said(this.problem) : state === "failing" ? this.error(meta?.error) ?? this.why(meta?.why) : /overdue|empty/.test(state) ? this.why(meta?.why) : undefined;
    const flags = (["refreshing", "paused", "held"] as const).filter((flag) => meta?.[flag]);
    return html`<span class="line" dir=${this.dirOf}
      >${this.label ? html`<bdi>${this.label}</bdi>` : nothing}${this.mark(state)}${meta && meta.ver > 0 ? this.age(meta[this.clock as AgeOf], "age") : nothing}${flags.map((flag) => html`<span class="quiet"><slot name=${flag}>${this.word(flag)}</slot></span>`)}${why ? html`<span part="why" class="quiet"><slot name="why"><bdi dir="auto">${why}</bdi></slot></span>` : nothing}</span
    >`;
  }
}

define("freshet-age", FreshetAge);
define("freshet-badge", FreshetBadge);
