// SPDX-License-Identifier: Apache-2.0
import type { paths } from "./api.gen.js";

export type Me = paths["/v1/me"]["get"]["responses"][200]["content"]["application/json"];
export interface Client { me(): Promise<Me> }

export function createClient({ url }: { url: string | URL }): Client {
  return { me: async () => (await fetch(new URL("v1/me", url))).json() as Promise<Me> };
}
