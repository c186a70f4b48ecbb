// SPDX-License-Identifier: Apache-2.0
// Jobs, newest first, by filter; and what is done to all that fit, with the exact count first.
import { isStalled, type Job } from "@freshet/client";
import { can, client } from "../api.js";
import { Follow, Page } from "../controllers.js";
import { errorText, num, range, whyText } from "../i18n.js";
import { List } from "../list.js";
import { filter, href, keyHref, keyText, place } from "../router.js";
import { ago, action, ask, badge, bar, chips, cli, curl, head, html, idLink, ltr, nothing, own, problemBox, say, t, table, took, tw, when, type Col } from "../ui.js";

export const states = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
const stored = (state: string): string => (state === "cancelling" ? "running" : ["paused", "scheduled", "retrying"].includes(state) ? "queued" : state);
/** As many streams of queues as one connection takes beside the others. */
const queuesMax = 60;

export const jobState = (job: Job) => html`${badge(job.state)}${isStalled(job, client.now()) ? badge("stalled") : nothing}`;
export function progressOf(job: Job) {
  const { progress } = job;
  if (job.state !== "running" && job.state !== "cancelling") return nothing;
  if (!progress || (!progress.done && !progress.total && !progress.phase)) return nothing;
  const of = progress.total === undefined ? num(progress.done) : `${num(progress.done)} / ${num(progress.total)}`;
  return html`${progress.total ? bar(progress.done, progress.total) : nothing}<span class="small soft">${progress.phase ? html`${own(progress.phase)} ` : nothing}${ltr(of)}${progress.unit ? html` ${own(progress.unit)}` : nothing}${job.eta ? html` · ${own(range(job.eta.low_ms, job.eta.high_ms))}` : nothing}</span>`;
}

export class JobsPage extends Page {
  private readonly follow: Follow = new Follow(this, (entry) => entry.topic.startsWith("jobs/") && entry.items && this.list.hear(entry.items.values() as Iterable<never>));
  private readonly list = new List<Job>(this);

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want(["queues"]);
  }

  protected override render() {
    const { query } = place();
    const of = (name: string) => query.get(name) || undefined;
    const filters = { state: of("state"), queue: of("queue"), kind: of("kind"), key: of("key"), tag: of("tag") };
    const queues = [...(this.follow.entry("queues")?.items?.values() ?? [])] as unknown as { name: string; counts: Record<string, number> }[];
    const shown = filters.queue ? queues.filter((queue) => queue.name === filters.queue) : queues;
    this.follow.want(["queues", ...shown.slice(0, queuesMax).map((queue) => `jobs/${queue.name}`)]);
    this.list.show(JSON.stringify(filters), {
      read: (after) => client.jobs.list({ limit: 100, after, ...filters }),
      id: (job) => job.id,
      newer: (job, newest) => job.id > newest,
      after: (job) => job.id,
      fits: (job) =>
        (!filters.state || stored(job.state) === filters.state) && (!filters.queue || job.queue === filters.queue) && (!filters.kind || job.kind === filters.kind) &&
        (!filters.key || job.key === filters.key) && (!filters.tag || (job.tags ?? []).includes(filters.tag)),
    });
    // The server counts by queue: what is filtered further has no count.
    const counted = queues.length > 0 && !filters.kind && !filters.key && !filters.tag;
    const count = (state: string) => shown.reduce((sum, queue) => sum + (queue.counts[state] ?? 0), 0);
    const cols: Col<Job>[] = [
      { head: t("state"), cls: "c-state", cell: jobState },
      { head: t("job"), cls: "c-id", cell: (job) => idLink(href("jobs", job.id), job.id) },
      { head: t("queue"), cls: "c-num", cell: (job) => html`<a href=${href("jobs", { ...filters, queue: job.queue })}>${own(job.queue)}</a>${job.key && job.key !== job.queue ? html` <a class="soft" href=${keyHref(job.key)}>${own(keyText(job.key))}</a>` : nothing}${job.item ? html` <span class="soft">${own(job.item)}</span>` : nothing}` },
      { head: t("kind"), cls: "c-num", cell: (job) => html`${tw("kind", job.kind)}${job.trigger ? html` <span class="soft">${tw("trigger", job.trigger)}</span>` : nothing}` },
      { head: t("requested"), cls: "c-num", cell: (job) => ago(job.requested_at) },
      { head: t("duration"), cls: "c-num", cell: (job) => (job.began_at && (job.state === "running" || job.state === "cancelling" || job.finished_at) ? took(job.began_at, job.finished_at) : html`<span class="soft">–</span>`) },
      { head: t("attempt"), cls: "c-num c-more", cell: (job) => ltr(job.attempts_max ? `${job.attempt} / ${job.attempts_max}` : job.attempt) },
      { head: t("progress"), cls: "c-why", cell: (job) => this.words(job) },
    ];
    const params = new URLSearchParams(Object.entries(filters).filter(([, value]) => value) as [string, string][]);
    const flags = Object.entries(filters).flatMap(([name, value]) => (value ? [`--${name}`, value] : []));
    return html`
      ${head(t("jobs"), { copy: [cli("jobs", "list", ...flags), curl(`v1/jobs${params.size ? `?${params}` : ""}`)], actions: can("operate") ? this.bulk(filters) : nothing })}
      ${chips(t("state"), [
        { text: t("all"), to: href("jobs", { ...filters, state: undefined }), on: !filters.state },
        ...states.map((state) => ({ text: badge(state), to: href("jobs", { ...filters, state }), on: filters.state === state, count: counted ? count(state) : undefined })),
      ])}
      <form class="filters" @change=${this.change} @submit=${(event: Event) => event.preventDefault()}>
        <label>${t("queue")} <select name="queue"><option value="" .selected=${!filters.queue}>${t("any")}</option>${queues.map((queue) => html`<option value=${queue.name} .selected=${queue.name === filters.queue}>${queue.name}</option>`)}</select></label>
        <label>${t("kind")} <select name="kind"><option value="" .selected=${!filters.kind}>${t("any")}</option>${["refresh", "task", "item"].map((kind) => html`<option value=${kind} .selected=${kind === filters.kind}>${tw("kind", kind)}</option>`)}</select></label>
        <label>${t("key")} <input name="key" .value=${filters.key ?? ""} dir="ltr" autocomplete="off"></label>
        <label>${t("tag")} <input name="tag" .value=${filters.tag ?? ""} dir="auto" autocomplete="off"></label>
        ${params.size ? html`<a href=${href("jobs")}>${t("clearFilter")}</a>` : nothing}
      </form>
      ${this.list.problem ? problemBox(this.list.problem, this.list.again) : nothing}
      ${this.list.above()}
      ${this.list.loaded ? table(t("jobs"), cols, this.list.items, (job) => job.id, t("noJobs")) : nothing}
      ${this.list.below()}`;
  }

  private words(job: Job) {
    if (job.state === "running" || job.state === "cancelling") return progressOf(job);
    if (job.state === "failed" && job.error) return html`<span class="bad">${own(errorText(job.error))}</span>`;
    if (job.state === "queued" || job.state === "retrying" || job.state === "scheduled" || job.state === "paused")
      return html`<span class="soft">${job.why ? own(whyText(job.why)) : nothing}${job.retry_at ? html` ${when(job.retry_at)}` : nothing}</span>`;
    if (job.outcome) return html`${tw("outcome", job.outcome)}${job.counts ? html` <span class="soft">${ltr(`+${job.counts.added} −${job.counts.removed} ~${job.counts.changed}`)}</span>` : nothing}`;
    return nothing;
  }

  private change = (event: Event): void => {
    const field = event.target as HTMLInputElement;
    filter({ [field.name]: field.value.trim() || undefined });
  };

  private bulk(filters: Record<string, string | undefined>) {
    const act = (name: "retry" | "cancel" | "delete", label: string) => action(label, () => this.bulkDo(name, filters), name === "delete" ? "danger small" : "small");
    const { state } = filters;
    return html`${!state || state === "failed" || state === "cancelled" ? act("retry", t("bulkRetry")) : nothing}
      ${!state || state === "queued" || state === "running" ? act("cancel", t("bulkCancel")) : nothing}
      ${state && state !== "queued" && state !== "running" ? act("delete", t("bulkDelete")) : nothing}`;
  }

  private async bulkDo(name: string, filters: Record<string, string | undefined>): Promise<void> {
    const fitting = Object.fromEntries(Object.entries(filters).filter(([, value]) => value));
    const body = { action: name, filter: fitting };
    interface Counted {
      count: number;
      by_queue: { queue: string; state: string; count: number }[];
      job?: Job;
    }
    const counted = await client.ask<Counted>("POST", "v1/bulk", { body: { ...body, dry_run: true } });
    if (counted.count === 0) return say(t("bulkNone"));
    const rows = html`<p>${t("bulkBody")}</p>${table(t("jobs"), [
      { head: t("queue"), cell: (row) => own(row.queue) },
      { head: t("state"), cell: (row) => badge(row.state) },
      { head: t("count"), cls: "c-num", cell: (row) => ltr(num(row.count)) },
    ], counted.by_queue, (row) => `${row.queue} ${row.state}`)}`;
    if (!(await ask(t("bulkTitle", { n: counted.count }), rows, t("bulkGo", { n: counted.count }), name !== "retry"))) return;
    const done = await client.ask<Counted>("POST", "v1/bulk", { body: { ...body, dry_run: false } });
    say(t("bulkDone", { n: done.count }));
    this.list.again();
  }
}
customElements.define("fc-jobs", JobsPage);
