// SPDX-License-Identifier: Apache-2.0
// @vitest-environment happy-dom
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import "../src/index.js";
import { he } from "../src/he.js";
import { hebrew, reference, themes } from "../src/reference.js";
import { en } from "../src/words.js";

const source = (name: string) => readFileSync(join(process.cwd(), `elements/src/${name}.ts`), "utf8");
const text = ["badge", "refresh", "task", "batch", "diff", "diff-table", "provider", "base", "view"].map(source).join("\n");

test.each(reference.map((entry) => [entry.tag, entry] as const))("What is written of %s is so", (tag, entry) => {
  const element = customElements.get(tag) as (CustomElementConstructor & { observedAttributes: string[] }) | undefined;
  expect(element, "it is defined").toBeDefined();
  for (const name of Object.keys(entry.attributes)) expect(element!.observedAttributes, name).toContain(name);
  const made = document.createElement(tag) as unknown as Record<string, unknown>;
  for (const name of Object.keys(entry.properties)) expect(name.replace("()", "") in made, name).toBe(true);
  for (const name of Object.keys(entry.events)) expect(text, name).toContain(`"${name}"`);
  for (const name of entry.parts) expect(text, name).toMatch(new RegExp(`part="?[^"\`]*\\b${name}\\b|, "${name}"|part = "${name}"|part=\\$\\{row.kind\\}`));
});

test("Hebrew says every word that English says, and takes as much with it", () => {
  expect(Object.keys(he).sort()).toEqual(Object.keys(en).sort());
  for (const [name, word] of Object.entries(en)) expect(typeof (he as unknown as Record<string, unknown>)[name], name).toBe(typeof word);
});

test("What is written of the elements is written in Hebrew, too, and nothing more", () => {
  const written = reference.flatMap(({ attributes, properties, events }) => [attributes, properties, events].flatMap((rows) => Object.values(rows)));
  expect(Object.keys(hebrew).sort()).toEqual([...new Set(written)].sort());
});

test("Every colour that a page may set is one that the elements use", () => {
  for (const name of themes) expect(source("styles")).toContain(`var(${name},`);
});
