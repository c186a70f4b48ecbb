// SPDX-License-Identifier: Apache-2.0
// Takes what the web build made into the binary: every file as it is, and as gzip and br where those are smaller, named
// in an assembler file by .incbin, with a table in C++.
//   node pack_web.mjs DIST OUT    writes OUT/web_files.S, OUT/web_files.cpp and OUT/packed/
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { extname, join, relative, sep } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [dist, out] = process.argv.slice(2);
const types = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".json": "application/json",
};
/** Below this a coding saves less than its header costs. */
const codedMin = 512;

const packed = join(out, "packed");
rmSync(packed, { recursive: true, force: true });
mkdirSync(packed, { recursive: true });

const names = readdirSync(dist, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(dist, join(entry.parentPath ?? entry.path, entry.name)).split(sep).join("/"))
  .filter((name) => !name.endsWith(".map"))
  .sort();
for (const wanted of ["elements.js", "elements/index.html", "console/index.html"]) {
  if (!names.includes(wanted)) throw new Error(`the web build made no ${wanted}`);
}

let assembly = "# Made by cmake/pack_web.mjs.\n.section .rodata\n";
let externs = "";
let rows = "";
let blobs = 0;
// A blob's name in the assembler, "" for none. Its hash is in a comment, so that the assembler runs again when it changed.
function blob(bytes) {
  const symbol = `freshet_web_${blobs++}`;
  const file = join(packed, symbol);
  writeFileSync(file, bytes);
  const hash = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  assembly += `.globl ${symbol}\n.globl ${symbol}_end\n${symbol}: .incbin "${file}" # ${hash}\n${symbol}_end:\n`;
  externs += `extern "C" const char ${symbol}[];\nextern "C" const char ${symbol}_end[];\n`;
  return `{${symbol}, static_cast<std::size_t>(${symbol}_end - ${symbol})}`;
}

for (const name of names) {
  const bytes = readFileSync(join(dist, name));
  const type = types[extname(name)];
  if (type === undefined) throw new Error(`no content type is known for ${name}`);
  const hashed = name.startsWith("assets/");
  const tag = createHash("sha256").update(bytes).digest("hex").slice(0, 16);
  // Documents are written per request: the depth of their path is in them.
  const coded = (code) => {
    if (name.endsWith(".html") || bytes.length < codedMin) return "{}";
    const smaller = code();
    return smaller.length < bytes.length ? blob(smaller) : "{}";
  };
  const gzip = coded(() => gzipSync(bytes, { level: 9 }));
  const br = coded(() =>
    brotliCompressSync(bytes, {
      params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT },
    }),
  );
  rows += `        {.name = "${name}", .content_type = "${type}", .hashed = ${hashed}, .bytes = ${blob(bytes)},\n         .tag = "${tag}", .gzip = ${gzip}, .br = ${br}},\n`;
}
assembly += '.section .note.GNU-stack,"",@progbits\n';

writeFileSync(join(out, "web_files.S"), assembly);
writeFileSync(
  join(out, "web_files.cpp"),
  `// Made by cmake/pack_web.mjs.
#include "app/web_files.hpp"

#include <array>

${externs}
namespace freshet {

std::span<const http::EmbeddedFile> web_files()
{
    static const std::array<http::EmbeddedFile, ${names.length}> files{{
${rows}    }};
    return files;
}

} // namespace freshet
`,
);
