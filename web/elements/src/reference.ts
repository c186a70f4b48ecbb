// SPDX-License-Identifier: Apache-2.0
// What each element takes, gives and says: the one list from which the page at /elements/ and custom-elements.json are made.

export interface Entry {
  tag: string;
  about: { en: string; he: string };
  attributes: Record<string, string>;
  properties: Record<string, string>;
  events: Record<string, string>;
  slots: string[];
  parts: string[];
  /** HTML for a page; {key}, {job} and {batch} are put in. */
  example: string;
  /** More to copy, with what it is for. */
  more?: { en: string; he: string; html: string };
}

export const reference: Entry[] = [
  {
    tag: "freshet-badge",
    about: { en: "How a source stands, and how old its data is. Draw your own rows on freshet-snapshot.", he: "מצב המקור וגיל הנתונים. את השורות שלכם מציירים באירוע freshet-snapshot." },
    attributes: { source: "the whole key: prices, or rates/EUR", label: "a name in front", clock: "as_of, checked_at (default) or changed_at" },
    properties: { meta: "what is known of the key", data: "the data itself" },
    events: { "freshet-state": "how it stands changed: the word, also by time alone; paused, held back, what went wrong", "freshet-snapshot": "{meta, data}: data to draw" },
    slots: ["fresh", "stale", "overdue", "failing", "empty", "checking", "refreshing", "paused", "held", "why"],
    parts: ["icon", "label", "age", "why"],
    example: `<freshet-badge source="{key}"></freshet-badge>`,
    more: {
      en: "Draw what the badge holds first, then what comes: the first event may be over before your script listens.",
      he: "ציירו תחילה את מה שבידי התג, ואחר כך את מה שמגיע: האירוע הראשון עשוי לבוא לפני שהסקריפט שלכם מאזין.",
      html: `<freshet-badge id="badge" source="{key}"></freshet-badge>
<pre id="rows"></pre>
<script type="module">
  const badge = document.getElementById("badge");
  const draw = () => (document.getElementById("rows").textContent = JSON.stringify(badge.data));
  if (badge.data !== undefined) draw();
  badge.addEventListener("freshet-snapshot", draw);
</script>`,
    },
  },
  {
    tag: "freshet-refresh",
    about: { en: "Reads the source again and says what came of it. Shows every flight of its key, whoever asked for it.", he: "קורא את המקור מחדש ומספר מה יצא מזה. מציג כל קריאה של המפתח, לא משנה מי ביקש אותה." },
    attributes: { source: "the whole key", label: "what is refreshed, for those who only hear the button" },
    properties: { meta: "what is known of the key", receipt: "the job that runs or ran last", "refresh()": "presses the button" },
    events: { "freshet-request": "before it asks; preventDefault() stops it", "freshet-progress": "the job, at each step", "freshet-refreshed": "the receipt: updated or unchanged", "freshet-error": "failed, held or limited, with the reason" },
    slots: ["(default)", "phase", "updated", "unchanged", "limited", "failed", "held"],
    parts: ["button", "bar", "phase", "elapsed", "eta", "outcome"],
    example: `<freshet-refresh source="{key}"></freshet-refresh>`,
  },
  {
    tag: "freshet-age",
    about: { en: "Only the age, in words that go on by themselves.", he: "הגיל בלבד, במילים שמתקדמות מעצמן." },
    attributes: { source: "the whole key", clock: "as_of, checked_at (default) or changed_at", label: "a name in front" },
    properties: { meta: "what is known of the key; may be set instead of source" },
    events: {},
    slots: [],
    parts: ["time"],
    example: `<freshet-age source="{key}" clock="changed_at"></freshet-age>`,
  },
  {
    tag: "freshet-diff",
    about: { en: "What changed since the version before, row by row. Needs the source's key setting.", he: "מה השתנה מאז הגרסה הקודמת, שורה אחר שורה. נדרשת הגדרת key במקור." },
    attributes: { source: "the whole key", from: "a version, or -1 for the one before", to: "a version; the newest if left out", by: "the field that names a row", label: "a heading" },
    properties: { diff: "as the API gives it" },
    events: { "freshet-diff": "another difference was read" },
    slots: ["empty", "row"],
    parts: ["table", "added", "removed", "changed", "counts"],
    example: `<freshet-diff source="{key}"></freshet-diff>`,
  },
  {
    tag: "freshet-task",
    about: { en: "A long job: how far, when it was last heard of, whether it is stuck or its worker lost.", he: "עבודה ארוכה: כמה הושלם, מתי נשמעה לאחרונה, והאם נתקעה או שהעובד אבד." },
    attributes: { job: "the job's id", label: "its name", cancelable: "shows Cancel while it runs", retryable: "shows Run again when it is over" },
    properties: { job: "the job as it is known", "cancel()": "asks it to stop", "retry()": "runs it again" },
    events: { "freshet-progress": "the job, at each step", "freshet-finished": "once per generation; detail.late: it was over when the page came", "freshet-error": "a cancel or retry that was refused" },
    slots: ["title", "stalled", "lost", "retry", "succeeded", "failed", "cancelled"],
    parts: ["card", "bar", "phase", "beat", "eta", "warning", "button"],
    example: `<freshet-task job="{job}" cancelable retryable></freshet-task>`,
  },
  {
    tag: "freshet-batch",
    about: { en: "Parts of a whole, what failed, and the button that goes on when it is over.", he: "חלקים מתוך השלם, מה נכשל, והכפתור שממשיך בסיום." },
    attributes: { batch: "the batch's id", label: "its name", cancelable: "shows Cancel while it runs", "retry-failed": "shows Retry when parts failed" },
    properties: { batch: "the batch as it is known", items: "its items", "cancel()": "cancels what is not over", "retry()": "retries what failed", "goOn()": "presses the button that follows" },
    events: { "freshet-progress": "the batch and its items", "freshet-finished": "once per generation", "freshet-then": "what follows was started", "freshet-error": "a verb that was refused" },
    slots: ["title", "then", "empty"],
    parts: ["card", "bar", "counts", "eta", "list", "item", "button"],
    example: `<freshet-batch batch="{batch}" cancelable retry-failed></freshet-batch>`,
  },
  {
    tag: "freshet-provider",
    about: { en: "Around the others: another server, a tenant, a token, a time zone. On a page of another origin, token-src is your own address that answers with a short token.", he: "סביב האחרים: שרת אחר, דייר, אסימון, אזור זמן. בדף ממקור אחר, token-src היא כתובת שלכם שעונה באסימון קצר." },
    attributes: { server: "where freshet is; where elements.js came from if left out", tenant: "whose, for a token of all tenants", "token-src": "answers {token, expires_at} of POST /v1/tokens/short", "time-zone": "Asia/Jerusalem; the viewer's if left out" },
    properties: { client: "of @freshet/client", token: "a text, or a function that gives one" },
    events: { "freshet-connection": "{state}: live · reconnecting · polling · paused · signed-out", "freshet-update": "the server is another version now" },
    slots: ["(default)"],
    parts: [],
    example: `<freshet-provider time-zone="Asia/Jerusalem">\n  <freshet-age source="{key}"></freshet-age>\n</freshet-provider>`,
  },
];

/** What is written above, in Hebrew. */
export const hebrew: Record<string, string> = {
  "the whole key: prices, or rates/EUR": "המפתח המלא: prices, או rates/EUR",
  "the whole key": "המפתח המלא",
  "a name in front": "שם שמוצג לפני",
  "as_of, checked_at (default) or changed_at": "as_of,\u200f checked_at (ברירת המחדל) או changed_at",
  "what is known of the key": "מה שידוע על המפתח",
  "what is known of the key; may be set instead of source": "מה שידוע על המפתח; אפשר לקבוע במקום source",
  "the data itself": "הנתונים עצמם",
  "how it stands changed: the word, also by time alone; paused, held back, what went wrong": "המצב השתנה: המילה, גם מפני שעבר זמן; הושהה, הוחזק, או מה שהשתבש",
  "{meta, data}: data to draw": "\u2066{meta, data}\u2069: נתונים לציור",
  "what is refreshed, for those who only hear the button": "מה מתרענן, למי שרק שומע את הכפתור",
  "the job that runs or ran last": "המשימה שרצה, או שרצה אחרונה",
  "presses the button": "לוחץ על הכפתור",
  "before it asks; preventDefault() stops it": "לפני הבקשה; \u2066preventDefault()\u2069 עוצר אותה",
  "the job, at each step": "המשימה, בכל צעד",
  "the receipt: updated or unchanged": "הקבלה: updated או unchanged",
  "failed, held or limited, with the reason": "נכשל, הוחזק או הוגבל, עם הסיבה",
  "a version, or -1 for the one before": "גרסה, או \u2066-1\u2069 לקודמת",
  "a version; the newest if left out": "גרסה; בלעדיו החדשה ביותר",
  "the field that names a row": "השדה שנותן שם לשורה",
  "a heading": "כותרת",
  "as the API gives it": "כפי שה־API נותן",
  "another difference was read": "נקרא הבדל אחר",
  "the job's id": "מזהה המשימה",
  "its name": "השם שמוצג",
  "shows Cancel while it runs": "מציג ביטול בזמן הריצה",
  "shows Run again when it is over": "מציג הרצה חוזרת בסיום",
  "the job as it is known": "המשימה כפי שהיא ידועה",
  "asks it to stop": "מבקש ממנה לעצור",
  "runs it again": "מריץ אותה שוב",
  "once per generation; detail.late: it was over when the page came": "פעם אחת לכל generation;\u200f detail.late: הסתיימה לפני שהדף נטען",
  "a cancel or retry that was refused": "ביטול או הרצה חוזרת שנדחו",
  "the batch's id": "מזהה האצווה",
  "shows Retry when parts failed": "מציג ניסיון חוזר כשחלקים נכשלו",
  "the batch as it is known": "האצווה כפי שהיא ידועה",
  "its items": "הפריטים שלה",
  "cancels what is not over": "מבטל את מה שלא הסתיים",
  "retries what failed": "מנסה שוב את מה שנכשל",
  "presses the button that follows": "לוחץ על הכפתור שממשיך",
  "the batch and its items": "האצווה והפריטים שלה",
  "once per generation": "פעם אחת לכל generation",
  "what follows was started": "מה שבא אחריה הותחל",
  "a verb that was refused": "פעולה שנדחתה",
  "where freshet is; where elements.js came from if left out": "היכן freshet; בלעדיו, המקום שממנו בא elements.js",
  "whose, for a token of all tenants": "של מי, לאסימון של כל הדיירים",
  "answers {token, expires_at} of POST /v1/tokens/short": "כתובת שעונה \u2066{token, expires_at}\u2069 של \u2066POST /v1/tokens/short\u2069",
  "Asia/Jerusalem; the viewer's if left out": "Asia/Jerusalem; בלעדיו, זה של הצופה",
  "of @freshet/client": "של \u2066@freshet/client\u2069",
  "a text, or a function that gives one": "מחרוזת, או פונקציה שנותנת אותה",
  "{state}: live · reconnecting · polling · paused · signed-out": "\u2066{state}: live · reconnecting · polling · paused · signed-out\u2069",
  "the server is another version now": "השרת בגרסה אחרת עכשיו",
};

/** Custom properties, with what they are when nobody sets them. */
export const themes = ["--freshet-fresh", "--freshet-stale", "--freshet-overdue", "--freshet-failing", "--freshet-quiet", "--freshet-accent", "--freshet-line", "--freshet-soft", "--freshet-button", "--freshet-radius"];
