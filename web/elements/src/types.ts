// SPDX-License-Identifier: Apache-2.0
// The names of the elements and of their events, for the DOM.
import type { Batch, Connection, Diff, Item, Job, Meta, Problem } from "@freshet/client";
import type { FreshetAge, FreshetBadge } from "./badge.js";
import type { FreshetBatch } from "./batch.js";
import type { FreshetDiff } from "./diff.js";
import type { FreshetProvider } from "./provider.js";
import type { FreshetRefresh } from "./refresh.js";
import type { FreshetTask } from "./task.js";

export interface FreshetEvents {
  "freshet-connection": CustomEvent<{ state: Connection }>;
  /** The server is another version than the one this page began with. */
  "freshet-update": CustomEvent<{ server: string; before: string }>;
  "freshet-state": CustomEvent<Meta>;
  "freshet-snapshot": CustomEvent<{ meta: Meta; data: unknown }>;
  "freshet-request": CustomEvent<{ key: string }>;
  "freshet-progress": CustomEvent<Job | (Batch & { items: Item[] })>;
  "freshet-refreshed": CustomEvent<Job>;
  "freshet-finished": CustomEvent<(Job | Batch) & { late: boolean }>;
  "freshet-then": CustomEvent<Batch>;
  "freshet-diff": CustomEvent<Diff>;
  "freshet-error": CustomEvent<Problem | Job | { code: string }>;
}

declare global {
  interface HTMLElementTagNameMap {
    "freshet-provider": FreshetProvider;
    "freshet-badge": FreshetBadge;
    "freshet-age": FreshetAge;
    "freshet-refresh": FreshetRefresh;
    "freshet-task": FreshetTask;
    "freshet-batch": FreshetBatch;
    "freshet-diff": FreshetDiff;
  }
  interface HTMLElementEventMap extends FreshetEvents {}
}
