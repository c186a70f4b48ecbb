// SPDX-License-Identifier: Apache-2.0
// Words in the reader's language, and numbers and times as that language writes them. Hebrew is loaded when it is wanted.
import { html, type TemplateResult } from "lit";
import { en } from "./words/en.js";

export type Word = keyof typeof en;
export type Words = Record<Word, string>;
export type Lang = "en" | "he";

const kept = "freshet-lang";
let words: Words = en;
export let lang: Lang = "en";

export function wantedLang(): Lang {
  const chosen = localStorage.getItem(kept) ?? navigator.language;
  return /^(he|iw)\b/.test(chosen) ? "he" : "en";
}

export async function setLang(next: Lang, keep = false): Promise<void> {
  words = next === "he" ? (await import("./words/he.js")).he : en;
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

const formats = new Map<string, Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>();
function format<T extends Intl.NumberFormat | Intl.DateTimeFormat | Intl.RelativeTimeFormat>(key: string, make: () => T): T {
  let made = formats.get(key);
  if (!made) formats.set(key, (made = make()));
  return made as T;
}

export const num = (value: number): string => format("num", () => new Intl.NumberFormat(lang)).format(value);

const units = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

function split(ms: number): [number, (typeof units)[number][0]] {
  for (const [unit, size] of units) if (ms >= size * (unit === "second" ? 1 : 1.5) || unit === "second") return [ms / size, unit];
  return [ms / 1000, "second"];
}

/** "12 s": how long something took or will take. */
export function span(ms: number): string {
  if (ms < 1000) return format("ms", () => new Intl.NumberFormat(lang, { style: "unit", unit: "millisecond", unitDisplay: "short" })).format(Math.round(ms));
  const [value, unit] = split(ms);
  const digits = unit === "second" && value < 10 ? 1 : 0;
  return format(`${unit}${digits}`, () => new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits })).format(
    digits ? value : Math.floor(value),
  );
}

/** "12 s ago", "in 3 min". @param ms  of the past; negative: to come */
export function relative(ms: number): string {
  const [value, unit] = split(Math.abs(ms));
  const whole = Math.floor(value);
  // "now" for none, and a number else: nobody is told "yesterday" of what was 47 hours ago.
  const numeric = whole ? "always" : "auto";
  return format(`rel${numeric}`, () => new Intl.RelativeTimeFormat(lang, { style: "short", numeric })).format(ms >= 0 ? -whole : whole, unit);
}

/** The clock time in the viewer's zone; with the day where it is not today's. */
export function clock(at: number, now: number): string {
  const same = new Date(at).toDateString() === new Date(now).toDateString();
  return format(`clock${same}`, () => new Intl.DateTimeFormat(lang, { ...(same ? {} : { month: "short", day: "numeric" }), hour: "2-digit", minute: "2-digit", second: "2-digit" })).format(at);
}
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
export const own = (text: unknown): TemplateResult => html`<bdi dir="auto">${text}</bdi>`;
