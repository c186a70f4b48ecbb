// SPDX-License-Identifier: Apache-2.0
// The words that follow from what the server told and from the time. Time alone sends no event: an object carries the
// instants at which its word changes. The rule is the server's own; both are held to api/state-vectors.json.
import type { Job, Meta, State } from "./types.js";

const past = (at: string | undefined, now: number) => at !== undefined && now > Date.parse(at);

export function stateOf(meta: Meta, now: number): State {
  const late = past(meta.overdue_at, now);
  if (meta.state === "fresh" && past(meta.stale_at, now)) return meta.attempts > 0 ? "failing" : late ? "overdue" : "stale";
  return meta.state === "stale" && late ? "overdue" : meta.state;
}

/** Which instant an age counts from. */
export type AgeOf = "as_of" | "checked_at" | "changed_at";

/** Undefined where there is no good version, or the source told no such time. */
export function ageOf(meta: Meta, now: number, of: AgeOf = "checked_at"): number | undefined {
  const at = meta[of];
  return at === undefined ? undefined : Math.max(0, now - Date.parse(at));
}

export function isStalled(job: Job, now: number): boolean {
  return job.flags.stalled || (job.state === "running" && past(job.stall_at, now));
}

/** Whether a job or a batch is over. */
export function isOver(thing: { state: string } | undefined): boolean {
  return thing !== undefined && /^(succeeded|partial|failed|cancelled|aborted)$/.test(thing.state);
}
