// SPDX-License-Identifier: Apache-2.0
// What the builds of elements and console have in common: where they write, and that every name but the entry's holds a hash.
import { fileURLToPath } from "node:url";
import type { UserConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The folder that the server embeds; outside of the source tree. */
export const out = process.env["FRESHET_WEB_OUT"] ?? here("../build/web/dist");

/** The packages' sources by their names, so that no build waits for another's. */
export const alias = {
  "@freshet/client": here("client/src/index.ts"),
  "@freshet/react": here("react/src/index.ts"),
  "@freshet/elements/view": here("elements/src/view.ts"),
  "@freshet/elements/styles": here("elements/src/styles.ts"),
  "@freshet/elements/react": here("elements/src/react.ts"),
  "@freshet/elements/why-he": here("elements/src/why-he.ts"),
  "@freshet/elements": here("elements/src/index.ts"),
};

export function shared(input: Record<string, string>): UserConfig {
  return {
    root: here("."),
    base: "./",
    resolve: { alias },
    build: {
      outDir: out,
      emptyOutDir: false,
      assetsInlineLimit: 0,
      modulePreload: false,
      target: "es2022",
      reportCompressedSize: false,
      rolldownOptions: {
        input,
        preserveEntrySignatures: "strict",
        output: {
          entryFileNames: "assets/[name]-[hash].js",
          chunkFileNames: "assets/[name]-[hash].js",
          assetFileNames: "assets/[name]-[hash][extname]",
        },
      },
    },
  };
}
