// SPDX-License-Identifier: Apache-2.0
// The rows of a diff: a table, or copies of what a page put into the slot "row".
import type { Diff } from "@freshet/client";
import { css, html, nothing, type TemplateResult } from "lit";

export const styles = css`
  .scroll { overflow-x: auto; }
  table { border-collapse: collapse; inline-size: 100%; }
  th, td { text-align: start; padding: 0.3em 0.6em; border-block-end: 1px solid var(--_soft); vertical-align: top; overflow-wrap: anywhere; }
  .added td:first-child { color: var(--_fresh); } .removed td:first-child { color: var(--_failing); } .changed td:first-child { color: var(--_stale); }
  del { color: var(--_quiet); }
  ins { text-decoration: none; font-weight: 600; }
`;

type Kind = "added" | "removed" | "changed";
interface Row {
  kind: Kind;
  before?: unknown;
  after?: unknown;
  key?: unknown;
  paths?: string[] | undefined;
}
/** Rows on a page; of more only the number is told. */
const rowsMax = 200;
const signs = { added: "+", removed: "−", changed: "~" };

const text = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));
const at = (value: unknown, path: string): unknown => path.split("/").filter(Boolean).reduce((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);
const field = (row: unknown, name: string): unknown => (row && typeof row === "object" ? (row as Record<string, unknown>)[name] : undefined);

/** A key of one field is that field's value. */
const keyOf = (key: unknown): unknown => {
  const values = key && typeof key === "object" ? Object.values(key) : [];
  return values.length === 1 ? values[0] : key ?? "";
};

function rowsOf(diff: Diff): { rows: Row[]; more: number } {
  const all: Row[] = [...diff.added.map((after) => ({ kind: "added" as const, after })), ...diff.removed.map((before) => ({ kind: "removed" as const, before })), ...diff.changed.map((one) => ({ kind: "changed" as const, ...one }))];
  const { added, removed, changed } = diff.counts;
  return { rows: all.slice(0, rowsMax), more: Math.max(all.length, added + removed + changed) - Math.min(all.length, rowsMax) };
}

/** @param by  the field that names a row. */
export function table(diff: Diff, by: string | undefined, word: (kind: Kind) => string, dir: "ltr" | "rtl", nMore: (n: number) => string): TemplateResult {
  const { rows, more } = rowsOf(diff);
  const rest = (row: unknown) => (row && typeof row === "object" ? Object.entries(row).filter(([key]) => key !== by).map(([key, value]) => `${key} ${text(value)}`).join(" · ") : text(row));
  const changes = ({ before, after, paths }: Row) =>
    (paths?.length ? paths : [""]).map(
      (path) => html`<div>${path ? html`<bdi class="quiet">${path.replace(/^\//, "")}</bdi> ` : ""}<del><bdi>${text(at(before, path))}</bdi></del> <span aria-hidden="true">${dir === "rtl" ? "←" : "→"}</span> <ins><bdi>${text(at(after, path))}</bdi></ins></div>`,
    );
  const draw = (row: Row) => {
    const one = row.after ?? row.before;
    const name = by ? field(one, by) : row.kind === "changed" ? keyOf(row.key) : undefined;
    const body = row.kind === "changed" ? changes(row) : html`<bdi>${rest(one)}</bdi>`;
    return html`<tr part=${row.kind} class=${row.kind}><td><span class="line"><bdi dir="ltr">${signs[row.kind]}</bdi><span>${word(row.kind)}</span></span></td>${name === undefined ? html`<td colspan="2">${body}</td>` : html`<th scope="row"><bdi dir="auto">${text(name)}</bdi></th><td>${body}</td>`}</tr>`;
  };
  return html`<table part="table"><tbody>${rows.map(draw)}</tbody></table>${more > 0 ? html`<p class="quiet">${nMore(more)}</p>` : nothing}`;
}

const copies = new WeakMap<HTMLElement, Element[]>();
/** Copies a page's own row for each that differs, beside it in the page, so that the page's styles hold. What has
 * data-field shows that field as it is now (of a removed row as it was), data-before as it was; "kind" and "key" are the
 * word and the row's key. */
export function fill(host: HTMLElement, template: HTMLTemplateElement, diff: Diff, word: (kind: Kind) => string): void {
  for (const copy of copies.get(host) ?? []) copy.remove();
  const made = rowsOf(diff).rows.flatMap((row) => {
    const copy = (template.content.cloneNode(true) as DocumentFragment).firstElementChild;
    if (!copy) return [];
    const set = (attribute: "field" | "before", from: unknown) => {
      for (const one of [copy, ...copy.querySelectorAll(`[data-${attribute}]`)]) {
        const name = one.getAttribute(`data-${attribute}`);
        if (name !== null) one.textContent = name === "kind" ? word(row.kind) : name === "key" ? text(keyOf(row.key)) : text(field(from, name));
      }
    };
    set("field", row.after ?? row.before);
    set("before", row.before);
    copy.slot = "row";
    copy.setAttribute("data-kind", row.kind);
    return [copy];
  });
  copies.set(host, made);
  template.after(...made);
}
