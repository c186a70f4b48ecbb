// SPDX-License-Identifier: Apache-2.0
import { createClient, type Client, type Meta, type Snapshot } from "@freshet/client";
import { QueryClient, QueryObserver } from "@tanstack/query-core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FakeServer, json } from "../../client/test/fake.js";
import { followQuery, snapshotKey, snapshotQuery } from "../src/query.js";

let server: FakeServer;
let client: Client;
const cache = new QueryClient();
const meta = (seq: number) => ({ key: "prices", source: "prices", gen: seq, ver: seq, seq, state: "fresh", attempts: 0, refreshing: false }) as Meta;

beforeEach(() => {
  server = new FakeServer();
  client = createClient({ url: "http://server.test/", fetch: server.fetch, share: false });
  server.answer = (_, path) => (path === "v1/data/prices" ? json({ meta: meta(5), data: "five" }) : undefined);
});
afterEach(() => (client.close(), cache.clear()));

test("A query of TanStack reads a snapshot, and the stream keeps it up to date without a request", async () => {
  const observer = new QueryObserver(cache, snapshotQuery<string>(client, "prices"));
  const seen: (string | undefined)[] = [];
  const off = observer.subscribe(({ data }) => seen.push((data as Snapshot<string> | undefined)?.data));
  await vi.waitFor(() => expect(seen.at(-1)).toBe("five"), 5_000);
  const end = followQuery(client, cache, "prices");
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/prices", meta: meta(6), data: "six" }, "1:0");
  server.last.live();
  await vi.waitFor(() => expect(seen.at(-1)).toBe("six"), 5_000);
  expect(server.of("GET", "v1/data/prices").length).toBe(1);
  end();
  off();
});

test("F4: an older snapshot of the stream is not put over a newer one in the cache", async () => {
  cache.setQueryData(snapshotKey("prices"), await client.get("prices"));
  const end = followQuery(client, cache, "prices");
  await vi.waitFor(() => expect(server.streams.length).toBe(1), 5_000);
  server.last.hello();
  server.last.send("snapshot", { topic: "data/prices", meta: meta(4), data: "four" }, "1:0");
  server.last.live();
  await vi.waitFor(() => expect(client.peek("data/prices")?.data).toBe("four"), 5_000);
  expect((cache.getQueryData(snapshotKey("prices")) as Snapshot).data).toBe("five");
  end();
});
