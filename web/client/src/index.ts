// SPDX-License-Identifier: Apache-2.0
export { createClient, keyOf, toMs } from "./client.js";
export type { Client, ClientOptions, KeyOptions, RefreshResult, Snapshot, Span } from "./client.js";
export { FreshetError } from "./http.js";
export type { Ask, TokenSource } from "./http.js";
export { ageOf, isOver, isStalled, stateOf } from "./state.js";
export type { AgeOf } from "./state.js";
export type { Entry, Row } from "./store.js";
export type * from "./types.js";
