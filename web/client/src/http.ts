// SPDX-License-Identifier: Apache-2.0
// One way to ask the server. A refusal in words becomes a FreshetError. What a proxy says in the server's place is
// nobody's answer: the request goes out again, a POST with the same Idempotency-Key, so that it takes effect once.
import type { Problem } from "./types.js";

export type TokenSource = string | (() => string | undefined | Promise<string | undefined>);

export interface Ask {
  query?: Record<string, string | number | boolean | readonly string[] | undefined> | undefined;
  body?: unknown;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** For a request that is to take effect once however often it is sent. POSTs get one by themselves. */
  idempotencyKey?: string;
}

export class FreshetError extends Error {
  override readonly name = "FreshetError";
  constructor(
    readonly problem: Problem,
    readonly headers: Headers,
  ) {
    super(problem.detail ?? problem.title);
  }
  get code(): string {
    return this.problem.code;
  }
  get status(): number {
    return this.problem.status;
  }
  get retryAfterMs(): number | undefined {
    const seconds = Number(this.headers.get("retry-after") ?? NaN);
    return Number.isNaN(seconds) ? undefined : seconds * 1000;
  }
}

export const wait = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), done()), { once: true });
  });

export const randomId = (): string => Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

const problemIn = (response: Response) => response.headers.get("content-type")?.includes("problem+json");

/** A proxy's answer where the server's was wanted. */
const fromProxy = (response: Response) => response.status >= 500 && !response.headers.has("freshet") && !problemIn(response);

export class Http {
  readonly base: string;
  constructor(
    url: string | URL,
    private readonly token: TokenSource | undefined,
    private readonly tenant: string | undefined,
    private readonly send: typeof fetch,
  ) {
    this.base = String(url).replace(/\/?$/, "/");
  }

  url(path: string, query: Ask["query"] = {}): URL {
    const url = new URL(path.replace(/^\//, ""), this.base);
    for (const [name, value] of Object.entries({ tenant: this.tenant, ...query }))
      if (value !== undefined) for (const one of Array.isArray(value) ? value : [value]) url.searchParams.append(name, String(one));
    return url;
  }

  /** One try; whatever comes back. */
  async raw(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const headers = new Headers(ask.headers);
    const token = typeof this.token === "function" ? await this.token() : this.token;
    if (token) headers.set("authorization", `Bearer ${token}`);
    if (ask.body !== undefined) headers.set("content-type", "application/json");
    const init: RequestInit = { method, headers, credentials: "same-origin", signal: ask.signal ?? null };
    if (ask.body !== undefined) init.body = JSON.stringify(ask.body);
    return this.send(this.url(path, ask.query), init);
  }

  /** The answer, tried again where nobody answered; throws the problem that the server told. */
  async ask(method: string, path: string, ask: Ask = {}): Promise<Response> {
    const headers = { ...ask.headers };
    if (method === "POST") headers["idempotency-key"] ??= ask.idempotencyKey ?? randomId();
    for (let tries = 1; ; ++tries) {
      let response: Response | undefined;
      try {
        response = await this.raw(method, path, { ...ask, headers });
      } catch (error) {
        // What the token's own source said is no cut on the way.
        if (ask.signal?.aborted || tries > 3 || error instanceof FreshetError) throw error;
      }
      if (response && !(fromProxy(response) && tries <= 3)) {
        if (response.ok) return response;
        throw await refusal(response);
      }
      await wait(250 * 2 ** tries * (0.5 + Math.random()), ask.signal);
    }
  }

  async json<T>(method: string, path: string, ask?: Ask): Promise<T> {
    const response = await this.ask(method, path, ask);
    return (response.status === 204 ? undefined : await response.json()) as T;
  }
}

export async function refusal(response: Response): Promise<FreshetError> {
  const status = response.status;
  const said: Problem = problemIn(response)
    ? await response.json().catch(() => undefined)
    : undefined;
  return new FreshetError(said ?? { type: "about:blank", title: `HTTP ${status}`, status, code: "http" }, response.headers);
}
