// SPDX-License-Identifier: Apache-2.0
// The Refresh button of a row: the element of any page, on the client of this one.
import type { TemplateResult } from "lit";
import type { Meta } from "@freshet/client";
import { client } from "./api.js";
import { lang, span, t, tw } from "./i18n.js";
import { say, action } from "./ui.js";

/** What a refresh came to, in words. */
export async function refreshKey(key: string): Promise<void> {
  const result = await client.refresh(key);
  const counts = result.counts && (["added", "removed", "changed"] as const)
    .filter((name) => result.counts![name])
    .map((name) => `${name === "added" ? "+" : name === "removed" ? "−" : "~"}${result.counts![name]} ${t(name === "changed" ? "changedN" : name)}`)
    .join(lang === "he" ? " · " : ", ");
  const retry = result.retryAfterMs ? span(result.retryAfterMs) : "";
  const good = result.outcome === "updated" || result.outcome === "unchanged";
  say(`${key}: ${tw("outcome", result.outcome)}`, good || result.outcome === "pending" ? "good" : "bad", [counts, result.problem?.detail ?? result.problem?.title, retry].filter(Boolean).join(" "));
}
export const refreshOf = (meta: Meta): TemplateResult => action(meta.refreshing ? t("refreshing") : t("refresh"), () => refreshKey(meta.key), "small", t("refreshKey", { key: meta.key }));
