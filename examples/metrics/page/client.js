// SPDX-License-Identifier: Apache-2.0
// The page of one client: our elements read, follow and refresh its numbers; a sync that failed is told in words beside
// the last good ones.
import { numbers, put, trouble, word } from "./words.js";

const client = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
document.getElementById("client").textContent = client;
document.title = `${word("title")} · ${client}`;
// Before the elements come: somebody whose token is of all clients looks at this one.
document.querySelector("freshet-provider").setAttribute("tenant", client);
await import("/elements.js");

const metrics = document.getElementById("metrics");
const sync = document.getElementById("sync");
numbers(document.getElementById("numbers"), undefined);
metrics.addEventListener("freshet-snapshot", () => numbers(document.getElementById("numbers"), metrics.data));
if (metrics.meta) numbers(document.getElementById("numbers"), metrics.data); // it was there before this script

const tell = () => {
  const capped = sync.data?.page_cap_hit ? word("capped")(sync.data.pages) : "";
  put(document.getElementById("trouble"), trouble(client, sync.meta?.error, sync.meta?.retry_at) || capped);
};
for (const event of ["freshet-snapshot", "freshet-state"]) sync.addEventListener(event, tell);

metrics.label = word("numbersBadge");
sync.label = word("syncBadge");
metrics.setAttribute("source", "metrics");
document.querySelector("freshet-refresh").setAttribute("source", "metrics");
sync.setAttribute("source", "ingest");
