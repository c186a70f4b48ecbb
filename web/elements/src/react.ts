// SPDX-License-Identifier: Apache-2.0
// For TypeScript in React: import "@freshet/elements/react" once, and JSX knows the elements. Properties are set and events
// are listened to by React 19, as client={…} and onfreshet-…={…}; before it, on a ref.
import type { Batch, Job } from "@freshet/client";
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { FreshetAge, FreshetBadge, FreshetBatch, FreshetDiff, FreshetProvider, FreshetRefresh, FreshetTask } from "./index.js";
import type { FreshetEvents } from "./types.js";

type Listeners = { [Name in keyof FreshetEvents as `on${Name}`]?: (event: FreshetEvents[Name]) => void };
/** What the page may set beside the attributes. "job" and "batch" are attributes that also take the object. */
type Set<E, Names extends keyof E> = { [Name in Names]?: E[Name] | undefined };
type Element<E, Attributes> = DetailedHTMLProps<HTMLAttributes<E>, E> & { label?: string; class?: string } & Attributes & Listeners;
type Clock = "as_of" | "checked_at" | "changed_at";

interface Elements {
  "freshet-provider": Element<FreshetProvider, { server?: string; "token-src"?: string; tenant?: string; "time-zone"?: string } & Set<FreshetProvider, "client" | "token">>;
  "freshet-badge": Element<FreshetBadge, { source: string; clock?: Clock } & Set<FreshetBadge, "meta" | "data">>;
  "freshet-age": Element<FreshetAge, { source?: string; clock?: Clock } & Set<FreshetAge, "meta">>;
  "freshet-refresh": Element<FreshetRefresh, { source: string } & Set<FreshetRefresh, "meta" | "receipt">>;
  "freshet-task": Element<FreshetTask, { job: string | Job; cancelable?: boolean; retryable?: boolean }>;
  "freshet-batch": Element<FreshetBatch, { batch: string | Batch; cancelable?: boolean; "retry-failed"?: boolean }>;
  "freshet-diff": Element<FreshetDiff, { source: string; from?: number; to?: number; by?: string } & Set<FreshetDiff, "diff">>;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements extends Elements {}
  }
}
