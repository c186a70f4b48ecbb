// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { ServerClock } from "../src/clock.js";

const noon = Date.parse("2026-11-24T12:00:00.000Z");

function clocks() {
  const at = { wall: 0, steady: 0 };
  const clock = new ServerClock(() => at.wall, () => at.steady);
  clock.hear("2026-11-24T12:00:00.000Z");
  return { at, clock };
}

test("The server's time goes on with the steady clock when the viewer's clock is set back", () => {
  const { at, clock } = clocks();
  at.steady = 5_000;
  at.wall = -3_600_000;
  expect(clock.now()).toBe(noon + 5_000);
});

test("The server's time goes on with the wall clock through a sleep, in which the steady one stands", () => {
  const { at, clock } = clocks();
  at.steady = 1_000;
  at.wall = 3_600_000;
  expect(clock.now()).toBe(noon + 3_600_000);
});

test("A viewer's clock that is wrong by a day changes no age", () => {
  const at = { wall: 86_400_000, steady: 7 };
  const clock = new ServerClock(() => at.wall, () => at.steady);
  clock.hear("2026-11-24T12:00:00.000Z");
  at.wall += 250;
  at.steady += 250;
  expect(clock.now()).toBe(noon + 250);
});

test("What is no time is not taken for one", () => {
  const { clock } = clocks();
  clock.hear("soon");
  clock.hear(undefined);
  expect(clock.now()).toBe(noon);
});
