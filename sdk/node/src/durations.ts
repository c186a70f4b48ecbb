// SPDX-License-Identifier: Apache-2.0
// Lengths of time as people write them: "30s", "500ms", "10m", "2h", "1d", or a number of milliseconds.

export type Duration = string | number;

const unitMs: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** The length in milliseconds. The RangeError says what may be written instead. */
export function milliseconds(value: Duration): number {
  let length = NaN;
  if (typeof value === "number") {
    length = value;
  } else if (/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(value.trim())) {
    length = 0;
    for (const part of value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) length += Number(part[1]) * (unitMs[part[2]!] ?? NaN);
  }
  if (!(length >= 0 && Number.isFinite(length))) {
    throw new RangeError(`${JSON.stringify(value)} is no length of time. Write "30s", "500ms", "10m", "2h", "1d" or a number of milliseconds.`);
  }
  return length;
}
