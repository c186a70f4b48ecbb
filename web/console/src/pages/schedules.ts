// SPDX-License-Identifier: Apache-2.0
// What runs by itself: when next, and what became of the last times.
import type { Schedule } from "@freshet/client";
import { can, canChange, client } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { List } from "../list.js";
import { fireText, span } from "../i18n.js";
import { href, keyHref, keyText } from "../router.js";
import { action, badge, cli, curl, head, html, idLink, ltr, nothing, own, problemBox, say, t, table, tw, until, when, type Col } from "../ui.js";

export class SchedulesPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<Schedule>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["schedules"]);
  }
  protected override render() {
    this.list.show("schedules", { read: (after) => client.ask("GET", "v1/schedules", { query: { limit: 100, after } }), id: (schedule) => schedule.id });
    const cols: Col<Schedule>[] = [
      { head: t("name"), cls: "c-key", cell: (one) => html`${one.source ? html`<a href=${keyHref(one.id)}>${own(keyText(one.id))}</a>` : own(one.id)}${one.paused ? html` ${badge("paused")}` : nothing}` },
      { head: t("every"), cls: "c-num", cell: (one) => html`${one.cron ? html`<code dir="ltr">${one.cron}</code>` : one.every_ms ? span(one.every_ms) : nothing} <span class="soft">${one.cron ? ltr(one.timezone) : nothing}</span>` },
      { head: t("next"), cls: "c-num", cell: (one) => (one.paused ? html`<span class="soft">–</span>` : html`${until(one.next[0])}<div class="soft small times">${one.next.slice(0, 3).map((at, i) => html`${i ? " · " : nothing}${when(at)}`)}</div>`) },
      { head: t("overlap"), cell: (one) => html`<span class="soft">${own(tw("overlap", one.overlap))}</span>` },
      { head: t("fires"), cls: "c-why", cell: (one) => one.last.slice(0, 3).map((fire) => html`<div class="fire">${badge(fire.decision)} ${when(fire.nominal)} ${fire.job ? idLink(href("jobs", fire.job), fire.job) : nothing} <span class="soft">${own(fireText(fire.reason ?? ""))}</span></div>`) },
    ];
    if (can("operate")) cols.push({ head: t("actions"), cls: "c-act off-head", cell: (one) => (canChange(one) ? this.actions(one) : nothing) });
    return html`
      ${head(t("schedules"), { copy: [cli("schedules"), curl("v1/schedules")] })}
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.loaded ? table(t("schedules"), cols, this.list.items, (one) => one.id, t("noSchedules")) : nothing}
      ${this.list.below()}`;
  }
  private actions(one: Schedule) {
    const verb = one.paused ? "resume" : "pause";
    const post = (name: string) => client.ask("POST", `v1/schedules/${encodeURIComponent(one.id)}/${name}`, { body: {} });
    return html`${action(t("runNow"), async () => (await post("run"), say(t("scheduleRan", { id: one.id }))), "small", `${t("runNow")}: ${one.id}`)}
      ${action(t(verb), async () => {
        await post(verb);
        say(t(one.paused ? "scheduleResumed" : "schedulePaused", { id: one.id }));
        this.list.again();
      }, "small", `${t(verb)} ${one.id}`)}`;
  }
}
customElements.define("fc-schedules", SchedulesPage);
