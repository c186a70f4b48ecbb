// SPDX-License-Identifier: Apache-2.0
// Memory that the main thread and the beat thread share: one cell for each held job.
//
// A handler that keeps the main thread busy can neither get nor send messages. So its counters are read from here by
// the beat thread, and the word `cancel` or `lost` is left here for it. The main thread writes done, total and then
// `changed`; the beat thread writes `word`, and `told` = the `changed` whose progress the server has. `speech` keeps the
// two from telling at once when the job ends: an older message of the one could arrive behind the last one of the other.
//
// A cell is used again and again. A beat that was under way when its job ended may speak of a cell that is another job's
// by now: so the word goes with the cell's epoch and is written only if that is still the same, and `changed` never goes
// back, so that an old `told` can only make the newest progress be sent once more.

export const enum Word {
  ok = 0,
  cancel = 1,
  lost = 2,
}

const enum Speech {
  beats = 1,
  ended = 2,
}

const words = 4; // int32 of a cell: epoch and word, changed, told, speech
const bytes = words * 4 + 2 * 8;

export class Cells {
  readonly #ints: Int32Array;
  readonly #doubles: Float64Array;

  constructor(readonly memory: SharedArrayBuffer) {
    this.#ints = new Int32Array(memory);
    this.#doubles = new Float64Array(memory);
  }

  static of(count: number): Cells {
    return new Cells(new SharedArrayBuffer(count * bytes));
  }

  /** Makes it a new job's; gives its epoch. */
  begin(cell: number): number {
    const epoch = ((Atomics.load(this.#ints, cell * 8) >>> 2) + 1) & 0x0fff_ffff;
    Atomics.store(this.#ints, cell * 8, epoch << 2);
    this.tell(cell, this.changed(cell));
    Atomics.store(this.#ints, cell * 8 + 3, 0);
    this.#doubles[cell * 4 + 2] = 0;
    this.#doubles[cell * 4 + 3] = -1;
    return epoch;
  }

  word(cell: number): Word {
    return Atomics.load(this.#ints, cell * 8) & 3;
  }
  /** Lost is final. */
  say(cell: number, epoch: number, word: Word): void {
    Atomics.compareExchange(this.#ints, cell * 8, epoch << 2, (epoch << 2) | word);
    if (word === Word.lost) Atomics.compareExchange(this.#ints, cell * 8, (epoch << 2) | Word.cancel, (epoch << 2) | word);
  }

  count(cell: number, done: number, total: number | undefined): void {
    this.#doubles[cell * 4 + 2] = done;
    this.#doubles[cell * 4 + 3] = total ?? -1;
    Atomics.add(this.#ints, cell * 8 + 1, 1);
  }
  done(cell: number): number {
    return this.#doubles[cell * 4 + 2]!;
  }
  total(cell: number): number | undefined {
    const total = this.#doubles[cell * 4 + 3]!;
    return total < 0 ? undefined : total;
  }

  changed(cell: number): number {
    return Atomics.load(this.#ints, cell * 8 + 1);
  }
  told(cell: number): number {
    return Atomics.load(this.#ints, cell * 8 + 2);
  }
  tell(cell: number, changed: number): void {
    Atomics.store(this.#ints, cell * 8 + 2, changed);
  }

  /** The beat thread, before it reads what it tells; false where the main thread tells what is left. Ends with spoke(). */
  speak(cell: number): boolean {
    Atomics.or(this.#ints, cell * 8 + 3, Speech.beats);
    if ((Atomics.load(this.#ints, cell * 8 + 3) & Speech.ended) === 0) return true;
    this.spoke(cell);
    return false;
  }
  spoke(cell: number): void {
    Atomics.and(this.#ints, cell * 8 + 3, ~Speech.beats);
  }
  /** The main thread: from now on it tells. It waits until the beat thread is not speaking() any more. */
  end(cell: number): void {
    Atomics.or(this.#ints, cell * 8 + 3, Speech.ended);
  }
  speaking(cell: number): boolean {
    return (Atomics.load(this.#ints, cell * 8 + 3) & Speech.beats) !== 0;
  }
}
