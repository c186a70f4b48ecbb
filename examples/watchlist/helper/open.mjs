#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Opens one address in Chromium and prints the HTML of the page as a browser sees it. Nothing else is loaded, clicked or
// evaded: a page that refuses, or asks for a human, is told by the exit code, and left alone.
//   open.mjs URL      0: the HTML is on stdout · 3: the site blocks (403, 202) · 1: anything else; words on stderr
// It ends when its stdin does, so that a worker that is killed leaves no browser behind.
import { createRequire } from "node:module";

const [url] = process.argv.slice(2);
/** For the page, and for all of it. */
const milliseconds = 60_000;

function end(code, words) {
  if (words) process.stderr.write(`${words}\n`);
  process.exit(code);
}

async function load() {
  try {
    return (await import("playwright-core")).chromium;
  } catch {
    // In this tree it is one of the web packages.
    return createRequire(new URL("../../../web/package.json", import.meta.url))("playwright-core").chromium;
  }
}

if (!url) end(1, "usage: open.mjs URL");
setTimeout(() => end(1, `no page within ${milliseconds / 1000} s`), milliseconds).unref();
process.stdin.on("end", () => end(1, "stopped")).on("error", () => end(1, "stopped")).resume();

try {
  const chromium = await load();
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const page = await browser.newPage();
  // The list is in the document itself: pictures, styles and scripts of the site are not asked for.
  await page.route("**/*", (route) => (route.request().isNavigationRequest() ? route.continue() : route.abort()));
  const response = await page.goto(url, { waitUntil: "domcontentloaded", timeout: milliseconds });
  const status = response?.status() ?? 0;
  const html = await page.content();
  await browser.close();
  if (status === 403 || status === 202) end(3, `it answered ${status}`);
  if (status !== 200) end(1, `it answered ${status}`);
  process.stdout.write(html, () => end(0));
} catch (error) {
  end(1, String(error.message ?? error).split("\n")[0]);
}
