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

/** A package as a page would bundle it, without what it takes from elsewhere: what loads at once, and with all that may follow. */
async function bundled(entry, external = []) {
  const result = await build({
    logLevel: "silent",
    configFile: false,
    build: {
      write: false,
      target: "es2022",
      modulePreload: false,
      rolldownOptions: { input: entry, external, preserveEntrySignatures: "strict" },
    },
  });
  const chunks = new Map(result.output.filter((file) => file.type === "chunk").map((file) => [file.fileName, file]));
  const sizes = (later) => {
    const seen = new Set();
    const size = (file) => {
      if (seen.has(file) || !chunks.has(file)) return 0;
      seen.add(file);
      const { code, imports, dynamicImports } = chunks.get(file);
      return gzip(code) + [...imports, ...(later ? dynamicImports : [])].reduce((sum, next) => sum + size(next), 0);
    };
    return size(result.output[0].fileName);
  };
  return [sizes(false), sizes(true)];
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

/** What the console loads before its home page is alive: the shell, that page, and what holds the stream. */
function consoleFirst(seen) {
  let size = loaded(built("console"), seen);
  for (const name of ["live", "freshness"]) {
    const text = [...seen].map((file) => readFileSync(join(out, "assets", file), "utf8")).join();
    const [, file] = new RegExp(`\\./(${name}-[^"\`]+\\.js)`).exec(text) ?? [];
    if (!file) throw new Error(`the console loads no ${name}`);
    size += loaded(file, seen);
  }
  return size;
}
const style = (name) => gzip(readFileSync(join(out, "assets", readdirSync(join(out, "assets")).find((file) => file.startsWith(`${name}-`) && file.endsWith(".css")))));
const KB = 1024;
const [client, streaming] = await bundled(here("../client/dist/index.js"));
const [react] = await bundled(here("../react/dist/index.js"), ["react", "@freshet/client"]);
const firstLoad = new Set();
const rows = [
  ["client", client, 6 * KB],
  ["client with its stream", streaming, 12 * KB],
  ["react", react, 2 * KB],
  ["elements", loaded(basename(/"(.+)"/.exec(readFileSync(join(out, "elements.js"), "utf8"))[1])), 20 * KB],
  ["console, first load", consoleFirst(firstLoad), 60 * KB],
  ["console, style", style("console"), 10 * KB],
  ["charts, when drawn", loaded(built("chart"), firstLoad) + style("chart"), 26 * KB],
];

let over = false;
for (const [name, size, budget] of rows) {
  console.log(`${name.padEnd(22)} ${String(size).padStart(6)} of ${budget} bytes`);
  over ||= size > budget;
}
if (over) {
  console.error("Over budget.   try: find what was added in the bundle; a budget is raised only with a reason in docs/design/web.md");
  process.exit(1);
}
