// SPDX-License-Identifier: Apache-2.0
// Everything that /elements.js gives: the elements, defined, and the client that they use.
export * from "@freshet/client";
export { FreshetProvider } from "./provider.js";
export { FreshetAge, FreshetBadge } from "./badge.js";
export { FreshetRefresh } from "./refresh.js";
export { FreshetTask } from "./task.js";
export { FreshetBatch } from "./batch.js";
export { FreshetDiff } from "./diff.js";
export { FreshetElement } from "./base.js";
export { announce } from "./announce.js";
export type * from "./types.js";
