// SPDX-License-Identifier: Apache-2.0
// Why something is as it is, in Hebrew: from the code and the values that the server tells beside its English words.
// What a program, a site or a person wrote stays as it is. A code that is not known here has the server's words.
import type { Job, Why } from "@freshet/client";

/** How this page writes lengths of time and instants. */
export interface Say {
  span: (ms: number) => string;
  time: (iso: string) => string;
}
type Code = string;
type Values = Record<string, string | number>;

/** Keeps an id's or a number's own direction inside of the sentence. */
const own = (value: unknown): string => `\u2068${String(value)}\u2069`;

const errors: Record<Code, string> = {
  connect: "אין חיבור", timeout: "לא היה מענה בזמן", dns: "השם לא נמצא ברשת", tls: "החיבור המאובטח נכשל", http_status: "האתר ענה בשגיאה",
  redirect: "הפניה שלא ניתן ללכת אחריה", rate_limited: "המקור ביקש להאט", unauthorized: "אין הרשאה", too_large: "התשובה גדולה מדי", truncated: "התשובה נקטעה",
  blocked: "הכתובת חסומה", spawn: "התוכנית לא עלתה", exit_code: "התוכנית הסתיימה בשגיאה", signal: "התוכנית נעצרה באות", bad_input: "הנתונים לא קריאים",
  shape: "הנתונים לא במבנה הצפוי", select: "הביטוי נכשל על הנתונים", run_limit: "עבר את זמן הריצה המרבי", source_open: "המקור נכשל שוב ושוב, ופונים אליו רק מדי פעם",
  source_removed: "המקור אינו בהגדרות עוד", worker_lost: "העובד אבד", lost: "העובד אבד", database: "מסד הנתונים השיב בשגיאה", locked: "מסד הנתונים נעול",
  not_read_only: "השאילתה אינה לקריאה בלבד", purged: "הנתונים נוקו בינתיים", definition_changed: "הגדרת המקור השתנתה בינתיים", older_data: "בינתיים פורסמו נתונים חדשים יותר",
  held: "התוצאה מוחזקת", empty: "התוצאה ריקה", shrunk: "פחות מדי שורות", wrong_shape: "התוצאה לא במבנה הצפוי", as_of_back: "זמן התוצאה מוקדם מזה שכבר פורסם", as_of_future: "זמן התוצאה בעתיד",
};

/** An error: what kind it is, then its own words. */
export const errorHe = (error: NonNullable<Job["error"]>): string => {
  const kind = errors[error.code];
  return kind ? `${kind}: ${own(error.message)}` : error.message;
};

const held: Record<string, (v: Values) => string> = {
  empty: (v) => (v["rows_before"] ? `התוצאה ריקה; בקודמת היו ${own(v["rows_before"])} שורות` : "התוצאה ריקה"),
  shrunk: (v) => `${v["rows"] === 1 ? "הגיעה שורה אחת" : `הגיעו ${own(v["rows"])} שורות`} מתוך ${own(v["rows_before"])}: פחות מדי`,
  wrong_shape: () => "התוצאה לא במבנה הצפוי",
  as_of_back: () => "זמן התוצאה מוקדם מזה שכבר פורסם",
  as_of_future: () => "זמן התוצאה בעתיד",
};
const failed = (v: Values, bare: string): string => (v["error"] ? errorHe({ class: "retryable", code: String(v["error"]), message: String(v["message"]) }) : v["message"] ? String(v["message"]) : bare);
const tooMany = (v: Values): string => `נכשלו ${own(v["failed"])} מתוך ${own(v["total"])} פריטים, יותר מהמותר`;

const texts: Record<Code, (v: Values, say: Say) => string> = {
  source_removed: () => "המקור אינו בהגדרות עוד",
  paused: (v) => (v["message"] ? String(v["message"]) : v["queue"] ? `${own(v["queue"])} מושהה` : "מושהה"),
  held: (v) => held[String(v["reason"])]?.(v) ?? "התוצאה החדשה ממתינה להחלטה",
  failing: (v) => failed(v, "הרענון האחרון נכשל"),
  source_open: (v) => failed(v, errors["source_open"]!),
  parked: (v) => failed(v, "המקור ביקש להמתין"),
  never_fetched: () => "המקור עוד לא נקרא",
  deleted: () => "הנתונים נמחקו ועוד לא נקראו מחדש",
  purged: () => "סומן כישן בידי ניקוי או מקור שהוא תלוי בו",
  definition_changed: () => "הגדרת המקור השתנתה מאז הקריאה",
  age: (v, say) => `ישן מ־${own(say.span(Number(v["fresh_for_ms"])))} שבהם הוא נחשב טרי`,
  scheduled: () => "עוד לא הגיע זמנו",
  worker_lost: (v) => failed(v, "העובד אבד"),
  retrying: (v) => failed(v, "הניסיון האחרון הוחזר"),
  behind: (v) => `${own(v["job"])} רץ והתחיל לפני שזה התבקש`,
  gated: (v) => `${own(v["batch"])} עוד לא מאפשרת לפריט נוסף לרוץ`,
  waiting_slot: (v) => `ממתין למקום פנוי או לעובד של ${own(v["queue"])}`,
  cancelling: () => "התבקש ביטול",
  stalled: () => "העובד נותן סימני חיים אך אינו מתקדם",
  slow: (v, say) => `רץ יותר מ־95 מתוך 100 לפניו: ${own(say.span(Number(v["took_ms"])))}`,
  superseded: (v) => `${own(v["job"])} בא במקומו`,
  cancelled: () => "בוטל",
  open: () => "עוד פריטים עשויים להגיע",
  waiting_driver: () => "הפריטים ממתינים לקריאה ל־process-next",
  failure_policy: tooMany,
  partial: (v) => `${own(v["missing"])} מתוך ${own(v["total"])} פריטים לא הצליחו`,
  failed: (v) => failed(v, "נכשל"),
  aborted: () => "הופסקה באמצע",
};

const afterTry = (v: Values, say: Say) => (v["at"] ? `הניסיון הבא, לא לפני ${own(say.time(String(v["at"])))}` : "הרענון הבא שיצליח");
const refreshed = (v: Values, say: Say) => (v["at"] ? `רענון; הבא לפי לוח הזמנים ב־${own(say.time(String(v["at"])))}` : "רענון");
const due = (v: Values, say: Say) => `מועדו, ${own(say.time(String(v["at"])))}`;
const again = (v: Values) => (v["late_at"] ? "קבלת התוצאה שאיחרה, או ניסיון נוסף" : "ניסיון נוסף");

const clearings: Record<Code, (v: Values, say: Say) => string> = {
  source_removed: () => "החזרת המקור להגדרות",
  paused: (v, say) => (v["at"] ? due(v, say) : "חידוש הפעולה"),
  held: () => "קבלה או דחייה של התוצאה המוחזקת",
  failing: afterTry, parked: afterTry, source_open: afterTry, never_fetched: () => "רענון", deleted: () => "רענון",
  purged: refreshed, definition_changed: refreshed, age: refreshed,
  scheduled: due, worker_lost: due, retrying: due,
  behind: (v) => `הסיום של ${own(v["job"])}`,
  gated: () => "סיום של פריט אחר",
  waiting_slot: () => "סיום של משימה אחרת, או עובד שייקח אותה",
  cancelling: () => "אישור של העובד, או סוף ארכתו",
  stalled: () => "התקדמות, סיום או ביטול",
  slow: () => "סיום, או זמן הריצה המרבי",
  superseded: (v) => `מעבר אל ${own(v["job"])}`,
  open: (v, say) => (v["at"] ? `סגירתה, לא אחרי ${own(say.time(String(v["at"])))}` : "הפריט האחרון שלה"),
  waiting_driver: () => "קריאה ל־process-next",
  failure_policy: () => "ניסיון נוסף של מה שנכשל", partial: () => "ניסיון נוסף של מה שנכשל",
};

/** What takes values says nothing without them: then the server's words are better. */
const sayable = <F extends (...args: never[]) => string>(why: Why, said: F | undefined): F | undefined => (why.values || !said?.length ? said : undefined);

export const whyHe = (why: Why, say: Say): string => {
  const values = why.values ?? {};
  // A failure's code is the error's own.
  const text = texts[why.code] ?? (values["error"] ? (v: Values) => failed(v, why.text) : undefined);
  return sayable(why, text)?.(values, say) ?? why.text;
};
export const clearsHe = (why: Why, say: Say): string | undefined => {
  const values = why.values ?? {};
  const clears = clearings[why.code] ?? (values["error"] || why.code === "failed" ? again : undefined);
  return why.clears && (sayable(why, clears)?.(values, say) ?? why.clears);
};
