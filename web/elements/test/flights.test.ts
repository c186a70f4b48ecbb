// SPDX-License-Identifier: Apache-2.0
// @vitest-environment happy-dom
// What the elements make of answers and events that come in an unlucky order, and of pages that move them about.
import { createClient, type Client } from "@freshet/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "../src/index.js";
import { FakeServer, json } from "../../client/test/fake.js";

let server: FakeServer;
let client: Client;
const rights = ["read", "refresh", "operate"];
const soon = (holds: () => unknown) => vi.waitFor(() => expect(holds()).toBeTruthy(), 5_000);

beforeEach(() => {
  server = new FakeServer();
  server.answer = (_, path) => (path === "v1/me" ? json({ rights }) : undefined);
  client = createClient({ url: "http://server.test/", fetch: server.fetch, share: false });
});
afterEach(() => (document.body.replaceChildren(), client.close()));

function put<K extends keyof HTMLElementTagNameMap>(name: K, set: Record<string, unknown>, by = client): HTMLElementTagNameMap[K] {
  const provider = Object.assign(document.createElement("freshet-provider"), { client: by });
  const element = Object.assign(document.createElement(name), set);
  provider.append(element);
  document.body.append(provider);
  return element;
}
/** Draws it anew, which in a browser the change of the attribute brings about: what observes here may be collected. */
const turn = (element: HTMLElement & { requestUpdate(): void }, lang: string) => ((element.lang = lang), element.requestUpdate());
const text = (element: Element) => element.shadowRoot!.textContent!.replace(/\s+/g, " ").trim();
const button = (element: Element) => element.shadowRoot!.querySelector("button");
const time = (n: number) => `2026-11-24T16:00:0${n}.000Z`;
const meta = (more: object = {}) => ({ key: "prices", source: "prices", gen: 1, ver: 1, seq: 1, state: "fresh", attempts: 0, checked_at: time(0), now: time(1), refreshing: false, paused: false, ...more });
const job = (id: string, more: object = {}) => ({ id, key: "prices", queue: "prices", state: "running", attempt: 1, seq: 2, flags: {}, lost: 0, generation: 1, requested_at: time(1), ...more });
const over = (id: string, more: object = {}) => job(id, { state: "succeeded", outcome: "updated", counts: { added: 1, removed: 0, changed: 0, total: 2 }, finished_at: time(3), seq: 9, gen: 2, ...more });

/** A stream that has told of the key. */
async function opened(told: object = meta()): Promise<void> {
  await soon(() => server.streams.length);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/prices", meta: told }, "1:0");
  server.last.live();
}
const asked = (topic: string) => soon(() => server.asked.some(({ body }) => (body as { add?: string[] } | undefined)?.add?.includes(topic)));
const ends = (element: Element) => {
  const told: string[] = [];
  for (const name of ["freshet-refreshed", "freshet-error"]) element.addEventListener(name, (event) => told.push(`${name} ${(event as CustomEvent).detail.id ?? (event as CustomEvent).detail.code}`));
  return told;
};

test("Nobody sees a button that would be refused: as long as the rights are not known it only has its place", async () => {
  let tell = (_: Response) => {};
  server.answer = (_, path) => (path === "v1/me" ? new Promise<Response>((done) => (tell = done)) : undefined);
  const elements = [put("freshet-refresh", { source: "prices" }), put("freshet-task", { job: job("j_1"), cancelable: true })];
  for (const element of elements) {
    await soon(() => button(element));
    expect(getComputedStyle(button(element)!).visibility).toBe("hidden");
    button(element)!.click();
  }
  tell(json({ rights: ["read"] }));
  for (const element of elements) await soon(() => !button(element));
  expect(server.asked.filter(({ method }) => method === "POST")).toEqual([]);
});

test("Who may sees the button as soon as that is known", async () => {
  const refresh = put("freshet-refresh", { source: "prices" });
  await soon(() => button(refresh) && getComputedStyle(button(refresh)!).visibility !== "hidden");
});

test("Where the rights can not be asked the button is there, and they are asked again when the server is back", async () => {
  let refused = true;
  server.answer = (_, path) => (path === "v1/me" ? (refused ? json({ title: "Stopping", status: 503, code: "stopping" }, 503) : json({ rights: ["read"] })) : undefined);
  const refresh = put("freshet-refresh", { source: "prices" });
  await soon(() => button(refresh) && getComputedStyle(button(refresh)!).visibility !== "hidden");
  refused = false;
  await opened();
  await soon(() => !button(refresh));
});

test("F3: the end of a flight from before a press is not the end of the press", async () => {
  let answer = (_: Response) => {};
  server.answer = (method, path, url) => (path === "v1/me" ? json({ rights }) : method === "POST" ? new Promise<Response>((done) => (answer = done)) : url.pathname === "/v1/data/prices" ? json({ meta: meta({ gen: 3, seq: 12 }), data: [] }) : undefined);
  const refresh = put("freshet-refresh", { source: "prices" });
  const told = ends(refresh);
  await opened(meta({ refreshing: true, refresh: { id: "j_old", requested_at: time(1) } }));
  await asked("job/j_old");
  server.last.send("snapshot", { topic: "job/j_old", job: job("j_old") });
  await soon(() => refresh.receipt?.id === "j_old");
  void refresh.refresh();
  server.last.send("job", { topic: "job/j_old", job: over("j_old") });
  server.last.send("change", { topic: "data/prices", meta: meta({ seq: 2, refreshing: true, refresh: { id: "j_old", requested_at: time(1) } }) });
  await soon(() => refresh.meta?.seq === 2);
  expect([told, refresh.busy, button(refresh)!.getAttribute("aria-disabled")]).toEqual([[], true, "true"]);
  answer(json(job("j_new", { state: "queued", requested_at: time(2) }), 202));
  await asked("job/j_new");
  server.last.send("job", { topic: "job/j_old", job: over("j_old", { seq: 10 }) });
  server.last.send("snapshot", { topic: "job/j_new", job: over("j_new", { counts: { added: 4, removed: 0, changed: 0, total: 6 }, gen: 3 }) });
  await soon(() => told.length);
  expect(told).toEqual(["freshet-refreshed j_new"]);
  server.last.send("change", { topic: "data/prices", meta: meta({ gen: 3, seq: 13 }) });
  await soon(() => /updated \+4/.test(text(refresh)));
});

test("A flight that is told of in the moment in which another ends is followed to its end", async () => {
  const refresh = put("freshet-refresh", { source: "prices" });
  const told = ends(refresh);
  await opened(meta({ refreshing: true, refresh: { id: "j_a", requested_at: time(1) } }));
  await asked("job/j_a");
  server.last.send("snapshot", { topic: "job/j_a", job: job("j_a") });
  await soon(() => refresh.receipt?.id === "j_a");
  server.last.together(["job", { topic: "job/j_a", job: over("j_a") }], ["change", { topic: "data/prices", meta: meta({ seq: 5, refreshing: true, refresh: { id: "j_b", requested_at: time(2) } }) }]);
  await asked("job/j_b");
  server.last.send("snapshot", { topic: "job/j_b", job: over("j_b", { requested_at: time(2) }) });
  await soon(() => told.length === 2);
  expect(told).toEqual(["freshet-refreshed j_a", "freshet-refreshed j_b"]);
});

test("Another source is another source: of a press of the one before it nothing is shown or told", async () => {
  let answer = (_: Response) => {};
  server.answer = (method, path) => (path === "v1/me" ? json({ rights }) : method === "POST" ? new Promise<Response>((done) => (answer = done)) : undefined);
  const refresh = put("freshet-refresh", { source: "prices" });
  const told = ends(refresh);
  await opened();
  await soon(() => refresh.meta);
  const result = refresh.refresh();
  refresh.source = "rates";
  await soon(() => !refresh.busy && !refresh.meta);
  expect(button(refresh)!.getAttribute("aria-disabled")).toBeNull();
  answer(json({ title: "Too often", status: 429, code: "limited", outcome: "limited" }, 429));
  expect((await result)!.outcome, "who asked is answered").toBe("limited");
  await refresh.updateComplete;
  expect([told, text(refresh)]).toEqual([[], "Refresh"]);
});

test("A badge that is given another source does not show the old one's data under its name", async () => {
  server.answer = (_, path) => (path === "v1/data/prices" ? json({ meta: meta(), data: [1] }) : undefined);
  const badge = put("freshet-badge", { source: "prices" });
  await opened();
  await soon(() => badge.data && /fresh/.test(text(badge)));
  badge.source = "rates";
  await badge.updateComplete;
  expect([badge.data, badge.meta, text(badge)]).toEqual([undefined, undefined, "…"]);
});

test("An element that is taken out of a page lets go of everything, also while its own refresh runs, and goes on when it is put back", async () => {
  server.answer = (method, path, url) => (path === "v1/me" ? json({ rights }) : method === "POST" ? json(job("j_1", { state: "queued" }), 202) : url.pathname === "/v1/data/prices" ? json({ meta: meta({ gen: 2, seq: 12 }), data: [] }) : undefined);
  let ticking = 0;
  const { onTick } = client;
  client.onTick = (listener) => {
    const off = onTick(listener);
    ++ticking;
    return () => (--ticking, off());
  };
  const refresh = put("freshet-refresh", { source: "prices" });
  await opened();
  await soon(() => refresh.meta);
  void refresh.refresh();
  await asked("job/j_1");
  await soon(() => ticking === 1);
  const provider = refresh.parentElement!;
  refresh.remove();
  server.last.send("snapshot", { topic: "job/j_1", job: job("j_1") });
  await soon(() => refresh.receipt?.state === "running");
  await refresh.updateComplete;
  expect(ticking).toBe(0);
  provider.append(refresh);
  await soon(() => /Refresh.*running/.test(text(refresh)));
  server.last.send("job", { topic: "job/j_1", job: over("j_1") });
  await soon(() => /updated \+1/.test(text(refresh)));
});

test("An element that is moved under another provider forgets what the other server said, and asks for its rights there", async () => {
  const other = new FakeServer();
  other.answer = (_, path) => (path === "v1/me" ? json({ rights: ["read"] }) : undefined);
  const second = createClient({ url: "http://other.test/", fetch: other.fetch, share: false });
  try {
    const refresh = put("freshet-refresh", { source: "prices" });
    await opened();
    await soon(() => refresh.meta && button(refresh));
    const provider = Object.assign(document.createElement("freshet-provider"), { client: second });
    document.body.append(provider);
    provider.append(refresh);
    expect(refresh.meta).toBeUndefined();
    await soon(() => !button(refresh));
    await soon(() => other.streams.length);
    expect(other.last.topics).toEqual(["data/prices"]);
  } finally {
    second.close();
  }
});

test("A badge tells when it is paused, when something is held back, when what went wrong is another thing, and when the next try is another", async () => {
  server.answer = (_, path) => (path === "v1/data/prices" ? json({ meta: meta(), data: [1] }) : undefined);
  const badge = put("freshet-badge", { source: "prices" });
  const told: string[] = [];
  badge.addEventListener("freshet-state", ({ detail }) => told.push([detail.state, detail.paused && "paused", detail.held && "held", detail.error?.message, detail.retry_at].filter(Boolean).join()));
  await opened();
  await soon(() => told.length === 1);
  const steps = [{ paused: true }, { held: true }, { state: "failing", error: { class: "retryable", code: "connect", message: "no way" } }, { state: "failing", error: { class: "retryable", code: "dns", message: "no name" } }, { state: "failing", error: { class: "retryable", code: "dns", message: "no name" } }, { state: "failing", error: { class: "retryable", code: "dns", message: "no name" }, retry_at: time(9) }];
  for (const [i, step] of steps.entries()) {
    server.last.send("change", { topic: "data/prices", meta: meta({ seq: i + 2, ...step }) });
    await soon(() => badge.meta?.seq === i + 2);
    await badge.updateComplete;
  }
  expect(told).toEqual(["fresh", "fresh,paused", "fresh,held", "failing,no way", "failing,no name", `failing,no name,${time(9)}`]);
});

test("The answer to a press that comes after what it led to changes nothing", async () => {
  let answer = (_: Response) => {};
  server.answer = (method, path) => (path === "v1/me" ? json({ rights }) : method === "POST" ? new Promise<Response>((done) => (answer = done)) : undefined);
  const task = put("freshet-task", { job: "j_1", cancelable: true });
  await soon(() => server.streams.length);
  server.last.hello();
  server.last.send("snapshot", { topic: "job/j_1", job: job("j_1") });
  await soon(() => button(task) && getComputedStyle(button(task)!).visibility !== "hidden");
  const pressed = task.cancel();
  await soon(() => button(task)!.getAttribute("aria-disabled"));
  button(task)!.click();
  server.last.send("job", { topic: "job/j_1", job: job("j_1", { state: "cancelled", seq: 6 }) });
  await soon(() => task.state === "cancelled");
  answer(json(job("j_1", { state: "cancelling", seq: 4 })));
  await pressed;
  await task.updateComplete;
  expect(task.state).toBe("cancelled");
  expect(server.asked.filter(({ method }) => method === "POST").length, "one thing at a time").toBe(1);
});

const cases = {
  "freshet-badge": { source: "prices" },
  "freshet-age": { source: "prices" },
  "freshet-refresh": { source: "prices" },
  "freshet-diff": { source: "prices" },
  "freshet-task": { job: "j_01jd8m3k5w7xa" },
  "freshet-batch": { batch: "b_01jd8m3k5w7xa" },
} as const;
for (const [name, set] of Object.entries(cases) as [keyof typeof cases, Record<string, unknown>][]) {
  test(`${name} says in words that there is no such thing, in English and, when the page turns, in Hebrew`, async () => {
    server.answer = (_, path) => (path === "v1/me" ? json({ rights }) : /v1\/(stream|poll)/.test(path) ? json({ title: "No such topic", detail: "there is no such thing", status: 404, code: "not_found" }, 404) : undefined);
    const element = put(name, { ...set, lang: "en" });
    await soon(() => /there is no such thing/.test(text(element)));
    turn(element, "he");
    await soon(() => /אין כאן דבר כזה/.test(text(element)) && !/there is no such thing/.test(text(element)));
  });

  test(`${name} says in words that the server can not be reached, and that the token is refused`, async () => {
    let refused = false;
    server.answer = (_, path) => (refused ? json({ title: "A token is needed", status: 401, code: "token_missing" }, 401) : /v1\/(stream|poll|me)/.test(path) ? Promise.reject(new TypeError("refused")) : undefined);
    const element = put(name, set);
    await soon(() => /the server can not be reached/.test(text(element)));
    refused = true;
    await soon(() => /not signed in to the server/.test(text(element)));
  });
}

test("What a refused press says is on the element for all to see, in the page's language", async () => {
  server.answer = (method, path) => (path === "v1/me" ? json({ rights }) : method === "POST" ? json({ title: "It is over already", detail: "the job has ended", status: 409, code: "already_over" }, 409) : undefined);
  const task = put("freshet-task", { job: job("j_1"), cancelable: true, lang: "en" });
  await soon(() => button(task) && getComputedStyle(button(task)!).visibility !== "hidden");
  await task.cancel();
  await soon(() => /the job has ended/.test(text(task)));
  turn(task, "he");
  await soon(() => /זה כבר הסתיים/.test(text(task)));
});

test("What a proxy says in the server's place is told as that: nobody could be reached", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    server.answer = (method, path) => (path === "v1/me" ? json({ rights }) : method === "POST" ? new Response("<h1>Bad Gateway</h1>", { status: 502 }) : undefined);
    const refresh = put("freshet-refresh", { source: "prices", lang: "en" });
    await opened();
    const told = ends(refresh);
    const end = refresh.refresh();
    await vi.advanceTimersByTimeAsync(10_000);
    await end;
    await soon(() => /failed: the server can not be reached/.test(text(refresh)));
    expect(told).toEqual(["freshet-error unreachable"]);
  } finally {
    vi.runOnlyPendingTimers(); // what is to be spoken, which would hold up what the next test says
    vi.useRealTimers();
  }
});

test.each(["online", "offline"])("A machine that goes %s is checking until the server was heard", async (turn) => {
  server.answer = (_, path) => (path === "v1/data/prices" ? json({ meta: meta(), data: [1] }) : path === "v1/me" ? json({ rights }) : undefined);
  const badge = put("freshet-badge", { source: "prices" });
  await opened();
  await soon(() => badge.state === "fresh");
  window.dispatchEvent(new Event(turn));
  await badge.updateComplete;
  expect(badge.state).toBe("checking");
  await soon(() => server.streams.length === 2);
  server.last.hello("ok");
  await soon(() => badge.state === "fresh");
});

test("Times are in UTC for machines, and in the provider's zone for people", async () => {
  const age = put("freshet-age", { source: "prices", lang: "en" });
  age.parentElement!.setAttribute("time-zone", "Asia/Jerusalem");
  const provider = age.parentElement!;
  age.remove();
  provider.append(age);
  await opened();
  await soon(() => age.shadowRoot!.querySelector("time"));
  const { dateTime, title } = age.shadowRoot!.querySelector("time")!;
  expect([dateTime, /6:00:00\sPM/.test(title)]).toEqual([time(0), true]);
});

test("A press while one runs starts nothing, and says what runs", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    server.answer = (method, path) => (path === "v1/me" ? json({ rights }) : method === "POST" ? json(job("j_1", { state: "queued" }), 202) : undefined);
    const refresh = put("freshet-refresh", { source: "prices", label: "Prices", lang: "en" });
    await opened();
    await soon(() => refresh.meta);
    void refresh.refresh();
    await vi.advanceTimersByTimeAsync(6_000);
    await soon(() => /Prices: Refresh started/.test(document.querySelector("[role=status]")?.textContent ?? ""));
    button(refresh)!.click();
    await vi.advanceTimersByTimeAsync(6_000);
    expect(document.querySelector("[role=status]")!.textContent).toMatch(/^Prices: A refresh runs already: queued, \d/);
    expect(server.asked.filter(({ method }) => method === "POST").length).toBe(1);
  } finally {
    vi.runOnlyPendingTimers(); // what is to be spoken, which would hold up what the next test says
    vi.useRealTimers();
  }
});
