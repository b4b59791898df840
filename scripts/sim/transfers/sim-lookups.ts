import type { Peer, Router } from '../../../src/routing/router.ts';
import type { Clock } from '../../../src/runtime/clock.ts';
import type { Random } from '../random.ts';

/** Lookups of a router that other code decides about. */
export interface SimLookups extends Pick<Router, 'lookup' | 'isUnsettled'> {
  /** Lookups that have not ended. */
  readonly open: number;
}

/** What lookups find. */
export interface SimLookupsOptions {
  readonly named: (key: string) => readonly Peer[];
  /** The share of lookups that find peers too late for some requests. */
  readonly lateShare: number;
}

const USUAL_MS = 5;
const LATE_MS = 400;

/** Makes a router which finds the peers that `named` says, in any order; some of them late, and some lookups never end. */
export function createSimLookups(
  clock: Clock,
  random: Random,
  { named, lateShare }: SimLookupsOptions,
): SimLookups {
  let open = 0;
  return {
    get open() {
      return open;
    },
    isUnsettled: () => random.next() < 1 / 20,
    async *lookup(key, { signal, limit }) {
      const isLate = random.next() < lateShare;
      const isEndless = random.next() < 1 / 20;
      const found = named(key);
      let isOver = false;
      // What is waited for at a yield and never asked again is counted as open, too.
      open++;
      const end = () => {
        if (!isOver) open--;
        isOver = true;
      };
      const wait = async (ms: number) => clock.sleep(ms, signal).catch(() => {});
      try {
        for (const peer of random.sample(found, Math.min(found.length, limit))) {
          await wait(random.next() * (isLate ? LATE_MS : USUAL_MS));
          if (signal.aborted) return;
          yield peer;
        }
        if (isEndless) await wait(LONGEST_MS);
      } finally {
        end();
      }
    },
  };
}

const LONGEST_MS = 600_000;
