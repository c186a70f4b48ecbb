// SPDX-License-Identifier: Apache-2.0
// The page of all clients, through the old API. It asks every 30 s, every 15 s where a sync is stale, which means older than
// 10 minutes here, at once after a button was pressed, and at once when a stream tells of a change. A stream is of one
// tenant, and a browser has few connections: a page of more than four clients has none, asks, and says so. What is shown
// stays while it asks.
import { ago, numbers, put, rows, text, time, trouble, word } from "./words.js";

const base = "/api/v1/metrics";
const said = document.getElementById("said");
const stale_minutes = 10;
const streams_max = 4;
let timer;

const connection = (state) => document.dispatchEvent(new CustomEvent("freshet-connection", { detail: { state } }));

async function ask(method, path) {
  const response = await fetch(base + path, { method, cache: "no-store" });
  if (response.status === 401) connection("signed-out");
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail ?? word("refused"));
  return answer;
}

function card(row) {
  const node = document.createElement("li");
  const head = document.createElement("div");
  head.className = "head";
  const name = document.createElement("h2");
  const link = Object.assign(document.createElement("a"), { href: `/dashboard/${encodeURIComponent(row.client_id)}${location.search}`, textContent: row.client_id });
  name.append(link);
  head.append(name, text("span", "", "health"), text("span", "", "quiet age"));
  const own = document.createElement("ul");
  node.append(head, own, text("span", "", "trouble"));
  return node;
}

function fill(node, row) {
  const { sync } = row;
  const health = node.querySelector(".health");
  put(health, word(sync?.overall_health ?? "degraded"));
  health.classList.toggle("degraded", sync?.overall_health !== "healthy");
  const age = node.querySelector(".age");
  put(age, !sync || sync.sync_status === "never" ? word("never") : `${word(sync.sync_age_minutes > stale_minutes ? "stale" : "fresh")}: ${ago(sync.sync_age_minutes)}`);
  age.title = time(sync?.last_sync);
  numbers(node.querySelector("ul"), row);
  put(node.querySelector(".trouble"), trouble(row.client_id, sync?.error, sync?.error?.retry_at));
}

// ---- streams, one per client -------------------------------------------------------------------------------------

const providers = new Map();
let asked = { every: 30_000, at: Date.now() };

/** "live" where every client's stream is; else how often it asks, and when it did. */
function tell() {
  const live = providers.size > 0 && [...providers.values()].every((provider) => provider.state === "live");
  put(document.querySelector("[data-connection]"), live ? word("live") : word("asking")(asked.every / 1000, time(asked.at)));
}
document.addEventListener("freshet-connection", (event) => event.target !== document && tell());

let soon;
const changed = () => (soon ??= setTimeout(() => ((soon = undefined), look()), 200));

async function follow(clients) {
  if (clients.length > streams_max) return;
  const added = clients.filter((client) => !providers.has(client));
  for (const client of added) {
    const provider = document.createElement("freshet-provider");
    provider.setAttribute("tenant", client);
    providers.set(client, provider);
    document.body.append(provider);
  }
  if (added.length > 0) await import("/elements.js");
  for (const client of added) for (const source of ["metrics", "ingest"]) providers.get(client).client.subscribe(`data/${source}`, changed);
}

// ---- what is asked -----------------------------------------------------------------------------------------------

async function look() {
  clearTimeout(timer);
  let wait = 30_000;
  try {
    const [all, freshness] = await Promise.all([ask("GET", "/all"), ask("GET", "/admin/data-freshness")]);
    const syncs = new Map(freshness.clients.map((client) => [client.client_id, client]));
    numbers(document.getElementById("totals"), { ...all.totals, success_rate: all.overall_success_rate });
    rows(document.getElementById("clients"), all.clients.map((row) => ({ ...row, sync: syncs.get(row.client_id) })), (row) => row.client_id, card, fill);
    put(document.getElementById("summary"), word("summary")(freshness.summary.healthy_clients, freshness.summary.total_clients));
    if (freshness.clients.some((client) => client.sync_age_minutes > stale_minutes)) wait = 15_000;
    asked = { every: wait, at: Date.now() };
    tell();
    void follow(all.clients.map((row) => row.client_id));
  } catch (error) {
    connection("reconnecting");
    put(said, error.message);
    wait = 5_000;
  }
  timer = setTimeout(look, document.hidden ? 60_000 : wait);
}

function button(id, path, told, lines) {
  const node = document.getElementById(id);
  node.addEventListener("click", async () => {
    node.disabled = true;
    node.setAttribute("aria-busy", "true");
    put(said, word("working"));
    try {
      const answer = await ask("POST", path);
      put(said, told(answer));
      rows(document.getElementById("outcome"), lines(answer), (result) => result.client_id, () => text("li", ""), (line, result) =>
        put(line, `${result.client_id}: ${result.status === "success" ? word("success")(result.added) : `${word("error")}: ${result.detail}${result.retry_at ? ` · ${word("nextTry")} ${time(result.retry_at)}` : ""}`}`));
      await look();
    } catch (error) {
      put(said, error.message);
    }
    node.disabled = false;
    node.removeAttribute("aria-busy");
  });
}
button("refresh", "/admin/refresh-cache", (answer) => word("refreshed")(answer.successful, answer.results.length), (answer) => answer.results.filter((result) => result.status !== "success"));
button("sync", "/admin/quick-sync", (answer) => word("syncedAll")(answer.successful, answer.results.length), (answer) => answer.results);

document.addEventListener("visibilitychange", () => document.hidden || look());
look();
