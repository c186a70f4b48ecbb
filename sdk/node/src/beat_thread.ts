// SPDX-License-Identifier: Apache-2.0
// The thread that keeps leases alive: one beat for all held jobs every third of the shortest lease or more often, spread a little, over
// a connection of its own. Progress goes along at most four times a second, checkpoints within a tenth of one.
//
// It gets what it must know by messages, which arrive while the main thread is busy, and reads counters from the shared
// cells. What the server says goes back both ways: into the cell for busy code, as a message for everything else.

import { parentPort, workerData } from "node:worker_threads";
import { Cells, Word } from "./cells.js";
import { progressOf, type Words } from "./job.js";
import { beatBody, beatWords, callsOf, paths, type BeatEntry } from "./protocol.js";
import { Wire, worthRepeating, type ServerAddress } from "./wire.js";

export interface BeatThreadData {
  address: ServerAddress;
  worker: string;
  memory: SharedArrayBuffer;
  /** The longest between two beats; 0: a third of the lease. */
  beatEveryMs: number;
}
export type ToBeatThread =
  | { hold: [id: string, fence: number, leaseMs: number, cell: number, epoch: number][] }
  | { drop: [id: string, fence: number][] }
  | { words: Words; id: string; fence: number }
  | { checkpoint: string; id: string; fence: number }
  | { finish: true };
export interface FromBeatThread {
  words?: [id: string, fence: number, word: "cancel" | "lost"][];
  drain?: boolean;
  reconnect?: boolean;
}

interface HeldJob {
  id: string;
  fence: number;
  leaseMs: number;
  cell: number;
  epoch: number;
  words: Words | undefined;
  checkpoint: string | undefined;
  checkpointTold: string | undefined;
}

const newsEveryMs = 250;
const checkpointsEveryMs = 100;
const port = parentPort!;
const { address, worker, memory, beatEveryMs } = workerData as BeatThreadData;
const cells = new Cells(memory);
const wire = new Wire(address, 1);
const held = new Map<string, HeldJob>();
let beatAt = Infinity;
let newsAt = 0;
let checkpointsAt = 0;
let timer: NodeJS.Timeout | undefined;
let timerAt = Infinity;
let sending = false;
/** Since when nothing was answered; and until when nothing is said because of that. */
let failingSince: number | undefined;
let quietUntil = 0;

const intervalMs = (leaseMs: number): number => Math.min(leaseMs / 3, beatEveryMs || Infinity) * (0.8 + Math.random() * 0.2);
const hasProgress = (job: HeldJob): boolean => job.words !== undefined && cells.changed(job.cell) !== cells.told(job.cell);
const hasCheckpoint = (job: HeldJob): boolean => job.checkpoint !== job.checkpointTold;

port.on("message", (message: ToBeatThread) => {
  if ("hold" in message) {
    const now = performance.now();
    for (const [id, fence, leaseMs, cell, epoch] of message.hold) {
      held.set(id, { id, fence, leaseMs, cell, epoch, words: undefined, checkpoint: undefined, checkpointTold: undefined });
      beatAt = Math.min(beatAt, now + intervalMs(leaseMs));
    }
  } else if ("drop" in message) {
    for (const [id, fence] of message.drop) if (held.get(id)?.fence === fence) held.delete(id);
    if (held.size === 0) beatAt = Infinity;
  } else if ("finish" in message) {
    clearTimeout(timer);
    wire.close();
    port.close();
    return;
  } else {
    const job = held.get(message.id);
    if (job === undefined || job.fence !== message.fence) return;
    if ("words" in message) job.words = message.words;
    else job.checkpoint = message.checkpoint;
  }
  wake();
});

port.postMessage({} satisfies FromBeatThread);

/** While anything is held the counters are looked at four times a second; nobody can say when they change. */
function wake(): void {
  if (sending || held.size === 0) return;
  const now = performance.now();
  const checkpoints = [...held.values()].some(hasCheckpoint);
  const at = Math.max(quietUntil, Math.min(beatAt, checkpoints ? checkpointsAt : Math.max(newsAt, now + 1)));
  if (timer !== undefined && timerAt <= at) return;
  clearTimeout(timer);
  timerAt = at;
  timer = setTimeout(() => {
    timer = undefined;
    void turn();
  }, Math.max(0, at - now));
}

async function turn(): Promise<void> {
  const startedAt = performance.now();
  const everything = startedAt >= beatAt - 5;
  // Timers may come a little early.
  const withProgress = startedAt >= newsAt - 5;
  const jobs = [...held.values()].filter((job) => everything || hasCheckpoint(job) || (withProgress && hasProgress(job)));
  sending = true;
  try {
    if (jobs.length > 0) await beat(jobs, withProgress);
    failingSince = undefined;
    if (everything) beatAt = Math.min(...[...held.values()].map((job) => startedAt + intervalMs(job.leaseMs)), Infinity);
  } catch {
    // Soon again while a lease can be saved; then ever more rarely, since the server may be gone for good.
    const leaseMs = Math.min(...jobs.map((job) => job.leaseMs));
    failingSince ??= startedAt;
    const soonMs = Math.min(1_000, leaseMs / 10);
    const laterMs = Math.min(5_000, startedAt - failingSince - leaseMs);
    beatAt = quietUntil = startedAt + Math.max(soonMs, laterMs) * (0.5 + Math.random() / 2);
  } finally {
    sending = false;
  }
  checkpointsAt = startedAt + checkpointsEveryMs;
  if (withProgress) newsAt = startedAt + newsEveryMs;
  wake();
}

async function beat(jobs: HeldJob[], withProgress: boolean): Promise<void> {
  const spoken = withProgress ? jobs.filter((job) => hasProgress(job) && cells.speak(job.cell)) : [];
  try {
    await tell(jobs, new Set(spoken));
  } finally {
    for (const job of spoken) cells.spoke(job.cell);
  }
}

async function tell(jobs: HeldJob[], spoken: Set<HeldJob>): Promise<void> {
  const changed = new Map(jobs.map((job) => [job.id, cells.changed(job.cell)]));
  const entries = jobs.map((job): BeatEntry => {
    return {
      id: job.id,
      fence: job.fence,
      progress: spoken.has(job) ? progressOf(job.words!, cells, job.cell) : undefined,
      checkpoint: hasCheckpoint(job) ? job.checkpoint : undefined,
    };
  });
  const timeoutMs = Math.max(2_000, Math.min(...jobs.map((job) => job.leaseMs)) / 3);
  for (const call of callsOf(entries)) {
    let answer: any;
    try {
      answer = await wire.ask("POST", paths.beat, beatBody(worker, call), { timeoutMs });
    } catch (error) {
      if (worthRepeating(error) || !call.some((entry) => entry.progress ?? entry.checkpoint)) throw error;
      // Refused. Leases are worth more than news.
      answer = await wire.ask("POST", paths.beat, beatBody(worker, call.map(({ id, fence }) => ({ id, fence }))), { timeoutMs });
    }
    for (const { id, fence, progress, checkpoint } of call) {
      const job = held.get(id);
      // Its cell may be another job's by now.
      if (job?.fence !== fence) continue;
      if (checkpoint !== undefined) job.checkpointTold = checkpoint;
      const toldAll = job.checkpoint === job.checkpointTold && (progress !== undefined || job.words === undefined);
      if (toldAll) cells.tell(job.cell, changed.get(id)!);
    }
    obey(answer);
  }
}

function obey(answer: any): void {
  const words: NonNullable<FromBeatThread["words"]> = [];
  for (const [id, word] of beatWords(answer)) {
    const job = held.get(id);
    if (job === undefined || (word !== "cancel" && word !== "lost")) continue;
    cells.say(job.cell, job.epoch, word === "cancel" ? Word.cancel : Word.lost);
    words.push([id, job.fence, word]);
  }
  if (words.length > 0 || answer.drain || answer.reconnect) {
    port.postMessage({ words, drain: Boolean(answer.drain), reconnect: Boolean(answer.reconnect) } satisfies FromBeatThread);
  }
}
