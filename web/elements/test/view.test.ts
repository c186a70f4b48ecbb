// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { relative, span, took } from "../src/view.js";

test("An age is said as people say it, in Hebrew without a number behind a word that holds it", () => {
  expect([0, 12_000, 95_000, 2 * 3_600_000, 47 * 3_600_000].map((ms) => relative("en", ms))).toEqual(["now", "12 sec. ago", "1 min. ago", "2 hr. ago", "47 hr. ago"]);
  expect([0, 12_000, 95_000, 125_000, 2 * 3_600_000, -1_000].map((ms) => relative("he", ms))).toEqual(["עכשיו", "לפני 12 שניות", "לפני דקה", "לפני 2 דקות", "לפני שעתיים", "בעוד שנייה"]);
  expect(relative("iw", 12_000)).toBe("לפני 12 שניות");
});

test("Milliseconds keep their own direction", () => {
  expect([took("he", 42), took("en", 3_400), span("en", 12_000)]).toEqual(["\u206642 ms\u2069", "3.4 sec", "12 sec"]);
});
