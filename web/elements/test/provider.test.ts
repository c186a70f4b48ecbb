// SPDX-License-Identifier: Apache-2.0
// @vitest-environment happy-dom
import { createClient, type Client } from "@freshet/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import "../src/index.js";
import { FakeServer } from "../../client/test/fake.js";

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
