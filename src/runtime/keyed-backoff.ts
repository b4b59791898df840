import { lruSet } from './lru-set.ts';

/** Options of createKeyedBackoff. */
export interface KeyedBackoffOptions {
  /** First wait of a key, in ms. */
  readonly initialMs: number;
  /** Longest wait, in ms. */
  readonly maxMs: number;
  /** Keys that are remembered; the key whose wait began first is forgotten for another key. */
  readonly maxKeys: number;
  /** 0..1: the part of half of each wait that is left out, so that nodes do not act in step. Default: nothing is. */
  readonly random?: () => number;
}

/** Waits of keys, each twice as long as the one before of the same key. */
export interface KeyedBackoff {
  /** True while a wait of the key is not over. */
  isWaiting(key: string): boolean;
  /** True if the key has had a wait and was not forgotten. */
  has(key: string): boolean;
  /** Starts the key's next wait. False, and nothing changes, while one is not over: what fails together has failed once. */
  start(key: string): boolean;
  /** Ends the waits of the keys that match; the next of each is longer all the same. */
  endWaits(matches: (key: string) => boolean): void;
  /** Forgets the key: its next wait is the first. */
  forget(key: string): void;
}

interface Wait {
  untilMs: number;
  /** How long the next one is, in ms. */
  readonly nextMs: number;
}

/** Makes waits for keys that have failed: no key waits. `nowMs` are milliseconds that never go back. */
export function createKeyedBackoff(
  nowMs: () => number,
  { initialMs, maxMs, maxKeys, random = () => 0 }: KeyedBackoffOptions,
): KeyedBackoff {
  const waits = new Map<string, Wait>();
  const isWaiting = (key: string) => {
    const wait = waits.get(key);
    return wait !== undefined && nowMs() < wait.untilMs;
  };
  return {
    isWaiting,
    has: (key) => waits.has(key),
    start(key) {
      if (isWaiting(key)) return false;
      const ms = waits.get(key)?.nextMs ?? initialMs;
      const wait = { untilMs: nowMs() + ms * (1 - random() / 2), nextMs: Math.min(2 * ms, maxMs) };
      lruSet(waits, key, wait, maxKeys);
      return true;
    },
    endWaits(matches) {
      for (const [key, wait] of waits) if (matches(key)) wait.untilMs = -Infinity;
    },
    forget: (key) => void waits.delete(key),
  };
}
