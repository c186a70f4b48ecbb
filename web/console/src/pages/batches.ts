// SPDX-License-Identifier: Apache-2.0
// Batches, newest first.
import { isOver, type Batch } from "@freshet/client";
import { client } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { List } from "../list.js";
import { href, place } from "../router.js";
import { ago, badge, bar, chips, cli, curl, head, html, idLink, ltr, nothing, own, problemBox, t, table, took } from "../ui.js";
import { num } from "../i18n.js";

const states = ["open", "sealed", "ending", "succeeded", "partial", "failed", "cancelled", "aborted"] as const;
export const batchTone = (batch: Batch): string => (batch.counts.failed ? (isOver(batch) && batch.state === "failed" ? "bad" : "warn") : isOver(batch) ? "good" : "go");
export const batchBar = (batch: Batch) =>
  html`${bar(batch.counts.done ?? 0, batch.counts.total ?? 0, batchTone(batch))}<span class="small">${ltr(`${num(batch.counts.done ?? 0)} / ${num(batch.counts.total ?? 0)}`)}</span>`;

export class BatchesPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<Batch>(this);
  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["batches"]);
  }
  protected override render() {
    const state = place().query.get("state") || undefined;
    this.list.show(state ?? "", {
      read: (after) => client.batches.list({ limit: 100, after, state }),
      id: (batch) => batch.id,
      newer: (batch, newest) => batch.id > newest,
      after: (batch) => batch.id,
      fits: (batch) => !state || batch.state === state,
    });
    return html`
      ${head(t("batches"), { copy: [cli("batches", "list", ...(state ? ["--state", state] : [])), curl(`v1/batches${state ? `?state=${state}` : ""}`)] })}
      ${chips(t("state"), [{ text: t("all"), to: href("batches"), on: !state }, ...states.map((word) => ({ text: badge(word), to: href("batches", { state: word }), on: state === word }))])}
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.above()}
      ${this.list.loaded ? table(t("batches"), [
        { head: t("state"), cls: "c-state", cell: (batch) => badge(batch.state) },
        { head: t("batch"), cls: "c-id", cell: (batch) => idLink(href("batches", batch.id), batch.id) },
        { head: t("name"), cls: "c-words", cell: (batch) => own(batch.name ?? "") },
        { head: t("queue"), cls: "c-words", cell: (batch) => html`<a href=${href("jobs", { queue: batch.queue })}>${own(batch.queue)}</a>` },
        { head: t("done"), cls: "c-bar", cell: batchBar },
        { head: t("failedN"), cls: "c-num", cell: (batch) => (batch.counts.failed ? html`<span class="bad">${ltr(num(batch.counts.failed))}</span>` : html`<span class="soft">${ltr(0)}</span>`) },
        { head: t("requested"), cls: "c-num", cell: (batch) => ago(batch.requested_at) },
        { head: t("duration"), cls: "c-num", cell: (batch) => took(batch.began_at, batch.finished_at) },
      ], this.list.items, (batch) => batch.id, t("noBatches")) : nothing}
      ${this.list.below()}`;
  }
}
customElements.define("fc-batches", BatchesPage);
