import type { Clock } from '../../runtime/clock.ts';
import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import type { ReproviderNetwork } from './reprovider-contract.ts';

/**
 * Parts in which all keys are provided again, spread over the interval, at most: each is a message to all peers that
 * are close.
 */
export const MAX_SWEEP_PARTS = 15;
/**
 * Keys that are worth a part of their own: some hundredths of a second of work for all peers that get them together.
 */
export const KEYS_PER_SWEEP_PART = 250;

/** A key that this node provides. */
export interface ProvidedKey {
  readonly multihash: Uint8Array;
  /** Of the multihash in the keyspace. */
  readonly position: Uint8Array;
  /** When it is provided again, in ms of the clock. */
  readonly dueMs: number;
}

/**
 * The keys that this node provides, each with the time when it is provided again. Keeps their records at this node,
 * too.
 */
export interface ProvidedKeys {
  readonly size: number;
  get(key: string): ProvidedKey | undefined;
  names(): IterableIterator<string>;
  /** Keeps the keys, and renews this node's own records of them. When a known key is due does not change. */
  add(keys: readonly string[]): void;
  /** Forgets the keys and this node's own records of them. Unknown keys are not an error. */
  remove(keys: readonly string[]): void;
  /** When the first key is due; Infinity if there is none. */
  earliestDueMs(): number;
  /**
   * Returns the keys that are due until the next part of the sweep, renews their own records, and makes them due an
   * interval from now. Few keys at a time are not worth a message to each of their peers: the fewer there are, the
   * fewer parts.
   */
  takeDue(): readonly string[];
}

/** What createProvidedKeys needs. */
export interface ProvidedKeysDeps {
  readonly network: Pick<ReproviderNetwork, 'keepOwn' | 'dropOwn'>;
  readonly clock: Pick<Clock, 'nowMs'>;
  /** When in the interval this node provides its first keys again, from 0 up to 1: another share on each node. */
  readonly startShare: number;
}

/** Starts without a key. Each key is due once per interval. */
export function createProvidedKeys(
  { network, clock, startShare }: ProvidedKeysDeps,
  { intervalMs }: { readonly intervalMs: number },
): ProvidedKeys {
  const entries = new Map<string, { -readonly [K in keyof ProvidedKey]: ProvidedKey[K] }>();

  /**
   * When keys that come now are provided again for the first time. Many keys are due by their position, so that they
   * spread. Few keys are a single part, due when the keys are that came first. On each node of a cluster that starts
   * together that is at another time.
   */
  const firstDueMs = (newKeys: number): ((position: Uint8Array) => number) => {
    const nowMs = clock.nowMs();
    if (entries.size + newKeys <= KEYS_PER_SWEEP_PART) {
      const dueMs = nowMs + (entries.size === 0 ? startShare : 1) * intervalMs;
      return () => dueMs;
    }
    return ([a = 0, b = 0]) => nowMs + ((a * 256 + b) / 65_536) * intervalMs;
  };

  return {
    get size() {
      return entries.size;
    },
    get: (key) => entries.get(key),
    names: () => entries.keys(),
    add(keys) {
      const dueMsOf = firstDueMs(keys.length);
      for (const key of keys) {
        let entry = entries.get(key);
        if (entry === undefined) {
          const multihash = contentMultihash(key);
          const position = keyspacePosition(multihash);
          entry = { multihash, position, dueMs: dueMsOf(position) };
          entries.set(key, entry);
        }
        network.keepOwn(entry.multihash);
      }
    },
    remove(keys) {
      for (const key of keys) {
        const entry = entries.get(key);
        if (entry === undefined) continue;
        entries.delete(key);
        network.dropOwn(entry.multihash);
      }
    },
    earliestDueMs() {
      let earliestMs = Infinity;
      for (const { dueMs } of entries.values()) earliestMs = Math.min(earliestMs, dueMs);
      return earliestMs;
    },
    takeDue() {
      const nowMs = clock.nowMs();
      const parts = Math.min(MAX_SWEEP_PARTS, Math.ceil(entries.size / KEYS_PER_SWEEP_PART));
      const untilMs = nowMs + intervalMs / parts;
      const due: string[] = [];
      for (const [key, entry] of entries) {
        if (entry.dueMs >= untilMs) continue;
        entry.dueMs = nowMs + intervalMs;
        network.keepOwn(entry.multihash);
        due.push(key);
      }
      return due;
    },
  };
}
