// SPDX-License-Identifier: Apache-2.0
// The budgets of what a page loads, in gzip. Over one of them the build fails.
import { readFileSync, readdirSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const out = process.env.FRESHET_WEB_OUT ?? here("../../build/web/dist");
const gzip = (text) => gzipSync(text, { level: 9 }).length;

/** A package as a page would bundle it, without what it takes from elsewhere. */
async function bundled(entry, external = []) {
  const result = await build({
    logLevel: "silent",
    configFile: false,
    build: { write: false, minify: true, target: "es2022", lib: { entry, formats: ["es"] }, rolldownOptions: { external } },
  });
  return gzip(result[0].output[0].code);
}

/** A built module with all that it imports at once. */
function loaded(file, seen = new Set()) {
  if (seen.has(file)) return 0;
  seen.add(file);
  const text = readFileSync(join(out, "assets", file), "utf8");
  let size = gzip(text);
  for (const [, name] of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g)) size += loaded(basename(name), seen);
  return size;
}

const built = (name) => readdirSync(join(out, "assets")).find((file) => file.startsWith(`${name}-`) && file.endsWith(".js"));
const KB = 1024;
const rows = [
  ["client", await bundled(here("../client/dist/index.js")), 6 * KB],
  ["react", await bundled(here("../react/dist/index.js"), ["react", "@freshet/client"]), 2 * KB],
  ["elements", loaded(built("elements")), 20 * KB],
];

let over = false;
for (const [name, size, budget] of rows) {
  console.log(`${name.padEnd(9)} ${String(size).padStart(6)} of ${budget} bytes`);
  over ||= size > budget;
}
if (over) {
  console.error("Over budget.   try: find what was added in the bundle; a budget is raised only with a reason in docs/design/web.md");
  process.exit(1);
}
