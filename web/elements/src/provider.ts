// SPDX-License-Identifier: Apache-2.0
// <freshet-provider>: which server, which tenant, whose token, which time zone, for all elements inside of it.
import { createClient, type Client, type Connection } from "@freshet/client";
import { css, html, LitElement } from "lit";
import { define, home, Looking } from "./base.js";

export class FreshetProvider extends LitElement {
  static override styles = css`:host { display: contents; }`;
  static override properties = {
    server: {},
    tenant: {},
    tokenSrc: { attribute: "token-src" },
    timeZone: { attribute: "time-zone" },
    state: { reflect: true },
    busy: { type: Boolean, reflect: true },
    label: {},
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
      // A module of its own: pages of the server's own origin need none.
      let from: Promise<() => Promise<string>> | undefined;
      const short = async () => (await (from ??= import("./token-src.js").then(({ tokenFrom }) => tokenFrom(new URL(this.tokenSrc!, document.baseURI).href)).catch((error) => ((from = undefined), Promise.reject(error)))))();
      this.client = createClient({
        url: this.server ? new URL(this.server, document.baseURI) : home(),
        ...(this.tenant && { tenant: this.tenant }),
        token: () => (typeof this.token === "function" ? this.token() : this.token) ?? (this.tokenSrc ? short() : undefined),
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
