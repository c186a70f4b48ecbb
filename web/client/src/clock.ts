// SPDX-License-Identifier: Apache-2.0
// The server's time: what it said last, and how long ago that was by the larger of two clocks. performance.now() stops
// while a machine sleeps, Date.now() jumps when somebody sets it back; neither alone may make old data look young.

export class ServerClock {
  #said = NaN;
  #wallThen = 0;
  #steadyThen = 0;

  constructor(
    private readonly wall: () => number = () => Date.now(),
    private readonly steady: () => number = () => performance.now(),
  ) {}

  hear(time: string | undefined): void {
    const said = Date.parse(time ?? "");
    if (Number.isNaN(said)) return;
    this.#said = said;
    this.#wallThen = this.wall();
    this.#steadyThen = this.steady();
  }

  /** Milliseconds since the server was heard; infinite before that. */
  since(): number {
    return Number.isNaN(this.#said) ? Infinity : Math.max(this.wall() - this.#wallThen, this.steady() - this.#steadyThen, 0);
  }

  now(): number {
    return Number.isNaN(this.#said) ? this.wall() : this.#said + this.since();
  }
}
