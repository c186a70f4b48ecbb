// SPDX-License-Identifier: Apache-2.0
// A server, a lock and a channel of the tests' own, so that every cut and silence comes when a test says so.
import type { Channel, Locks, Message } from "../src/hub.js";

type Answer = Response | Promise<Response>;

export class FakeStream {
  private readonly bytes = new TextEncoder();
  private control!: ReadableStreamDefaultController<Uint8Array>;
  readonly topics: string[];
  readonly cursor: string | null;
  closed = false;
  readonly response: Response;
  constructor(readonly url: URL, signal: AbortSignal | null | undefined) {
    this.topics = url.searchParams.getAll("topic");
    this.cursor = url.searchParams.get("cursor");
    this.response = new Response(new ReadableStream<Uint8Array>({ start: (control) => void (this.control = control), cancel: () => void (this.closed = true) }), { headers: { "content-type": "text/event-stream" } });
    signal?.addEventListener("abort", () => this.cut(new DOMException("aborted", "AbortError")));
  }
  send(event: string, data: object, id?: string): void {
    this.together([event, data, id]);
  }
  /** In one piece, as a network may hand them over. */
  together(...frames: [event: string, data: object, id?: string | undefined][]): void {
    this.control.enqueue(this.bytes.encode(frames.map(([event, data, id]) => `${id ? `id: ${id}\n` : ""}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`).join("")));
  }
  hello(resume = "new", more: object = {}): void {
    this.send("hello", { stream: "s_1", resume, head: "1:10", beat_ms: 15_000, now: new Date().toISOString(), server: "freshet/0", ...more }, "1:0");
  }
  live(id = "1:10"): void {
    this.send("live", { head: id, now: new Date().toISOString() }, id);
  }
  beat(): void {
    this.send("beat", { now: new Date().toISOString() });
  }
  cut(error?: Error): void {
    if (this.closed) return;
    this.closed = true;
    if (error) this.control.error(error);
    else this.control.close();
  }
}

export class FakeServer {
  readonly streams: FakeStream[] = [];
  readonly asked: { method: string; path: string; url: URL; headers: Headers; body: unknown }[] = [];
  /** Answers that come before the usual ones. */
  answer: (method: string, path: string, url: URL) => Answer | undefined = () => undefined;
  /** Opens no streams: their requests hang. */
  buffers = false;

  readonly fetch = (async (input: URL | string, init: RequestInit = {}) => {
    const url = new URL(String(input));
    const [method, path] = [init.method ?? "GET", url.pathname.slice(1)];
    this.asked.push({ method, path, url, headers: new Headers(init.headers), body: init.body ? JSON.parse(String(init.body)) : undefined });
    const own = this.answer(method, path, url);
    if (own) return own;
    if (path === "v1/stream") {
      if (this.buffers) return new Promise((_, fail) => init.signal?.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError"))));
      const stream = new FakeStream(url, init.signal);
      this.streams.push(stream);
      return stream.response;
    }
    if (method === "PATCH") return json({ stream: "s_1", topics: [] });
    return json({});
  }) as typeof fetch;

  get last(): FakeStream {
    return this.streams.at(-1)!;
  }
  of(method: string, path: string) {
    return this.asked.filter((one) => one.method === method && one.path === path);
  }
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": status < 400 ? "application/json" : "application/problem+json", ...headers } });

/** One exclusive lock, as Web Locks give it. */
export class FakeLocks implements Locks {
  private holder: { lose: (error: Error) => void } | undefined;
  private waiting: (() => void)[] = [];
  request(_: string, options: { signal?: AbortSignal; steal?: boolean }, held: () => Promise<void>): Promise<unknown> {
    return new Promise((done, fail) => {
      const take = () => {
        if (options.signal?.aborted) return this.next();
        const holder = (this.holder = { lose: fail });
        void held().then(() => {
          done(undefined);
          if (this.holder === holder) this.next();
        });
      };
      options.signal?.addEventListener("abort", () => fail(new DOMException("aborted", "AbortError")));
      if (options.steal) this.holder?.lose(new DOMException("stolen", "AbortError")), take();
      else if (this.holder) this.waiting.push(take);
      else take();
    });
  }
  private next(): void {
    this.holder = undefined;
    this.waiting.shift()?.();
  }
}

/** A channel that can lose a tab: what is frozen neither hears nor speaks. */
export class FakeAir {
  private readonly ends = new Set<Channel & { frozen: boolean }>();
  readonly said: Message[] = [];
  channel = (): Channel & { frozen: boolean } => {
    const end: Channel & { frozen: boolean } = {
      frozen: false,
      onmessage: null,
      postMessage: (message) => {
        if (end.frozen) return;
        this.said.push(message);
        const copy = structuredClone(message);
        for (const other of this.ends) if (other !== end && !other.frozen) queueMicrotask(() => other.onmessage?.({ data: copy }));
      },
      close: () => void this.ends.delete(end),
    };
    this.ends.add(end);
    return end;
  };
}
