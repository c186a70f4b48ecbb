// SPDX-License-Identifier: Apache-2.0
// Every word that the elements say, in English. Another language is a file like he.ts.
import type { Job, Why } from "@freshet/client";
import type { Translation } from "@shoelace-style/localize";
import type { Trouble } from "./base.js";
import type { Say } from "./why-he.js";

const plural = new Intl.PluralRules("en");
export const en = {
  $code: "en",
  $name: "English",
  $dir: "ltr" as "ltr" | "rtl",

  fresh: "fresh",
  stale: "stale",
  overdue: "overdue",
  failing: "failing",
  empty: "empty",
  checking: "checking",
  refreshing: "refreshing",
  paused: "paused",
  held: "held",

  queued: "queued",
  scheduled: "scheduled",
  running: "running",
  retrying: "retrying",
  cancelling: "cancelling",
  succeeded: "succeeded",
  failed: "failed",
  cancelled: "cancelled",
  open: "open",
  sealed: "running",
  ending: "ending",
  partial: "partly failed",
  aborted: "aborted",

  connect: "connecting",
  resolve: "connecting",
  wait: "waiting for the source",
  read: "reading",
  shape: "shaping",
  finalizing: "finishing",

  refresh: "Refresh",
  runs: (what: string, elapsed: string) => `A refresh runs already: ${what}, ${elapsed}`,
  started: "Refresh started",
  updated: "updated",
  unchanged: "checked, nothing new",
  limited: (when: string) => `not again before ${when}`,
  pending: "still running",
  failedWhy: (why: string) => `failed: ${why}`,
  heldWhy: (why: string) => `held back: ${why}`,
  showing: (when: string) => `showing the data of ${when}`,
  net: "net",
  unreachable: "the server can not be reached",
  signedOut: "not signed in to the server",
  shrunk: "far fewer rows than before",
  wrong_shape: "not in the expected shape",
  as_of_back: "older than what is there",
  as_of_future: "from the future",

  /** The server's own words are English; other languages are told from the code and the values beside them. */
  whyOf: (why: Why, _say: Say) => why.text,
  errorOf: (error: NonNullable<Job["error"]>) => error.message,
  problemOf: (problem: Trouble) => problem.detail ?? problem.title ?? "the server can not be reached",
  neverRead: "not read yet",
  eta: (span: string) => `${span} left`,
  beat: (age: string) => `last sign of life ${age}`,
  stalled: (span: string) => `no progress for ${span}`,
  lost: (span: string) => `the worker was lost; next try in ${span}`,
  lostWaits: "the worker was lost; waiting for another",
  attempt: (n: string, of: string) => (of ? `attempt ${n} of ${of}` : `attempt ${n}`),
  cancel: "Cancel",
  retry: "Run again",
  retryFailed: (n: number) => (plural.select(n) === "one" ? "Retry the failed one" : `Retry ${n} failed`),
  nFailed: (n: number) => `${n} failed`,
  nMore: (n: number) => `and ${n} more`,
  noItems: "no items yet",
  noDiff: "no difference",
  percent: (what: string, n: number) => `${what}: ${n} %`,
  addedRow: "added",
  removedRow: "removed",
  changedRow: "changed",
  added: (n: number) => `${n} added`,
  removed: (n: number) => `${n} removed`,
  changed: (n: number) => `${n} changed`,
};

export type Words = typeof en & Translation;
