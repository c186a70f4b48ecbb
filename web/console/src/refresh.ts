// SPDX-License-Identifier: Apache-2.0
// When a key is fetched: by itself, and by the Refresh button, the same element as on any page. A long list has plain
// buttons instead, since each element follows its key, and a stream takes only so many topics.
import "@freshet/elements";
import { html, type TemplateResult } from "lit";
import type { Meta } from "@freshet/client";
import { client } from "./api.js";
import { errorText, lang, refusalText, span, t, tw } from "./i18n.js";
import { keyText } from "./router.js";
import { action, say } from "./ui.js";

const elementsMax = 40;

/** What a refresh came to, in words. */
async function refreshKey(key: string): Promise<void> {
  const result = await client.refresh(key);
  const counts = result.counts && (["added", "removed", "changed"] as const)
    .filter((name) => result.counts![name])
    .map((name) => `${name === "added" ? "+" : name === "removed" ? "−" : "~"}${result.counts![name]} ${t(name === "changed" ? "changedN" : name)}`)
    .join(lang === "he" ? " · " : ", ");
  const retry = result.retryAfterMs ? span(result.retryAfterMs) : "";
  const why = result.receipt?.error ? errorText(result.receipt.error) : result.problem && refusalText(result.problem);
  const good = result.outcome === "updated" || result.outcome === "unchanged";
  say(`${keyText(key)}: ${tw("outcome", result.outcome)}`, good || result.outcome === "pending" ? "good" : "bad", [counts, why, retry].filter(Boolean).join(" "));
}

/** @param among  of how many in the list */
export const refreshOf = (meta: Meta, among = 1): TemplateResult =>
  among <= elementsMax
    ? html`<freshet-refresh source=${meta.key} label=${keyText(meta.key)}></freshet-refresh>`
    : action(meta.refreshing ? t("refreshing") : t("refresh"), () => refreshKey(meta.key), "small", t("refreshKey", { key: keyText(meta.key) }));

/** When it is tried again by itself. A retry whose time is over waits for a reader. */
export const nextTry = (row: Meta): string | undefined =>
  row.paused ? undefined : row.retry_at && Date.parse(row.retry_at) > client.now() ? row.retry_at : row.next_at;
