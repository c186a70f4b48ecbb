// SPDX-License-Identifier: Apache-2.0
// What the tests of the metrics share: the old API of one example, and the numbers of a client computed here, from what its
// n8n has.
import assert from "node:assert/strict";

export const base = "/api/v1/metrics";
export const many = (count) => Array.from({ length: count }, () => ({}));

/** @param of gives the example, which a test may start again. */
export function metrics(of) {
  const client = async (id, token = "admin") => (await of().api(token, "GET", `${base}/client/${id}`)).body;
  const quickSync = () => of().api("admin", "POST", `${base}/admin/quick-sync`);
  const freshness = async (id) => (await of().api("admin", "GET", `${base}/admin/data-freshness`)).body.clients.find((row) => row.client_id === id);
  async function synced() {
    const { body } = await quickSync();
    assert.deepEqual(body.results.filter(({ status }) => status === "success").map((row) => row.client_id), ["acme", "globex"], JSON.stringify(body));
    return body;
  }

  /** What the client's n8n itself has. */
  async function executions(id) {
    const rows = [];
    for (let cursor = ""; ; ) {
      const response = await fetch(`${of().upstream}/n8n-${id}/api/v1/executions?limit=250${cursor && `&cursor=${cursor}`}`, { headers: { "X-N8N-API-KEY": "test" } });
      const page = await response.json();
      rows.push(...page.data);
      if (!(cursor = page.nextCursor)) return rows;
    }
  }
  async function direct(id) {
    const rows = await executions(id);
    const timed = rows.filter((row) => row.startedAt && row.stoppedAt);
    const good = rows.filter((row) => row.status === "success").length;
    const round = (value) => Math.round(value * 100) / 100;
    return {
      total_executions: rows.length, successful_executions: good, failed_executions: rows.filter((row) => row.status === "error").length,
      success_rate: round((good * 100) / rows.length), time_saved_hours: round(good / 2),
      avg_execution_time: round(timed.reduce((sum, row) => sum + Date.parse(row.stoppedAt) - Date.parse(row.startedAt), 0) / timed.length / 1000),
      last_activity: new Date(Math.max(...rows.flatMap((row) => Date.parse(row.stoppedAt ?? row.startedAt) || []))).toISOString(),
    };
  }
  async function agrees(id) {
    const told = await client(id);
    const expected = await direct(id);
    assert.deepEqual(Object.fromEntries(Object.keys(expected).map((name) => [name, told[name]])), expected);
    return told;
  }
  return { client, quickSync, freshness, synced, executions, direct, agrees };
}
