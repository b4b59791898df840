import { lruSet } from '../../runtime/lru-set.ts';

/** Says of keys that failed whether their wait is over. */
export interface KeyedBackoff {
  /** The key has failed: it waits from now on, twice as long as the last time. */
  failed(key: string): void;
  /** True while the key waits. */
  isWaiting(key: string): boolean;
  /** The key's failures are of the past. */
  clear(key: string): void;
}

/** Settings of createKeyedBackoff. */
export interface KeyedBackoffOptions {
  /** First wait of a key, in ms. */
  readonly initialMs: number;
  /** Longest wait, in ms. */
  readonly maxMs: number;
  /** Keys that are remembered: the oldest failures are forgotten first. */
  readonly maxKeys: number;
}

/** Starts without a failure. `nowMs` never goes back. */
export function createKeyedBackoff(
  nowMs: () => number,
  { initialMs, maxMs, maxKeys }: KeyedBackoffOptions,
): KeyedBackoff {
  const waits = new Map<string, { readonly untilMs: number; readonly nextMs: number }>();
  return {
    failed(key) {
      const waitMs = waits.get(key)?.nextMs ?? initialMs;
      const wait = { untilMs: nowMs() + waitMs, nextMs: Math.min(2 * waitMs, maxMs) };
      lruSet(waits, key, wait, maxKeys);
    },
    isWaiting: (key) => nowMs() < (waits.get(key)?.untilMs ?? -Infinity),
    clear: (key) => void waits.delete(key),
  };
}
