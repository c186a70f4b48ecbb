// SPDX-License-Identifier: Apache-2.0
// What both pages of the metrics say: the names of the numbers, how they are written, and a failed sync in the words of
// the server's log.
import { frame, lang, rows, text } from "./frame.js";

const en = {
  title: "Workflow metrics", refresh: "Refresh", sync: "Quick sync", total_workflows: "Workflows", active_workflows: "Active workflows", total_executions: "Executions", successful_executions: "Successful", failed_executions: "Failed", success_rate: "Success rate", avg_execution_time: "Average time", last_activity: "Last activity", time_saved_hours: "Hours saved", last_updated: "Computed", synced: "Last sync",
  asking: (seconds, at) => `asked every ${seconds} s, the last time ${at}`, never: "never synced", fresh: "sync is fresh", stale: "sync is stale", healthy: "healthy", degraded: "degraded", seconds: (n) => `${n} s`, nextTry: "next try", working: "working…", refused: "refused", success: (n) => `synced, ${n} new`, error: "failed", summary: (good, all) => `${good} of ${all} clients healthy`, refreshed: (good, all) => `${good} of ${all} computed anew`, syncedAll: (good, all) => `${good} of ${all} synced`, syncBadge: "Sync", numbersBadge: "Numbers", capped: (n) => `The last sync stopped at its cap of ${n} pages: older executions were not read.`,
};
const he = {
  title: "מדדי תהליכים", refresh: "רענון", sync: "סנכרון מהיר", total_workflows: "תהליכים", active_workflows: "תהליכים פעילים", total_executions: "הרצות", successful_executions: "הצליחו", failed_executions: "נכשלו", success_rate: "שיעור הצלחה", avg_execution_time: "זמן ממוצע", last_activity: "פעילות אחרונה", time_saved_hours: "שעות שנחסכו", last_updated: "חושב", synced: "סנכרון אחרון",
  asking: (seconds, at) => `נשאל כל ${seconds} שנ׳, לאחרונה ${at}`, never: "לא סונכרן מעולם", fresh: "הסנכרון עדכני", stale: "הסנכרון ישן", healthy: "תקין", degraded: "לקוי", seconds: (n) => `${n} שנ׳`, nextTry: "ניסיון הבא", working: "עובד…", refused: "נדחה", success: (n) => `סונכרן, ${n} חדשות`, error: "נכשל", summary: (good, all) => `${good} מתוך ${all} לקוחות תקינים`, refreshed: (good, all) => `${good} מתוך ${all} חושבו מחדש`, syncedAll: (good, all) => `${good} מתוך ${all} סונכרנו`, syncBadge: "סנכרון", numbersBadge: "מספרים", capped: (n) => `הסנכרון האחרון נעצר במגבלה של ${n} עמודים: הרצות ישנות יותר לא נקראו.`,
};
export const word = frame({ en, he });
export { rows, text };

const number = new Intl.NumberFormat(lang, { maximumFractionDigits: 1 });
const instant = new Intl.DateTimeFormat(lang, { dateStyle: "short", timeStyle: "medium" });
const relative = new Intl.RelativeTimeFormat(lang, { numeric: "auto" });
export const none = "–";

export const time = (at) => (at ? instant.format(new Date(at)) : none);
export const ago = (minutes) => (minutes >= 120 ? relative.format(-Math.floor(minutes / 60), "hour") : relative.format(-minutes, "minute"));

/** A client without executions has no rate, no average and no activity: "–". */
function shown(name, value) {
  if (value === null || value === undefined) return none;
  if (name === "success_rate") return `${number.format(value)}%`;
  if (name === "avg_execution_time") return word("seconds")(number.format(value));
  if (name === "last_activity") return time(value);
  return number.format(value);
}

export const names = ["total_executions", "successful_executions", "failed_executions", "success_rate", "avg_execution_time", "time_saved_hours", "total_workflows", "active_workflows", "last_activity"];

/** Cards of numbers; a value that stayed is not touched. */
export function numbers(list, data) {
  rows(list, names, (name) => name, (name) => {
    const node = document.createElement("li");
    node.append(text("b", none), text("span", word(name)));
    return node;
  }, (node, name) => put(node.firstChild, shown(name, data?.[name])));
}

export function put(node, content) {
  if (node.textContent !== content) node.textContent = content;
}

/** As the log line has it: client, class, words, next try. */
export function trouble(client, error, next) {
  if (!error) return "";
  return [`${client}: ${error.class} (${error.code})`, error.message, ...(next ? [`${word("nextTry")} ${time(next)}`] : [])].join(" · ");
}
