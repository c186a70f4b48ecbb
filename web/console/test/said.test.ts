// SPDX-License-Identifier: Apache-2.0
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { en } from "../src/words/en.js";
import { he } from "../src/words/he.js";
import { actDetailHe, adviceHe, fireHe, titleHe } from "../src/words/said-he.js";

const source = (path: string) => readFileSync(new URL(`../../../src/${path}`, import.meta.url), "utf8");
const problem = (code: string) => ({ type: "about:blank", title: "in English", status: 400, code });

test("Every problem that the server knows has a title in Hebrew", () => {
  const codes = [...source("http/problem_help.cpp").matchAll(/ProblemHelp\{\s*"([a-z_]+)"/g)].map(([, code]) => code!);
  expect(codes.length).toBeGreaterThan(70);
  expect(codes.filter((code) => titleHe(problem(code)) === "in English")).toEqual([]);
});

test("What was done by hand is told in words of both languages, what people named stays as it is", () => {
  const engine = ["access", "keep", "operate", "reset", "schedule"].map((name) => source(`engine/group_${name}.cpp`)).join("");
  const acts = [...engine.matchAll(/\baudit\([^;]*?"([a-z_.]+)"/g)].map(([, act]) => act!);
  expect(acts.length).toBeGreaterThan(10);
  for (const words of [en, he] as Record<string, string>[]) expect(acts.filter((act) => !words[`act.${act}`])).toEqual([]);
  expect(actDetailHe("token_new", "viewer")).toBe("צופה");
  expect(actDetailHe("reset", "12 jobs")).toBe("12 משימות");
  expect(actDetailHe("limit", "concurrency 3 rate 5 per 1m")).toBe("3 בו־זמנית 5 לכל 1m");
  expect(actDetailHe("batch.then", "schedule")).toBe("schedule");
});

test("A code of tomorrow keeps the server's words", () => {
  expect(titleHe(problem("of_tomorrow"))).toBe("in English");
  expect(adviceHe(problem("of_tomorrow"))).toBeUndefined();
  expect(fireHe("of tomorrow")).toBe("of tomorrow");
});

test("Why a schedule left a time out is told in Hebrew, whatever the server's reason", () => {
  const reasons = [...source("model/schedule.cpp").matchAll(/"skipped", "([^"]+)"|\? "(its [^"]+)"/g), ...source("engine/group_schedule.cpp").matchAll(/row\.reason = "([^"]+)"/g)].map(([, one, other]) => (one ?? other)!);
  expect(reasons.length).toBe(5);
  expect(reasons.filter((reason) => fireHe(reason) === reason)).toEqual([]);
  expect(fireHe("12 or more missed since 2026-01-02T03:04:05Z")).toBe("12 או יותר הוחמצו");
});
