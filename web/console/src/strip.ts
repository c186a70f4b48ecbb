// SPDX-License-Identifier: Apache-2.0
// What the tries of a key came to in each of the last 24 hours. Drawn against the server's hour of now: a row that was
// heard before the hour turned moves on by itself, and the hours since are empty, not as they were.
import type { FreshnessRow } from "@freshet/client";
import { html, nothing, type TemplateResult } from "lit";
import { client } from "./api.js";
import { hourOf, num, t, tw } from "./i18n.js";

const hour = 3_600_000;
const outcomes = ["updated", "unchanged", "held", "failed"] as const;
type Tally = NonNullable<FreshnessRow["strip"]>[number];

const tone = (tally: NonNullable<Tally>): string => {
  const good = tally.updated ?? tally.unchanged;
  return tally.failed ? (good ? "mixed" : "bad") : tally.held ? "held" : "good";
};

/** @param wide  over the whole line, with words at its ends */
export function strip(row: FreshnessRow, wide = false): TemplateResult | typeof nothing {
  const { strip } = row;
  if (!strip) return nothing;
  const last = Math.floor(client.now() / hour);
  const moved = Math.min(strip.length, Math.max(0, last - Math.floor(Date.parse(row.now) / hour)));
  const cells: Tally[] = [...strip.slice(moved), ...Array<Tally>(moved).fill(null)];
  const sum = (name: (typeof outcomes)[number]) => cells.reduce((all, tally) => all + (tally?.[name] ?? 0), 0);
  const words = (count: (name: (typeof outcomes)[number]) => number) => outcomes.filter(count).map((name) => `${num(count(name))} ${tw("state", name)}`).join(", ") || t("stripNone");
  const picture = html`<span class="strip ${wide ? "wide" : ""}" role="img" aria-label="${t("strip")}: ${words(sum)}">${cells.map(
    (tally, i) => html`<i class=${tally ? tone(tally) : nothing} title="${hourOf((last - cells.length + 1 + i) * hour)} ${words((name) => tally?.[name] ?? 0)}"></i>`,
  )}</span>`;
  return wide ? html`${picture}<div class="strip-ends soft small"><span>${hourOf((last - cells.length + 1) * hour)}</span><span>${words(sum)}</span><span>${hourOf(last * hour)}</span></div>` : picture;
}
