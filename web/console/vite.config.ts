// SPDX-License-Identifier: Apache-2.0
// The page names at once what the shell will ask for, so that a first visit takes two turns instead of one per import.
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";
import { shared } from "../vite.shared.ts";

/** What is loaded before the home page is alive, beside what the entry imports. */
const soon = ["live", "freshness"];

function preload(): Plugin {
  return {
    name: "preload",
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle, chunk }) {
        if (!bundle || !chunk) return;
        const files = new Set<string>();
        const take = (fileName: string) => {
          const file = bundle[fileName];
          if (files.has(fileName) || file?.type !== "chunk") return;
          files.add(fileName);
          file.imports.forEach(take);
          for (const next of file.dynamicImports) if (soon.includes(bundle[next]?.type === "chunk" ? bundle[next].name : "")) take(next);
        };
        take(chunk.fileName);
        files.delete(chunk.fileName);
        return [...files].map((file) => ({ tag: "link", attrs: { rel: "modulepreload", crossorigin: true, href: `../${file}` }, injectTo: "head" as const }));
      },
    },
  };
}

export default defineConfig({ ...shared({ console: fileURLToPath(new URL("index.html", import.meta.url)) }), plugins: [preload()] });
