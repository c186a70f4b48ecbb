// SPDX-License-Identifier: Apache-2.0
// One batch: its parts and where each of them is; what failed, to run again; what comes after.
import { isOver, type Batch, type Item } from "@freshet/client";
import type { FreshetEvents } from "@freshet/elements";
import { can, client } from "../api.js";
import { Follow, Page, Read } from "../controllers.js";
import { errorText, num, range, whyText } from "../i18n.js";
import { List } from "../list.js";
import { href, place } from "../router.js";
import { ago, action, badge, card, chips, cli, confirm, curl, facts, head, html, idLink, ltr, nothing, own, problemBox, say, sayProblem, t, table, took, tw, until, when } from "../ui.js";

const states = ["queued", "running", "succeeded", "failed", "cancelled"] as const;

export class BatchPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly first = new Read<Batch>(this);
  private readonly list = new List<Item & { seq?: number }>(this);

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want([`batch/${this.what}`]);
    void this.first.from(() => client.batches.get(this.what));
  }
  protected override render(): unknown {
    const heard = this.follow.entry(`batch/${this.what}`)?.batch;
    const read = this.first.value;
    const batch = heard && (!read || heard.seq >= read.seq) ? heard : read;
    const title = html`${t("batch")} ${ltr(this.what)}`;
    if (!batch) return html`${head(title)}${this.first.problem ? problemBox(this.first.problem) : html`<p class="none">${t("reading")}</p>`}`;
    const state = place().query.get("state") || undefined;
    this.list.show(`${state ?? ""} ${batch.generation}`, {
      read: (after) => client.batches.items(this.what, { limit: 200, after, state }),
      id: (item) => item.key,
      fits: (item) => !state || item.state === state,
    });
    const counts = batch.counts as Record<string, number>;
    return html`
      ${head(title, { sub: html`${badge(batch.state)} ${batch.name ? html`${own(batch.name)} · ` : nothing}<a href=${href("jobs", { queue: batch.queue })}>${own(batch.queue)}</a>`, copy: [cli("batches", "show", batch.id), curl(`v1/batches/${batch.id}`)], actions: can("operate") ? this.actions(batch) : nothing })}
      <freshet-batch batch=${batch.id} ?retry-failed=${can("operate")} @freshet-then=${() => say(t("started"))} @freshet-error=${(event: FreshetEvents["freshet-error"]) => sayProblem(event.detail)}></freshet-batch>
      ${this.then(batch)}
      <div class="columns">
        ${card(t("details"), facts([
          [t("why"), batch.why && own(whyText(batch.why))],
          [t("requested"), html`${when(batch.requested_at)} <span class="soft">${ago(batch.requested_at)}</span>${batch.requested_by ? html` ${t("requestedBy")} ${own(batch.requested_by)}` : nothing}`],
          [t("began"), batch.began_at && when(batch.began_at)],
          [t("finished"), batch.finished_at && html`${when(batch.finished_at)} <span class="soft">${ago(batch.finished_at)}</span>`],
          [t("duration"), batch.began_at && took(batch.began_at, batch.finished_at)],
          [t("eta"), batch.eta?.low_ms !== undefined && !isOver(batch) ? own(range(batch.eta.low_ms, batch.eta.high_ms ?? 0)) : undefined],
          [t("sealBy"), batch.state === "open" && batch.seal_by ? until(batch.seal_by) : undefined],
          [t("generation"), (batch.generation ?? 1) > 1 ? ltr(batch.generation) : undefined],
          [t("concurrency"), batch.concurrency ? ltr(num(batch.concurrency)) : undefined],
          [t("driver"), batch.driver === "caller" ? "caller" : undefined],
        ]))}
        ${batch.errors?.length ? card(t("errors"), table(t("errors"), [
          { head: t("count"), cls: "c-num", cell: (error) => ltr(num(error.count ?? 0)) },
          { head: t("error"), cell: (error) => html`<b>${own(error.code)}</b> ${own(error.message)}` },
        ], batch.errors, (error) => `${error.code} ${error.message}`)) : nothing}
      </div>
      ${card(t("items"), html`
        ${chips(t("state"), [{ text: t("all"), to: href("batches", batch.id), on: !state, count: counts["total"] }, ...states.map((word) => ({ text: badge(word), to: href("batches", batch.id, { state: word }), on: state === word, count: counts[word] ?? 0 }))])}
        ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
        ${this.list.loaded ? table(t("items"), [
          { head: t("state"), cls: "c-state", cell: (item) => badge(item.state) },
          { head: t("item"), cls: "c-words", cell: (item) => html`${own(item.label ?? item.key)}${item.label ? html` <span class="soft">${own(item.key)}</span>` : nothing}` },
          { head: t("job"), cls: "c-id", cell: (item) => (item.job ? idLink(href("jobs", item.job), item.job) : nothing) },
          { head: t("attempt"), cls: "c-num", cell: (item) => ltr(item.attempt) },
          { head: t("duration"), cls: "c-num", cell: (item) => (item.began_at && (item.state === "running" || item.finished_at) ? took(item.began_at, item.finished_at) : html`<span class="soft">–</span>`) },
          { head: t("error"), cls: "c-why", cell: (item) => (item.error ? html`<span class="bad">${own(errorText(item.error))}</span>` : nothing) },
        ], this.list.items, (item) => item.key) : nothing}
        ${this.list.below()}`)}`;
  }

  private actions(batch: Batch) {
    if (!isOver(batch))
      return action(t("cancel"), async () => {
        if (!(await confirm(t("cancelTitle", { id: batch.id }), t("cancelBody"), t("cancel"), true))) return;
        await client.batches.cancel(batch.id);
        say(t("cancelled", { id: batch.id }));
      }, "danger");
    return nothing;
  }
  /** What comes after the batch; the button that starts it is the element's. */
  private then(batch: Batch) {
    const { then } = batch;
    if (!then) return nothing;
    return html`<p class="banner">${t("then")}: <b>${own(then.label ?? then.queue ?? "")}</b> ${tw("then", then.state)}
      ${then.batch ? idLink(href("batches", then.batch), then.batch) : nothing}${then.job ? idLink(href("jobs", then.job), then.job) : nothing}</p>`;
  }
}
customElements.define("fc-batch", BatchPage);
