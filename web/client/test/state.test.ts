// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { ageOf, isOver, isStalled, stateOf, type Job, type Meta } from "../src/index.js";

interface Case {
  name: string;
  record: { checked_at?: string; attempts: number };
  stale_at?: string;
  overdue_at?: string;
  moments: { now: string; state: Meta["state"]; age_ms?: number }[];
}
const table = JSON.parse(readFileSync(new URL("../../../api/state-vectors.json", import.meta.url), "utf8")) as { cases: Case[] };

describe("F2: the word that a client derives is the one that the server would say", () => {
  test.each(table.cases.map((one) => [one.name, one] as const))("%s", (_, one) => {
    // As told at any moment of the case, it gives the state of each later one.
    one.moments.forEach((told, i) => {
      const meta = { state: told.state, attempts: one.record.attempts, stale_at: one.stale_at, overdue_at: one.overdue_at, checked_at: one.record.checked_at } as Meta;
      for (const later of one.moments.slice(i)) {
        expect(stateOf(meta, Date.parse(later.now)), `told ${told.now}, asked ${later.now}`).toBe(later.state);
        if (later.age_ms !== undefined) expect(ageOf(meta, Date.parse(later.now))).toBe(later.age_ms);
      }
    });
  });
});

test("A running job is stalled once its stall_at has passed, without any event", () => {
  const job = { state: "running", flags: { stalled: false }, stall_at: "2026-11-24T16:00:00.000Z" } as unknown as Job;
  expect(isStalled(job, Date.parse("2026-11-24T16:00:00.000Z"))).toBe(false);
  expect(isStalled(job, Date.parse("2026-11-24T16:00:00.001Z"))).toBe(true);
  expect(isStalled({ ...job, state: "succeeded" }, Date.parse("2026-11-24T16:00:01.000Z"))).toBe(false);
});

test("A job that is being cancelled is not over, a batch that ends is not either", () => {
  for (const state of ["queued", "running", "cancelling", "retrying", "ending", "sealed"]) expect(isOver({ state })).toBe(false);
  for (const state of ["succeeded", "partial", "failed", "cancelled", "aborted"]) expect(isOver({ state })).toBe(true);
});
