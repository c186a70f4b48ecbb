// SPDX-License-Identifier: Apache-2.0
// <freshet-provider>: which server, which tenant, whose token, which time zone, for all elements inside of it.
import { createClient, type Client, type Connection } from "@freshet/client";
import { css, html, LitElement } from "lit";
import { define, home, Looking } from "./base.js";

/** Fetches a short token from the page's own server, and again before it ends. */
function tokenFrom(url: string): () => Promise<string | undefined> {
  let token: Promise<{ text: string; until: number }> | undefined;
  return async () => {
    const now = Date.now();
    if (token && (await token).until < now) token = undefined;
    token ??= fetch(url, { credentials: "same-origin", cache: "no-store" }).then(async (response) => {
      if (!response.ok) throw new Error(`token-src answered ${response.status}`);
      const said = (await response.text()).trim();
      if (!said.startsWith("{")) return { text: said, until: now + 60_000 };
      const { token: text, expires_at, now: then } = JSON.parse(said) as { token: string; expires_at?: string; now?: string };
      const left = expires_at ? Date.parse(expires_at) - (then ? Date.parse(then) : now) : 60_000;
      return { text, until: now + Math.max(5_000, left - 30_000) };
    });
    token.catch(() => (token = undefined));
    return (await token).text;
  };
}

export class FreshetProvider extends LitElement {
  static override styles = css`:host { display: contents; }`;
  static override properties = {
    server: { type: String },
    tenant: { type: String },
    tokenSrc: { type: String, attribute: "token-src" },
    timeZone: { type: String, attribute: "time-zone" },
    state: { type: String, reflect: true },
    busy: { type: Boolean, reflect: true },
    label: { type: String },
    token: { attribute: false },
  };
  declare server: string | undefined;
  declare tenant: string | undefined;
  declare tokenSrc: string | undefined;
  declare timeZone: string | undefined;
  declare token: string | (() => string | undefined | Promise<string | undefined>) | undefined;
  declare state: Connection;
  declare busy: boolean;
  declare label: string | undefined;
  #made: Client | undefined;
  #off: (() => void) | undefined;
  #version: string | undefined;

  constructor() {
    super();
    this.state = "connecting";
    this.busy = false;
    // A page that set it before this module came left it on the element, where it would hide the accessor.
    const early = this as { client?: Client };
    if (Object.hasOwn(this, "client")) {
      const { client } = early;
      delete early.client;
      early.client = client!;
    }
    this.addEventListener("freshet-looking", (event) => {
      const looking = event as Looking;
      if (looking.target === this) return;
      event.stopPropagation();
      looking.found = { client: this.client, ...(this.timeZone && { timeZone: this.timeZone }), ...(this.lang && { lang: this.lang }) };
    });
  }

  /** Made on first use, of the attributes then; another may be put in its place before. */
  get client(): Client {
    if (!this.#made) {
      const from = tokenFrom(new URL(this.tokenSrc ?? "", document.baseURI).href);
      this.client = createClient({
        url: this.server ? new URL(this.server, document.baseURI) : home(),
        ...(this.tenant && { tenant: this.tenant }),
        token: () => (typeof this.token === "function" ? this.token() : this.token) ?? (this.tokenSrc ? from() : undefined),
      });
    }
    return this.#made!;
  }
  set client(client: Client) {
    this.#off?.();
    this.#made = client;
    this.#off = client.onConnection(() => this.#heard());
  }

  #heard(): void {
    const { connection, server } = this.client;
    if (connection !== this.state) {
      this.state = connection;
      this.busy = connection === "connecting" || connection === "reconnecting";
      if (connection !== "connecting") this.#emit("freshet-connection", { state: connection });
    }
    if (server && server !== this.#version) {
      if (this.#version) this.#emit("freshet-update", { server, before: this.#version });
      this.#version = server;
    }
  }

  #emit(name: string, detail: unknown): void {
    this.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, composed: true }));
  }

  protected override render() {
    return html`<slot></slot>`;
  }
}

define("freshet-provider", FreshetProvider);
