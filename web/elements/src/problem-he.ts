// SPDX-License-Identifier: Apache-2.0
// What the server refuses, in Hebrew, by the problem's code: the codes that what an element shows or asks for can meet.
// A code that is not known here, and a failure whose own words tell more, keep the server's text.
import type { Problem } from "@freshet/client";
import { errorHe } from "./why-he.js";

const words: Record<string, string> = {
  unreachable: "אין קשר לשרת",
  http: "תשובה לא צפויה בדרך לשרת",
  // Who may ask.
  token_missing: "נדרש אסימון", token_expired: "תוקף האסימון פג", token_unknown: "האסימון אינו מוכר", token_form: "האסימון אינו בצורה הנכונה",
  limited_token: "האסימון הזה אינו למקור הזה", forbidden: "האסימון הזה אינו רשאי לכך", foreign_origin: "דף ממקור אחר אינו רשאי לשנות כאן דבר",
  misdirected: "השרת אינו מכיר את השם הזה שלו", tenant: "זה שייך לדייר אחר", tenant_missing: "יש לציין לאיזה דייר", tenant_unknown: "אין דייר כזה", tenant_gone: "הדייר אינו בהגדרות עוד",
  // What is not there.
  not_found: "אין כאן דבר כזה; מה שהסתיים נשמר רק לזמן מה", unknown_source: "אין מקור כזה", unknown_key: "אין מפתח כזה", unknown_topic: "אין כאן דבר כזה",
  no_version: "הגרסה אינה קיימת, או אינה נשמרת עוד", source_removed: "המקור אינו בהגדרות עוד",
  // What can not be used.
  bad_key: "המפתח אינו בצורה הנכונה", bad_param: "ערך שהמקור אינו מקבל", bad_parameter: "הבקשה אינה בצורה הנכונה", bad_request: "לא ניתן לבצע את הבקשה",
  no_diff: "לא ניתן להשוות בין הגרסאות", method: "אין כאן פעולה כזאת",
  // Not now.
  cold: "אין עדיין נתונים", paused: "המקור מושהה", held: "התוצאה החדשה מוחזקת", cancelled: "הרענון בוטל", purged: "הנתונים נוקו בינתיים",
  limited: "לעתים קרובות מדי", too_many_requests: "יותר מדי בקשות", streams_full: "יותר מדי דפים פתוחים", keys_full: "למקור יש כבר כל המפתחות שמותר לו",
  storage_full: "אין מקום לעוד", queue_full: "יותר מדי משימות ממתינות", busy: "השרת עמוס", connections: "יותר מדי חיבורים", stopping: "השרת נעצר", store_failed: "מאגר הנתונים אינו עונה",
  // Jobs and batches.
  already_over: "זה כבר הסתיים", not_running: "המשימה אינה רצה", not_terminal: "המצב אינו מאפשר זאת", generation_changed: "מישהו הריץ את זה מחדש בינתיים",
  batch_over: "האצווה הסתיימה", batch_live: "האצווה עוד לא הסתיימה", batch_sealed: "האצווה סגורה לפריטים נוספים",
};

export const problemHe = (problem: Pick<Problem, "code"> & Partial<Problem>): string => {
  const { code, detail, title } = problem;
  const said = detail ?? title;
  // Of a source's failure the kind is known, and its own words are kept.
  return words[code] ?? (said ? errorHe({ class: "retryable", code, message: said }) : words["unreachable"]!);
};
