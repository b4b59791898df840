import type { Clock } from '../../runtime/clock.ts';

const SECOND_MS = 1000;
/**
 * So long a peer that was just met may lack records that belong to it: its neighbours send them within a second or two.
 */
const FRESH_PEER_MS = 3 * SECOND_MS;

/** Remembers which peers were met a moment ago. Peers are named by any string. */
export interface FreshPeers {
  /** The peer has just been met. */
  met(name: string): void;
  /** True while records may still be on their way to the peer. */
  isFresh(name: string): boolean;
  /** True while records may still be on their way to any peer, or from it. */
  hasFresh(): boolean;
}

/** Starts without a peer. */
export function createFreshPeers(clock: Pick<Clock, 'nowMs'>): FreshPeers {
  /** Name -> when the peer was met, the latest last. */
  const metMs = new Map<string, number>();
  let lastMs = -Infinity;
  return {
    met(name) {
      const nowMs = clock.nowMs();
      for (const [each, ms] of metMs) {
        if (nowMs - ms < FRESH_PEER_MS) break;
        metMs.delete(each);
      }
      metMs.delete(name);
      metMs.set(name, nowMs);
      lastMs = nowMs;
    },
    hasFresh: () => clock.nowMs() < lastMs + FRESH_PEER_MS,
    isFresh: (name) => clock.nowMs() - (metMs.get(name) ?? -Infinity) < FRESH_PEER_MS,
  };
}
