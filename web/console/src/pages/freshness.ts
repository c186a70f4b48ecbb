// SPDX-License-Identifier: Apache-2.0
// The home: every key, its state, its age, what its time allows, and why.
import { stateOf, type FreshnessRow } from "@freshet/client";
import { can, client, isShared } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { List } from "../list.js";
import { href, keyHref, keyText, place } from "../router.js";
import { nextTry, refreshOf } from "../refresh.js";
import { ago, badge, bar, chips, cli, curl, head, html, ltr, nothing, own, problemBox, t, table, tw, until, type Col } from "../ui.js";
import { errorText, num, whyText } from "../i18n.js";
import { strip } from "../strip.js";

const states = ["fresh", "stale", "overdue", "failing", "empty"] as const;

export class FreshnessPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<FreshnessRow>(this);
  private untick: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["freshness"]);
    this.untick = client.onTick(() => this.requestUpdate());
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.untick?.();
  }

  private rows(): FreshnessRow[] {
    const known = this.follow.entry("freshness")?.items;
    return known ? ([...known.values()] as unknown as FreshnessRow[]) : [];
  }

  protected override render() {
    const { query } = place();
    const state = query.get("state") ?? "";
    const source = query.get("source") ?? "";
    const now = client.now();
    this.list.show(`${state} ${source}`, {
      read: (after) => client.freshness({ limit: 200, after, source: source || undefined, state: state || undefined }),
      id: (row) => row.key,
      fits: (row) => (!state || stateOf(row, client.now()) === state) && (!source || row.source === source),
    });
    const counts = new Map<string, number>();
    const every = this.rows();
    for (const row of every) {
      const word = stateOf(row, now);
      counts.set(word, (counts.get(word) ?? 0) + 1);
    }
    const cols: Col<FreshnessRow>[] = [
      { head: t("state"), cls: "c-state", cell: (row) => html`${badge(stateOf(row, now))}${row.paused ? badge("paused") : nothing}${row.held ? badge("held") : nothing}` },
      { head: t("key"), cls: "c-key", cell: (row) => html`<a href=${keyHref(row.key)}>${own(keyText(row.key))}</a>${isShared(row) ? html` <span class="soft">${t("shared")}</span>` : nothing}` },
      { head: t("checked"), cls: "c-num", cell: (row) => ago(row.checked_at) },
      { head: t("budget"), cls: "c-bar", cell: (row) => this.budget(row, now) },
      { head: t("rows"), cls: "c-num c-more", cell: (row) => (row.rows === undefined ? "–" : ltr(num(row.rows))) },
      { head: t("next"), cls: "c-num c-more", cell: (row) => until(nextTry(row)) },
      { head: t("why"), cls: "c-why", cell: (row) => this.why(row) },
    ];
    // Where no source tells a time of its own, it is that of the fetch, which stands there already.
    if (this.list.items.some((row) => row.as_of_by === "source")) cols.splice(4, 0, { head: t("asOf"), cls: "c-num", cell: (row) => (row.as_of_by === "source" ? ago(row.as_of) : html`<span class="soft">–</span>`) });
    if (this.list.items.some((row) => row.strip)) cols.splice(4, 0, { head: t("strip"), cls: "c-num", cell: (row) => strip(row) });
    if (can("refresh")) cols.push({ head: t("refresh"), cls: "c-refresh", cell: (row) => refreshOf(row, this.list.items.length) });
    return html`
      ${head(t("nav.freshness"), { copy: [cli("top", "-1"), curl(`v1/freshness${state ? `?state=${state}` : ""}`)] })}
      ${chips(t("state"), [
        { text: t("all"), to: href({ source }), on: !state, count: every.length },
        ...states.map((word) => ({ text: badge(word), to: href({ source, state: word }), on: state === word, count: counts.get(word) ?? 0 })),
      ])}
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.above()}
      ${this.list.loaded ? table(t("nav.freshness"), cols, this.list.items, (row) => row.key, every.length ? t("none") : t("noKeys")) : nothing}
      ${this.list.below()}`;
  }

  /** How much of the time in which it counts as fresh is used up. */
  private budget(row: FreshnessRow, now: number) {
    if (!row.checked_at || !row.stale_at) return html`<span class="soft">–</span>`;
    const whole = Date.parse(row.stale_at) - Date.parse(row.checked_at);
    // The server's time is known to the last beat: what was checked since is not of the future.
    const used = Math.max(0, now - Date.parse(row.checked_at));
    const late = used > whole;
    const percent = Math.floor((100 * Math.min(used, whole)) / whole);
    return html`${bar(used, whole, late ? "warn" : "good")}<span class="off">${ltr(`${percent} %`)}</span>`;
  }

  private why(row: FreshnessRow) {
    if (row.refreshing) return html`${badge("running", t("state.refreshing"))}`;
    if (row.error) return html`<span class="bad">${own(errorText(row.error))}</span>`;
    if (row.why) return own(whyText(row.why));
    if (row.last?.outcome) return html`<span class="soft">${tw("outcome", row.last.outcome)} ${ago(row.last.finished_at)}</span>`;
    return nothing;
  }
}
customElements.define("fc-freshness", FreshnessPage);
