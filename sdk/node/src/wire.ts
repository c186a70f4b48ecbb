// SPDX-License-Identifier: Apache-2.0
// Requests to the server over connections that stay open. A request is never repeated here: whether that is safe is
// known to whoever asks. Used by the main thread and by the beat thread, each with an instance of its own.

import * as http from "node:http";
import * as https from "node:https";
import { Refused, Unreachable } from "./errors.js";

export const version = "0.1.0";

export interface ServerAddress {
  url: string;
  token: string;
}

export function addressOf(options: { url?: string; token?: string; tokenEnv?: string }): ServerAddress {
  const url = (options.url ?? (process.env["FRESHET_URL"] || "http://127.0.0.1:7878")).replace(/\/+$/, "");
  if (!/^https?:\/\/[^/]+/.test(url)) throw new RangeError(`${JSON.stringify(url)} is no address of a server. Write "http://127.0.0.1:7878".`);
  // Without a token the server still speaks to its own machine, until the first token is made.
  return { url, token: options.token ?? process.env[options.tokenEnv ?? "FRESHET_TOKEN"] ?? "" };
}

/** As much of the text as the server takes there: a call that carries many jobs must not fail for one of them. */
export function clip(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text;
  const bytes = Buffer.from(text);
  return bytes.length <= bytesMax ? text : bytes.subarray(0, bytesMax).toString("utf8").replace(/\ufffd$/, "");
}

export interface AskOptions {
  timeoutMs: number;
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

export class Wire {
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;
  readonly #base: { protocol: string; hostname: string; port: string; prefix: string };
  readonly #headers: Record<string, string>;

  constructor(readonly address: ServerAddress, connectionsMax: number) {
    const url = new URL(address.url);
    const options = { keepAlive: true, maxSockets: connectionsMax, noDelay: true };
    this.#agent = url.protocol === "https:" ? new https.Agent(options) : new http.Agent(options);
    this.#request = url.protocol === "https:" ? https.request : http.request;
    this.#base = { protocol: url.protocol, hostname: url.hostname.replace(/^\[|\]$/g, ""), port: url.port, prefix: url.pathname.replace(/\/+$/, "") };
    this.#headers = { Accept: "application/json", "User-Agent": `freshet-node/${version}` };
    if (address.token) this.#headers["Authorization"] = `Bearer ${address.token}`;
  }

  /** The answer's JSON. Throws Unreachable (no answer) or Refused (the server said no). */
  ask(method: string, path: string, body: string | undefined, options: AskOptions): Promise<any> {
    return new Promise((resolve, reject) => {
      const { protocol, hostname, port, prefix } = this.#base;
      const headers: Record<string, string | number> = { ...this.#headers, ...options.headers };
      if (body !== undefined) {
        headers["Content-Type"] = "application/json";
        headers["Content-Length"] = Buffer.byteLength(body);
      }
      const gone = (error: Error): void => {
        clearTimeout(timer);
        reject(new Unreachable(`${this.address.url} does not answer: ${error.message || error.name}`, { cause: error }));
      };
      const request = this.#request({ protocol, hostname, port, method, path: prefix + path, headers, agent: this.#agent, ...(options.signal && { signal: options.signal }) });
      const timer = setTimeout(() => request.destroy(new Error(`no answer within ${options.timeoutMs} ms`)), options.timeoutMs);
      request.on("error", gone);
      request.on("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", gone);
        response.on("end", () => {
          clearTimeout(timer);
          const status = response.statusCode ?? 0;
          let answer: any = {};
          try {
            if (chunks.length > 0) answer = JSON.parse((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString("utf8"));
          } catch (error) {
            if (status < 400) return gone(new Error(`its answer to ${method} ${path} is no JSON`, { cause: error }));
          }
          if (status >= 400) return reject(refused(status, response.headers["retry-after"], answer));
          resolve(answer);
        });
      });
      request.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

function refused(status: number, retryAfter: string | undefined, problem: any): Refused {
  const code = String(problem?.code ?? (http.STATUS_CODES[status] ?? "refused").toLowerCase().replaceAll(" ", "_"));
  let words = String(problem?.detail ?? problem?.title ?? "the server refused");
  if (problem?.try) words += `   try: ${problem.try}`;
  return new Refused(status, code, words, retryAfter !== undefined && /^\d+$/.test(retryAfter) ? Number(retryAfter) * 1000 : undefined);
}

/** True if the same request may succeed later: no answer, a busy server, a proxy that lost it. */
export function worthRepeating(error: unknown): boolean {
  if (error instanceof Refused) return error.status === 408 || error.status === 429 || error.status >= 500;
  return error instanceof Unreachable;
}

/** How long to wait before asking again: 0.1 s, doubling to 5 s, each spread so that many workers do not come at once. */
export class Backoff {
  #nextMs = 100;

  waitMs(error?: unknown): number {
    const length = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(5_000, this.#nextMs * 2);
    return Math.max(length, error instanceof Refused ? (error.retryAfterMs ?? 0) : 0);
  }

  reset(): void {
    this.#nextMs = 100;
  }
}

/** Waits, or less when the signal comes. Never rejects. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done);
  });
}
