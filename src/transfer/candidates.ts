import type { Peer, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { LOOKUP_LIFETIME_MS, LOOKUP_LIMIT } from './budgets.ts';
import type { PeerHealth } from './peer-health.ts';

/** Peers to ask for one key, each once, in the order in which the lookup found them; those that were slow lately last. */
export interface Candidates extends Disposable {
  /**
   * The next peer, waiting at most timeoutMs for the lookup to find one; undefined if there is none in time. Time for
   * which this process did not get to run does not count: answers may lie there unread.
   */
  next(timeoutMs: number): Promise<Peer | undefined>;
  /** Puts a peer that was asked behind all others: it was slow, and there may be nobody else. */
  later(peer: Peer): void;
  /** How many providers were passed over because they failed lately. */
  readonly skipped: number;
}

/** A timer that is over after so many times its time was held up, and what else should have come meanwhile, too. */
const LATE_FACTOR = 2;
/** A process that hardly runs must not wait for ever. */
const MAX_LATE_WAITS = 3;

/** What createCandidates needs. */
export interface CandidatesDeps {
  readonly router: Pick<Router, 'lookup'>;
  readonly health: Pick<PeerHealth, 'skips' | 'goesLast'>;
  readonly clock: Clock;
}

/** Starts looking the key up. Peers in `tried` are left out. Dispose it to end the lookup. */
export function createCandidates(
  { router, health, clock }: CandidatesDeps,
  key: string,
  options: { readonly signal: AbortSignal; readonly tried: ReadonlySet<string> },
): Candidates {
  const lifetime = createDeadline(clock, LOOKUP_LIFETIME_MS, options.signal);
  const stop = new AbortController();
  const signal = AbortSignal.any([lifetime.signal, stop.signal]);
  const found: Peer[] = [];
  /** Everybody may ask the last holder at once: that it is late then does not make it useless. */
  const last: Peer[] = [];
  let skipped = 0;
  let exhausted = false;
  /** A peer was found, or there are no more. */
  const pulled = createWakeUp();

  const lookup = router.lookup(key, { signal, limit: LOOKUP_LIMIT + options.tried.size });
  const peers = lookup[Symbol.asyncIterator]();
  let isPulling = false;
  /** Gets one more peer. Only when it is needed: the lookup asks no further than it is asked. */
  const pull = async () => {
    isPulling = true;
    try {
      for (;;) {
        const { done, value: peer } = await peers.next();
        if (done === true) break;
        if (options.tried.has(peer.id)) continue;
        if (health.skips(peer, key)) {
          skipped++;
          continue;
        }
        if (health.goesLast(peer)) {
          last.push(peer);
          continue;
        }
        found.push(peer);
        return;
      }
      end();
    } catch {
      // A lookup that fails is one that finds nobody more: the request goes on with what it has, or upstream.
      end();
    } finally {
      isPulling = false;
      pulled.wake();
    }
  };
  const end = () => {
    exhausted = true;
    lifetime[Symbol.dispose]();
  };
  void pull();

  return {
    get skipped() {
      return skipped;
    },
    async next(timeoutMs) {
      if (found.length === 0 && !exhausted) {
        if (!isPulling) void pull();
        for (let waits = 0; waits < MAX_LATE_WAITS; waits++) {
          const startedMs = clock.nowMs();
          await pulled.sleep(clock, timeoutMs, options.signal);
          const isLate = clock.nowMs() - startedMs >= LATE_FACTOR * timeoutMs;
          if (found.length > 0 || exhausted || options.signal.aborted || !isLate) break;
        }
      }
      return found.shift() ?? last.shift();
    },
    later: (peer) => void last.push(peer),
    [Symbol.dispose]() {
      stop.abort();
      lifetime[Symbol.dispose]();
      // A lookup that nobody waits on would not see the signal.
      if (!isPulling) void peers.return?.().then(undefined, () => {});
    },
  };
}
