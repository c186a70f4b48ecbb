// SPDX-License-Identifier: Apache-2.0
// One key: its state, a result that is held back, how refreshes went, its versions and what changed between them.
import type { FreshnessRow, Job, Meta, Page as ListPage, Version } from "@freshet/client";
import { can, canChange, client, isShared } from "../api.js";
import { Follow, Page, Read } from "../controllers.js";
import { bytes, clearsText, clock, errorText, lang, moment, num, span, whyText } from "../i18n.js";
import { nextTry, refreshOf } from "../refresh.js";
import { href, keyText } from "../router.js";
import { strip } from "../strip.js";
import { ago, action, badge, card, cli, confirm, curl, facts, head, html, idLink, json, ltr, nothing, own, problemBox, readAt, say, t, table, took, turns, tw, until, when } from "../ui.js";

const day = 86_400_000;
const month = 30 * day;

export class SourcePage extends Page {
  private readonly follow = new Follow(this, () => this.maybeRead());
  private readonly row = new Read<FreshnessRow | undefined>(this);
  private readonly versions = new Read<ListPage<Version>>(this);
  private readonly jobs = new Read<ListPage<Job>>(this);
  private between: [number, number] | undefined;
  private asked = "";
  private untick: (() => void) | undefined;

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want([`data/${this.what}`, `jobs/${this.source}`]);
    this.untick = client.onTick(() => this.requestUpdate());
    this.readMore();
  }
  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.untick?.();
  }
  private get source(): string {
    return this.what.split("/")[0]!;
  }
  private get topic() {
    return this.follow.entry(`data/${this.what}`);
  }
  /** What the stream does not tell is read anew when the key went on since, also while it was being read. */
  private maybeRead(): void {
    const words = (meta: Meta | undefined) => meta && `${meta.gen} ${meta.ver} ${meta.held} ${meta.attempts} ${meta.paused}`;
    const now = words(this.topic?.meta);
    if (!now || this.row.busy || now === this.asked || now === words(this.row.value)) return;
    this.asked = now;
    this.readMore();
  }
  private readMore = (): void => {
    const row = this.row.from(async () => (await client.freshness({ source: this.source, limit: 500 })).items.find((row) => row.key === this.what));
    void row.then(() => this.maybeRead());
    void this.versions.from(() => client.ask("GET", `v1/data/${this.what}/versions`, { query: { limit: 20 } }));
    void this.jobs.from(() => client.jobs.list({ key: this.what, kind: "refresh", limit: 500, since: new Date(client.now() - month).toISOString() }));
  };

  protected override render() {
    const key = this.what;
    const entry = this.topic;
    const meta: Meta | undefined = entry?.meta ?? this.row.value;
    const row = this.row.value;
    const path = `v1/data/${key}`;
    const next = meta && nextTry(meta);
    const over = (at: string | undefined) => at !== undefined && Date.parse(at) <= client.now();
    const problem = entry?.problem ?? (meta ? undefined : this.row.problem);
    if (!meta) return html`${head(own(keyText(key)))}${problem ? problemBox(problem) : html`<p class="none">${t("reading")}</p>`}`;
    return html`
      ${head(own(keyText(key)), {
        sub: html`<freshet-badge .meta=${meta}></freshet-badge>`,
        copy: [cli("get", key, "--meta"), curl(path)],
        actions: html`${canChange(meta) ? this.pauseButton(meta) : nothing}${can("refresh") ? refreshOf(meta) : nothing}`,
      })}
      ${meta.error ? html`<div class="problem">${badge("failing", meta.error.code)}<div><p>${own(errorText(meta.error))}</p>${next ? html`<p class="soft">${t("next")} ${until(next)}</p>` : nothing}</div></div>` : nothing}
      ${meta.held && row?.held_result ? this.heldCard(row) : nothing}
      <div class="columns">
        ${card(t("details"), facts([
          [t("why"), meta.why && html`${own(whyText(meta.why))}${meta.why.clears ? html`<br><span class="soft">${t("clearsBy")} ${own(clearsText(meta.why))}</span>` : nothing}`],
          [t("shared"), isShared(meta) ? t("sharedNote") : undefined],
          [t("checked"), meta.checked_at && html`${ago(meta.checked_at)} <span class="soft">${when(meta.checked_at)}</span>`],
          [meta.as_of_by === "source" ? t("asOf") : t("asOfFetch"), meta.as_of && html`${ago(meta.as_of)} <span class="soft">${when(meta.as_of)}</span>`],
          [t("changed"), meta.changed_at && html`${ago(meta.changed_at)} <span class="soft">${when(meta.changed_at)}</span>`],
          [over(meta.stale_at) ? t("wentStale") : t("goesStale"), meta.stale_at && turns(meta.stale_at)],
          [over(meta.overdue_at) ? t("wentOverdue") : t("goesOverdue"), meta.overdue_at && turns(meta.overdue_at)],
          [t("next"), next && until(next)],
          [t("version"), ltr(`v${meta.ver}`)],
          [t("gen"), ltr(num(meta.gen))],
          [t("rows"), meta.rows === undefined ? undefined : ltr(num(meta.rows))],
          [t("size"), meta.bytes === undefined ? undefined : bytes(meta.bytes)],
        ]))}
        ${this.rate()}
      </div>
      ${row?.strip ? card(t("stripTitle"), strip(row, true), html`<span class="read">${t("read")} ${ago(row.now)}</span>`) : nothing}
      ${this.versionsCard(meta)}
      ${card(t("data"), entry?.data === undefined ? html`<p class="none">${t("dataNone")}</p>` : json(entry.data), meta.checked_at ? html`<span class="read">${t("checked")} ${ago(meta.checked_at)}</span>` : nothing)}
      ${this.jobsCard()}`;
  }

  private pauseButton(meta: Meta) {
    const verb = meta.paused ? "resume" : "pause";
    return action(meta.paused ? t("resumeSource") : t("pauseSource"), async () => {
      await client.ask("POST", `v1/sources/${meta.source}/${verb}`, { body: {} });
      say(t(meta.paused ? "sourceResumed" : "sourcePaused", { key: meta.source }));
    });
  }

  private heldCard(row: FreshnessRow) {
    const held = row.held_result!;
    const decide = async (verb: "accept" | "discard") => {
      if (!(await confirm(t(`${verb}Ask`), t(`${verb}Body`), t(verb), verb === "discard"))) return;
      await client.ask("POST", `v1/data/${this.what}/held/${verb}`, { body: {} });
      say(t(verb === "accept" ? "accepted" : "discarded"));
      this.readMore();
    };
    return html`<section class="card alert"><header><h2>${badge("held", t("heldTitle"))}</h2></header>
      <p>${tw("held", held.reason)} ${held.message && lang === "en" ? own(held.message) : nothing}</p>
      ${facts([[t("rows"), ltr(num(held.rows))], [t("outcome"), ltr(`+${held.counts.added} −${held.counts.removed} ~${held.counts.changed}`)], [t("at"), ago(held.held_at)], [t("job"), idLink(href("jobs", held.job), held.job)]])}
      ${canChange(row) ? html`<p class="buttons">${action(t("accept"), () => decide("accept"), "primary")}${action(t("discard"), () => decide("discard"), "danger")}</p>` : nothing}
    </section>`;
  }

  private rate() {
    const ended = (this.jobs.value?.items ?? []).filter((job) => job.state === "succeeded" || job.state === "failed");
    if (!ended.length) return nothing;
    const good = ended.filter((job) => job.state === "succeeded").length;
    const times = ended.filter((job) => job.phases?.length);
    // Jobs are kept for as long as the config says, and as many are read as one answer holds: it says from when they are.
    const since = Math.min(...ended.map((job) => Date.parse(job.finished_at ?? job.requested_at)));
    return card(t("durations"), html`
      <p class="rate"><b>${ltr(`${num(Math.floor((1000 * good) / ended.length) / 10)} %`)}</b> <span class="soft">${client.now() - since > month - day ? t("rate30") : t("rateSince", { at: clock(since, client.now()) })} · ${t("rateOf", { ok: num(good), n: ended.length })}</span></p>
      ${times.length ? this.phases(times) : nothing}
      ${times.length > 1 ? html`<fc-chart .jobs=${times}></fc-chart>` : nothing}`, readAt(this.jobs.value?.now, this.readMore, this.jobs.busy));
  }

  /** What each phase usually takes, and what it takes when it is slow. */
  private phases(times: Job[]) {
    const lengths = new Map<string, number[]>();
    for (const { name, ms } of times.flatMap((job) => job.phases ?? [])) lengths.set(name, [...(lengths.get(name) ?? []), ms]);
    const rows = [...lengths].map(([name, all]) => ({ name, all: all.sort((a, b) => a - b) }));
    const rank = (percent: number) => ({ all }: { all: number[] }) => span(all[Math.ceil((all.length * percent) / 100) - 1] ?? 0);
    return table(t("phase"), [
      { head: t("phase"), cell: ({ name }: { name: string }) => tw("phase", name) },
      { head: "p50", cls: "c-num", cell: rank(50) },
      { head: "p95", cls: "c-num", cell: rank(95) },
    ], rows, ({ name }) => name);
  }

  private versionsCard(meta: Meta) {
    const list = this.versions.value?.items ?? [];
    const show = (from: number, to: number) => () => {
      this.between = [from, to];
      this.requestUpdate();
    };
    return card(t("versions"), html`
      ${this.versions.problem ? problemBox(this.versions.problem) : table(t("versions"), [
        { head: t("version"), cls: "c-num", cell: (one: Version) => ltr(`v${one.ver}`) },
        { head: t("changed"), cls: "c-num", cell: (one: Version) => html`${ago(one.changed_at)}` },
        { head: t("asOf"), cls: "c-num", cell: (one: Version) => when(one.as_of) },
        { head: t("rows"), cls: "c-num", cell: (one: Version) => ltr(num(one.rows)) },
        { head: t("size"), cls: "c-num", cell: (one: Version) => bytes(one.bytes) },
        { head: t("diff"), cls: "c-act", cell: (one: Version) => (list.some((other) => other.ver === one.ver - 1) ? html`<button type="button" class="link" aria-pressed=${this.between?.[1] === one.ver || (!this.between && one.ver === meta.ver)} @click=${show(one.ver - 1, one.ver)}>${ltr(`+${one.counts.added} −${one.counts.removed} ~${one.counts.changed}`)}</button>` : html`<span class="soft">–</span>`) },
      ], list, (one) => String(one.ver), t("dataNone"))}
      ${list.length > 1 ? this.diffView(...(this.between ?? [meta.ver - 1, meta.ver])) : nothing}`, readAt(this.versions.value?.now, this.readMore, this.versions.busy));
  }
  private diffView(from: number, to: number) {
    return html`<h3>${t("diffOf", { from: String(from), to: String(to) })}</h3><freshet-diff source=${this.what} .from=${from} .to=${to}></freshet-diff>`;
  }

  private jobsCard() {
    return card(t("refreshes"), this.jobs.problem ? problemBox(this.jobs.problem) : table(t("refreshes"), [
      { head: t("state"), cls: "c-state", cell: (job: Job) => badge(job.outcome ?? job.state, job.outcome ? tw("outcome", job.outcome) : tw("state", job.state)) },
      { head: t("job"), cls: "c-id", cell: (job: Job) => idLink(href("jobs", job.id), job.id) },
      { head: t("requested"), cls: "c-num", cell: (job: Job) => html`<span title=${moment(Date.parse(job.requested_at))}>${ago(job.requested_at)}</span>` },
      { head: t("trigger"), cell: (job: Job) => tw("trigger", job.trigger) },
      { head: t("duration"), cls: "c-num", cell: (job: Job) => took(job.began_at, job.finished_at) },
      { head: t("changed"), cls: "c-num", cell: (job: Job) => (job.counts ? ltr(`+${job.counts.added} −${job.counts.removed} ~${job.counts.changed}`) : nothing) },
      { head: t("error"), cls: "c-why", cell: (job: Job) => (job.error ? html`<span class="bad">${own(errorText(job.error))}</span>` : nothing) },
    ], (this.jobs.value?.items ?? []).slice(0, 25), (job) => job.id), html`<a href=${href("jobs", { key: this.what })}>${t("all")}</a> ${readAt(this.jobs.value?.now, this.readMore, this.jobs.busy)}`);
  }
}
customElements.define("fc-source", SourcePage);

/** The chart is loaded when there is something to draw. */
class Chart extends Page {
  static override properties = { jobs: { attribute: false } };
  declare jobs: Job[];
  protected override render() {
    const names = [...new Set(this.jobs.flatMap((job) => (job.phases ?? []).map((phase) => phase.name)))];
    return html`<div class="chart" aria-hidden="true" dir="ltr"></div>
      <details><summary>${t("durationsTable")}</summary>${table(t("durations"), [
        { head: t("finished"), cell: (job: Job) => when(job.finished_at) },
        ...names.map((name) => ({ head: tw("phase", name), cls: "c-num", cell: (job: Job) => span(job.phases?.find((phase) => phase.name === name)?.ms ?? 0) })),
      ], this.jobs.slice(0, 100), (job) => job.id)}</details>`;
  }
  protected override updated(): void {
    const place = this.querySelector<HTMLElement>(".chart");
    if (place) void import("../chart.js").then(({ draw }) => draw(place, this.jobs));
  }
}
customElements.define("fc-chart", Chart);
