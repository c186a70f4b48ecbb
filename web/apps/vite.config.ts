// SPDX-License-Identifier: Apache-2.0
// Two apps as other teams build them, of another origin than the server: one in React 19, one in Vue 3. The tests in
// ../../tests/web/elements build them into a folder of theirs (FRESHET_WEB_OUT) and open them in a browser.
import vue from "@vitejs/plugin-vue";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { alias, out } from "../vite.shared.ts";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here("."),
  base: "./",
  plugins: [vue({ template: { compilerOptions: { isCustomElement: (tag) => tag.startsWith("freshet-") } } })],
  // The hooks are tried on the newest React here, and on the oldest that they take in their own tests.
  resolve: { alias, dedupe: ["react", "react-dom"] },
  build: { outDir: out, emptyOutDir: true, target: "es2022", reportCompressedSize: false, rolldownOptions: { input: [here("react/index.html"), here("vue/index.html")] } },
});
