// SPDX-License-Identifier: Apache-2.0
// How a handler says that its attempt failed, and how it is told to stop. Any other error is tried again as the queue's
// retry policy says; its name is the code that the console groups by.

import { milliseconds, type Duration } from "./durations.js";

/** The job fails for good: trying again would not help. `code` is what the console groups errors by. */
export class Fatal extends Error {
  override readonly name = "Fatal";
  readonly code: string;
  constructor(message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = options.code ?? "fatal";
  }
}

/** A plain error with a code of one's own: it is tried again. */
export class Retryable extends Error {
  override readonly name = "Retryable";
  readonly code: string;
  constructor(message: string, options: { code?: string; cause?: unknown } = {}) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = options.code ?? "error";
  }
}

/** The source wants to be left alone for a while; the next attempt waits at least `retryAfter`. */
export class RateLimited extends Error {
  override readonly name = "RateLimited";
  readonly code: string;
  readonly retryAfterMs: number | undefined;
  constructor(message: string, options: { retryAfter?: Duration; code?: string } = {}) {
    super(message);
    this.code = options.code ?? "rate_limited";
    this.retryAfterMs = options.retryAfter === undefined ? undefined : milliseconds(options.retryAfter);
  }
}

export type StopReason = "cancelled" | "lost" | "shutdown";

/** The handler is to end. The reason of `job.signal`, and what the job's own calls throw. */
export abstract class Stopped extends Error {
  abstract readonly reason: StopReason;
}

/** Somebody cancelled the job. Throwing it, or anything else from now on, confirms the cancel. */
export class Cancelled extends Stopped {
  override readonly name = "Cancelled";
  readonly reason = "cancelled";
}

/** The job was given to another worker, or ended. Whatever this handler still does is not accepted. */
export class LeaseLost extends Stopped {
  override readonly name = "LeaseLost";
  readonly reason = "lost";
}

/** The worker ends and the time to finish is used up. Throwing it hands the job back with its last checkpoint. */
export class Shutdown extends Stopped {
  override readonly name = "Shutdown";
  readonly reason = "shutdown";
}

/** Thrown by Job.release(): the job goes back to its queue. */
export class Released extends Error {
  override readonly name = "Released";
  constructor(readonly waitMs: number, readonly reason: string | undefined) {
    super(reason ?? "released");
  }
}

/** The server did not answer. Workers go on asking by themselves; a client's caller may try again. */
export class Unreachable extends Error {
  override readonly name = "Unreachable";
}

/** The server answered, and said no. */
export class Refused extends Error {
  override readonly name = "Refused";
  constructor(readonly status: number, readonly code: string, readonly words: string, readonly retryAfterMs?: number) {
    super(`${words} (${status} ${code})`);
  }
}
