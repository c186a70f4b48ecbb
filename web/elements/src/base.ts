// SPDX-License-Identifier: Apache-2.0
// What all elements have in common: the client of the provider around them, else one of the page; the language; the
// tick of the server's clock while they show an age; state and busy as attributes for a page's CSS.
import { createClient, FreshetError, type Client, type Entry, type Job, type Problem, type Why } from "@freshet/client";
import { LocalizeController, registerTranslation, update } from "@shoelace-style/localize";
import { html, LitElement, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
import { announce } from "./announce.js";
import * as view from "./view.js";
import { en, type Words } from "./words.js";

registerTranslation(en);

export interface Surroundings {
  client: Client;
  timeZone?: string;
  lang?: string;
}
/** How an element finds its provider through shadow roots: the nearest one answers. */
export class Looking extends Event {
  found: Surroundings | undefined;
  constructor() {
    super("freshet-looking", { bubbles: true, composed: true, cancelable: true });
  }
}

let own: Client | undefined;
/** The client of a page without a provider: of the server that this module came from. */
const pageClient = (): Client => (own ??= createClient({ url: home() }));
export const home = (): string => import.meta.url.replace(/[^/]*\/[^/]*$/, "");

/** Sees a page change its language anywhere above an element. */
let ear: MutationObserver | undefined;
const listen = () => (ear ??= new MutationObserver(update)).observe(document, { subtree: true, attributeFilter: ["lang"] });

/** What is said where the server could not say anything. */
export type Trouble = Pick<Problem, "code"> & Partial<Problem>;
/** What a proxy says in the server's place is nobody's answer. */
export const troubleIn = (error: unknown): Trouble => (error instanceof FreshetError && (error.code !== "http" || error.status < 500) ? error.problem : { code: "unreachable" });

let hebrew: Promise<void> | undefined;
const load = (language: string) => {
  if (/^(he|iw)\b/i.test(language)) hebrew ??= import("./he.js").then(({ he }) => registerTranslation(he));
};

/** The nearest lang above, through shadow roots; then the provider's; then the browser's. */
function languageOf(element: Element, provider: string | undefined): string {
  for (let at: Element | null = element; at; ) {
    const near: Element | null = at.closest("[lang]:not([lang=''])");
    if (near) return near.getAttribute("lang")!;
    const root = at.getRootNode();
    at = root instanceof ShadowRoot ? root.host : null;
  }
  return provider || navigator.language;
}

class Localize extends LocalizeController<Words> {
  language = "en";
  override lang(): string {
    return this.language;
  }
}

export abstract class FreshetElement extends LitElement {
  static override properties: PropertyDeclarations = {
    label: {},
    state: { reflect: true },
    busy: { type: Boolean, reflect: true },
  };
  declare label: string | undefined;
  declare state: string;
  declare busy: boolean;

  protected readonly localize = new Localize(this);
  protected surroundings: Surroundings | undefined;
  /** Why the server does not tell of what the attributes name. */
  protected problem: Problem | undefined;
  /** Why what was asked for last was refused. */
  protected trouble: Trouble | undefined;
  #offs = new Map<string, () => void>();
  #topics = new Map<string, string | undefined>();
  #client: Client | undefined;
  /** Undefined as long as the rights are not known; none where they can not be asked. */
  #me: { rights?: readonly string[] } | undefined;
  #asked = false;
  /** Something that was asked for by hand is under way. */
  protected acting = false;

  constructor() {
    super();
    this.state = "";
    this.busy = false;
  }

  get client(): Client {
    return this.surroundings?.client ?? pageClient();
  }

  override connectedCallback(): void {
    const looking = new Looking();
    this.dispatchEvent(looking);
    this.surroundings = looking.found;
    listen();
    this.#speaks();
    super.connectedCallback();
    const { client } = this;
    if (client !== this.#client) {
      // What another server said is nothing that this one knows.
      for (const purpose of this.#topics.keys()) this.#topics.delete(purpose), this.forget(purpose);
      this.#client = client;
      this.#me = undefined;
      this.#asked = false;
    }
    this.#offs.set("!connection", client.onConnection(() => {
      // Who could not be asked before may answer now.
      if (this.#me && !this.#me.rights) this.#asked = false;
      this.watch();
      this.requestUpdate();
    }));
    this.watch();
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    for (const off of this.#offs.values()) off();
    this.#offs.clear();
  }

  /** Takes the language around it, also after a page changed it. */
  #speaks(): void {
    this.localize.language = languageOf(this, this.surroundings?.lang);
    load(this.localize.language);
  }

  protected override willUpdate(changed: PropertyValues): void {
    this.#speaks();
    // Also before the first drawing: an attribute may come right after the element was put into the page.
    if (this.isConnected && changed.size) this.watch();
  }

  /** Subscribes to what the attributes name. */
  protected abstract watch(): void;

  /** Drops what is known of what was named before. */
  protected forget(_purpose: string): void {}

  /** One subscription per purpose; another topic replaces it, none ends it. */
  protected follow(purpose: string, topic: string | undefined, heard: (entry: Entry) => void, reads = true): void {
    if (!this.isConnected) return;
    const name = `${purpose} `;
    const key = `${name}${topic ?? ""}`;
    if (topic && this.#offs.has(key)) return;
    for (const [known, off] of this.#offs) if (known.startsWith(name)) off(), this.#offs.delete(known);
    const before = this.#topics.get(purpose);
    this.#topics.set(purpose, topic);
    if (before && before !== topic) (this.problem = undefined), this.forget(purpose);
    if (!topic) return;
    const hear = (entry: Entry) => {
      this.problem = entry.problem;
      heard(entry);
      this.requestUpdate();
    };
    this.#offs.set(key, this.client.subscribe(topic, hear, reads));
  }

  /** Draws again every second from now on. */
  protected tick(on: boolean): void {
    on &&= this.isConnected;
    if (on === this.#offs.has("!tick")) return;
    if (on) return void this.#offs.set("!tick", this.client.onTick(() => this.requestUpdate()));
    this.#offs.get("!tick")!();
    this.#offs.delete("!tick");
  }

  /** Whether the token may do it: undefined until that is known, yes where it can not be asked. */
  protected may(right: string): boolean | undefined {
    if (!this.#asked) {
      this.#asked = true;
      const { client } = this;
      const known = (me: { rights?: readonly string[] }) => client === this.client && ((this.#me = me), this.requestUpdate());
      client.whoami().then(known, () => known({}));
    }
    return this.#me && (this.#me.rights?.includes(right) ?? true);
  }

  /** A button for who may. Until that is known it has its place, and nobody sees or presses it. */
  protected button(right: string, words: unknown, press: () => unknown, still = this.acting, kind = "", busy = false, label?: string): unknown {
    const may = this.may(right);
    return may === false
      ? nothing
      : html`<button part="button" type="button" class="${kind} ${may ? "" : "unasked"}" aria-disabled=${still ? "true" : nothing} aria-busy=${busy ? "true" : nothing} aria-label=${label ?? nothing} @click=${() => may && void press()}>${words}</button>`;
  }

  /** Asks for something by hand, one thing at a time; what is refused is told. */
  protected async act<T>(verb: () => Promise<T>): Promise<T | undefined> {
    if (this.acting) return;
    this.acting = true;
    this.trouble = undefined;
    this.requestUpdate();
    try {
      return await verb();
    } catch (error) {
      this.trouble = troubleIn(error);
      this.emit("freshet-error", this.trouble);
      this.say(this.said(this.trouble));
      return;
    } finally {
      this.acting = false;
      this.requestUpdate();
    }
  }

  /** Speaks to who can not see it. */
  protected say(text: string): void {
    announce(this, [this.label, text].filter(Boolean).join(": "));
  }

  protected emit(name: string, detail: unknown, cancelable = false): boolean {
    return this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true, cancelable }));
  }

  protected get dirOf(): "ltr" | "rtl" {
    return this.localize.term("$dir") as "ltr" | "rtl";
  }

  // ---- words ----

  /** A term for a word of the server's; the word itself where there is none. */
  protected word(name: string | undefined): string {
    return typeof en[name as "fresh"] === "string" ? this.localize.term(name as "fresh") : name ?? "";
  }

  protected why(why: Why | undefined): string | undefined {
    return why && this.localize.term("whyOf", why, { span: (ms) => this.span(ms), time: (iso) => this.timeOf(iso) });
  }
  protected error(error: Job["error"]): string | undefined {
    return error && this.localize.term("errorOf", error);
  }

  protected said(trouble: Trouble): string {
    return this.localize.term("problemOf", trouble);
  }
  /** Why nothing is known, if that is not about to come. */
  protected get silence(): string | undefined {
    const { connection } = this.client;
    return this.problem ? this.said(this.problem) : connection === "signed-out" ? this.word("signedOut") : connection === "reconnecting" ? this.word("unreachable") : undefined;
  }

  /** "12 sec. ago" */
  protected ago(ms: number): string {
    return view.relative(this.localize.lang(), Math.max(0, ms));
  }
  /** "12 sec" */
  protected span(ms: number): string {
    return view.span(this.localize.lang(), ms);
  }
  /** "5–8 sec left", as was estimated at that time. */
  protected eta(thing: { eta?: { low_ms?: number; high_ms?: number } } | undefined, at: number): string | undefined {
    const passed = this.client.now() - at;
    const { low_ms = 0, high_ms = 0 } = thing?.eta ?? {};
    return high_ms > passed ? this.localize.term("eta", view.range(this.localize.lang(), Math.max(0, low_ms - passed), high_ms - passed)) : undefined;
  }

  /** The time of day, with the date where it is another day. */
  protected timeOf(iso: string): string {
    const zone = this.surroundings?.timeZone ? { timeZone: this.surroundings.timeZone } : {};
    const day = (ms: number) => new Intl.DateTimeFormat("en", { dateStyle: "short", ...zone }).format(ms);
    const at = Date.parse(iso);
    return this.localize.date(new Date(at), { timeStyle: "short", ...(day(at) !== day(this.client.now()) && { dateStyle: "short" }), ...zone } as Intl.DateTimeFormatOptions);
  }

  protected full(iso: string): string {
    return this.localize.date(iso, { dateStyle: "medium", timeStyle: "long", ...(this.surroundings?.timeZone && { timeZone: this.surroundings.timeZone }) });
  }

  // ---- pieces ----

  /** What stands in the place of a thing that is not known. */
  protected unknown(kind = "line"): TemplateResult {
    return html`<span class="${kind} quiet" part=${kind} dir=${this.dirOf}><span>${this.label ? html`<bdi>${this.label}</bdi> ` : nothing}<bdi>${this.silence ?? "…"}</bdi></span></span>`;
  }
  /** What went wrong, in words that may be another language's. */
  protected bad(text: string | undefined): unknown {
    return text ? html`<div class="bad"><bdi dir="auto">${text}</bdi></div>` : nothing;
  }

  /** A state whose word a page may put in another way. */
  protected mark(state: string): TemplateResult {
    return view.mark(state, html`<slot name=${state}>${this.word(state)}</slot>`);
  }

  /** A number or an id, which keeps its own direction inside of any text. */
  protected number(text: string, part?: string): TemplateResult {
    return html`<bdi dir="ltr" part=${part ?? nothing}>${text}</bdi>`;
  }

  protected age(iso: string | undefined, part = "time"): TemplateResult {
    return iso === undefined
      ? html`<span class="quiet" part=${part}>${this.word("neverRead")}</span>`
      : html`<time part=${part} datetime=${iso} title=${this.full(iso)}>${this.ago(this.client.now() - Date.parse(iso))}</time>`;
  }
}

export function define(name: string, element: CustomElementConstructor): void {
  if (!customElements.get(name)) customElements.define(name, element);
}
