// SPDX-License-Identifier: Apache-2.0
// For TypeScript in React: import "@freshet/elements/react" once, and JSX knows the elements. Events are listened to on a
// ref, or as onfreshet-… by React 19.
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { FreshetAge, FreshetBadge, FreshetBatch, FreshetDiff, FreshetProvider, FreshetRefresh, FreshetTask } from "./index.js";
import type { FreshetEvents } from "./types.js";

type Listeners = { [Name in keyof FreshetEvents as `on${Name}`]?: (event: FreshetEvents[Name]) => void };
type Element<E, Attributes> = DetailedHTMLProps<HTMLAttributes<E>, E> & { label?: string; class?: string } & Attributes & Listeners;
type Clock = "as_of" | "checked_at" | "changed_at";

interface Elements {
  "freshet-provider": Element<FreshetProvider, { server?: string; "token-src"?: string; "time-zone"?: string }>;
  "freshet-badge": Element<FreshetBadge, { source: string; clock?: Clock }>;
  "freshet-age": Element<FreshetAge, { source?: string; clock?: Clock }>;
  "freshet-refresh": Element<FreshetRefresh, { source: string }>;
  "freshet-task": Element<FreshetTask, { job: string; cancelable?: boolean; retryable?: boolean }>;
  "freshet-batch": Element<FreshetBatch, { batch: string; cancelable?: boolean; "retry-failed"?: boolean }>;
  "freshet-diff": Element<FreshetDiff, { source: string; from?: number; to?: number; by?: string }>;
}

declare module "react" {
  namespace JSX {
    interface IntrinsicElements extends Elements {}
  }
}
