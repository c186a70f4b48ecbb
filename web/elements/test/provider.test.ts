// SPDX-License-Identifier: Apache-2.0
// @vitest-environment happy-dom
import { createClient, type Client } from "@freshet/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "../src/index.js";
import { FakeServer, json } from "../../client/test/fake.js";

let server: FakeServer;
let client: Client;
beforeEach(() => {
  server = new FakeServer();
  client = createClient({ url: "http://server.test/", fetch: server.fetch, share: false });
});
afterEach(() => (document.body.replaceChildren(), client.close()));

test("A provider tells how the way to the server stands, and once that the server is another version now", async () => {
  const provider = Object.assign(document.createElement("freshet-provider"), { client });
  const told: string[] = [];
  provider.addEventListener("freshet-connection", ({ detail }) => told.push(detail.state));
  provider.addEventListener("freshet-update", ({ detail }) => told.push(`${detail.before} -> ${detail.server}`));
  const badge = Object.assign(document.createElement("freshet-badge"), { source: "prices" });
  provider.append(badge);
  document.body.append(provider);
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  expect(server.last.topics, "the badge found its provider").toEqual(["data/prices"]);
  server.last.hello("new", { server: "freshet/1" });
  await vi.waitFor(() => expect(told).toEqual(["live"]), 5_000);
  server.last.cut();
  await vi.waitFor(() => expect(server.streams.length).toBe(2), 5_000);
  server.last.hello("new", { server: "freshet/2" });
  await vi.waitFor(() => expect([...told].sort()).toEqual(["freshet/1 -> freshet/2", "live", "live", "reconnecting"]), 5_000);
});

test("An element follows what is named right after it was put into the page, before it was drawn", async () => {
  const provider = Object.assign(document.createElement("freshet-provider"), { client });
  document.body.append(provider);
  const task = document.createElement("freshet-task");
  provider.append(task);
  task.setAttribute("job", "j_1");
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  expect(server.last.topics).toEqual(["job/j_1"]);
});

test("A provider names its tenant in every request of its elements, for a token of all tenants", async () => {
  const asked: URL[] = [];
  vi.stubGlobal("fetch", (input: RequestInfo | URL) => (asked.push(new URL(String(input))), new Promise<Response>(() => {})));
  document.body.innerHTML = `<freshet-provider server="http://server.test/" tenant="acme"></freshet-provider>`;
  const provider = document.querySelector("freshet-provider")!;
  void provider.client.get("prices").catch(() => undefined);
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(0), 5_000);
  expect(asked[0]!.searchParams.get("tenant")).toBe("acme");
  provider.client.close();
  vi.unstubAllGlobals();
});

test("Where the page's own server gives no token the elements say so, and live when it gives one", async () => {
  let signedIn = false;
  const asked: string[] = [];
  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    if (String(input) === "http://app.test/token") return signedIn ? json({ token: "fss_1", expires_at: "2026-11-24T16:10:00.000Z", now: "2026-11-24T16:00:00.000Z" }) : new Response("Who are you?", { status: 403 });
    asked.push(`${new URL(String(input)).pathname} ${new Headers(init?.headers).get("authorization")}`);
    return json({ rights: ["read"] });
  });
  document.body.innerHTML = `<freshet-provider server="http://server.test/" token-src="http://app.test/token" lang="en"><freshet-badge source="prices"></freshet-badge></freshet-provider>`;
  const provider = document.querySelector("freshet-provider")!;
  const text = () => document.querySelector("freshet-badge")!.shadowRoot!.textContent;
  try {
    await vi.waitFor(() => expect(text()).toMatch(/not signed in to the server/), 5_000);
    expect(provider.getAttribute("state")).toBe("signed-out");
    signedIn = true;
    expect(asked, "nothing is asked without one").toEqual([]);
    await vi.waitFor(() => expect(asked).toContain("/v1/me Bearer fss_1"), 10_000);
    await vi.waitFor(() => expect(provider.getAttribute("state")).not.toBe("signed-out"), 5_000);
  } finally {
    provider.client.close();
    vi.unstubAllGlobals();
  }
}, 20_000);
