// SPDX-License-Identifier: Apache-2.0
// The page of one batch. The element follows it by the stream: items, progress, end and "Enrich All" come by themselves.
// This file only says which batch, shows the batch that follows, and lets a person read it again.
import { frame } from "./frame.js";

const word = frame({
  en: { title: "Batch", generation: "Conversations", enrichment: "Enrichment", refresh: "Refresh", reading: "reading…", asOf: "read at", changed: "done", unreadable: "could not be read" },
  he: { title: "אצווה", generation: "שיחות", enrichment: "העשרה", refresh: "רענון", reading: "נקרא…", asOf: "נקרא ב־", changed: "הושלמו", unreadable: "לא ניתן לקרוא" },
});

const id = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
const batch = document.getElementById("batch");
const follow = document.getElementById("follow");
const enrichment = document.getElementById("enrichment");

/** Shows the follow-up once it was started, whoever started it. */
function showFollow(then) {
  if (!then?.batch || enrichment.getAttribute("batch") === then.batch) return;
  enrichment.setAttribute("batch", then.batch);
  follow.hidden = false;
}

batch.setAttribute("batch", id);
for (const name of ["freshet-progress", "freshet-finished", "freshet-then"]) batch.addEventListener(name, ({ detail }) => showFollow(detail.then));

const again = document.getElementById("again");
const read = document.getElementById("read");
let reading = false;
again.addEventListener("click", async () => {
  if (reading) return;
  reading = true;
  again.setAttribute("aria-busy", "true");
  read.textContent = word("reading");
  try {
    const response = await fetch(`/api/batch-jobs/${encodeURIComponent(id)}/status`, { cache: "no-store" });
    const status = await response.json();
    if (!response.ok) throw new Error(status.detail ?? String(response.status));
    const { completed, total } = status.progress;
    read.textContent = `${word("asOf")} ${new Date().toLocaleTimeString()}: \u2066${completed} / ${total}\u2069 ${word("changed")}`;
  } catch (error) {
    read.textContent = `${word("unreadable")}: ${error.message}`;
  } finally {
    reading = false;
    again.removeAttribute("aria-busy");
  }
});
