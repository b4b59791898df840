import { parseRoutingKey } from '../oci/routing-key.ts';
import type { Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { lruSet } from '../runtime/lru-set.ts';
import { createSemaphore } from '../runtime/semaphore.ts';
import { HOLDERS_LIMIT, type HoldersReport, type KeyHolders, MAX_HOLDER_KEYS } from './images-report.ts';

const SECOND_MS = 1000;
/** A lookup that takes longer counts what it has found until then. */
const LOOKUP_TIMEOUT_MS = SECOND_MS;
/** Lookups at once, for a page with an image in each row. */
const CONCURRENCY = 8;
/** What was found is told again for so long. */
const KEPT_MS = 10 * SECOND_MS;
/** Keys of which that is kept: some pages of images. */
const MAX_KEPT = 500;

/** What createHoldersCounter needs. */
export interface HoldersCounterDeps {
  readonly router: Pick<Router, 'lookup'>;
  /** True if this node has the key itself. */
  readonly hasLocally: (key: string) => Promise<boolean>;
  readonly clock: Clock;
}

/** Counts the nodes that have keys. */
export interface HoldersCounter {
  /** True while it counts: it answers one question at a time, because each may take 50 lookups. */
  readonly isBusy: boolean;
  /** Of each key, in their order. When the signal aborts, what was not looked up has 0. */
  count(keys: readonly string[], signal: AbortSignal): Promise<HoldersReport>;
}

/** Has counted nothing yet. */
export function createHoldersCounter({ router, hasLocally, clock }: HoldersCounterDeps): HoldersCounter {
  /** The key that was counted last comes last. */
  const kept = new Map<string, { readonly peers: number; readonly atMs: number }>();
  let isBusy = false;

  const peersOf = async (key: string, signal: AbortSignal): Promise<number> => {
    const known = kept.get(key);
    if (known !== undefined && clock.nowMs() - known.atMs < KEPT_MS) return known.peers;
    if (signal.aborted) return 0;
    using deadline = createDeadline(clock, LOOKUP_TIMEOUT_MS, signal);
    let peers = 0;
    for await (const _peer of router.lookup(key, { signal: deadline.signal, limit: HOLDERS_LIMIT })) peers++;
    if (!signal.aborted) lruSet(kept, key, { peers, atMs: clock.nowMs() }, MAX_KEPT);
    return peers;
  };
  return {
    get isBusy() {
      return isBusy;
    },
    async count(keys, signal) {
      isBusy = true;
      try {
        const semaphore = createSemaphore(CONCURRENCY);
        const holders = await Promise.all(
          keys.map(async (key): Promise<KeyHolders> => {
            const isHere = hasLocally(key).catch(() => false);
            const peers = await semaphore.use(async () => peersOf(key, signal));
            return { key, peers, isHere: await isHere };
          }),
        );
        return { holders };
      } finally {
        isBusy = false;
      }
    },
  };
}

/** The keys of a question, each once, as it came; undefined if it cannot be understood. */
export function parseHoldersQuestion(text: string): readonly string[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const keys = typeof value === 'object' && value !== null && 'keys' in value ? value.keys : undefined;
  if (!Array.isArray(keys) || keys.length > MAX_HOLDER_KEYS) return undefined;
  const isKey = (key: unknown): key is string =>
    typeof key === 'string' && parseRoutingKey(key) !== undefined;
  return keys.every(isKey) ? [...new Set(keys)] : undefined;
}
