// SPDX-License-Identifier: Apache-2.0
// Short tokens from a page's own server, for a provider with token-src.
import { FreshetError } from "@freshet/client";

/** Fetches a short token from the page's own server, and again before it ends. */
export function tokenFrom(url: string): () => Promise<string> {
  let token: Promise<{ text: string; until: number }> | undefined;
  return async () => {
    const now = Date.now();
    if (token && (await token).until < now) token = undefined;
    token ??= fetch(url, { credentials: "same-origin", cache: "no-store" }).then(async (response) => {
      const { ok, status, headers } = response;
      // 401 and 403 sign out here, too: there is no token to ask with.
      if (!ok) throw new FreshetError({ type: "about:blank", title: `token-src answered ${status}`, status, code: "http" }, headers);
      const said = (await response.text()).trim();
      if (!said.startsWith("{")) return { text: said, until: now + 60_000 };
      const { token: text, expires_at, now: then } = JSON.parse(said) as { token: string; expires_at?: string; now?: string };
      const left = expires_at ? Date.parse(expires_at) - (then ? Date.parse(then) : now) : 60_000;
      return { text, until: now + Math.max(5_000, left - 30_000) };
    });
    token.catch(() => (token = undefined));
    return (await token).text;
  };
}
