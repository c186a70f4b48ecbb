// SPDX-License-Identifier: Apache-2.0
// Queues as the stream tells them: what waits, what runs, who works; pause, resume, limits.
import type { Queue } from "@freshet/client";
import { can, canChange, client, me } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { List } from "../list.js";
import { num, span } from "../i18n.js";
import { href } from "../router.js";
import { ago, action, ask, badge, cli, curl, head, html, ltr, nothing, own, problemBox, say, t, table, type Col } from "../ui.js";

export class QueuesPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<Queue & { seq?: number }>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["queues"]);
  }
  protected override render() {
    this.list.show("queues", { read: (after) => client.ask("GET", "v1/queues", { query: { limit: 200, after } }), id: (queue) => queue.name });
    const count = (queue: Queue, state: "queued" | "running" | "failed" | "succeeded", bad = false) => {
      const n = queue.counts[state] ?? 0;
      return n ? html`<a class=${bad ? "bad" : nothing} href=${href("jobs", { queue: queue.name, state })}>${ltr(num(n))}</a>` : html`<span class="soft">${ltr(0)}</span>`;
    };
    const cols: Col<Queue>[] = [
      { head: t("queue"), cls: "c-key", cell: (queue) => html`<a href=${href("jobs", { queue: queue.name })}>${own(queue.name)}</a>${queue.paused ? html` ${badge("paused")}` : nothing}` },
      { head: t("waiting"), cls: "c-num", cell: (queue) => count(queue, "queued") },
      { head: t("oldest"), cls: "c-num", cell: (queue) => (queue.counts["queued"] && queue.waiting_since ? ago(queue.waiting_since) : html`<span class="soft">–</span>`) },
      { head: t("runningN"), cls: "c-num", cell: (queue) => count(queue, "running") },
      { head: t("failedN"), cls: "c-num", cell: (queue) => count(queue, "failed", true) },
      { head: t("succeededN"), cls: "c-num", cell: (queue) => count(queue, "succeeded") },
      { head: t("workers"), cell: (queue) => (queue.kind === "source" ? html`<span class="soft">${t("fetchedHere")}</span>` : queue.workers ? ltr(num(queue.workers)) : html`<span class=${queue.counts["queued"] ? "bad" : "soft"}>${t("noWorkers")}</span>`) },
      { head: t("limits"), cell: (queue) => this.limits(queue) },
    ];
    if (can("operate")) cols.push({ head: t("actions"), cls: "c-act off-head", cell: (queue) => this.actions(queue) });
    return html`
      ${head(t("queues"), { copy: [cli("top", "-1"), curl("v1/queues")] })}
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.loaded ? table(t("queues"), cols, this.list.items, (queue) => queue.name) : nothing}
      ${this.list.below()}`;
  }
  private limits({ limits }: Queue) {
    const words = [limits.concurrency && t("atOnce", { n: limits.concurrency }), limits.rate && t("perTime", { n: limits.rate.count, span: span(limits.rate.per_ms) })].filter(Boolean);
    return html`${words.join(" · ") || html`<span class="soft">–</span>`}${limits.set ? html` <span class="soft">${t("setByHand")}</span>` : nothing}`;
  }
  private actions(queue: Queue) {
    const verb = queue.paused ? "resume" : "pause";
    const path = queue.kind === "source" ? `v1/sources/${queue.name}/${verb}` : `v1/queues/${queue.name}/${verb}`;
    if (!canChange(queue)) return nothing;
    const setsLimits = can("administer") && queue.kind === "queue" && (!queue.limits.shared || me?.all_tenants);
    return html`${setsLimits ? action(t("setLimits"), () => this.setLimits(queue), "small", t("limitsTitle", { queue: queue.name })) : nothing}
      ${action(t(verb), async () => {
        await client.ask("POST", path, { body: {} });
        say(t(queue.paused ? "queueResumed" : "queuePaused", { queue: queue.name }));
      }, "small", `${t(verb)} ${queue.name}`)}`;
  }
  private async setLimits(queue: Queue): Promise<void> {
    const { concurrency, rate } = queue.limits;
    const dialog = await ask(t("limitsTitle", { queue: queue.name }), html`
      <label class="stack">${t("concurrencyField")}<input name="concurrency" type="number" min="1" dir="ltr" .value=${String(concurrency ?? "")}></label>
      <label class="stack">${t("rateField")}<input name="rate" type="number" min="1" dir="ltr" .value=${String(rate ? Math.round((rate.count * 1000) / rate.per_ms) : "")}></label>
      <p class="soft">${t("limitsHint")}</p>`, t("save"));
    if (!dialog) return;
    const value = (name: string) => Number(dialog.querySelector<HTMLInputElement>(`[name=${name}]`)?.value) || null;
    const rateNow = value("rate");
    await client.ask("POST", `v1/queues/${queue.name}/limits`, { body: { concurrency: value("concurrency"), rate: rateNow ? { count: rateNow, per_ms: 1000 } : null } });
    say(t("limitsSet", { queue: queue.name }));
  }
}
customElements.define("fc-queues", QueuesPage);
