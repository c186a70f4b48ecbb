// SPDX-License-Identifier: Apache-2.0
// The status page: reads every row once, then follows /v1/stream?topic=freshness from where that list ended.
// What is on screen stays when the connection is cut; the header says so. Rows keep their place, focus never moves.
// The stream is read by fetch and not by EventSource, which can send no token and tells no refusal from a cut.

const words = {
  en: {
    fresh: "fresh", stale: "stale", overdue: "overdue", failing: "failing", empty: "empty", refreshing: "refreshing", paused: "paused", held: "held",
    all: "all", refresh: "Refresh", busy: "Refreshing", live: "live", connecting: "connecting", reconnecting: "reconnecting; as of {time}",
    signedout: "a token is needed", checked: "checked {age}", never: "not read yet", asof: "data of {time}", rows: { one: "{n} row", other: "{n} rows" },
    updated: "updated:", added: "added", removed: "removed", changed: "changed", unchanged: "checked, nothing new", failed: "failed: {why}",
    showing: "showing {time} data", heldout: "held back: {why}", limited: "not again before {time}", forbidden: "this token may not refresh",
    cancelled: "cancelled", none: "There are no sources in this config yet.", nomatch: "No key is in this state.", token: "Token",
    enter: "Sign in", filter: "Filter by state", language: "עברית", foot: "All times are in your own time zone.", unreachable: "the server can not be reached",
    refreshof: "Refresh {key}",
  },
  he: {
    fresh: "טרי", stale: "מתיישן", overdue: "באיחור", failing: "נכשל", empty: "ריק", refreshing: "מתרענן", paused: "מושהה", held: "מוחזק",
    all: "הכול", refresh: "רענון", busy: "מתרענן", live: "חי", connecting: "מתחבר", reconnecting: "מתחבר מחדש; נכון ל־{time}",
    signedout: "נדרש אסימון", checked: "נבדק {age}", never: "טרם נקרא", asof: "נתונים מ־{time}", rows: { one: "שורה אחת", two: "שתי שורות", other: "{n} שורות" },
    updated: "עודכן:", added: "נוספו", removed: "הוסרו", changed: "השתנו", unchanged: "נבדק, אין חדש", failed: "נכשל: {why}",
    showing: "מוצגים נתוני {time}", heldout: "הוחזק: {why}", limited: "לא לפני {time}", forbidden: "האסימון הזה אינו רשאי לרענן",
    cancelled: "בוטל", none: "אין עדיין מקורות בהגדרות.", nomatch: "אין מפתח במצב הזה.", token: "אסימון",
    enter: "כניסה", filter: "סינון לפי מצב", language: "English", foot: "כל הזמנים באזור הזמן שלך.", unreachable: "אין קשר לשרת",
    refreshof: "רענון {key}",
  },
};

const states = ["fresh", "stale", "overdue", "failing", "empty"];
const shapes = {
  fresh: ["M20 6 9 17l-5-5"], stale: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", "M12 7v5l3 2"],
  overdue: ["M12 3 2.5 20h19z", "M12 10v4", "M12 17v.1"], failing: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", "m9 9 6 6", "m15 9-6 6"],
  empty: ["M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18", "M8 12h8"],
};
const at = (id) => document.getElementById(id);

// ---- language ----

const asked = new URLSearchParams(location.search).get("lang") ?? navigator.language ?? "en";
let lang = /^(he|iw)\b/i.test(asked) ? "he" : "en";
const say = (name, values = {}) => {
  let text = words[lang][name];
  if (typeof text === "object") text = text[new Intl.PluralRules(lang).select(values.n)] ?? text.other;
  return text.replace(/\{(\w+)\}/g, (_, key) => values[key] ?? "");
};
const clock = (iso) => {
  const time = new Date(iso);
  const sameDay = time.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(lang, sameDay ? { timeStyle: "short" } : { dateStyle: "short", timeStyle: "short" }).format(time);
};
const ago = (ms) => {
  const s = Math.max(0, Math.round(ms / 1000));
  const [n, unit] = s < 90 ? [s, "second"] : s < 5400 ? [Math.round(s / 60), "minute"] : s < 129600 ? [Math.round(s / 3600), "hour"] : [Math.round(s / 86400), "day"];
  return new Intl.RelativeTimeFormat(lang, { style: "short" }).format(-n, unit);
};

// ---- the server's time: what it said last, and how long ago that was by the larger of both clocks ----

let serverAt = Date.now(), heardWall = Date.now(), heardSteady = performance.now();
const hear = (iso) => {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return;
  serverAt = time, heardWall = Date.now(), heardSteady = performance.now();
};
const now = () => serverAt + Math.max(Date.now() - heardWall, performance.now() - heardSteady, 0);

// ---- rows ----

const rows = new Map(); // key -> {meta, view, asked, outcome}
let filter = null;

const derived = (meta) => {
  let state = meta.state;
  if (state === "fresh" && meta.stale_at && now() > Date.parse(meta.stale_at)) state = meta.attempts > 0 ? "failing" : "stale";
  if (state === "stale" && meta.overdue_at && now() > Date.parse(meta.overdue_at)) state = "overdue";
  return state;
};

const element = (name, className, parent) => {
  const made = document.createElement(name);
  if (className) made.className = className;
  parent?.append(made);
  return made;
};

const icon = (state) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  for (const d of shapes[state]) svg.appendChild(document.createElementNS(svg.namespaceURI, "path")).setAttribute("d", d);
  return svg;
};

const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

function makeView(key) {
  const row = element("li", "row");
  const state = element("div", "state", row);
  const name = element("div", "key", row);
  const bdi = element("bdi", "", name);
  bdi.textContent = key;
  const small = element("small", "", name);
  const age = element("div", "age", row);
  const why = element("div", "why", row);
  const button = element("button", "refresh", row);
  button.type = "button";
  button.addEventListener("click", () => refresh(key));
  return { row, state, small, age, why, button };
}

function put(meta) {
  const known = rows.get(meta.key);
  if (known && (known.meta.seq > meta.seq || known.meta.gen > meta.gen)) return;
  if (known) {
    known.meta = meta;
  } else {
    const row = { meta, view: makeView(meta.key), asked: null, outcome: null };
    rows.set(meta.key, row);
    const after = [...rows.keys()].filter((key) => key > meta.key).sort()[0];
    at("rows").insertBefore(row.view.row, after ? rows.get(after).view.row : null);
  }
  settle(meta.key);
  paint(rows.get(meta.key));
}

function paint(row) {
  const { meta, view } = row;
  const state = derived(meta);
  if (view.state.dataset.state !== state || view.state.dataset.lang !== lang) {
    view.state.replaceChildren(icon(state), document.createTextNode(say(state)));
    view.state.dataset.state = state;
    view.state.dataset.lang = lang;
  }
  view.row.hidden = filter !== null && filter !== state;
  const facts = [];
  if (meta.ver > 0) facts.push(`v${meta.ver}`);
  if (meta.rows > 0) facts.push(say("rows", { n: meta.rows }));
  for (const flag of ["paused", "held"]) if (meta[flag]) facts.push(say(flag));
  if (view.small.dataset.facts !== facts.join(" · ")) {
    view.small.dataset.facts = facts.join(" · ");
    view.small.replaceChildren();
    // Each fact by itself, so that "v7" and "3 rows" do not change places in Hebrew.
    facts.forEach((fact, i) => {
      if (i > 0) view.small.append(" · ");
      element("bdi", "", view.small).textContent = fact;
    });
  }
  const ages = [];
  if (meta.checked_at) ages.push(say("checked", { age: ago(now() - Date.parse(meta.checked_at)) }));
  else ages.push(say("never"));
  if (meta.as_of && meta.as_of_by === "source") ages.push(say("asof", { time: clock(meta.as_of) }));
  setText(view.age, ages.join(" · "));
  paintWhy(row, state);
  const busy = row.asked !== null || meta.refreshing;
  const label = say(busy ? "busy" : "refresh");
  if (view.button.dataset.label !== label) {
    view.button.replaceChildren();
    if (busy) element("span", "turn", view.button).setAttribute("aria-hidden", "true");
    view.button.append(label);
    view.button.dataset.label = label;
    // The name begins with what is seen on the button.
    view.button.setAttribute("aria-label", `${label}: ${meta.key}`);
    view.button.title = say("refreshof", { key: meta.key });
    view.button.setAttribute("aria-disabled", String(busy));
    view.button.setAttribute("aria-busy", String(busy));
  }
}

// The outcome of one's own click stays until the next; else why the key is not fresh.
function paintWhy({ meta, view, outcome }, state) {
  const text = outcome ? outcome.text() : state !== "fresh" && meta.why ? meta.why.text : "";
  const kind = outcome ? outcome.kind : "why";
  if (view.why.dataset.text === text && view.why.dataset.kind === kind) return;
  view.why.dataset.text = text;
  view.why.dataset.kind = kind;
  view.why.replaceChildren();
  if (!text) return;
  const line = element("bdi", outcome ? "outcome" : "", view.why);
  line.dir = "auto";
  line.dataset.kind = kind;
  if (outcome?.counts) {
    line.dir = lang === "he" ? "rtl" : "ltr";
    line.append(`${say("updated")} `);
    for (const [name, sign] of [["added", "+"], ["removed", "−"], ["changed", "~"]]) {
      if (!outcome.counts[name] && name === "changed") continue;
      const number = element("bdi", "", line);
      number.dir = "ltr";
      number.textContent = `${sign}${outcome.counts[name] ?? 0}`;
      line.append(` ${say(name)} `);
    }
  } else {
    line.textContent = text;
  }
}

function paintChips() {
  const counts = Object.fromEntries(states.map((state) => [state, 0]));
  for (const row of rows.values()) ++counts[derived(row.meta)];
  const chips = at("chips");
  chips.setAttribute("aria-label", say("filter"));
  if (chips.dataset.lang !== lang) {
    chips.dataset.lang = lang;
    chips.replaceChildren();
    for (const state of [null, ...states]) {
      const chip = element("button", "chip", chips);
      chip.type = "button";
      if (state) chip.dataset.state = state, chip.append(icon(state));
      chip.append(say(state ?? "all"), " ");
      element("b", "", chip);
      chip.addEventListener("click", () => {
        filter = state;
        paintAll();
      });
    }
  }
  [null, ...states].forEach((state, i) => {
    const chip = chips.children[i];
    setText(chip.querySelector("b"), String(state ? counts[state] : rows.size));
    chip.setAttribute("aria-pressed", String(filter === state));
    chip.hidden = state !== null && counts[state] === 0 && filter !== state;
  });
}

function paintAll() {
  for (const row of rows.values()) paint(row);
  paintChips();
  const shown = [...rows.values()].some((row) => !row.view.row.hidden);
  at("note").hidden = shown || !loaded;
  setText(at("note"), say(rows.size === 0 ? "none" : "nomatch"));
}

// ---- asking ----

let token = "";
const ask = (path, options = {}) =>
  fetch(path, { ...options, cache: "no-store", headers: { ...options.headers, ...(token ? { Authorization: `Bearer ${token}` } : {}) } });
const keyPath = (key) => `v1/data/${key}/refresh`;

async function refresh(key) {
  const row = rows.get(key);
  if (row.asked !== null || row.meta.refreshing) return;
  row.asked = { job: null };
  row.outcome = null;
  paint(row);
  try {
    const answer = await ask(keyPath(key), { method: "POST", headers: { Prefer: "respond-async" } });
    const body = await answer.json().catch(() => ({}));
    if (answer.status === 202) {
      row.asked = { job: body.id ?? body.job?.id ?? answer.headers.get("Location")?.split("/").pop() };
      settle(key);
      return;
    }
    if (answer.status === 401) signedOut();
    end(row, refusal(answer, body));
  } catch {
    end(row, { kind: "failed", text: () => say("failed", { why: say("unreachable") }) });
  }
}

function refusal(answer, body) {
  if (answer.status === 429 && body.retry_at) return { kind: "limited", text: () => say("limited", { time: clock(body.retry_at) }) };
  if (answer.status === 403) return { kind: "failed", text: () => say("forbidden") };
  return { kind: "failed", text: () => say("failed", { why: body.detail ?? body.title ?? String(answer.status) }) };
}

// The row says that a flight has ended: what became of the one that was asked for is in its receipt.
async function settle(key) {
  const row = rows.get(key);
  if (!row?.asked?.job || row.asked.reading) return;
  const mine = row.meta.last?.job === row.asked.job;
  if (!mine && row.meta.refreshing) return;
  row.asked.reading = true;
  try {
    let id = row.asked.job;
    for (let hops = 0; hops < 5; ++hops) {
      const answer = await ask(`v1/jobs/${id}`);
      if (!answer.ok) throw new Error(String(answer.status));
      const job = await answer.json();
      if (job.superseded_by) {
        id = row.asked.job = job.superseded_by;
        continue;
      }
      if (["succeeded", "failed", "cancelled"].includes(job.state)) return end(row, ended(row, job));
      break;
    }
    row.asked.reading = false;
  } catch {
    end(row, null);
  }
}

function ended(row, receipt) {
  const shown = () => (row.meta.checked_at ? `, ${say("showing", { time: clock(row.meta.checked_at) })}` : "");
  if (receipt.outcome === "updated") return { kind: "updated", counts: receipt.counts ?? {}, text: () => say("updated") };
  if (receipt.outcome === "unchanged") return { kind: "unchanged", text: () => say("unchanged") };
  if (receipt.outcome === "held") return { kind: "failed", text: () => say("heldout", { why: row.meta.why?.text ?? receipt.held?.reason ?? "" }) + shown() };
  if (receipt.state === "cancelled") return { kind: "failed", text: () => say("cancelled") };
  return { kind: "failed", text: () => say("failed", { why: receipt.error?.message ?? receipt.state }) + shown() };
}

function end(row, outcome) {
  row.asked = null;
  row.outcome = outcome;
  paint(row);
  if (outcome) setText(at("said"), `${row.meta.key}: ${row.view.why.textContent || outcome.text()}`);
}

// ---- the connection ----

let link = "connecting", lastHeard = Date.now(), loaded = false, lastId = "", wake = null;
function setLink(state) {
  link = state;
  const node = at("link");
  node.dataset.state = state;
  setText(at("link-text"), say(state === "signed-out" ? "signedout" : state, { time: clock(lastHeard) }));
}

function signedOut() {
  setLink("signed-out");
  at("token").hidden = false;
}

async function load() {
  let after = "", cursor = "";
  const found = new Set();
  do {
    const answer = await ask(`v1/freshness?limit=500${after ? `&after=${encodeURIComponent(after)}` : ""}`);
    if (answer.status === 401) return signedOut(), false;
    if (!answer.ok) throw new Error(String(answer.status));
    const list = await answer.json();
    hear(list.now);
    cursor ||= list.cursor;
    for (const meta of list.items) found.add(meta.key), put(meta);
    after = list.next ?? "";
  } while (after);
  for (const [key, row] of rows) if (!found.has(key)) row.view.row.remove(), rows.delete(key);
  loaded = true;
  lastId = cursor;
  at("token").hidden = true;
  paintAll();
  return true;
}

// One event at a time out of the stream's text.
async function* events(body, signal, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  signal.addEventListener("abort", () => reader.cancel().catch(() => {}));
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = { event: "message", data: "" };
      for (const line of text.slice(0, end).split("\n")) {
        const colon = line.indexOf(":");
        if (colon > 0) event[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
      }
      yield event;
    }
  }
}

// Follows the stream until it is cut. The result: how long to wait before the next try.
async function follow() {
  const stop = new AbortController();
  let beat = 15000, timer = 0, wait = 1000;
  const alive = () => {
    clearTimeout(timer);
    lastHeard = Date.now();
    timer = setTimeout(() => stop.abort(), beat * 3);
  };
  wake = () => stop.abort();
  alive();
  try {
    const answer = await ask("v1/stream?topic=freshness", { signal: stop.signal, headers: { Accept: "text/event-stream", "Last-Event-ID": lastId } });
    if (answer.status === 401) return signedOut(), null;
    if (!answer.ok) return 5000;
    for await (const { event, data, id, retry } of events(answer.body, stop.signal, alive)) {
      if (id) lastId = id;
      if (retry) wait = Math.min(Number(retry), 60000);
      const told = JSON.parse(data);
      if (told.now) hear(told.now);
      if (event === "hello") beat = told.beat_ms, setLink("live");
      else if (event === "reset") lastId = "", setTimeout(load, 0);
      else if (event === "snapshot" || event === "change") {
        for (const meta of told.items ?? []) put(meta);
        paintAll();
      } else if (event === "goodbye") wait = told.retry_ms;
    }
  } catch {
    // A cut: what is on screen stays, the header says from when it is.
  } finally {
    clearTimeout(timer);
  }
  return wait;
}

async function run() {
  for (let failures = 0; ; ) {
    try {
      if (!loaded && !(await load())) return;
      const begun = Date.now();
      const wait = await follow();
      if (wait === null) return;
      failures = Date.now() - begun > 10000 ? 0 : failures + 1;
      setLink("reconnecting");
      await pause(Math.max(wait, Math.min(1000 * 2 ** failures, 30000) * (0.5 + Math.random() / 2)));
    } catch {
      setLink("reconnecting");
      await pause(Math.min(1000 * 2 ** ++failures, 30000));
    }
  }
}

let skipPause = () => {};
const pause = (ms) => new Promise((done) => {
  skipPause = done;
  setTimeout(done, ms);
});

// ---- begin ----

function turn() {
  document.documentElement.lang = lang;
  document.documentElement.dir = lang === "he" ? "rtl" : "ltr";
  setText(at("language"), say("language"));
  at("language").lang = lang === "he" ? "en" : "he";
  setText(at("foot"), say("foot"));
  setText(at("token-label"), say("token"));
  setText(at("token-button"), say("enter"));
  setLink(link);
  paintAll();
}

at("language").addEventListener("click", () => {
  lang = lang === "he" ? "en" : "he";
  const url = new URL(location.href);
  url.searchParams.set("lang", lang);
  history.replaceState(null, "", url);
  for (const row of rows.values()) row.view.why.dataset.text = " ";
  turn();
});
at("token").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token-text").value.trim();
  at("token-text").value = "";
  setLink("connecting");
  run();
});
// After sleep or out of the background: a stream that is silent for too long is taken up anew at once.
const check = () => {
  if (document.visibilityState !== "visible") return;
  if (Date.now() - lastHeard > 20000) wake?.();
  skipPause();
};
document.addEventListener("visibilitychange", check);
window.addEventListener("online", check);
window.addEventListener("pageshow", check);
setInterval(() => {
  if (document.visibilityState === "visible") paintAll();
}, 1000);
turn();
run();
