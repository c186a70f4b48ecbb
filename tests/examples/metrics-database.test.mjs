// SPDX-License-Identifier: Apache-2.0
// The metrics' own database: in PostgreSQL where there is one, else in SQLite. Roll-ups, rows that are old, lists that break
// off, minutes of one's own.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Example, until } from "./example.mjs";
import { base, many, metrics } from "./metrics.mjs";

let example;
let database;
const { client, freshness, synced, executions, agrees } = metrics(() => example);

/** A PostgreSQL server of this test's own; nothing where none is installed. */
async function postgres() {
  const programs = "/usr/lib/postgresql";
  const version = existsSync(programs) && readdirSync(programs).find((name) => existsSync(join(programs, name, "bin/initdb")));
  if (!version) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "freshet-postgres-"));
  // It does not run as root.
  const user = process.getuid() === 0 ? { uid: Number(execFileSync("id", ["-u", "postgres"])), gid: Number(execFileSync("id", ["-g", "postgres"])) } : {};
  if (user.uid) chownSync(folder, user.uid, user.gid);
  const program = (name) => join(programs, version, "bin", name);
  execFileSync(program("initdb"), ["-D", join(folder, "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"], { ...user, stdio: "ignore", cwd: folder });
  const child = spawn(program("postgres"), ["-D", join(folder, "data"), "-k", folder, "-c", "listen_addresses=", "-c", "fsync=off"], { ...user, stdio: "ignore", cwd: folder });
  const url = `postgres://postgres@/postgres?host=${folder}`;
  const ask = (statement) => execFileSync("psql", ["-Atc", statement, url], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 }).trim();
  const ended = once(child, "exit");
  const database = {
    url, ask,
    async end() {
      child.kill("SIGINT");
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const answers = () => {
    try {
      return ask("select 1") === "1";
    } catch {
      return false;
    }
  };
  await until("PostgreSQL answers", answers).catch(async (error) => {
    await database.end();
    throw error;
  });
  return database;
}

before(async () => {
  database = await postgres();
  example = await Example.start("metrics", { env: database && { METRICS_DATABASE: database.url } });
  await until("both are synced", async () => (await freshness("acme")).last_sync && (await freshness("globex")).last_sync);
});
after(async () => {
  await example?.end();
  await database?.end();
});

test("roll-ups of days, weeks and months, and what is older than 90 days: nothing counts twice", async (t) => {
  if (!database) return t.skip("no PostgreSQL to look into");
  await example.control("n8n-acme", { add: many(700) });
  await synced();
  assert.equal((await example.api("admin", "POST", "/v1/schedules/rollup-daily/run")).status, 200);
  await until("rolled up", async () => (await client("acme")).layers.includes("L2"));
  await example.control("n8n-acme", { add: [{}, { status: "error" }] });
  await synced();
  const { total_executions } = await agrees("acme");
  await agrees("globex");
  assert.equal(Number(database.ask("select count(*) from executions where client = 'acme'")), total_executions);
  assert.ok(Number(database.ask("select count(*) from executions where client = 'acme' and rolled = 1")) > 0);

  // One of 100 days ago goes into the roll-up and out of the raw rows, and counts once however often it is read.
  const days = (count) => new Date(Date.now() - count * 86_400_000).toISOString();
  await example.control("n8n-acme", { add: [{ id: 888001, status: "success", startedAt: days(100), stoppedAt: days(100) }] });
  await synced();
  assert.equal((await agrees("acme")).total_executions, total_executions + 1, "before it is rolled up");
  for (const name of ["daily", "weekly", "monthly"]) {
    const { last_updated } = await client("acme");
    assert.equal((await example.api("admin", "POST", `/v1/schedules/rollup-${name}/run`)).status, 200);
    await until(`${name} rolled up`, async () => (await client("acme")).last_updated > last_updated);
  }
  assert.equal(database.ask("select count(*) from executions where id = '888001'"), "0");
  await synced();
  assert.equal((await agrees("acme")).total_executions, total_executions + 1, "after its raw row was dropped");
  const sum = (table) => database.ask(`select sum(executions), sum(successful), sum(failed), sum(duration_ms) from ${table} where client = 'acme'`);
  assert.equal(sum("weekly"), sum("daily"));
  assert.equal(sum("monthly"), sum("daily"));
});

test("a list that ends before anything that is known is in doubt: nothing is lost, and it is read to its end once more", async () => {
  const before = await client("globex");
  const doubt = async () => (await example.api("admin", "GET", "/v1/data/ingest?tenant=globex")).body;
  const known = (await executions("globex")).length;
  await example.control("n8n-globex", { remove: known, add: many(250) });
  await synced();
  assert.deepEqual([(await doubt()).in_doubt, (await doubt()).added], [true, 250]);
  assert.equal((await client("globex")).total_executions, before.total_executions + 250, "what was known stays, what is new counts");
  // What is older comes to light: a sync that took the 250 for settled would end at the first page.
  await example.control("n8n-globex", { remove: 250, add: [...(await executions("globex")), ...many(40)] });
  await synced();
  const now = await doubt();
  assert.deepEqual([now.in_doubt, now.pages, now.added], [false, 2, 40]);
  assert.equal((await client("globex")).total_executions, before.total_executions + 290);
});

test("a run saves 30 minutes, or what the file says of its workflow; refresh-cache takes it up", async () => {
  const good = (await executions("acme")).filter((row) => row.status === "success");
  const own = String(good[0].workflowId);
  const [mine, theirs] = [await client("acme"), await client("globex")];
  const hours = (minutes) => Math.round((good.reduce((sum, row) => sum + (String(row.workflowId) === own ? minutes : 30), 0) / 60) * 100) / 100;
  assert.equal(mine.time_saved_hours, hours(30));
  writeFileSync(join(example.data, "minutes.csv"), `acme,${own},120\nnobody,${own},7\nno line\n`);
  assert.equal((await example.api("admin", "POST", `${base}/admin/refresh-cache`)).body.successful, 3);
  assert.equal((await client("acme")).time_saved_hours, hours(120));
  assert.equal((await client("globex")).time_saved_hours, theirs.time_saved_hours);
});
