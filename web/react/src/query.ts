// SPDX-License-Identifier: Apache-2.0
// For apps that keep their data in TanStack Query: query options whose data is a snapshot, and a bridge that puts every
// change of the stream into the cache. The server decides what is fresh, so nothing is fetched again by the clock here.
import { keyOf, type Client, type KeyOptions, type Snapshot } from "@freshet/client";

/** What of a QueryClient is used. */
export interface QueryCacheLike {
  setQueryData(key: readonly unknown[], data: unknown): unknown;
  getQueryData(key: readonly unknown[]): unknown;
}

export const snapshotKey = (source: string, params?: KeyOptions["params"]) => ["freshet", keyOf(source, params)] as const;

/** `useQuery(snapshotQuery(client, "prices"))` */
export function snapshotQuery<T = unknown>(client: Client, source: string, { params }: Pick<KeyOptions, "params"> = {}) {
  return {
    queryKey: snapshotKey(source, params),
    queryFn: ({ signal }: { signal?: AbortSignal }): Promise<Snapshot<T>> => client.get<T>(source, { ...(params && { params }), ...(signal && { signal }) }),
    staleTime: Infinity,
    // A snapshot tells its own state; comparing its parts would take that away.
    structuralSharing: false as const,
  };
}

/** Keeps a key in the cache up to date until the function that it returns is called. Never puts an older one over a newer. */
export function followQuery(client: Client, cache: QueryCacheLike, source: string, params?: KeyOptions["params"]): () => void {
  const key = snapshotKey(source, params);
  return client.subscribe(`data/${key[1]}`, (entry) => {
    const snapshot = client.snapshotIn(entry);
    const known = cache.getQueryData(key) as Snapshot | undefined;
    if (snapshot && !(known && (known.meta.gen > snapshot.meta.gen || known.meta.seq > snapshot.meta.seq))) cache.setQueryData(key, snapshot);
  });
}
