// SPDX-License-Identifier: Apache-2.0
// The pieces that every page is made of: state words, ages, tables, buttons that say what came of them.
import { html, LitElement, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import type { Problem } from "@freshet/client";
import { drawing } from "@freshet/elements/styles";
import { alike, bar as drawBar, glyph, mark, shapes, tones } from "@freshet/elements/view";
import { chosenTenant, client, problemOf } from "./api.js";
import { Page } from "./controllers.js";
import { adviceText, clock, ltr, moment, own, relative, span, t, titleText, tw, type Word } from "./i18n.js";

// ---- states: the elements' drawing, with the states that only the console shows ----

Object.assign(shapes, { paused: "M9 6v12M15 6v12", skipped: "M6 6l7 6-7 6zM17 6v12" });
Object.assign(alike, {
  scheduled: "queued", pending: "queued", retrying: "stale", open: "running", ran: "fresh", ready: "fresh", alive: "fresh", down: "failing", lost: "failing", limit: "failing",
  deaf: "overdue", draining: "paused", released: "empty", gone: "empty", coalesced: "skipped", shifted: "stale",
});
tones["paused"] = "warn";
document.adoptedStyleSheets.push(drawing.styleSheet!);

export const badge = (state: string, text: unknown = tw("state", state)): TemplateResult => mark(state, text);

// ---- times ----

/** How long ago or how soon, by the server's clock; grows by itself. */
class Ago extends HTMLElement {
  private end: (() => void) | undefined;
  private instant: string | undefined;
  private readonly time = document.createElement("time");
  set at(at: string | undefined) {
    if (at === this.instant) return;
    this.instant = at;
    if (at) {
      this.time.dateTime = at;
      this.time.title = moment(Date.parse(at));
    }
    this.draw();
  }
  connectedCallback(): void {
    this.append(this.time);
    this.end = client.onTick(() => this.draw());
    this.draw();
  }
  disconnectedCallback(): void {
    this.end?.();
  }
  private draw(): void {
    const gone = this.instant === undefined ? undefined : client.now() - Date.parse(this.instant);
    const text = gone === undefined ? "–" : this.hasAttribute("length") ? span(Math.max(0, gone)) : relative(this.hasAttribute("past") ? Math.max(0, gone) : this.hasAttribute("either") ? gone : Math.min(0, gone));
    if (this.time.textContent !== text) this.time.textContent = text;
  }
}
customElements.define("fc-ago", Ago);
export const ago = (at: string | undefined): TemplateResult => (at ? html`<fc-ago past .at=${at}></fc-ago>` : html`<span class="soft">–</span>`);
export const until = (at: string | undefined): TemplateResult => (at ? html`<fc-ago .at=${at}></fc-ago>` : html`<span class="soft">–</span>`);
/** Of what comes to pass and is then over. */
export const turns = (at: string): TemplateResult => html`<fc-ago either .at=${at}></fc-ago>`;
export const running = (at: string | undefined): TemplateResult => (at ? html`<fc-ago length .at=${at}></fc-ago>` : html`–`);
export const when = (at: string | undefined): TemplateResult =>
  at ? html`<time datetime=${at} title=${moment(Date.parse(at))}>${clock(Date.parse(at), client.now())}</time>` : html`–`;
export const took = (from: string | undefined, to: string | undefined): TemplateResult =>
  from && to ? html`${span(Math.max(0, Date.parse(to) - Date.parse(from)))}` : from ? running(from) : html`<span class="soft">–</span>`;

/** What was read once says when; pressing reads it again. */
export const readAt = (at: string | undefined, again: () => unknown, busy = false): TemplateResult =>
  html`<span class="read">${at ? html`${t("read")} ${ago(at)}` : nothing}
    <button class="link" type="button" @click=${again} aria-disabled=${busy}>${t("readAgain")}</button></span>`;

// ---- words of what went wrong ----

export function problemBox(problem: Problem, again?: () => unknown): TemplateResult {
  const advice = adviceText(problem);
  return html`<div class="problem" role="alert">
    <span class="bad">${glyph("failing")}</span>
    <div><strong>${own(titleText(problem))}</strong>
      ${advice ? html`<p>${advice}</p>` : nothing}
      ${problem.detail ? html`<p class=${advice ? "soft" : nothing} lang="en">${own(problem.detail)}</p>` : nothing}
      ${problem.try && !advice ? html`<p class="soft">${t("try")} <span lang="en">${own(problem.try)}</span></p>` : nothing}
      ${again ? html`<button type="button" @click=${again}>${t("readAgain")}</button>` : nothing}</div>
  </div>`;
}

// ---- what is said aloud and shown for a moment ----

export function say(text: string, kind: "good" | "bad" = "good", more = ""): void {
  const region = document.getElementById(kind === "bad" ? "said-bad" : "said");
  if (!region) return;
  const line = document.createElement("div");
  line.className = "toast";
  line.dataset["tone"] = kind;
  const words = document.createElement("div");
  const first = document.createElement("strong");
  first.textContent = text;
  first.dir = "auto";
  words.append(first);
  if (more) {
    const rest = document.createElement("p");
    rest.textContent = more;
    rest.dir = "auto";
    words.append(rest);
  }
  line.append(words);
  const gone = () => line.remove();
  const close = document.createElement("button");
  close.type = "button";
  close.className = "link";
  close.textContent = t("close");
  close.onclick = gone;
  line.append(close);
  region.append(line);
  while (region.childElementCount > 4) region.firstElementChild?.remove();
  if (kind === "good") setTimeout(gone, 6000);
}
export function sayProblem(error: unknown): void {
  const problem = problemOf(error);
  say(titleText(problem), "bad", adviceText(problem) ?? [problem.detail, problem.try].filter(Boolean).join(" "));
}

// ---- questions ----

/** Asks before something that can not be undone. Focus comes back to where it was. */
export function confirm(title: string, body: TemplateResult | string, yes: string, danger = false): Promise<boolean> {
  return ask(title, body, yes, danger).then((dialog) => dialog !== undefined);
}
/** The same with fields in `body`; answers with the dialog, whose fields can be read. */
export async function ask(title: string, body: TemplateResult | string, yes: string, danger = false, check?: (dialog: HTMLDialogElement) => string | undefined): Promise<HTMLDialogElement | undefined> {
  const { render } = await import("lit");
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-labelledby", "ask-title");
  let wrong = "";
  return new Promise((done) => {
    const draw = () =>
      render(
        html`<form method="dialog" @submit=${(event: SubmitEvent) => {
          if ((event.submitter as HTMLButtonElement | null)?.value !== "yes") return;
          wrong = check?.(dialog) ?? "";
          if (wrong) event.preventDefault(), draw();
        }}>
          <h2 id="ask-title">${title}</h2>
          <div class="ask-body">${body}</div>
          ${wrong ? html`<p class="wrong" role="alert">${wrong}</p>` : nothing}
          <div class="ask-buttons">
            <button value="no" formnovalidate>${t("cancelNo")}</button>
            <button value="yes" class=${danger ? "danger" : "primary"}>${yes}</button>
          </div>
        </form>`,
        dialog,
      );
    draw();
    dialog.addEventListener("close", () => {
      done(dialog.returnValue === "yes" ? dialog : undefined);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Who had the focus on what is no more goes on from the head of the page, not from the top of the document. */
export const focusHead = (): void => document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });

/** A button that is busy while what it does goes on, and says what came of it. Busy is not disabled: focus stays, and when
 * the button leaves with what it did, the head of the page has it. */
class Action extends LitElement {
  static override properties = { label: {}, run: { attribute: false }, kind: {}, busy: { state: true }, describe: {} };
  declare label: string;
  declare run: () => unknown;
  declare kind: string;
  declare busy: boolean;
  declare describe: string;
  constructor() {
    super();
    this.busy = false;
    this.kind = "";
    this.describe = "";
  }
  private focused = false;
  override connectedCallback(): void {
    super.connectedCallback();
    this.addEventListener("focusin", this.note);
    this.addEventListener("focusout", this.note);
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.focused) this.passOn();
  }
  private note = ({ type }: Event): void => {
    this.focused = type === "focusin";
    // Some browsers tell of the focus that a removal takes, some do not.
    if (!this.focused) this.passOn();
  };
  private passOn(): void {
    setTimeout(() => !this.isConnected && document.activeElement === document.body && focusHead());
  }
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
  protected override render(): TemplateResult {
    return html`<button type="button" class=${this.kind} aria-disabled=${this.busy} aria-busy=${this.busy} aria-label=${this.describe || nothing} @click=${this.press}>${this.label}</button>`;
  }
  private async press(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    try {
      await this.run();
    } catch (error) {
      sayProblem(error);
    } finally {
      this.busy = false;
    }
  }
}
customElements.define("fc-action", Action);
/** @param describe  the whole of it for who hears only the button, where its label says too little */
export const action = (label: string, run: () => unknown, kind = "", describe = ""): TemplateResult =>
  html`<fc-action .label=${label} .run=${run} .kind=${kind} .describe=${describe}></fc-action>`;

// ---- copy as ----

const quoted = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
/** What a terminal would say to get the same, with the tokens it has: FRESHET_URL and FRESHET_TOKEN are its own. */
export const cli = (...words: string[]): string => [...(chosenTenant() ? [`FRESHET_TENANT=${quoted(chosenTenant()!)}`] : []), ...["freshet", ...words].map(quoted)].join(" ");
export function curl(path: string, method = "GET", body?: unknown): string {
  const parts = ["curl", '-H "Authorization: Bearer $FRESHET_TOKEN"'];
  if (method !== "GET") parts.push(`-X ${method}`);
  if (body !== undefined) parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  const url = new URL(path, client.url);
  if (chosenTenant()) url.searchParams.set("tenant", chosenTenant()!);
  return [...parts, quoted(url.href)].join(" ");
}
export async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context there is no clipboard to write to but by a selection.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "off";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(t("copied"), "good", text);
}
const copies = (command: string, request: string): TemplateResult =>
  html`<span class="copies" role="group" aria-label=${t("copyAs")}><span aria-hidden="true">${t("copyAs")}</span>
    <button type="button" class="link" @click=${() => copy(command)} title=${command}>CLI</button>
    <button type="button" class="link" @click=${() => copy(request)} title=${request}>curl</button></span>`;

// ---- the head of a page ----

export function head(title: unknown, { sub, copy, actions }: { sub?: unknown; copy?: [string, string]; actions?: unknown } = {}): TemplateResult {
  return html`<div class="head">
    <div class="head-words"><h1 tabindex="-1">${title}</h1>${sub ? html`<p class="sub">${sub}</p>` : nothing}</div>
    <div class="head-actions">${actions ?? nothing}</div>
    ${copy ? copies(...copy) : nothing}
  </div>`;
}

// ---- tables ----

export interface Col<T> {
  head: string;
  cell: (row: T) => unknown;
  cls?: string;
}
/** Rows keep their place by key; where there is little room each is a card whose cells are named, but of a narrow table. */
export function table<T>(label: string, cols: Col<T>[], rows: readonly T[], key: (row: T) => string, none: string = t("none")): TemplateResult {
  if (rows.length === 0) return html`<p class="none">${none}</p>`;
  return html`<div class="fits"><div class="scroll ${cols.length < 4 ? "slim" : ""}" role="region" aria-label=${label} tabindex="0"><table role="table" aria-label=${label}>
    <thead role="rowgroup"><tr role="row">${cols.map((col) => html`<th role="columnheader" scope="col" class=${col.cls ?? nothing}><span>${col.head}</span></th>`)}</tr></thead>
    <tbody role="rowgroup">${repeat(rows, key, (row) => html`<tr role="row">${cols.map((col) => html`<td role="cell" class=${col.cls ?? nothing} data-label=${col.head}>${col.cell(row)}</td>`)}</tr>`)}</tbody>
  </table></div></div>`;
}

/** Facts in pairs; those without a value are left out. */
export const facts = (pairs: [string, unknown][]): TemplateResult =>
  html`<dl class="facts">${pairs.map(([name, value]) => (value === undefined || value === null || value === "" || value === nothing ? nothing : html`<div><dt>${name}</dt><dd>${value}</dd></div>`))}</dl>`;

export const card = (title: string, body: unknown, aside: unknown = nothing): TemplateResult =>
  html`<section class="card"><header><h2>${title}</h2>${aside}</header>${body}</section>`;

/** Filters as links, so that they are in the address and in the back button. */
export const chips = (label: string, list: { text: unknown; to: string; on: boolean; count?: number | undefined }[]): TemplateResult =>
  html`<nav class="chips" aria-label=${label}>${list.map(
    ({ text, to, on, count }) => html`<a class="chip" href=${to} aria-current=${on ? "true" : nothing}>${text}${count === undefined ? nothing : html` <b>${ltr(count.toLocaleString())}</b>`}</a>`,
  )}</nav>`;

export const json = (value: unknown, max = 20_000): TemplateResult => {
  const text = JSON.stringify(value, null, 2) ?? "";
  return html`<pre class="json" dir="ltr" tabindex="0">${text.length > max ? `${text.slice(0, max)}\n…` : text}</pre>`;
};

/** A part of a whole as a bar. The words beside it say the same, so it is silent. */
export const bar = (part: number, whole: number, tone = ""): TemplateResult => drawBar(undefined, part, whole || 1, tone);

export const idLink = (to: string, id: string): TemplateResult => html`<a class="id" href=${to}>${ltr(id)}</a>`;
export { nothing, html, Page, ltr, own, t, tw, type Word };
