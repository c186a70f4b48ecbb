// SPDX-License-Identifier: Apache-2.0
// The one drawing of what elements and console show alike: a state as shape, word and colour, a part of a whole as a bar,
// and lengths of time as a language writes them. Pure: words, language and time come in; `drawing` in styles.ts is the CSS.
import { html, nothing, svg, type TemplateResult } from "lit";

/** A shape beside each word, so that colour is never alone. A page may know more of them. */
export const shapes: Record<string, string> = {
  fresh: "M20 6 9 17l-5-5",
  stale: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 7v5l3 2",
  overdue: "M12 3 2.5 20h19zM12 10v4M12 17v.1",
  failing: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M9 9l6 6M15 9l-6 6",
  empty: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12h8",
  checking: "M21 12a9 9 0 1 1-3-6.7M21 3v5h-5",
  running: "M8 5l11 7-11 7z",
  queued: "M6 12h.1M12 12h.1M18 12h.1",
};
/** States that look like another. */
export const alike: Record<string, string> = {
  succeeded: "fresh", updated: "fresh", unchanged: "fresh", failed: "failing", aborted: "failing", partial: "overdue", stalled: "overdue", held: "overdue", limited: "stale",
  cancelled: "empty", sealed: "running", ending: "running", cancelling: "running",
};
/** The colour of each shape. */
export const tones: Record<string, string> = { fresh: "good", stale: "warn", overdue: "late", failing: "bad", running: "go" };

const looks = (state: string) => alike[state] ?? state;
export const toneOf = (state: string): string => tones[looks(state)] ?? "soft";
export const glyph = (state: string, part: string | typeof nothing = nothing): TemplateResult =>
  html`<svg class="glyph" part=${part} viewBox="0 0 24 24" aria-hidden="true">${svg`<path d=${shapes[looks(state)] ?? shapes["queued"]!}></path>`}</svg>`;
export const mark = (state: string, word: unknown): TemplateResult => html`<span class="mark ${toneOf(state)}">${glyph(state, "icon")}<span part="label">${word}</span></span>`;

/** Without a whole it only says that something goes on. @param name  for who cannot see it; none: the words beside it say the same */
export const bar = (name: string | undefined, done: number | undefined, total: number | undefined, tone = ""): TemplateResult => {
  const silent = name === undefined ? "true" : nothing;
  return total && done !== undefined
    ? html`<progress part="bar" class=${tone} max=${total} .value=${Math.min(done, total)} aria-label=${name ?? nothing} aria-hidden=${silent}></progress>`
    : html`<progress part="bar" class=${tone} aria-label=${name ?? nothing} aria-hidden=${silent}></progress>`;
};

type Unit = "second" | "minute" | "hour" | "day";
const sizes = { second: 1e3, minute: 6e4, hour: 36e5, day: 864e5 };
function measure(ms: number): [number, Unit] {
  const s = Math.max(0, Math.floor(ms / 1000));
  const unit = s < 90 ? "second" : s < 5400 ? "minute" : s < 172_800 ? "hour" : "day";
  return [Math.floor((s * 1e3) / sizes[unit]), unit];
}
/** Making one costs more than using it, and a list shows hundreds of ages a second. */
const made = new Map<string, unknown>();
function kept<T>(key: string, make: () => T): T {
  let one = made.get(key) as T | undefined;
  if (!one) made.set(key, (one = make()));
  return one;
}
const lengths = (lang: string, unit: Unit | "millisecond", digits = 0) =>
  kept(`${lang} ${unit} ${digits}`, () => new Intl.NumberFormat(lang, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }));

/** "12 sec. ago", or of what is to come "in 12 sec." "now" for none, else a number: nobody is told "yesterday" of 47 hours. */
export function relative(lang: string, ms: number): string {
  const [n, unit] = measure(Math.abs(ms));
  const numeric = n ? "always" : "auto";
  // Hebrew has words for one and two, behind which CLDR puts the number in brackets, and short ones that nobody says.
  const style = /^(he|iw)/.test(lang) ? "long" : "short";
  return kept(`${lang} ${numeric}`, () => new Intl.RelativeTimeFormat(lang, { style, numeric })).format(ms < 0 ? n : -n, unit).replace(/ \(\d\)$/, "");
}
/** "12 sec" */
export function span(lang: string, ms: number): string {
  const [n, unit] = measure(ms);
  return lengths(lang, unit).format(n);
}
/** "340 ms", "3.4 sec", then as span(): how long something took. Milliseconds are Latin in every language, and stay so. */
export const took = (lang: string, ms: number): string =>
  ms < 1000 ? `\u2066${lengths(lang, "millisecond").format(Math.round(ms))}\u2069` : ms < 10_000 ? lengths(lang, "second", 1).format(ms / 1000) : span(lang, ms);
/** "5–8 sec" */
export function range(lang: string, low: number, high: number): string {
  const [, unit] = measure(high);
  const [a, b] = [Math.floor(low / sizes[unit]), Math.ceil(high / sizes[unit])];
  return a === b ? lengths(lang, unit).format(b) : lengths(lang, unit).formatRange(a, b);
}
