// SPDX-License-Identifier: Apache-2.0
// The objects of the wire, as api/openapi.yaml describes them.
import type { components, paths } from "./api.gen.js";

export type { components, paths } from "./api.gen.js";

type Schemas = components["schemas"];

export type Meta = Schemas["meta"];
export type State = Schemas["snapshotState"];
export type Outcome = Schemas["outcome"];
export type Counts = Schemas["counts"];
export type Why = Schemas["why"];
export type Diff = Schemas["diff"];
export type Batch = Schemas["batch"];
export type Item = Omit<Schemas["item"], "progress" | "error"> & { progress?: Schemas["job"]["progress"]; error?: Schemas["error"] };
export type FreshnessRow = Schemas["freshnessRow"];
export type Queue = Schemas["queue"];
export type WorkerRow = Schemas["worker"];
export type Schedule = Schemas["schedule"];
export type Attempt = Schemas["attempt"];
export type Version = Schemas["version"];
export type Token = Schemas["token"];
export type Problem = Schemas["problem"];
export type NewJob = Schemas["newJob"];
export type Me = paths["/v1/me"]["get"]["responses"][200]["content"]["application/json"];
/** A job, and of a refresh its receipt. */
export type Job = Schemas["receipt"];
export interface Page<T> {
  items: T[];
  next?: string;
  counts?: Record<string, number>;
  cursor: string;
  now: string;
}

/** What is known of the way to the server. */
export type Connection = "connecting" | "live" | "reconnecting" | "polling" | "paused" | "signed-out";
