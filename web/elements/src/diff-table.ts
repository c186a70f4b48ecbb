// SPDX-License-Identifier: Apache-2.0
// The rows of a diff.
import type { Diff } from "@freshet/client";
import { html, type TemplateResult } from "lit";

type Kind = "added" | "removed" | "changed";
const rowsMax = 200;
const signs = { added: "+", removed: "−", changed: "~" };

const text = (value: unknown): string => (typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value));
const at = (value: unknown, path: string): unknown => path.split("/").filter(Boolean).reduce((inner, key) => (inner as Record<string, unknown> | undefined)?.[key], value);

/** @param by  the field that names a row. */
export function table(diff: Diff, by: string | undefined, word: (kind: Kind) => string, dir: "ltr" | "rtl"): TemplateResult {
  const name = (row: unknown) => (by && row && typeof row === "object" ? (row as Record<string, unknown>)[by] : undefined);
  const rest = (row: unknown) => (row && typeof row === "object" ? Object.entries(row).filter(([key]) => key !== by).map(([key, value]) => `${key} ${text(value)}`).join(" · ") : text(row));
  const row = (kind: Kind, head: unknown, body: unknown) =>
    html`<tr part=${kind} class=${kind}><td><span class="line"><bdi dir="ltr">${signs[kind]}</bdi><span>${word(kind)}</span></span></td>${by || kind === "changed" ? html`<th scope="row"><bdi dir="auto">${text(head)}</bdi></th><td>${body}</td>` : html`<td colspan="2">${body}</td>`}</tr>`;
  const changes = ({ before, after, paths }: Diff["changed"][number]) =>
    (paths?.length ? paths : [""]).map(
      (path) => html`<div>${path ? html`<bdi class="quiet">${path.replace(/^\//, "")}</bdi> ` : ""}<del><bdi>${text(at(before, path))}</bdi></del> <span aria-hidden="true">${dir === "rtl" ? "←" : "→"}</span> <ins><bdi>${text(at(after, path))}</bdi></ins></div>`,
    );
  return html`<table part="table"><tbody>
    ${diff.added.slice(0, rowsMax).map((one) => row("added", name(one), html`<bdi>${rest(one)}</bdi>`))}
    ${diff.removed.slice(0, rowsMax).map((one) => row("removed", name(one), html`<bdi>${rest(one)}</bdi>`))}
    ${diff.changed.slice(0, rowsMax).map((one) => row("changed", by ? name(one.after) : one.key ?? "", changes(one)))}
  </tbody></table>`;
}
