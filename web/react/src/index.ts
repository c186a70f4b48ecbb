// SPDX-License-Identifier: Apache-2.0
// Hooks over the client's topics: what a component shows is what the topic says, never a copy that can lag behind.
import type { Batch, Client, Connection, Item, Job, RefreshResult, Snapshot, State } from "@freshet/client";
import { isOver, keyOf } from "@freshet/client";
import { createContext, createElement, useCallback, useContext, useMemo, useRef, useState, useSyncExternalStore, type FunctionComponentElement, type ProviderProps, type ReactNode } from "react";

const Context = createContext<Client | undefined>(undefined);

export function FreshetProvider({ client, children }: { client: Client; children?: ReactNode }): FunctionComponentElement<ProviderProps<Client | undefined>> {
  return createElement(Context.Provider, { value: client }, children);
}

export function useClient(): Client {
  const client = useContext(Context);
  if (!client) throw new Error("There is no client here.   try: <FreshetProvider client={createClient({ url })}> around the app");
  return client;
}

const nothing = () => () => {};
/** Of a server that renders: nothing is known there. */
const unknown = () => undefined;

/** What is known of a topic; a new value only when `pick` gives another. */
function useTopic<T>(topic: string | undefined, pick: (client: Client, topic: string) => T | undefined): T | undefined {
  const client = useClient();
  const subscribe = useCallback((changed: () => void) => (topic === undefined ? nothing() : client.subscribe(topic, changed)), [client, topic]);
  return useSyncExternalStore(subscribe, () => (topic === undefined ? undefined : pick(client, topic)), unknown);
}

export interface UseKey {
  params?: Record<string, string | number>;
  /** false: not now. */
  enabled?: boolean;
}

export interface UseSnapshot<T> {
  /** Undefined until the first snapshot is there. */
  data: T | undefined;
  state: State | "checking" | undefined;
  refreshing: boolean;
  snapshot: Snapshot<T> | undefined;
  /** Why the server does not tell of this key. */
  problem: string | undefined;
}

/** Data with its state word; drawn anew when either changes, the word also by time alone. */
export function useSnapshot<T = unknown>(source: string, { params, enabled = true }: UseKey = {}): UseSnapshot<T> {
  const client = useClient();
  const topic = enabled ? `data/${keyOf(source, params)}` : undefined;
  const snapshot = useTopic(topic, (client, topic) => client.snapshotIn<T>(client.peek(topic)));
  // The word is part of what is compared: it changes without an event.
  const word = useTopic(topic, (client, topic) => {
    const entry = client.peek(topic);
    return `${client.snapshotIn(entry)?.state ?? ""}\n${entry?.problem?.detail ?? entry?.problem?.title ?? ""}`;
  });
  useConnection();
  return useMemo(() => {
    const [, problem] = (word ?? "\n").split("\n");
    const there = snapshot && snapshot.meta.ver > 0;
    return { data: there ? snapshot.data : undefined, state: snapshot?.state, refreshing: snapshot?.meta.refreshing ?? false, snapshot, problem: problem || undefined };
  }, [snapshot, word, client.checking]);
}

/** The way to the server, in a word. */
export function useConnection(): Connection {
  const client = useClient();
  const told = useSyncExternalStore(
    useCallback((changed) => client.onConnection(changed), [client]),
    () => `${client.connection} ${client.checking}`,
    () => "connecting false",
  );
  return told.split(" ")[0] as Connection;
}

export interface UseRefresh<T> {
  /** Reads the source again; while one of its own runs, the same promise. */
  refresh: () => Promise<RefreshResult<T>>;
  busy: boolean;
  /** The job while it runs, with its progress. */
  job: Job | undefined;
  /** What the last one came to. */
  result: RefreshResult<T> | undefined;
  error: Error | undefined;
}

export function useRefresh<T = unknown>(source: string, { params }: UseKey = {}): UseRefresh<T> {
  const client = useClient();
  const key = keyOf(source, params);
  const [state, set] = useState<Omit<UseRefresh<T>, "refresh">>({ busy: false, job: undefined, result: undefined, error: undefined });
  const running = useRef<{ key: string; promise: Promise<RefreshResult<T>> } | undefined>(undefined);
  const refresh = useCallback(() => {
    if (running.current?.key === key) return running.current.promise;
    set({ busy: true, job: undefined, result: undefined, error: undefined });
    const promise = client.refresh<T>(key, { wait: "1d", onProgress: (job) => set((before) => ({ ...before, job })) });
    const own = (running.current = { key, promise });
    const ends = (end: Partial<UseRefresh<T>>) => {
      if (running.current !== own) return;
      running.current = undefined;
      set({ busy: false, job: undefined, result: undefined, error: undefined, ...end });
    };
    promise.then(
      (result) => ends({ result }),
      (error: Error) => ends({ error }),
    );
    return promise;
  }, [client, key]);
  return { refresh, ...state };
}

/** A job with its progress, to its end; undefined until it is known. */
export function useJob(id: string | undefined): { job: Job | undefined; over: boolean; cancel: () => Promise<Job>; retry: () => Promise<Job> } {
  const client = useClient();
  const job = useTopic(id && `job/${id}`, (client, topic) => client.peek(topic)?.job);
  return { job, over: isOver(job), cancel: useCallback(() => client.jobs.cancel(id!), [client, id]), retry: useCallback(() => client.jobs.retry(id!), [client, id]) };
}

/** A batch with its items, to its end. */
export function useBatch(id: string | undefined): { batch: Batch | undefined; items: Item[]; over: boolean; cancel: () => Promise<Batch>; retryFailed: () => Promise<Batch>; goOn: () => Promise<Batch> } {
  const client = useClient();
  const topic = id && `batch/${id}`;
  const revision = useTopic(topic, (client, topic) => client.peek(topic)?.revision);
  const { batch, items } = useMemo(() => {
    const entry = topic ? client.peek(topic) : undefined;
    return { batch: entry?.batch, items: [...(entry?.items?.values() ?? [])] as unknown as Item[] };
  }, [client, topic, revision]);
  return {
    batch,
    items,
    over: isOver(batch),
    cancel: useCallback(() => client.batches.cancel(id!), [client, id]),
    retryFailed: useCallback(() => client.batches.retryFailed(id!), [client, id]),
    goOn: useCallback(() => client.batches.then(id!), [client, id]),
  };
}
