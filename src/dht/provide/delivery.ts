import { abortable } from '../../runtime/abortable.ts';

/** Follows records on their way to several peers each. */
export interface Delivery {
  /** Says which peers will be asked to take which keys; called once, before anything is sent. */
  expect(keysByPeer: ReadonlyMap<string, readonly string[]>): void;
  /** A peer has taken the key's record. */
  taken(key: string): void;
  /** A peer did not take the key's record. */
  refused(key: string, cause: unknown): void;
  /** Resolves when each key was taken by a peer; rejects when all peers refused a key, or with the signal's reason. */
  settled(signal: AbortSignal | undefined): Promise<void>;
}

/** Starts following. A key that no peer is expected to take counts as delivered. */
export function createDelivery(): Delivery {
  /** Key -> how many peers have not answered for it. Gone once a peer has taken it, or all have refused it. */
  const open = new Map<string, number>();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  promise.catch(() => {});
  let refusedKeys = 0;
  let lastCause: unknown;

  const check = () => {
    if (open.size > 0) return;
    if (refusedKeys === 0) resolve();
    else reject(new Error(`No peer took the records of ${refusedKeys} keys`, { cause: lastCause }));
  };
  return {
    expect(keysByPeer) {
      for (const keys of keysByPeer.values()) for (const key of keys) open.set(key, (open.get(key) ?? 0) + 1);
      check();
    },
    taken(key) {
      if (open.delete(key)) check();
    },
    refused(key, cause) {
      const left = open.get(key);
      if (left === undefined) return;
      lastCause = cause;
      if (left > 1) {
        open.set(key, left - 1);
        return;
      }
      open.delete(key);
      refusedKeys++;
      check();
    },
    settled: async (signal) => abortable(promise, signal),
  };
}
