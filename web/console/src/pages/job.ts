// SPDX-License-Identifier: Apache-2.0
// One job: what it is, why, its attempts and log; to run again, also with another input; to cancel; to adopt what came late.
import { isOver, type Attempt, type Job, type Page as ListPage } from "@freshet/client";
import { canChange, client } from "../api.js";
import { Follow, Page, Read } from "../controllers.js";
import { bytes, clearsText, errorText, num, span, whyText } from "../i18n.js";
import { href, keyHref, keyText } from "../router.js";
import { ago, action, ask, badge, card, cli, confirm, curl, facts, head, html, idLink, json, ltr, nothing, own, problemBox, readAt, say, t, table, took, tw, until, when } from "../ui.js";
import { jobState } from "./jobs.js";

interface LogLine {
  number: number;
  at: string;
  level: string;
  text: string;
}

export class JobPage extends Page {
  private readonly follow = new Follow(this, () => this.maybeRead());
  private readonly first = new Read<Job>(this);
  private readonly attempts = new Read<ListPage<Attempt>>(this);
  private readonly log = new Read<ListPage<LogLine>>(this);
  private readonly result = new Read<unknown>(this);
  private seen = "";

  override connectedCallback(): void {
    super.connectedCallback();
    this.follow.want([`job/${this.what}`]);
    void this.first.from(() => client.jobs.get(this.what));
    this.readMore();
  }
  private job(): Job | undefined {
    const heard = this.follow.entry(`job/${this.what}`)?.job;
    const read = this.first.value;
    return heard && (!read || heard.seq >= read.seq) ? heard : read;
  }
  /** Attempts and log are read anew whenever the job went on to another state. */
  private maybeRead(): void {
    const job = this.job();
    const now = job && `${job.state} ${job.generation} ${job.attempt}`;
    if (now && this.seen && now !== this.seen) this.readMore();
    if (now) this.seen = now;
  }
  private readMore = (): void => {
    void this.attempts.from(() => client.jobs.attempts(this.what));
    void this.log.from(() => client.ask("GET", `v1/jobs/${this.what}/log`, { query: { limit: 500 } }));
  };

  protected override render() {
    const job = this.job();
    const path = `v1/jobs/${this.what}`;
    const title = html`${t("job")} ${ltr(this.what)}`;
    if (!job) return html`${head(title)}${this.first.problem ? problemBox(this.first.problem) : html`<p class="none">${t("reading")}</p>`}`;
    return html`
      ${head(title, { sub: html`${jobState(job)} ${tw("kind", job.kind)} · <a href=${href("jobs", { queue: job.queue })}>${own(job.queue)}</a>`, copy: [cli("jobs", "show", job.id), curl(path)], actions: canChange(job) ? this.actions(job) : nothing })}
      <freshet-task job=${job.id}></freshet-task>
      ${job.late_result ? html`<p class="banner alert">${badge("held", t("lateResult"))} ${own(job.late_result.worker)} ${ago(job.late_result.at)} ${bytes(job.late_result.bytes)}</p>` : nothing}
      <div class="columns">
        ${card(t("details"), facts([
          [t("why"), job.why && html`${own(whyText(job.why))}${job.why.since ? html` <span class="soft">${ago(job.why.since)}</span>` : nothing}${job.why.clears ? html`<br><span class="soft">${t("clearsBy")} ${own(clearsText(job.why))}</span>` : nothing}`],
          [t("key"), job.key && html`<a href=${keyHref(job.key)}>${own(keyText(job.key))}</a>`],
          [t("trigger"), job.trigger && tw("trigger", job.trigger)],
          [t("outcome"), job.outcome && html`${tw("outcome", job.outcome)}${job.counts ? html` ${ltr(`+${job.counts.added} −${job.counts.removed} ~${job.counts.changed}`)}` : nothing}`],
          [t("requested"), html`${when(job.requested_at)} <span class="soft">${ago(job.requested_at)}</span>${job.requested_by ? html` ${t("requestedBy")} ${own(job.requested_by)}` : nothing}`],
          [t("due"), !isOver(job) && !job.began_at ? until(job.due_at) : undefined],
          [t("began"), job.began_at && html`${when(job.began_at)} <span class="soft">${ago(job.began_at)}</span>`],
          [t("finished"), job.finished_at && html`${when(job.finished_at)} <span class="soft">${ago(job.finished_at)}</span>`],
          [t("duration"), job.began_at && (job.state === "running" || job.finished_at) && took(job.began_at, job.finished_at)],
          [t("retry"), job.retry_at && until(job.retry_at)],
          [t("attempt"), ltr(job.attempts_max ? `${job.attempt} / ${job.attempts_max}` : job.attempt)],
          [t("generation"), job.generation > 1 ? ltr(job.generation) : undefined],
          [t("lost"), job.lost ? ltr(job.lost) : undefined],
          [t("worker"), job.worker && own(job.worker)],
          [t("beat"), job.state === "running" ? job.beat_at && ago(job.beat_at) : undefined],
          [t("lease"), job.state === "running" ? job.lease_until && until(job.lease_until) : undefined],
          [t("deadline"), !isOver(job) && job.deadline_at ? until(job.deadline_at) : undefined],
          [t("behind"), job.behind && idLink(href("jobs", job.behind), job.behind)],
          [t("supersededBy"), job.superseded_by && idLink(href("jobs", job.superseded_by), job.superseded_by)],
          [t("batch"), job.batch && idLink(href("batches", job.batch), job.batch)],
          [t("item"), job.item && own(job.item)],
          [t("callers"), job.callers && job.callers > 1 ? ltr(num(job.callers)) : undefined],
          [t("tags"), job.tags?.length ? job.tags.map((tag) => html`<a class="tag" href=${href("jobs", { tag })}>${own(tag)}</a> `) : undefined],
        ]))}
        ${job.phases?.length ? card(t("durations"), table(t("durations"), [
          { head: t("phase"), cell: (phase) => tw("phase", phase.name) },
          { head: t("duration"), cls: "c-num", cell: (phase) => span(phase.ms) },
        ], job.phases, (phase) => phase.name)) : nothing}
      </div>
      ${card(t("attempts"), this.attempts.problem ? problemBox(this.attempts.problem) : this.attempts.value ? table(t("attempts"), [
        { head: t("attempt"), cls: "c-num", cell: (one) => ltr(one.generation > 1 ? `${one.generation}.${one.attempt}` : one.attempt) },
        { head: t("end"), cls: "c-state", cell: (one) => badge(one.end) },
        { head: t("began"), cls: "c-num", cell: (one) => when(one.began_at) },
        { head: t("duration"), cls: "c-num", cell: (one) => took(one.began_at, one.finished_at) },
        { head: t("worker"), cell: (one) => own(one.worker) },
        { head: t("error"), cls: "c-why", cell: (one) => (one.error ? html`<span class="bad">${own(errorText(one.error))}</span>` : nothing) },
      ], this.attempts.value.items, (one) => String(one.fence), t("noAttempts")) : nothing, readAt(this.attempts.value?.now, this.readMore, this.attempts.busy))}
      ${card(t("log"), this.log.problem ? problemBox(this.log.problem) : this.log.value?.items.length ? html`<ol class="log" tabindex="0" dir="ltr">${this.log.value.items.map((line) => html`<li data-level=${line.level}>${when(line.at)} <b>${line.level}</b> <span>${line.text}</span></li>`)}</ol>` : html`<p class="none">${t("noLog")}</p>`, readAt(this.log.value?.now, this.readMore, this.log.busy))}
      ${job.input !== undefined ? card(t("input"), json(job.input)) : nothing}
      ${job.state === "succeeded" && job.kind !== "refresh" ? card(t("result"), job.result !== undefined ? json(job.result) : this.result.value !== undefined ? json(this.result.value) : this.result.problem ? problemBox(this.result.problem) : html`<p>${action(t("read"), () => this.result.from(() => client.ask("GET", `v1/jobs/${job.id}/result`)), "small")}</p>`) : nothing}`;
  }

  private actions(job: Job) {
    const done = (word: "retried" | "cancelled" | "ranNow") => say(t(word, { id: job.id }));
    const verb = (name: string, body?: unknown) => client.ask<Job>("POST", `v1/jobs/${job.id}/${name}`, { body: body ?? {} });
    if (!isOver(job))
      return html`${job.state === "queued" || job.state === "scheduled" || job.state === "retrying" ? action(t("run"), async () => (await verb("run"), done("ranNow"))) : nothing}
        ${job.state === "cancelling" ? nothing : action(t("cancel"), async () => {
          if (!(await confirm(t("cancelTitle", { id: job.id }), t("cancelBody"), t("cancel"), true))) return;
          const after = await verb("cancel");
          after.already ? say(t("alreadyOver", { state: tw("state", after.already) })) : done("cancelled");
        }, "danger")}`;
    return html`${job.late_result ? action(t("adopt"), async () => {
        const { worker, at } = job.late_result!;
        if (!(await confirm(t("adopt"), t("adoptBody", { worker: worker ?? "", at }), t("adopt")))) return;
        await verb("adopt");
        say(t("adopted"));
      }) : nothing}
      ${job.state === "succeeded" ? nothing : action(t("retry"), async () => {
        const before = JSON.stringify(job.input, null, 2);
        const editable = job.kind !== "refresh";
        const body = html`<p>${t("retryBody", { n: job.generation + 1 })}</p>${editable ? html`<label class="stack">${t("retryInput")}<textarea name="input" rows="10" dir="ltr" spellcheck="false" .value=${before ?? ""}></textarea></label>` : nothing}`;
        const text = (dialog: HTMLDialogElement) => dialog.querySelector("textarea")?.value ?? "";
        const dialog = await ask(t("retryTitle"), body, t("retry"), false, (open) => {
          if (!editable || !text(open).trim()) return undefined;
          try {
            JSON.parse(text(open));
          } catch (error) {
            return t("badJson", { what: (error as Error).message });
          }
          return undefined;
        });
        if (!dialog) return;
        const changed = editable && text(dialog).trim() && text(dialog) !== before;
        await verb("retry", { generation: job.generation, ...(changed && { input: JSON.parse(text(dialog)) as unknown }) });
        done("retried");
      }, "primary")}`;
  }
}
customElements.define("fc-job", JobPage);
