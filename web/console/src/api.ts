// SPDX-License-Identifier: Apache-2.0
// The one client of this page, and what its reader may do. Nothing is shown that the server would refuse.
import { createClient, FreshetError, type Client, type Me, type Problem } from "@freshet/client";

/** The server's root, found from where this file came from: it works below any prefix. */
export const root = new URL("../", import.meta.url);
export const base = new URL("console/", root);

export type Right = "read" | "refresh" | "enqueue" | "work" | "operate" | "administer";

const tenantKept = "freshet-tenant";
/** Which tenant a reader of several looks at; only its name is kept. */
export const chosenTenant = (): string | undefined => sessionStorage.getItem(tenantKept) ?? undefined;

export let client: Client = make();
export let me: Me | undefined;
const heard = new Set<() => void>();

function make(): Client {
  const tenant = chosenTenant();
  return createClient({ url: root, ...(tenant && { tenant }) });
}

export const can = (right: Right): boolean => me?.rights.includes(right) ?? false;
/** The tenant of sources that have one copy for all tenants that list them. */
const sharedTenant = "*shared";
export const isShared = (of: { tenant?: string }): boolean => of.tenant === sharedTenant;
/** What changes a key for all who share it takes a token of all tenants. */
export const canChange = (of: { tenant?: string }): boolean => can("operate") && (!isShared(of) || (me?.all_tenants ?? false));
export const onSession = (listener: () => void): (() => void) => (heard.add(listener), () => heard.delete(listener));
const tell = () => heard.forEach((listener) => listener());

/** Who reads; undefined: somebody who has to sign in first. */
export async function whoAmI(): Promise<Me | undefined> {
  try {
    me = await client.me();
  } catch (error) {
    if (!(error instanceof FreshetError)) throw error;
    // A tenant that was chosen by another reader of this tab is none of this one's.
    if (error.status !== 401 && chosenTenant()) return chooseTenant(undefined), whoAmI();
    if (error.status !== 401) throw error;
    me = undefined;
  }
  tell();
  return me;
}

/** Signs in by a token or by what a one-time link holds. Throws the server's refusal. */
export async function signIn(by: { token: string } | { link: string }): Promise<void> {
  await client.ask("POST", "v1/session", { body: by });
  renew();
  await whoAmI();
}

export async function signOut(): Promise<void> {
  await client.ask("DELETE", "v1/session");
  sessionStorage.removeItem(tenantKept);
  renew();
  await whoAmI();
}

export function chooseTenant(tenant: string | undefined): void {
  if (tenant) sessionStorage.setItem(tenantKept, tenant);
  else sessionStorage.removeItem(tenantKept);
  renew();
}

/** Another reader hears another stream. */
export function renew(): void {
  client.close();
  client = make();
}

export const problemOf = (error: unknown): Problem =>
  error instanceof FreshetError ? error.problem : { type: "about:blank", title: String((error as Error)?.message ?? error), status: 0, code: "unreachable" };
