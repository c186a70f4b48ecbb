// SPDX-License-Identifier: Apache-2.0
// The page of what's on: our elements read and follow the three sources, this file draws their rows and says in words
// when a list may be outdated.
import { frame, rows, text } from "./frame.js";

const word = frame({
  en: { title: "What's on", cinema: "Cinema", events: "Events", google_trend: "Searched for today", updating: "updating…", outdated: "may be outdated", searches: "searches" },
  he: { title: "מה קורה", cinema: "קולנוע", events: "אירועים", google_trend: "מה מחפשים היום", updating: "מתעדכן…", outdated: "ייתכן שאינו עדכני", searches: "חיפושים" },
});

function poster(name, image) {
  return (item) => {
    const node = document.createElement("li");
    const picture = document.createElement("img");
    picture.loading = "lazy";
    picture.alt = "";
    picture.src = item[image] ?? "";
    node.append(picture, text("span", item[name]));
    return node;
  };
}

function trend(item) {
  const node = document.createElement("li");
  const volume = text("bdi", item.search_volume ?? "", "quiet");
  volume.dir = "ltr";
  node.append(text("span", item.query), text("span", item.category ?? "", "quiet"), volume);
  return node;
}

const draws = {
  cinema: { key: (item) => item.title, make: poster("title", "img") },
  events: { key: (item) => item.event_title, make: poster("event_title", "poster") },
  google_trend: { key: (item) => item.query, make: trend },
};

for (const section of document.querySelectorAll("section[data-list]")) {
  const badge = section.querySelector("freshet-badge");
  const note = section.querySelector(".note");
  const { key, make } = draws[section.dataset.list];
  const draw = () => rows(section.querySelector("ul"), badge.data ?? [], key, make);
  badge.addEventListener("freshet-snapshot", draw);
  if (badge.meta) draw(); // it was there before this script

  // "may be outdated" only when nothing runs; "updating…" wins, and stands in the badge.
  const tell = () => {
    const { meta, state, busy } = badge;
    const doubtful = meta && !busy && (["failing", "overdue"].includes(state) || meta.held || meta.error);
    const reason = meta?.error?.message ?? meta?.why?.text ?? "";
    const words = doubtful ? [word("outdated"), reason].filter(Boolean).join(": ") : "";
    if (note.textContent !== words) note.textContent = words;
  };
  new MutationObserver(tell).observe(badge, { attributes: true, attributeFilter: ["state", "busy"] });
  for (const event of ["freshet-snapshot", "freshet-state"]) badge.addEventListener(event, tell);
  tell();
}
