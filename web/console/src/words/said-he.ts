// SPDX-License-Identifier: Apache-2.0
// What the server says in English and a Hebrew page shows, by its code: titles of problems and what to do
// about them. The detail of a problem stays the server's own, since it names what was sent. A code that is not known here has its words.
import type { Problem } from "@freshet/client";

const titles: Record<string, string> = {
  bad_body: "אי אפשר להשתמש בגוף הבקשה", bad_key: "המפתח אינו תקין", bad_param: "ערך של המפתח אינו מותר", bad_parameter: "פרמטר של השאילתה אינו תקין",
  bad_query: "השאילתה אינה קריאה", bad_request: "אי אפשר לבצע את הבקשה", bad_message: "ההודעה אינה תקינה", malformed: "הבקשה אינה קריאה",
  target: "הכתובת אינה נתיב", target_too_long: "הכתובת ארוכה מדי", head_too_large: "בבקשה יותר מדי כותרות", body_too_large: "גוף הבקשה גדול מדי", too_slow: "הבקשה הגיעה לאט מדי",
  expectation: "ציפייה לא מוכרת", version: "אין זה HTTP/1.1", websocket_version: "נדרשת גרסה אחרת של WebSocket", subprotocol: "לא הוצע תת־פרוטוקול שמדברים כאן",
  idempotency_key: "ה־Idempotency-Key ארוך מדי", idempotency_reused: "ה־Idempotency-Key שימש לבקשה אחרת", content_type: "הגוף חייב להיות JSON", not_acceptable: "לשינויים שתי צורות",
  token_missing: "נדרש אסימון", token_expired: "תוקף האסימון פג", token_form: "אין זה אסימון Bearer", token_unknown: "האסימון אינו מוכר", limited_token: "לא באסימון קצר",
  token_taken: "השם כבר שייך לאסימון אחר", token_in_file: "האסימון הזה רשום בקובץ ההגדרות", tokens_full: "יש יותר מדי אסימונים",
  link_used: "הקישור הזה כבר אינו מכניס", link_without_token: "קישור בא במקום אסימון", no_web: "לשרת הזה אין קונסולה",
  ticket_unknown: "הכרטיס אינו מוכר", ticket_late: "הכרטיס ישן מדי", ticket_used: "הכרטיס שייך לזרם אחר",
  streams_full: "לדייר כבר כל הזרמים המותרים לו", too_many_requests: "יותר מדי בקשות", storage_full: "אין מקום לעוד", connections: "יותר מדי חיבורים", busy: "השרת עמוס",
  forbidden: "אין הרשאה", foreign_origin: "דף זר אינו רשאי לשנות כאן דבר", misdirected: "זה אינו שם של השרת הזה",
  tenant: "זה אינו הדייר שלכם", tenant_missing: "של איזה דייר?", tenant_unknown: "אין דייר כזה", tenant_gone: "הדייר שלו אינו עוד",
  not_found: "לא נמצא", unknown_source: "אין מקור כזה", unknown_tag: "אין מקור עם תגית כזאת", unknown_key: "אין מפתח כזה", unknown_topic: "אין נושא כזה", no_version: "אין גרסה כזו", not_public: "המקור אינו ציבורי",
  source_removed: "המקור אינו בהגדרות עוד", method: "לא בשיטה הזו", cold: "עוד אין נתונים", not_cached: "אין שם דבר", gen_unreachable: "שום דבר לא יביא את הגרסה הזו",
  paused: "המקור מושהה", held: "התוצאה החדשה מוחזקת", failed: "הרענון נכשל", cancelled: "הרענון בוטל", purged: "הנתונים נוקו בינתיים", limited: "תכוף מדי",
  no_diff: "אי אפשר להשוות את שתי הגרסאות", poll_too_large: "המצב הנוכחי גדול מתשובה אחת", keys_full: "למקור כבר כל המפתחות המותרים לו",
  not_running: "המשימה אינה רצה", lease_lost: "המשימה כבר אינה בידי העובד הזה", unprepared: "התוצאה לא הוכנה", unique_taken: "המפתח הייחודי תפוס", queue_full: "יותר מדי משימות ממתינות",
  no_result: "למשימה אין תוצאה", no_worker: "אין עובד כזה", no_queue: "אין תור כזה",
  batch_over: "האצווה הסתיימה", batch_sealed: "האצווה סגורה", batch_live: "האצווה עוד לא הסתיימה", item_taken: "מפתח הפריט תפוס", not_caller_driven: "את האצווה הזו מריצים עובדים",
  already_over: "זה כבר הסתיים", not_terminal: "המצב הנוכחי אינו מאפשר זאת", generation_changed: "בינתיים ניסו את זה שוב", no_held: "שום תוצאה אינה מוחזקת במפתח הזה", held_changed: "בינתיים מוחזקת תוצאה אחרת",
  store_failed: "המאגר אינו משיב", stopping: "השרת נעצר", unanswered: "הבקשה נשמטה",
};
export const titleHe = ({ code, title }: Problem): string => titles[code] ?? title;

/** What may be done about it, where the code alone says that. */
const advice: Record<string, string> = {
  forbidden: "התפקיד של האסימון אינו מתיר זאת. מנהל יכול ליצור אסימון אחר.", limited_token: "האסימון הוא של כמה מקורות ותורים בלבד. נדרש אסימון של הדייר כולו.",
  token_missing: "נכנסים באסימון. במחשב של השרת, freshet console מדפיסה קישור כניסה.", token_unknown: "אולי נשלל או הועתק בחלקו. מנהל יכול ליצור אחר.", token_expired: "מנהל יכול ליצור אסימון חדש.",
  link_used: "כל קישור מכניס פעם אחת. freshet console מדפיסה קישור חדש.", token_taken: "בחרו שם אחר, או שללו קודם את האסימון בשם הזה.", token_in_file: "מוחקים אותו מקובץ ההגדרות.",
  tenant_gone: "נתוניו נשמרים לזמן מה. החזירו את [tenant.NAME] לקובץ ההגדרות, או היכנסו באסימון של דייר אחר.",
  tenant: "מה שנוגע לכל הדיירים דורש אסימון של כולם.", storage_full: "הדיסק או מכסת הדייר מלאים. פנו מקום; הקריאה נמשכת, והכתיבה תחזור מעצמה.", store_failed: "השרת אינו יכול לכתוב. בדקו את הדיסק; freshet doctor אומר מה לא תקין.",
  busy: "נסו שוב בעוד רגע.", stopping: "השרת יעלה שוב בקרוב; העמוד יתחבר מעצמו.", unanswered: "נסו שוב.", too_many_requests: "נסו שוב בעוד רגע.", limited: "רענון ביד מותר רק מספר פעמים בדקה. נסו שוב בעוד רגע.",
  queue_full: "המתינו שמשימות יסתיימו, או בטלו כמה מהן.", paused: "מישהו השהה את המקור. חדשו אותו כדי לרענן.",
  not_found: "אולי נמחק, או שהוא של דייר אחר; מה שהסתיים נשמר לזמן מוגבל.", unknown_source: "בדקו את השם; המקורות רשומים בקובץ ההגדרות.", unknown_key: "בדקו את המפתח; הוא מופיע אחרי הקריאה הראשונה.", unknown_topic: "בדקו את הכתובת.",
  already_over: "אין עוד מה לעצור.", generation_changed: "מישהו כבר הריץ אותה שוב. העמוד מראה את המצב עכשיו.", held_changed: "הסתכלו על התוצאה החדשה לפני שתחליטו.", no_held: "מישהו כבר החליט עליה.",
};
export const adviceHe = ({ code }: Problem): string | undefined => advice[code];

/** Why a schedule did not fire as it was due. */
export function fireHe(reason: string): string {
  const missed = /^(\d+)( or more)? missed since (\S+)$/.exec(reason);
  if (missed) return `${missed[1]}${missed[2] ? " או יותר" : ""} הוחמצו`;
  return fires[reason] ?? reason;
}
const fires: Record<string, string> = {
  "the one before it is not over": "הקודמת עוד לא הסתיימה", "one waits already": "אחת כבר ממתינה", "its wall-clock time did not exist that day": "השעה הזאת לא הייתה באותו יום",
  "the source is paused": "המקור מושהה", "the schedule is paused": "התזמון מושהה",
};

const details: Record<string, string> = {
  schedule: "תזמון", soft: "רך: מוצג עד הרענון", hard: "קשה: נמחק", refresh: "עם רענון", "as configured": "כמו בקובץ ההגדרות",
  viewer: "צופה", operator: "מפעיל", worker: "עובד", admin: "מנהל",
};
/** What the server itself wrote; what people named, such as a batch's follow-up, stays as it is. */
export function actDetailHe(action: string, detail: string): string {
  if (action === "batch.then" || action === "bulk") return detail;
  const jobs = /^(\d+) jobs$/.exec(detail)?.[1];
  if (jobs) return jobs === "1" ? "משימה אחת" : `${jobs} משימות`;
  return details[detail] ?? detail.replace(/\bconcurrency (\d+)/, "$1 בו־זמנית").replace(/\brate (\d+) per (\S+)/, "$1 לכל $2");
}
