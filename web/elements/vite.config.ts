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

export default defineConfig({
  ...shared({ elements: here("src/index.ts"), docs: here("index.html") }),
  plugins: [stableEntry()],
});
