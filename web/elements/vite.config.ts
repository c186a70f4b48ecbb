// SPDX-License-Identifier: Apache-2.0
// /elements.js is a line that names the hashed module of this build: pages keep one address, browsers cache the rest for ever.
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { shared } from "../vite.shared.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

function stableEntry(): Plugin {
  return {
    name: "stable-entry",
    generateBundle(_, bundle) {
      const entry = Object.values(bundle).find((file) => file.type === "chunk" && file.isEntry && file.name === "elements");
      if (!entry) this.error("There is no module of the elements to name.");
      this.emitFile({ type: "asset", fileName: "elements.js", source: `export * from "./${entry.fileName}";\n` });
    },
  };
}

/** Takes the indentation out of templates and styles: bytes that no browser needs. */
function tight(): Plugin {
  return {
    name: "tight",
    enforce: "pre",
    transform(code, id) {
      if (!id.startsWith(here("src/"))) return;
      return code.replace(/\n\s+(?=<|\$\{)/g, " ").replace(/css`[^`]*`/g, (style) => style.replace(/\s*\n\s*/g, "").replace(/\s*([{};,>])\s*/g, "$1").replace(/: /g, ":"));
    },
  };
}

/** What the bundler puts before a later module fetches its styles; ours have none of their own. */
function bare(): Plugin {
  return {
    name: "bare",
    enforce: "pre",
    load: (id) => (id.includes("vite/preload-helper") ? "export const __vitePreload = (load) => load();" : undefined),
  };
}

const config = shared({ elements: here("src/index.ts"), docs: here("index.html") });
// What every page loads is one file: pieces compress worse, and each costs a turn.
const later = /\/(live|hub|link|store|he|why-he|problem-he|diff-table|token-src|docs|reference|worker)\.ts|\.css|eventsource-parser|index\.html/;
Object.assign(config.build!.rolldownOptions!.output!, { codeSplitting: { groups: [{ name: "core", test: (id: string) => !later.test(id) }] } });

export default defineConfig({
  ...config,
  plugins: [tight(), bare(), stableEntry()],
});
