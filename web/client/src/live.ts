// SPDX-License-Identifier: Apache-2.0
// What a client loads when something is watched: the hub with its store, and how this tab shares them with others.
//
// Tabs share by the lock and the channel of their server and of what their token may see, which is the same for all short
// tokens of one maker and scope. Where there are no locks (no secure context), they share behind a shared worker; where
// there is none either, each tab polls by itself.
import type { ClientOptions } from "./client.js";
import type { Http } from "./http.js";
import type { Channel, Sharing } from "./hub.js";
import type { Mode } from "./link.js";
import type { Me } from "./types.js";

export { Hub, Store } from "./hub.js";

/** @param gone  the shared worker can not be had after all */
export async function sharing(http: Http, options: ClientOptions, whoami: () => Promise<Me>, gone: () => void): Promise<[Sharing | undefined, Mode]> {
  if (typeof document !== "object" || options.share === false || typeof BroadcastChannel === "undefined") return [undefined, "stream"];
  const { now: _, expires_at: __, name, ...subject } = await whoami();
  const text = JSON.stringify([http.base, name.split("~")[0], subject]);
  let hash = 5381n;
  for (const char of text) hash = BigInt.asUintN(64, (hash * 33n) ^ BigInt(char.codePointAt(0)!));
  const shared: Sharing = { name: `freshet-${hash.toString(36)}`, channel: (name) => new BroadcastChannel(name) as unknown as Channel };
  if (navigator.locks) return [{ ...shared, locks: navigator.locks as unknown as NonNullable<Sharing["locks"]> }, "stream"];
  try {
    const token = typeof options.token === "function" ? await options.token() : options.token;
    const worker = new SharedWorker(new URL("./worker.js", import.meta.url), { type: "module", name: shared.name });
    worker.port.postMessage({ url: http.base, token, tenant: options.tenant, name: shared.name });
    worker.onerror = gone;
    return [shared, "stream"];
  } catch {
    return [undefined, "slow"];
  }
}
