// SPDX-License-Identifier: Apache-2.0
// What the old systems did wrong, each by a name. A test has that name in its title, somewhere in this tree: whoever removes
// or renames the last one is told here.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const names = `last-good-kept refresh-does-not-delete empty-or-short-is-suspect age-is-source-time-not-read-time zero-age-is-fresh
  one-flight-per-key-across-processes refresh-backoff atomic-snapshot-swap claim-is-atomic counters-derive-from-items
  cancel-is-final no-item-left-behind lease-reaped-without-readers stale-worker-fenced lock-has-owner done-comes-from-the-job
  tenant-in-every-key page-cap-is-reported callback-vetted tab-may-close deploy-keeps-data one-threshold`.split(/\s+/);

const here = fileURLToPath(new URL(".", import.meta.url));
const titles = readdirSync(here)
  .filter((name) => name.endsWith(".test.mjs") && name !== "never-again.test.mjs")
  // The first argument of test(): what follows it on its line may be a message of an assertion, which is no name.
  .flatMap((name) => [...readFileSync(join(here, name), "utf8").matchAll(/^\s*test\((["'`])(.*?)\1,/gm)].map(([, , title]) => title));

for (const name of names)
  test(`a test is named ${name}`, () => {
    assert.ok(titles.some((title) => title.includes(name)), `no title in tests/examples holds "${name}"`);
  });
