// SPDX-License-Identifier: Apache-2.0
// The shapes of `/v1/work/*`, in one place. Pure.

import { clip } from "./wire.js";

export const paths = {
  claim: "/v1/work/claim",
  beat: "/v1/work/beat",
  end: (verb: string): string => `/v1/work/${verb}`,
  log: (id: string): string => `/v1/work/${id}/log`,
  result: (id: string, fence: number): string => `/v1/work/${id}/result?fence=${fence}`,
};

export const jobsPerCallMax = 1000;
/** The server takes bodies of up to 1 MiB; what is larger goes by PUT, job by job. */
export const callBytesMax = 700_000;
export const inlineResultBytesMax = 256_000;
export const resultBytesMax = 64 * 1024 * 1024;

export interface ClaimedJob {
  id: string;
  fence: number;
  queue: string;
  attempt?: number;
  generation?: number;
  lease_ms?: number;
  tenant?: string;
  input?: unknown;
  checkpoint?: unknown;
  deadline_at?: string;
}

export interface Held {
  id: string;
  fence: number;
}

export interface ProgressJson {
  phase: string;
  phase_index: number;
  done: number;
  phases?: number;
  total?: number;
  unit?: string;
  message?: string;
}

/** What a beat says of one job; `checkpoint` is JSON. */
export interface BeatEntry extends Held {
  progress?: ProgressJson | undefined;
  checkpoint?: string | undefined;
}

export function claimBody(claim: { worker: string; host: string; sdk: string; queues: string[]; slots: number; waitMs: number; holds: Held[] | undefined }): string {
  const { worker, host, sdk, queues, slots, waitMs, holds } = claim;
  return JSON.stringify({ worker, host, sdk, queues, slots, wait: waitMs / 1000, holds });
}

/** Jobs of one beat in as many calls as it takes: a checkpoint may have 64 KiB. */
export function callsOf(entries: BeatEntry[]): BeatEntry[][] {
  const calls: BeatEntry[][] = [];
  let weight = jobsPerCallMax;
  for (const entry of entries) {
    const own = entry.checkpoint === undefined ? 1 : jobsPerCallMax / 10;
    if (weight + own > jobsPerCallMax) {
      calls.push([]);
      weight = 0;
    }
    calls.at(-1)!.push(entry);
    weight += own;
  }
  return calls;
}

export function beatBody(worker: string, entries: BeatEntry[]): string {
  const jobs = entries.map(({ id, fence, progress, checkpoint }) => ({ id, fence, progress, checkpoint: checkpoint === undefined ? undefined : JSON.parse(checkpoint) }));
  return JSON.stringify({ worker, jobs });
}

/** Of a beat: the word for each job, `ok`, `cancel` or `lost`. */
export function beatWords(answer: any): [string, string][] {
  return (answer?.jobs ?? []).map((entry: any) => [entry.id, entry.answer ?? "ok"]);
}

/** `resultJson` is a whole JSON value. */
export function completeEntry(job: Held, resultJson: string): string {
  return `{"id":${JSON.stringify(job.id)},"fence":${job.fence},"result":${resultJson}}`;
}

/** Completes with what PUT brought; the server's answer to it names the payload. */
export function completePutEntry(job: Held, put: any): string {
  return JSON.stringify({ id: job.id, fence: job.fence, payload: put.payload });
}

export function failEntry(job: Held, errorClass: string, code: string, message: string, retryAfterMs?: number): string {
  const retry_after = retryAfterMs === undefined ? undefined : retryAfterMs / 1000;
  return JSON.stringify({ id: job.id, fence: job.fence, error: { class: errorClass, code: clip(code, 128), message: clip(message, 8000) }, retry_after });
}

export function releaseEntry(job: Held, back: { waitMs?: number; reason?: string | undefined; checkpoint?: string | undefined }): string {
  const checkpoint = back.checkpoint === undefined ? undefined : JSON.parse(back.checkpoint);
  return JSON.stringify({ id: job.id, fence: job.fence, wait_ms: back.waitMs ? Math.round(back.waitMs) : undefined, reason: back.reason && clip(back.reason, 512), checkpoint });
}

export function logBody(job: Held, lines: [level: string, text: string][]): string {
  return JSON.stringify({ fence: job.fence, lines: lines.map(([level, text]) => ({ level: level === "warning" ? "warn" : level, text })) });
}

/** The entries are whole JSON values. */
export function endsBody(worker: string, entries: string[]): string {
  return `{"worker":${JSON.stringify(worker)},"jobs":[${entries.join(",")}]}`;
}

/** Of complete, fail and release: code and words for each job that was refused. */
export function refusals(answer: any): Map<string, [code: string, words: string]> {
  const refused = new Map<string, [string, string]>();
  for (const entry of answer?.jobs ?? []) {
    if (entry.problem) refused.set(entry.id, [String(entry.problem.code ?? "refused"), String(entry.problem.detail ?? "the server refused")]);
  }
  return refused;
}
