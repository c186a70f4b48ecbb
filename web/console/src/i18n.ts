// SPDX-License-Identifier: Apache-2.0
// Words in the reader's language, and numbers and times as that language writes them. Hebrew is loaded when it is wanted.
import { html, nothing, type TemplateResult } from "lit";
import type { Job, Problem, Why } from "@freshet/client";
import * as view from "@freshet/elements/view";
import { en } from "./words/en.js";

export type Word = keyof typeof en;
export type Words = Record<Word, string>;
export type Lang = "en" | "he";

const kept = "freshet-lang";
let words: Words = en;
export let lang: Lang = "en";
/** Says the server's reasons in a language that is not its own. */
let tongue: typeof import("./words/he.js") | undefined;
type Failure = NonNullable<Job["error"]>;

export function wantedLang(): Lang {
  const chosen = localStorage.getItem(kept) ?? navigator.language;
  return /^(he|iw)\b/.test(chosen) ? "he" : "en";
}

export async function setLang(next: Lang, keep = false): Promise<void> {
  const other = next === "he" ? await import("./words/he.js") : undefined;
  words = other?.he ?? en;
  tongue = other;
  lang = next;
  if (keep) localStorage.setItem(kept, next);
  document.documentElement.lang = next;
  document.documentElement.dir = next === "he" ? "rtl" : "ltr";
  formats.clear();
}

/** "{n} rows" with values put in. A text with "one|other" is chosen by n. */
export function t(word: Word, values: Record<string, string | number> = {}): string {
  let text: string = words[word];
  if (text.includes("|")) {
    const [one, other] = text.split("|") as [string, string];
    text = new Intl.PluralRules(lang).select(Number(values["n"])) === "one" ? one : other;
  }
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = values[name] ?? "";
    return typeof value === "number" ? num(value) : value;
  });
}

/** A word of the server's that may be newer than this page: shown as it is. */
export const tw = (prefix: string, word: string | undefined): string => (word === undefined ? "" : (words[`${prefix}.${word}` as Word] ?? word));

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat>();
function format<T extends Intl.NumberFormat | Intl.DateTimeFormat>(key: string, make: () => T): T {
  let made = formats.get(key);
  if (!made) formats.set(key, (made = make()));
  return made as T;
}

export const num = (value: number): string => format("num", () => new Intl.NumberFormat(lang)).format(value);

/** "12 s": how long something took or will take. */
export const span = (ms: number): string => view.took(lang, ms);
/** "5–8 s" */
export const range = (low: number, high: number): string => view.range(lang, low, high);
/** "12 s ago", "in 3 min". @param ms  of the past; negative: to come */
export const relative = (ms: number): string => view.relative(lang, ms);

const saying = { span, time: (iso: string) => clock(Date.parse(iso), Date.now()) };
export const whyText = (why: Why): string => tongue?.whyHe(why, saying) ?? why.text;
export const clearsText = (why: Why): string | undefined => tongue?.clearsHe(why, saying) ?? why.clears;
/** What a problem is; its detail is the server's own words, in English. */
export const titleText = (problem: Problem): string => (problem.status === 0 ? t("unreachable") : tongue?.titleHe(problem) ?? problem.title);
/** One sentence for a refusal: the server's own, or in another language what it is. */
export const refusalText = (problem: Problem): string => (tongue || problem.status === 0 || !problem.detail ? titleText(problem) : problem.detail);
/** What may be done about it; undefined: the server's own words tell. */
export const adviceText = (problem: Problem): string | undefined => tongue?.adviceHe(problem);
export const actText = (action: string): string => tw("act", action);
export const fireText = (reason: string): string => tongue?.fireHe(reason) ?? reason;
export const actDetail = (action: string, detail: string): string => tongue?.actDetailHe(action, detail) ?? detail;
export const errorText = (error: Failure): string => tongue?.errorHe(error) ?? error.message;

/** The clock time in the viewer's zone; with the day where it is not today's. */
export function clock(at: number, now: number): string {
  const same = new Date(at).toDateString() === new Date(now).toDateString();
  return format(`clock${same}`, () => new Intl.DateTimeFormat(lang, { ...(same ? {} : { month: "short", day: "numeric" }), hour: "2-digit", minute: "2-digit", second: "2-digit" })).format(at);
}
/** A time on an axis whose ticks are so far apart. */
export function tickOf(at: number, apart: number): string {
  const kind = apart >= 86_400_000 ? "day" : apart >= 60_000 ? "minute" : "second";
  const shape: Intl.DateTimeFormatOptions = kind === "day" ? { month: "short", day: "numeric" } : { hour: "2-digit", minute: "2-digit", ...(kind === "second" && { second: "2-digit" }) };
  return format(`tick-${kind}`, () => new Intl.DateTimeFormat(lang, shape)).format(at);
}
/** The hour of the day. */
export const hourOf = (at: number): string => format("hour", () => new Intl.DateTimeFormat(lang, { hour: "2-digit", minute: "2-digit" })).format(at);
export const moment = (at: number): string =>
  format("moment", () => new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "long" })).format(at);

export function bytes(size: number): string {
  const steps = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;
  let step = 0;
  while (size >= 1000 && step < 3) (size /= 1000), step++;
  const unit = steps[step]!;
  return format(unit, () => new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: step ? "short" : "long", maximumFractionDigits: step ? 1 : 0 })).format(size);
}

/** Ids, signed numbers and ratios keep their order in Hebrew. */
export const ltr = (text: unknown): TemplateResult => html`<bdi dir="ltr">${text}</bdi>`;
/** What people or sources wrote. */
export const own = (text: unknown): TemplateResult | typeof nothing => (text === "" || text === undefined ? nothing : html`<bdi dir="auto">${text}</bdi>`);
