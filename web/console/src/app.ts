// SPDX-License-Identifier: Apache-2.0
// The shell: who reads, where they are, how the server is heard. Each page is a file of its own, loaded when it is shown.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { keyed } from "lit/directives/keyed.js";
import { html as literal, unsafeStatic } from "lit/static-html.js";
import { base, chooseTenant, client, me, onSession, problemOf, renew, root, signIn, signOut, whoAmI } from "./api.js";
import { lang, own, refusalText, setLang, t, tw, wantedLang, type Lang, type Word } from "./i18n.js";
import { href, keyOf, keyText, onPlace, place } from "./router.js";
import { action, ago, focusHead, head, problemBox, sayProblem } from "./ui.js";
import "@freshet/elements";
import type { Problem } from "@freshet/client";

interface Known {
  name: Word;
  tag: string;
  load: () => Promise<unknown>;
  /** One thing of it. */
  one?: { tag: string; load: () => Promise<unknown> };
}
const pages: Record<string, Known> = {
  "": { name: "nav.freshness", tag: "fc-freshness", load: () => import("./pages/freshness.js") },
  source: { name: "source", tag: "", load: async () => {}, one: { tag: "fc-source", load: () => import("./pages/source.js") } },
  jobs: { name: "nav.jobs", tag: "fc-jobs", load: () => import("./pages/jobs.js"), one: { tag: "fc-job", load: () => import("./pages/job.js") } },
  batches: { name: "nav.batches", tag: "fc-batches", load: () => import("./pages/batches.js"), one: { tag: "fc-batch", load: () => import("./pages/batch.js") } },
  queues: { name: "nav.queues", tag: "fc-queues", load: () => import("./pages/queues.js") },
  workers: { name: "nav.workers", tag: "fc-workers", load: () => import("./pages/workers.js") },
  schedules: { name: "nav.schedules", tag: "fc-schedules", load: () => import("./pages/schedules.js") },
  access: { name: "nav.access", tag: "fc-access", load: () => import("./pages/access.js") },
  system: { name: "nav.system", tag: "fc-system", load: () => import("./pages/system.js") },
};
const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];
const themeKept = "freshet-theme";
const reloadKept = "freshet-reloaded";

class App extends LitElement {
  private ready = false;
  private problem: Problem | undefined;
  private tag = "";
  private loading = "";
  private inSight = "";
  private server: string | undefined;
  private newServer: string | undefined;
  private wrong = "";
  /** A page whose file did not come. */
  private missing: Problem | undefined;
  private wasIn = false;
  /** When the server was last heard, while it is not. */
  private heardAt: string | undefined;
  private held = false;
  private tenants: string[] | undefined;

  protected override createRenderRoot(): HTMLElement {
    return this;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    onPlace(() => this.turn(true));
    onSession(this.whose);
    document.addEventListener("visibilitychange", () => void this.lookAgain());
    void this.begin();
  }

  /** Nothing of a session outlives it on the screen, whoever ended it: this tab, another one, or the server. */
  private whose = (): void => {
    if (this.wasIn && !me) {
      for (const dialog of document.querySelectorAll("dialog")) dialog.close("no");
      this.wrong = t("signedOut");
      this.inSight = "";
      this.focusHead();
    }
    this.wasIn = me !== undefined;
    if (this.ready && me?.tenant === "*" && !this.tenants) this.findTenants().then(() => this.requestUpdate(), sayProblem);
    this.requestUpdate();
  };
  /** Who signed in in another tab is in here, too. */
  private async lookAgain(): Promise<void> {
    if (document.hidden || !this.ready || me || this.problem) return;
    await whoAmI().catch(() => undefined);
    if (!me) return;
    // The client here is of who was signed out.
    renew();
    await this.enter();
  }
  private async enter(): Promise<void> {
    this.wrong = "";
    if (me?.tenant === "*") await this.findTenants();
    this.hear();
    this.turn(true);
    this.requestUpdate();
  }
  private focusHead(): void {
    void this.updateComplete.then(() => requestAnimationFrame(focusHead));
  }

  private async begin(): Promise<void> {
    this.paint((localStorage.getItem(themeKept) ?? "auto") as Theme);
    await setLang(wantedLang());
    try {
      const link = new URLSearchParams(location.hash.slice(1)).get("link");
      if (link) {
        // It is used up by this, and leaves the address whatever came of it.
        history.replaceState(null, "", location.pathname + location.search);
        await signIn({ link }).catch((error: unknown) => (this.wrong = refusalText(problemOf(error))));
      }
      if ((await whoAmI()) && me?.tenant === "*") await this.findTenants();
    } catch (error) {
      this.problem = problemOf(error);
    }
    this.ready = true;
    this.hear();
    this.turn(false);
  }

  /** A reader of all tenants looks at one of them. */
  private async findTenants(): Promise<void> {
    const names = new Set<string>();
    let after: string | undefined;
    do {
      const page = await client.freshness({ limit: 500, after });
      for (const row of page.items) names.add(row.tenant);
      after = page.next;
    } while (after);
    this.tenants = [...names].sort();
  }

  /** The head tells how the server is heard on every page, also on one that follows nothing. */
  private hear(): void {
    // A stream is of one tenant: it waits until that is chosen.
    if (!me || this.needsTenant()) return;
    client.onConnection(() => {
      // A page that is older than its server says so, once.
      if (this.server && client.server && client.server !== this.server) this.newServer = client.server;
      this.server ??= client.server;
      this.heardAt = client.connection === "live" ? undefined : (this.heardAt ?? new Date(client.now()).toISOString());
      if (client.connection === "signed-out" && me) whoAmI().catch(() => undefined);
      this.requestUpdate();
    });
    client.subscribe("queues", () => {}, false);
  }

  private known(): { page: Known; tag: string; load: () => Promise<unknown>; name: string } | undefined {
    const { path } = place();
    const name = path[0] ?? "";
    const page = Object.hasOwn(pages, name) ? pages[name] : undefined;
    if (!page) return undefined;
    if (path.length > 2 && name !== "source") return undefined;
    if (path.length > 1) return page.one && { page, ...page.one, name };
    return page.tag ? { page, tag: page.tag, load: page.load, name } : undefined;
  }
  /** The thing that its page is of. */
  private what(): string {
    const [name, ...rest] = place().path;
    return name === "source" ? keyOf(rest) : (rest[0] ?? "");
  }

  private turn(focus: boolean): void {
    const known = this.known();
    const tag = known?.tag ?? "";
    document.title = [known && (keyText(this.what()) || t(known.page.name)), "freshet"].filter(Boolean).join(" · ");
    const moved = tag !== this.tag || tag !== this.loading;
    this.loading = tag;
    const shown = () => {
      if (this.loading !== tag) return;
      const other = this.tag !== tag;
      this.tag = tag;
      this.missing = undefined;
      this.requestUpdate();
      // Who follows a link wants to hear where it led; what the stream brings never moves the focus.
      if (focus && other) this.focusHead();
    };
    if (!known || !moved) return shown();
    known.load().then(shown, () => void this.notLoaded());
  }
  /** A page's file that does not come is another server's, whose document knows it, or the server is out of reach. */
  private async notLoaded(): Promise<void> {
    const there = await fetch(new URL("healthz", root), { cache: "no-store" }).then(({ ok }) => ok, () => false);
    if (there && Date.now() - Number(sessionStorage.getItem(reloadKept)) > 10_000) {
      sessionStorage.setItem(reloadKept, String(Date.now()));
      return location.reload();
    }
    this.missing = { type: "about:blank", title: "", status: 0, code: "unreachable" };
    this.requestUpdate();
  }

  private paint(theme: Theme): void {
    document.documentElement.dataset["theme"] = theme;
  }

  /** On a phone the pages' names scroll: the one that is shown is in sight. Nothing else moves. */
  protected override updated(): void {
    if (this.inSight === this.tag) return;
    const at = this.querySelector(".nav a[aria-current]");
    if (!at) return;
    this.inSight = this.tag;
    const nav = at.closest(".nav")!;
    const [link, all] = [at.getBoundingClientRect(), nav.getBoundingClientRect()];
    if (link.left < all.left || link.right > all.right) nav.scrollLeft += link.left - all.left - (all.width - link.width) / 2;
  }

  protected override render(): TemplateResult | typeof nothing {
    if (!this.ready) return nothing;
    const signedOut = !me && !this.problem;
    return html`
      <a class="skip" href="#main" @click=${this.skip}>${t("skip")}</a>
      <header class="top">
        <a class="brand" href=${href()}><svg viewBox="0 0 16 16" aria-hidden="true"><path d="M8 1c3 4 5 6 5 9a5 5 0 0 1-10 0c0-3 2-5 5-9z"/></svg><span>freshet</span></a>
        ${signedOut ? nothing : this.link()}
        <div class="top-end">
          ${me ? html`<a class="who" href=${href("access")}>${own(me.name)} <span class="soft">${tw("role", me.role)}${me.tenant === "default" ? nothing : html` · ${own(me.tenant)}`}</span></a>` : nothing}
          ${this.consoleSwitch()}${this.themeSwitch()}${this.langSwitch()}
          ${me?.session ? action(t("signOut"), () => signOut(), "small") : nothing}
        </div>
      </header>
      ${this.newServer ? html`<p class="banner" role="status">${t("newVersion", { v: this.newServer })} <button type="button" class="link" @click=${() => location.reload()}>${t("reload")}</button></p>` : nothing}
      ${signedOut || this.problem || this.needsTenant() ? nothing : this.nav()}
      <freshet-provider .client=${client}><main id="main" tabindex="-1">${this.body(signedOut)}</main></freshet-provider>
      <div id="said" class="toasts" role="status" aria-live="polite"></div>
      <div id="said-bad" class="toasts bad-toasts" role="alert"></div>`;
  }

  private skip(event: Event): void {
    event.preventDefault();
    document.getElementById("main")?.focus();
  }

  private needsTenant = (): boolean => me?.tenant === "*" && (this.tenants?.length ?? 0) > 0;

  private body(signedOut: boolean): TemplateResult {
    if (this.problem) return problemBox(this.problem, () => location.reload());
    if (signedOut) return this.signInForm();
    if (this.needsTenant()) return this.tenantForm();
    // Which tenants there are is not known yet: a page of all of them would ask for what nobody is told.
    if (me?.tenant === "*" && !this.tenants) return html`<p class="none" aria-busy="true">${t("reading")}</p>`;
    const known = this.known();
    if (!known) return html`<div class="centre"><h1 tabindex="-1">${t("notFound")}</h1><p><a href=${href()}>${t("toStart")}</a></p></div>`;
    if (this.missing) return html`${head(t(known.page.name))}${problemBox(this.missing, () => ((this.loading = ""), this.turn(false)))}`;
    if (this.tag !== known.tag) return html`<p class="none" aria-busy="true">${t("reading")}</p>`;
    const what = this.what();
    const tag = unsafeStatic(this.tag);
    return html`${keyed(`${this.tag} ${what} ${lang} ${me?.name} ${me?.tenant}`, literal`<${tag} .what=${what} .place=${location.href}></${tag}>`)}`;
  }

  // ---- the head ----

  /** How the server is heard, and when it last was. */
  private link(): TemplateResult {
    const state = client.checking ? "checking" : client.connection;
    return html`<div class="link-state" data-state=${state}>
      <span class="dot" aria-hidden="true"></span><span role="status">${tw("link", state)}</span>
      ${this.heardAt && client.connection !== "connecting" && client.connection !== "polling" ? html`<span class="small">${t("linkSince")} ${ago(this.heardAt)}</span>` : nothing}
      <button type="button" class="link small" aria-pressed=${this.held} title=${this.held ? t("resumeAll") : t("pauseAll")} @click=${this.hold}>${this.held ? t("resume") : t("pause")}</button>
    </div>`;
  }
  private hold = (): void => {
    this.held = !this.held;
    this.held ? client.pause() : client.resume();
    this.requestUpdate();
  };

  private nav(): TemplateResult {
    const here = place().path[0] ?? "";
    const current = here === "source" ? "" : here;
    return html`<nav class="nav" aria-label=${t("nav")}><ul>
      ${Object.entries(pages)
        .filter(([, page]) => page.tag)
        .map(([name, page]) => html`<li><a href=${name ? href(name) : href()} aria-current=${name === current ? "page" : nothing}>${t(page.name)}</a></li>`)}
    </ul></nav>`;
  }

  /** The consoles of this server and of others: one that is chosen takes this one's place. */
  private consoleSwitch(): TemplateResult | typeof nothing {
    const consoles = me?.consoles;
    if (!consoles) return nothing;
    const isThis = ({ url }: { url: string }) => new URL(url).href === base.href;
    return html`<select class="small" aria-label=${t("server")} @change=${(event: Event) => {
      const choice = event.target as HTMLSelectElement;
      const to = choice.value;
      // Who comes back by the browser's button finds this server's name again.
      choice.value = base.href;
      location.assign(to);
    }}>
      ${consoles.some(isThis) ? nothing : html`<option value=${base.href} selected>${base.host}</option>`}
      ${consoles.map((one) => html`<option value=${new URL(one.url).href} ?selected=${isThis(one)}>${one.name}</option>`)}</select>`;
  }
  private themeSwitch(): TemplateResult {
    const now = document.documentElement.dataset["theme"] as Theme;
    return html`<select class="small" aria-label=${t("theme")} @change=${(event: Event) => {
      const theme = (event.target as HTMLSelectElement).value as Theme;
      localStorage.setItem(themeKept, theme);
      this.paint(theme);
    }}>${themes.map((theme) => html`<option value=${theme} ?selected=${theme === now}>${t(`theme.${theme}`)}</option>`)}</select>`;
  }
  private langSwitch(): TemplateResult {
    const other: Lang = lang === "he" ? "en" : "he";
    return html`<button type="button" class="small" lang=${other} @click=${async () => {
      await setLang(other, true);
      this.turn(false);
      this.requestUpdate();
    }}>${other === "he" ? "עברית" : "English"}</button>`;
  }

  // ---- who ----

  private signInForm(): TemplateResult {
    return html`<form class="sign-in" @submit=${this.submit}>
      <h1 tabindex="-1">${t("signInTitle")}</h1>
      ${this.wrong ? html`<p class="wrong" role="alert">${own(this.wrong)}</p>` : nothing}
      <label for="token">${t("token")}</label>
      <input id="token" name="token" type="password" required autocomplete="current-password" spellcheck="false" dir="ltr">
      <button class="primary">${t("signIn")}</button>
      <p class="soft">${t("signInHint")}</p>
      <pre dir="ltr">freshet console</pre>
    </form>`;
  }
  private async submit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.target as HTMLFormElement;
    const field = form.elements.namedItem("token") as HTMLInputElement;
    try {
      await signIn({ token: field.value.trim() });
      await this.enter();
    } catch (error) {
      this.wrong = refusalText(problemOf(error));
      field.value = "";
      field.focus();
    }
    this.requestUpdate();
  }
  private tenantForm(): TemplateResult {
    return html`<div class="sign-in"><h1 tabindex="-1">${t("whichTenant")}</h1><p class="soft">${t("tenantHint")}</p>
      ${this.tenants?.map((tenant) => html`<button type="button" @click=${() => {
        chooseTenant(tenant);
        whoAmI().then(() => (this.hear(), this.turn(true)), sayProblem);
      }}>${own(tenant)}</button>`)}</div>`;
  }
}
customElements.define("fc-app", App);
