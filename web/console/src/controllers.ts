// SPDX-License-Identifier: Apache-2.0
// What pages have in common: they follow topics, pass a list on, and look at the time.
import { LitElement, type PropertyDeclarations, type ReactiveController, type ReactiveControllerHost } from "lit";
import type { Entry } from "@freshet/client";
import { client, problemOf } from "./api.js";
import type { Problem } from "@freshet/client";

/** Pages live in the document itself, under its one style sheet. What the address says draws them anew. */
export class Page extends LitElement {
  static override properties: PropertyDeclarations = { what: {}, place: {} };
  declare what: string;
  declare place: string;
  protected override createRenderRoot(): HTMLElement {
    return this;
  }
}

/** Follows topics while its page is shown; draws at most 4 times a second, so that a busy list costs no long task. */
export class Follow implements ReactiveController {
  private readonly ends = new Map<string, () => void>();
  private wanted: string[] = [];
  private due: ReturnType<typeof setTimeout> | undefined;
  private drawnAt = 0;
  private readonly changed = new Map<string, Entry>();

  constructor(
    private readonly host: ReactiveControllerHost & HTMLElement,
    private readonly heard?: (entry: Entry) => void,
  ) {
    host.addController(this);
  }

  want(topics: string[]): void {
    this.wanted = topics;
    if (this.host.isConnected) this.spread();
  }
  entry(topic: string): Entry | undefined {
    return client.peek(topic);
  }
  hostConnected(): void {
    this.spread();
  }
  hostDisconnected(): void {
    clearTimeout(this.due);
    this.due = undefined;
    for (const end of this.ends.values()) end();
    this.ends.clear();
  }
  private spread(): void {
    for (const [topic, end] of this.ends) if (!this.wanted.includes(topic)) end(), this.ends.delete(topic);
    for (const topic of this.wanted) if (!this.ends.has(topic)) this.ends.set(topic, client.subscribe(topic, this.draw, topic.startsWith("data/")));
  }
  private readonly draw = (entry: Entry): void => {
    this.changed.set(entry.topic, entry);
    if (this.due) return;
    const wait = Math.max(0, this.drawnAt + 250 - performance.now());
    this.due = setTimeout(() => {
      this.due = undefined;
      this.drawnAt = performance.now();
      for (const one of this.changed.values()) this.heard?.(one);
      this.changed.clear();
      this.host.requestUpdate();
    }, wait);
  };
}

/** Reads something once, and again when asked; an older answer never replaces a newer question's. */
export class Read<T> implements ReactiveController {
  value: T | undefined;
  problem: Problem | undefined;
  busy = false;
  private number = 0;

  constructor(private readonly host: ReactiveControllerHost) {
    host.addController(this);
  }
  hostDisconnected(): void {
    this.number++;
  }
  async from(read: () => Promise<T>): Promise<void> {
    const number = ++this.number;
    this.busy = true;
    this.host.requestUpdate();
    try {
      const value = await read();
      if (number !== this.number) return;
      this.value = value;
      this.problem = undefined;
    } catch (error) {
      if (number !== this.number) return;
      this.problem = problemOf(error);
    }
    this.busy = false;
    this.host.requestUpdate();
  }
}
