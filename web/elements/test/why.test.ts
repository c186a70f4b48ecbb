// SPDX-License-Identifier: Apache-2.0
import { expect, test } from "vitest";
import { clearsHe, errorHe, whyHe } from "../src/why-he.js";

const say = { span: (ms: number) => `${ms / 1000} שנ׳`, time: (iso: string) => iso.slice(11, 16) };
const plain = (text: string | undefined) => text?.replace(/[\u2068\u2069]/g, "");

test("A reason is said in Hebrew from its code and values, ids and lengths within it", () => {
  const why = { code: "age", text: "older than the 60s for which it counts as fresh", clears: "a refresh", values: { fresh_for_ms: 60_000, at: "2026-11-24T16:20:00.000Z" } };
  expect(plain(whyHe(why, say))).toBe("ישן מ־60 שנ׳ שבהם הוא נחשב טרי");
  expect(plain(clearsHe(why, say))).toBe("רענון; הבא לפי לוח הזמנים ב־16:20");
  expect(plain(whyHe({ code: "http_status", text: "the site said 503", values: { error: "http_status", message: "the site said 503" } }, say))).toBe("האתר ענה בשגיאה: the site said 503");
});

test("Without the values, or with a code that is new, the server's words stand", () => {
  expect(whyHe({ code: "waiting_slot", text: "it waits for a free slot of mail" }, say)).toBe("it waits for a free slot of mail");
  expect(whyHe({ code: "of_tomorrow", text: "a new reason", values: { at: 1 } }, say)).toBe("a new reason");
  expect(clearsHe({ code: "of_tomorrow", text: "", clears: "patience" }, say)).toBe("patience");
  expect(errorHe({ class: "fatal", code: "no_address", message: "nobody lives there" })).toBe("nobody lives there");
});
