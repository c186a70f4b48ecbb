// SPDX-License-Identifier: Apache-2.0
// Who works: their last sign of life, what they hold, and who has fallen silent.
import type { WorkerRow } from "@freshet/client";
import { can, client } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { List } from "../list.js";
import { href, place } from "../router.js";
import { ago, action, badge, chips, cli, confirm, curl, head, html, idLink, ltr, nothing, own, problemBox, say, t, table, until, type Col } from "../ui.js";

const states = ["alive", "deaf", "lost", "draining"] as const;

export class WorkersPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<WorkerRow & { seq?: number }>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["workers"]);
  }
  protected override render() {
    const state = place().query.get("state") || undefined;
    this.list.show(state ?? "", {
      read: (after) => client.ask("GET", "v1/workers", { query: { limit: 200, after, state } }),
      id: (worker) => worker.id,
      fits: (worker) => !state || worker.state === state,
    });
    const every = [...(this.follow.entry("workers")?.items?.values() ?? [])] as unknown as WorkerRow[];
    const count = (word?: string) => (every.length || this.list.loaded ? every.filter((worker) => !word || worker.state === word).length : undefined);
    const cols: Col<WorkerRow>[] = [
      { head: t("state"), cls: "c-state", cell: (worker) => badge(worker.state) },
      { head: t("worker"), cls: "c-key", cell: (worker) => own(worker.id) },
      { head: t("host"), cell: (worker) => (worker.host || worker.sdk ? html`${own(worker.host)} <span class="soft">${own(worker.sdk)}</span>` : nothing) },
      { head: t("queues"), cell: (worker) => worker.queues.map((queue, i) => html`${i ? ", " : nothing}<a href=${href("jobs", { queue })}>${own(queue)}</a>`) },
      { head: t("busy"), cls: "c-num", cell: (worker) => ltr(`${worker.busy} / ${worker.slots}`) },
      { head: t("beat"), cls: "c-num", cell: (worker) => ago(worker.beat_at) },
      { head: t("claimed"), cls: "c-num", cell: (worker) => ago(worker.claim_at) },
      { head: t("holds"), cls: "c-why", cell: (worker) => worker.jobs.slice(0, 4).map((job) => html`<span class="held-job">${idLink(href("jobs", job.id), job.id)} <span class="soft">${until(job.lease_until)}</span></span> `) },
    ];
    if (can("operate"))
      cols.push({ head: t("actions"), cls: "c-act off-head", cell: (worker) => (worker.state === "draining" || worker.state === "gone" || worker.state === "lost" ? nothing : action(t("drain"), async () => {
        if (!(await confirm(t("drainTitle", { worker: worker.id }), t("drainBody"), t("drain")))) return;
        await client.ask("POST", `v1/workers/${encodeURIComponent(worker.id)}/drain`, { body: {} });
        say(t("drained", { worker: worker.id }));
      }, "small", `${t("drain")} ${worker.id}`)) });
    return html`
      ${head(t("workers"), { copy: [cli("top", "-1"), curl(`v1/workers${state ? `?state=${state}` : ""}`)] })}
      ${chips(t("state"), [{ text: t("all"), to: href("workers"), on: !state, count: count() }, ...states.map((word) => ({ text: badge(word), to: href("workers", { state: word }), on: state === word, count: count(word) }))])}
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.loaded && !this.list.items.length && !state ? html`<div class="none"><p>${t("noWorkersYet")}</p><p>${t("workersHint")}</p><pre dir="ltr">freshet run --queue QUEUE -- ./program</pre></div>` : this.list.loaded ? table(t("workers"), cols, this.list.items, (worker) => worker.id) : nothing}
      ${this.list.below()}`;
  }
}
customElements.define("fc-workers", WorkersPage);
