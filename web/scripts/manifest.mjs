// SPDX-License-Identifier: Apache-2.0
// Writes elements/custom-elements.json, by which editors complete the elements, from the list that the page is made of.
import { writeFileSync } from "node:fs";
import { reference, themes } from "../elements/dist/reference.js";

const named = (rows) => Object.entries(rows).map(([name, description]) => ({ name, description }));
const className = (tag) => tag.replace(/(^|-)(\w)/g, (_, __, letter) => letter.toUpperCase());
const common = [{ name: "label", description: "a name" }, { name: "lang", description: "the language; the nearest lang if left out" }];
const modules = reference.map(({ tag, about, attributes, properties, events, slots, parts }) => ({
  kind: "javascript-module",
  path: "dist/index.js",
  declarations: [{
    kind: "class", customElement: true, name: className(tag), tagName: tag, description: about.en,
    attributes: [...named(attributes), ...common.filter(({ name }) => !(name in attributes))],
    members: named(properties).map(({ name, description }) => (name.endsWith("()") ? { kind: "method", name: name.slice(0, -2), description } : { kind: "field", name, description })),
    events: named(events).map((event) => ({ ...event, type: { text: "CustomEvent" } })),
    slots: slots.map((name) => ({ name: name === "(default)" ? "" : name })),
    cssParts: parts.map((name) => ({ name })),
    cssProperties: themes.map((name) => ({ name })),
  }],
  exports: [{ kind: "custom-element-definition", name: tag, declaration: { name: className(tag), module: "dist/index.js" } }],
}));
writeFileSync(new URL("../elements/custom-elements.json", import.meta.url), `${JSON.stringify({ schemaVersion: "1.0.0", modules }, null, 2)}\n`);
