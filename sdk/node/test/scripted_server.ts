// SPDX-License-Identifier: Apache-2.0
// A server that answers as a test tells it to and remembers what it was asked. It speaks the worker's part of the wire.

import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";

export interface Call {
  at: number;
  path: string;
  body: any;
  headers: http.IncomingHttpHeaders;
}
/** Undefined: the connection is cut instead. */
export type Answer = [status: number, body: unknown] | undefined;

/** With no script for a path: claims get the jobs given to `offer`, everything else is taken. */
export class ScriptedServer {
  readonly calls: Call[] = [];
  readonly scripts = new Map<string, (call: Call) => Answer | Promise<Answer>>();
  readonly words = new Map<string, string>();
  #jobs: any[] = [];
  #open = true;
  readonly #changed = new Set<() => void>();
  readonly #http = http.createServer((request, response) => void this.#serve(request, response));

  async listen(): Promise<this> {
    this.#http.listen(0, "127.0.0.1");
    await once(this.#http, "listening");
    return this;
  }
  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }
  close(): void {
    this.#open = false;
    this.#notify();
    this.#http.close();
    this.#http.closeAllConnections();
  }

  offer(...jobs: any[]): void {
    this.#jobs.push(...jobs);
    this.#notify();
  }
  of(path: string): Call[] {
    return this.calls.filter((call) => call.path === path);
  }
  ended(verb = "complete"): any[] {
    return this.of(`/v1/work/${verb}`).flatMap((call) => call.body.jobs);
  }
  async until(holds: () => unknown, withinMs = 10_000): Promise<void> {
    const end = performance.now() + withinMs;
    while (!holds()) {
      if (performance.now() > end) throw new Error(`it did not come to that; calls: ${this.calls.map((call) => call.path).join(" ")}`);
      await this.#change(50);
    }
  }

  async #serve(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const call: Call = { at: performance.now(), path: request.url ?? "", body: text ? JSON.parse(text) : undefined, headers: request.headers };
    this.calls.push(call);
    this.#notify();
    const answer = await (this.scripts.get(call.path) ?? ((one) => this.#usual(one)))(call);
    if (answer === undefined) return void request.socket.destroy();
    response.writeHead(answer[0], { "Content-Type": answer[0] < 400 ? "application/json" : "application/problem+json" });
    response.end(JSON.stringify(answer[1]));
  }

  async #usual(call: Call): Promise<Answer> {
    if (call.path === "/v1/work/claim") {
      const end = performance.now() + call.body.wait * 1000;
      while (this.#open && this.#jobs.length === 0 && performance.now() < end) await this.#change(end - performance.now());
      return [200, { jobs: this.#jobs.splice(0, call.body.slots) }];
    }
    if (call.path === "/v1/work/beat") return [200, { jobs: call.body.jobs.map(({ id }: any) => ({ id, answer: this.words.get(id) ?? "ok" })) }];
    return [200, {}];
  }

  #notify(): void {
    for (const waiter of [...this.#changed]) waiter();
  }
  #change(withinMs: number): Promise<void> {
    return new Promise((resolve) => {
      const over = (): void => {
        clearTimeout(timer);
        this.#changed.delete(over);
        resolve();
      };
      const timer = setTimeout(over, withinMs);
      this.#changed.add(over);
    });
  }
}

export function aJob(number: number, more: object = {}): any {
  return { id: `j_${number}`, fence: 100 + number, attempt: 1, generation: 1, lease_ms: 30_000, queue: "work", tenant: "default", input: null, ...more };
}
