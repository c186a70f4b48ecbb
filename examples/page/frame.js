// SPDX-License-Identifier: Apache-2.0
// What the pages of the examples share: the language (?lang=, else the browser's), its direction, the words of the page,
// a footer with version and connection, and a way to show rows that keeps the nodes of those that stayed. examples/run
// puts this file beside each page.
const words = {
  en: { connecting: "connecting…", live: "live", reconnecting: "reconnecting…", polling: "asking again and again", paused: "paused", "signed-out": "signed out: open the page with ?token=… again", update: "A new version is there: reload the page when you like." },
  he: { connecting: "מתחבר…", live: "מחובר", reconnecting: "מתחבר מחדש…", polling: "נשאל שוב ושוב", paused: "מושהה", "signed-out": "לא מחובר: יש לפתוח את העמוד שוב עם ?token=…", update: "יש גרסה חדשה: אפשר לטעון את העמוד מחדש." },
};

const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language;
export const lang = /^(he|iw)\b/i.test(asked) ? "he" : "en";

/** Sets language and direction, fills every [data-t] of the page from `own`, and keeps the footer. Gives the look-up. */
export function frame(own) {
  document.documentElement.lang = lang;
  document.documentElement.dir = lang === "he" ? "rtl" : "ltr";
  const word = (name) => own[lang][name] ?? words[lang][name] ?? own.en[name] ?? name;
  for (const element of document.querySelectorAll("[data-t]")) element.textContent = word(element.dataset.t);
  document.title = word("title");

  const version = document.querySelector("[data-version]");
  const connection = document.querySelector("[data-connection]");
  const told = (state) => (connection.textContent = word(state));
  told("connecting");
  document.addEventListener("freshet-connection", (event) => told(event.detail.state));
  document.addEventListener("freshet-update", (event) => {
    version.textContent = `freshet ${event.detail.server} · ${word("update")}`;
  });
  fetch("/healthz", { cache: "no-store" })
    .then((response) => response.json())
    .then((health) => (version.textContent = `freshet ${health.version}`), () => {});
  return word;
}

/** Shows `items` in `list` in their order: rows that were there keep their nodes, so that nothing blinks. */
export function rows(list, items, key, make, fill) {
  const there = new Map([...list.children].map((node) => [node.dataset.key, node]));
  let at = list.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let node = there.get(name);
    there.delete(name);
    if (!node) {
      node = make(item);
      node.dataset.key = name;
    }
    fill?.(node, item);
    if (node === at) at = at.nextElementSibling;
    else list.insertBefore(node, at);
  }
  for (const gone of there.values()) gone.remove();
}

/** An element with text, whose direction is that of the text. */
export function text(tag, content, className) {
  const element = document.createElement(tag);
  element.textContent = content;
  element.dir = "auto";
  if (className) element.className = className;
  return element;
}
