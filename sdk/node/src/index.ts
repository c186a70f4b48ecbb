// SPDX-License-Identifier: Apache-2.0
// Workers for freshet. See README.md for the five-minute start.

export { Client, type AddedJob, type ClientOptions, type EnqueueOptions, type JobView } from "./client.js";
export type { Duration } from "./durations.js";
export { Cancelled, Fatal, LeaseLost, RateLimited, Refused, Released, Retryable, Shutdown, Stopped, Unreachable, type StopReason } from "./errors.js";
export type { Job, Level, ProgressOptions, TrackOptions } from "./job.js";
export * as testing from "./testing.js";
export { Worker, type Handler, type TaskOptions, type WorkerOptions } from "./worker.js";
export { version } from "./wire.js";
