// SPDX-License-Identifier: Apache-2.0
// The page at /elements/: every element alive on this server's own data, with the HTML to copy. It uses the elements as
// any page does, from their one address. ?lang=he speaks Hebrew.
import type { Client } from "@freshet/client";
import { hebrew, reference, themes, type Entry } from "./reference.js";

const lang = /^(he|iw)\b/i.test(new URLSearchParams(location.search).get("lang") ?? navigator.language) ? "he" : "en";
const words = {
  en: {
    title: "freshet elements", other: "עברית", intro: "Custom elements for any page: they say how old the data is, refresh it, and show long work to its end. Two lines put one on your page.",
    none: "Nothing here yet to show it with.", copy: "Copy", copied: "Copied", attributes: "Attributes", properties: "Properties", events: "Events", slots: "Slots", parts: "Parts",
    themes: "Looks", themesText: "Set these on any element above, or style the parts with ::part(). Light and dark follow the page's color-scheme.",
    common: "All take label and lang, and show their state and busy as attributes for your CSS. Events bubble out of shadow roots; their detail is the JSON of the API.",
    signedOut: "This server wants a token: sign in at the console, then load this page again.", console: "Console", script: "In a page with a module script:",
  },
  he: {
    title: "הרכיבים של freshet", other: "English", intro: "רכיבים לכל דף: הם אומרים בני כמה הנתונים, מרעננים אותם, ומציגים עבודה ארוכה עד סופה. שתי שורות שמות אחד בדף שלכם.",
    none: "עדיין אין כאן במה להדגים.", copy: "העתקה", copied: "הועתק", attributes: "מאפיינים", properties: "תכונות", events: "אירועים", slots: "חריצים", parts: "חלקים",
    themes: "מראה", themesText: "קבעו אותם על כל רכיב שמעל, או עצבו את החלקים ב־::part(). בהיר וכהה לפי color-scheme של הדף.",
    common: "כולם מקבלים label ו־lang, ומציגים state ו־busy כמאפיינים ל־CSS שלכם. האירועים יוצאים מעצי הצל; ה־detail שלהם הוא ה־JSON של ה־API.",
    signedOut: "השרת הזה דורש אסימון: היכנסו דרך הקונסולה וטענו שוב את הדף.", console: "קונסולה", script: "בדף עם סקריפט מודול:",
  },
}[lang];

document.documentElement.lang = lang;
document.documentElement.dir = lang === "he" ? "rtl" : "ltr";
document.title = words.title;

function make<K extends keyof HTMLElementTagNameMap>(name: K, more: Partial<Record<"className" | "textContent" | "id" | "type" | "href" | "lang", string>> = {}, ...inside: (Node | string)[]): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(name), more);
  element.append(...inside);
  return element;
}

function code(text: string): HTMLElement {
  const button = make("button", { type: "button", textContent: words.copy });
  button.addEventListener("click", () => {
    void navigator.clipboard?.writeText(text).then(() => {
      button.textContent = words.copied;
      setTimeout(() => (button.textContent = words.copy), 2_000);
    });
  });
  const block = make("pre", {}, make("code", { textContent: text }));
  block.tabIndex = 0;
  return make("div", { className: "code" }, block, button);
}

function table(title: string, rows: Record<string, string>): Node[] {
  if (Object.keys(rows).length === 0) return [];
  return [make("div", {}, make("h3", { textContent: title }), make("dl", {}, ...Object.entries(rows).flatMap(([name, text]) => [make("dt", {}, make("code", { textContent: name })), make("dd", { textContent: (lang === "he" && hebrew[text]) || text })])))];
}

function list(title: string, names: string[]): Node[] {
  return names.length ? [make("div", {}, make("h3", { textContent: title }), make("p", { className: "words" }, make("code", { textContent: names.join("  ·  ") })))] : [];
}

interface Here { key?: string | undefined; job?: string | undefined; batch?: string | undefined }

function section({ tag, about, attributes, properties, events, slots, parts, example, more }: Entry, here: Here): HTMLElement {
  const needs = /\{(key|job|batch)\}/.exec(example)?.[1] as keyof Here;
  const fill = (text: string) => text.replace(/\{(key|job|batch)\}/g, (_, name: keyof Here) => here[name] ?? { key: "prices", job: "j_01jd8m3k5w7xa", batch: "b_01jd8m3k5w7xa" }[name]);
  const html = fill(example);
  const live = make("div", { className: "live" });
  // Parsed in place, as a page's own HTML is; what is put in are this server's names, which hold no markup.
  if (here[needs]) live.innerHTML = html;
  else live.textContent = words.none;
  return make(
    "section", { id: tag }, make("h2", {}, make("code", { textContent: `<${tag}>` })), make("p", { textContent: about[lang] }), live, code(html), ...(more ? [make("p", { textContent: more[lang] }), code(fill(more.html))] : []),
    make("div", { className: "facts" }, ...table(words.attributes, attributes), ...table(words.properties, properties), ...table(words.events, events), ...list(words.slots, slots), ...list(words.parts, parts)),
  );
}

const base = new URL("..", document.baseURI);
const main = make("main");
const other = make("a", { textContent: words.other, href: `?lang=${lang === "he" ? "en" : "he"}`, lang: lang === "he" ? "en" : "he" });
document.body.append(
  make("header", {}, make("h1", { textContent: words.title }), make("nav", {}, make("a", { textContent: words.console, href: new URL("console/", base).href }), other)),
  main,
);
main.append(make("p", { textContent: words.intro }));

const { createClient } = (await import(/* @vite-ignore */ new URL("elements.js", base).href)) as { createClient: (options: { url: URL }) => Client };
const client = createClient({ url: base });
const here: Here = {};
try {
  const [rows, jobs, batches] = await Promise.all([client.freshness({ limit: 20 }), client.jobs.list({ kind: "task", limit: 1 }), client.batches.list({ limit: 1 })]);
  // One with rows that can differ, if there is one.
  here.key = (rows.items.find((row) => row.ver > 1) ?? rows.items.find((row) => row.ver > 0) ?? rows.items[0])?.key;
  here.job = jobs.items[0]?.id;
  here.batch = batches.items[0]?.id;
} catch (error) {
  main.append(make("p", { className: "notice", textContent: (error as { status?: number }).status === 401 ? words.signedOut : (error as Error).message }));
}
const first = `<script type="module" src="${new URL("elements.js", base).href}"></script>\n<freshet-badge source="${here.key ?? "prices"}"></freshet-badge>`;
main.append(code(first), make("p", { textContent: words.common }), make("p", { className: "links" }, ...reference.map(({ tag }) => make("a", { textContent: tag, href: `#${tag}` }))));
for (const entry of reference) main.append(section(entry, here));
main.append(
  make("section", { id: "looks" }, make("h2", { textContent: words.themes }), make("p", { textContent: words.themesText }), make("p", { className: "words" }, make("code", { textContent: themes.join("  ·  ") })),
    code(`<style>\n  freshet-badge { --freshet-fresh: #00704a; }\n  freshet-badge[state="failing"] { font-weight: 700; }\n  freshet-refresh::part(button) { border-radius: 2em; }\n</style>`),
    make("p", { textContent: words.script }),
    code(`import { createClient } from "${new URL("elements.js", base).href}";\n\nfor await (const snap of createClient({ url: "${base.href}" }).watch("${here.key ?? "prices"}")) show(snap.data, snap.state);`)),
);
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
