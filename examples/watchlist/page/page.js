// SPDX-License-Identifier: Apache-2.0
// The page of one user's list: our elements read, follow and refresh it; this file draws the films, newest first, and says
// in words what a refresh found, from its receipt.
import { frame, lang, rows, text } from "./frame.js";

const word = frame({
  en: { title: "Watchlist", films: (n) => `${n} films`, manual: "worker (manual refresh)", schedule: "background sync", cache: "cache", updated: (at) => `last updated ${at}`, found: (total, added, removed, net) => `Found ${total} items: ${added} added, ${removed} removed, net ${net}`, nothing: (total) => `Found ${total} items: nothing new` },
  he: { title: "רשימת צפייה", films: (n) => `${n} סרטים`, manual: "עובד (רענון ידני)", schedule: "סנכרון ברקע", cache: "מטמון", updated: (at) => `עודכן ב־${at}`, found: (total, added, removed, net) => `נמצאו ${total} פריטים: ${added} נוספו, ${removed} הוסרו, נטו \u2066${net}\u2069`, nothing: (total) => `נמצאו ${total} פריטים: אין חדש` },
});

const user = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
const source = `watchlist/${user}`;
const badge = document.querySelector("freshet-badge");
const refresh = document.querySelector("freshet-refresh");
const diff = document.querySelector("freshet-diff");
const outcome = document.getElementById("outcome");

function film(item) {
  const node = document.createElement("li");
  const picture = document.createElement("img");
  picture.loading = "lazy";
  picture.alt = "";
  if (item.poster) picture.src = item.poster;
  node.append(picture, text("span", item.title), text("span", [item.year, item.rating && `★ ${item.rating}`].filter(Boolean).join(" · "), "quiet"));
  return node;
}

const instant = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
const draw = () => {
  const { meta, data } = badge;
  rows(document.getElementById("films"), data ?? [], (item) => item.imdbId, film);
  document.getElementById("total").textContent = word("films")((data ?? []).length);
  document.getElementById("updated").textContent = word("updated")(instant.format(new Date(meta.checked_at)));
  document.getElementById("origin").textContent = word({ manual: "manual", schedule: "schedule" }[meta.trigger] ?? "cache");
};
badge.addEventListener("freshet-snapshot", draw);
if (badge.meta) draw(); // it was there before this script

// The receipt says what was found; the line opens the diff by title.
refresh.addEventListener("freshet-refreshed", ({ detail: { counts, ver, base_ver } }) => {
  const { added = 0, removed = 0, total = 0 } = counts ?? {};
  const net = added - removed;
  const signed = net > 0 ? `+${net}` : net < 0 ? `−${-net}` : "0";
  document.getElementById("found").textContent = added || removed ? word("found")(total, added, removed, signed) : word("nothing")(total);
  outcome.hidden = false;
  if (ver !== undefined && base_ver !== undefined && ver !== base_ver) {
    diff.setAttribute("from", base_ver);
    diff.setAttribute("to", ver);
    diff.setAttribute("source", source);
  } else {
    diff.removeAttribute("source");
  }
});

badge.setAttribute("source", source);
refresh.setAttribute("source", source);
