// SPDX-License-Identifier: Apache-2.0
// The page of one business: a card per kind of run. What a card shows comes from the server alone; the browser keeps
// {taskId, taskType, timestamp} and nothing else, so that two browsers always show the same.
import { frame, text } from "./frame.js";

const kinds = ["receipt_sync", "broadcast", "recording"];
const word = frame({
  en: { title: "Long tasks of business", reset: "End stuck runs", receipt_sync: "Receipt sync", broadcast: "Broadcast", recording: "Recordings", start: "Start", total: "entries", none: "No run yet.", stuck: "Stuck: no update", notUpdated: (n) => `The task was not updated for ${n} minutes`, log: "Log", again: "Start again", resetDone: "ended", refused: "refused" },
  he: { title: "משימות ארוכות של עסק", reset: "סיום ריצות תקועות", receipt_sync: "סנכרון קבלות", broadcast: "שליחה לכולם", recording: "הקלטות", start: "התחלה", total: "פריטים", none: "אין עדיין ריצה.", stuck: "תקוע - אין עדכון", notUpdated: (n) => `המשימה לא התעדכנה מזה ${n} דקות`, log: "יומן", again: "התחלה מחדש", resetDone: "הסתיימו", refused: "נדחה" },
});

const business = decodeURIComponent(location.pathname.split("/").filter(Boolean).at(-1));
document.getElementById("business").textContent = business;
document.title = `${word("title")} ${business}`;
const said = document.getElementById("said");

/** Only where a run is looked for first. Shapes of earlier versions, which kept a status, are dropped. */
const kept = (kind) => `longtasks/${business}/${kind}`;
function remembered(kind) {
  try {
    const value = JSON.parse(localStorage.getItem(kept(kind)));
    const names = Object.keys(value ?? {}).sort().join();
    if (names === "taskId,taskType,timestamp") return value.taskId;
  } catch {
    // Not ours: dropped below.
  }
  localStorage.removeItem(kept(kind));
  return undefined;
}
function remember(kind, taskId) {
  localStorage.setItem(kept(kind), JSON.stringify({ taskId, taskType: kind, timestamp: Date.now() }));
}

async function ask(method, path, body) {
  const response = await fetch(path, { method, cache: "no-store", ...(body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) }) });
  return { ok: response.ok, status: response.status, answer: await response.json().catch(() => ({})) };
}

const cards = new Map();

function card(kind) {
  const section = document.createElement("section");
  const form = document.createElement("form");
  const total = Object.assign(document.createElement("input"), { type: "number", min: 1, max: 100000, value: 20, required: true });
  total.setAttribute("aria-label", word("total"));
  const start = Object.assign(document.createElement("button"), { type: "submit", textContent: word("start") });
  form.append(total, text("span", word("total"), "quiet"), start);
  const none = text("p", word("none"), "quiet");
  const stuck = document.createElement("div");
  stuck.className = "stuck";
  stuck.hidden = true;
  stuck.setAttribute("role", "status");
  const task = document.createElement("freshet-task");
  task.label = word(kind);
  task.cancelable = task.retryable = true;
  task.hidden = true;
  const again = text("span", word("again"));
  again.slot = "retry";
  task.append(again);
  const log = document.createElement("details");
  log.hidden = true;
  const lines = text("pre", "", "log");
  log.append(text("summary", word("log")), lines);
  section.append(text("h2", word(kind)), form, none, stuck, task, log);
  document.getElementById("kinds").append(section);

  let id;
  const show = (taskId) => {
    if (!taskId || taskId === id) return;
    id = taskId;
    task.setAttribute("job", id);
    task.hidden = log.hidden = false;
    none.hidden = true;
    remember(kind, id);
  };
  // Stuck or lost, in words beside the card: what the server says, with the number from its config.
  const tell = async () => {
    const job = task.job;
    const lost = job?.state === "failed" && job.error?.code === "worker_lost";
    if (!task.stalled && !lost) {
      stuck.hidden = true;
      return;
    }
    const { ok, answer } = await ask("GET", `/jobs/${id}`);
    if (!ok || !answer.is_stuck) return;
    stuck.replaceChildren(text("b", word("stuck")), text("div", word("notUpdated")(answer.stuck_after_minutes)));
    stuck.hidden = false;
  };
  new MutationObserver(tell).observe(task, { attributes: true, attributeFilter: ["state", "stalled"] });
  log.addEventListener("toggle", async () => {
    if (!log.open) return;
    const { ok, answer } = await ask("GET", `/v1/jobs/${id}/log`);
    lines.textContent = ok ? (answer.items ?? []).map((line) => `${line.at}  ${line.text}`).join("\n") || "–" : answer.detail;
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { ok, status, answer } = await ask("POST", `/api/business/${encodeURIComponent(business)}/tasks/${kind}`, { total: total.valueAsNumber });
    said.textContent = ok ? "" : `${word(kind)}: ${answer.detail ?? word("refused")}`;
    if (ok || status === 409) show(answer.job_id);
  });
  show(remembered(kind));
  return { show };
}

for (const kind of kinds) cards.set(kind, card(kind));

// The server says which run is the latest of each kind, in every browser alike.
async function look() {
  const { ok, answer } = await ask("GET", `/api/business/${encodeURIComponent(business)}/tasks`);
  if (!ok) {
    said.textContent = answer.detail ?? word("refused");
    return;
  }
  for (const kind of kinds) cards.get(kind).show(answer.tasks.find((task) => task.kind === kind)?.job_id);
}
look();
document.addEventListener("freshet-connection", ({ detail }) => detail.state === "live" && look());

document.getElementById("reset").addEventListener("click", async () => {
  const { ok, answer } = await ask("POST", `/api/admin/business/${encodeURIComponent(business)}/reset-progress`);
  said.textContent = ok ? `${answer.reset_count} ${word("resetDone")}` : (answer.detail ?? word("refused"));
});
