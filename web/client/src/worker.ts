// SPDX-License-Identifier: Apache-2.0
// The shared worker that leads where a page has no locks (no secure context). It ends with its last page.
import { ServerClock } from "./clock.js";
import { Http } from "./http.js";
import { Hub, type Channel } from "./hub.js";
import { Store } from "./store.js";

let hub: Hub | undefined;
let token: string | undefined;

(globalThis as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [port] }) => {
  port!.onmessage = ({ data }: MessageEvent<{ url: string; token?: string; tenant?: string; name: string }>) => {
    // The newest page has the newest token.
    token = data.token;
    if (hub) return;
    hub = new Hub("worker", new Http(data.url, () => token, data.tenant, (input, init) => fetch(input, init)), new Store(), new ServerClock(), () => {});
    hub.start({ name: data.name, channel: (name) => new BroadcastChannel(name) as unknown as Channel, lead: true });
  };
};
