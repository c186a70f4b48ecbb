// SPDX-License-Identifier: Apache-2.0
// The server about itself: its parts, a few figures, what was done by hand, and for an admin the end of all live jobs.
import type { Page as ListPage } from "@freshet/client";
import { can, client, me, root } from "../api.js";
import { Page, Read } from "../controllers.js";
import { actDetail, actText, num } from "../i18n.js";
import { ago, action, ask, badge, card, cli, curl, facts, head, html, ltr, nothing, own, problemBox, readAt, say, t, table } from "../ui.js";

interface Health {
  version: string;
  started_at: string;
  ready: boolean;
  components: { name: string; ready: boolean; text?: string }[];
  now: string;
}
interface Act {
  number: number;
  at: string;
  actor: string;
  action: string;
  object?: string;
  detail?: string;
}
interface Counted {
  count: number;
  by_queue: { queue: string; state: string; count: number }[];
}

export class SystemPage extends Page {
  private readonly health = new Read<Health>(this);
  private readonly audit = new Read<ListPage<Act>>(this);
  private readonly figures = new Read<[string, number][]>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.read();
  }
  private read = (): void => {
    void this.health.from(async () => {
      const health = await client.ask<Health>("GET", "healthz");
      // Not ready is an answer, too.
      const ready = await fetch(new URL("readyz", root)).then((response) => response.json() as Promise<Health>);
      return { ...health, ...ready };
    });
    if (can("administer")) void this.audit.from(() => client.ask("GET", "v1/audit", { query: { limit: 100 } }));
    // They are of the whole server, and told to who may see all of it.
    if (me?.all_tenants) void this.figures.from(async () => {
      const response = await fetch(new URL("metrics", root), { credentials: "same-origin" });
      if (!response.ok) return [];
      // Those without labels: of the whole server.
      return [...(await response.text()).matchAll(/^(freshet_[a-z_]+) ([0-9.e+-]+)$/gm)].map(([, name, value]) => [name!, Number(value)] as [string, number]);
    });
  };
  protected override render() {
    const health = this.health.value;
    return html`
      ${head(t("system"), { copy: [cli("doctor"), curl("readyz")], actions: can("administer") ? action(t("reset"), () => this.reset(), "danger") : nothing })}
      <div class="columns">
        ${card(t("health"), this.health.problem ? problemBox(this.health.problem, this.read) : health ? html`
          ${facts([[t("serverVersion"), ltr(health.version)], [t("startedAt"), ago(health.started_at)]])}
          ${table(t("health"), [
            { head: t("state"), cls: "c-state", cell: (part) => badge(part.ready ? "ready" : "down") },
            { head: t("component"), cell: (part) => own(part.name) },
            { head: t("why"), cls: "c-why", cell: (part) => own(part.text ?? "") },
          ], health.components, (part) => part.name)}` : nothing, readAt(health?.now, this.read, this.health.busy))}
        ${card(t("links"), html`<ul class="plain"><li><a href=${new URL("elements/", root).href} target="_blank">${t("elementsLink")}</a></li><li><a href=${new URL("openapi.json", root).href} target="_blank">${t("openapiLink")}</a></li>${me?.all_tenants ? html`<li><a href=${new URL("metrics", root).href} target="_blank">${t("metricsLink")}</a></li>` : nothing}</ul>`)}
      </div>
      ${this.figures.value?.length ? card(t("figures"), html`<details><summary>${t("details")}</summary>${table(t("figures"), [
        { head: t("figure"), cell: ([name]) => html`<code dir="ltr">${name}</code>` },
        { head: t("value"), cls: "c-num", cell: ([, value]) => ltr(num(value)) },
      ], this.figures.value, ([name]) => name)}</details>`, readAt(health?.now, this.read)) : nothing}
      ${can("administer") ? card(t("audit"), this.audit.problem ? problemBox(this.audit.problem, this.read) : this.audit.value ? table(t("audit"), [
        { head: t("at"), cls: "c-num", cell: (act) => ago(act.at) },
        { head: t("actor"), cell: (act) => own(act.actor) },
        { head: t("actionName"), cell: (act) => own(actText(act.action)) },
        { head: t("object"), cell: (act) => own(act.object ?? "") },
        { head: t("detail"), cls: "c-why", cell: (act) => own(actDetail(act.action, act.detail ?? "")) },
      ], this.audit.value.items, (act) => String(act.number), t("noAudit")) : nothing, readAt(this.audit.value?.now, this.read, this.audit.busy)) : nothing}`;
  }
  /** Ends all live jobs: the exact count first, and the tenant's name typed. */
  private async reset(): Promise<void> {
    const tenant = me?.tenant ?? "default";
    const path = `v1/admin/tenants/${encodeURIComponent(tenant)}/reset`;
    const counted = await client.ask<Counted>("POST", path, { body: { dry_run: true } });
    if (!counted.count) return say(t("resetNone"));
    const dialog = await ask(t("resetTitle", { tenant }), html`<p>${t("resetBody", { n: counted.count })}</p>
      ${table(t("jobs"), [
        { head: t("queue"), cell: (row) => own(row.queue) },
        { head: t("state"), cell: (row) => badge(row.state) },
        { head: t("count"), cls: "c-num", cell: (row) => ltr(num(row.count)) },
      ], counted.by_queue, (row) => `${row.queue} ${row.state}`)}
      <label class="stack">${t("typeTenant", { tenant })}<input name="tenant" autocomplete="off" dir="ltr"></label>`, t("reset"), true,
      (open) => (open.querySelector("input")?.value === tenant ? undefined : t("typeWrong", { tenant })));
    if (!dialog) return;
    const done = await client.ask<Counted>("POST", path, { body: { dry_run: false } });
    say(t("resetDone", { n: done.count }));
    this.read();
  }
}
customElements.define("fc-system", SystemPage);
