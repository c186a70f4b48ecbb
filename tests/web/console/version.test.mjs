// SPDX-License-Identifier: Apache-2.0
// A server that is replaced by another version under an open page: the page says so, once, and goes on.
import assert from "node:assert/strict";
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { binary } from "../world.mjs";
import { settled, until, World } from "./world.mjs";

let world;
before(async () => (world = await World.start()));
after(() => world?.stop());

/** The same program as its next release would be: the version is all that differs. Also where the compiler put the first
 * four letters into an instruction; not within an address such as 127.0.0.1. */
function nextRelease() {
  const bytes = readFileSync(binary);
  let found = 0;
  for (let at = bytes.indexOf("0.1."); at >= 0; at = bytes.indexOf("0.1.", at + 1)) if (bytes[at - 1] !== 0x2e) bytes.write("0.9.", at), ++found;
  assert.ok(found > 0, "the program holds its version");
  const file = join(world.folder, "freshet-next");
  writeFileSync(file, bytes);
  chmodSync(file, 0o755);
  return file;
}

test("an open page tells once that its server is another version now, and the new page is one press away", async () => {
  const page = await (await world.person()).newPage();
  await page.goto(`${world.url}/console/jobs`);
  await settled(page);
  const hint = page.locator(".banner", { hasText: "0.9.0" });
  await world.stopServer();
  await world.startServer();
  await page.locator('.link-state[data-state="live"]').waitFor({ timeout: 30_000 });
  assert.equal(await page.locator(".banner").count(), 0, "the same version again is no news");

  const next = nextRelease();
  await world.stopServer();
  await world.startServer(next);
  await hint.waitFor({ timeout: 30_000 });
  assert.equal(await hint.count(), 1);
  await world.ask("POST", "/v1/jobs", { queue: "mail", input: 1 });
  await until("the page goes on", async () => (await page.locator("tbody tr").count()) === 1);

  await world.stopServer();
  await world.startServer(next);
  await page.locator('.link-state[data-state="live"]').waitFor({ timeout: 30_000 });
  assert.equal(await hint.count(), 1, "and it is told once");
  await hint.getByRole("button").click();
  await settled(page);
  assert.equal(await page.locator(".banner").count(), 0);
});
