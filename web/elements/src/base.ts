// SPDX-License-Identifier: Apache-2.0
// What all elements have in common: the client of the provider around them, else one of the page; the language; the
// tick of the server's clock while they show an age; state and busy as attributes for a page's CSS.
import { createClient, type Client, type Entry, type Job, type Why } from "@freshet/client";
import { LocalizeController, registerTranslation } from "@shoelace-style/localize";
import { html, LitElement, nothing, type PropertyDeclarations, type PropertyValues, type TemplateResult } from "lit";
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
    label: { type: String },
    state: { type: String, reflect: true },
    busy: { type: Boolean, reflect: true },
  };
  declare label: string | undefined;
  declare state: string;
  declare busy: boolean;

  protected readonly localize = new Localize(this);
  protected surroundings: Surroundings | undefined;
  /** Why the server does not tell of what the attributes name. */
  protected problem: string | undefined;
  #offs = new Map<string, () => void>();
  #rights: Set<string> | undefined;

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
    this.#speaks();
    super.connectedCallback();
    this.#offs.set("!connection", this.client.onConnection(() => this.requestUpdate()));
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

  /** One subscription per purpose; another topic replaces it, none ends it. */
  protected follow(purpose: string, topic: string | undefined, heard: (entry: Entry) => void, reads = true): void {
    const name = `${purpose} `;
    const key = `${name}${topic ?? ""}`;
    if (topic && this.#offs.has(key)) return;
    for (const [known, off] of this.#offs) if (known.startsWith(name)) off(), this.#offs.delete(known);
    if (!topic) return;
    const hear = (entry: Entry) => {
      this.problem = entry.problem?.detail ?? entry.problem?.title;
      heard(entry);
      this.requestUpdate();
    };
    this.#offs.set(key, this.client.subscribe(topic, hear, reads));
  }

  /** Draws again every second from now on. */
  protected tick(on: boolean): void {
    if (on === this.#offs.has("!tick")) return;
    if (on) return void this.#offs.set("!tick", this.client.onTick(() => this.requestUpdate()));
    this.#offs.get("!tick")!();
    this.#offs.delete("!tick");
  }

  /** Whether the token may do it; until that is known, yes. */
  protected may(right: string): boolean {
    if (!this.#rights) {
      this.#rights = new Set();
      this.client.whoami().then(
        (me) => ((this.#rights = new Set(["known", ...me.rights])), this.requestUpdate()),
        () => undefined,
      );
    }
    return !this.#rights.has("known") || this.#rights.has(right);
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
    if (!name) return "";
    const term = this.localize.exists(name as keyof Words, { lang: this.localize.lang(), includeFallback: true }) ? this.localize.term(name as "fresh") : name;
    return typeof term === "string" ? term : name;
  }

  protected why(why: Why | undefined): string | undefined {
    return why && this.localize.term("whyOf", why, { span: (ms) => this.span(ms), time: (iso) => this.timeOf(iso) });
  }
  protected error(error: Job["error"]): string | undefined {
    return error && this.localize.term("errorOf", error);
  }

  /** "12 sec. ago" */
  protected ago(ms: number): string {
    return view.relative(this.localize.lang(), Math.max(0, ms));
  }
  /** "12 sec" */
  protected span(ms: number): string {
    return view.span(this.localize.lang(), ms);
  }
  /** "5–8 sec" */
  protected range(low: number, high: number): string {
    return view.range(this.localize.lang(), low, high);
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
  protected unknown(): TemplateResult {
    return html`<div class="card quiet" part="card" dir=${this.dirOf}><bdi dir="auto">${this.problem ?? "…"}</bdi></div>`;
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
