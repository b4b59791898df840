import type { Clock } from '../runtime/clock.ts';
import { PEER_HEALTH_ENTRIES, PEER_SKIP_INITIAL_MS, PEER_SKIP_MAX_MS } from './budgets.ts';

/** Remembers which peers failed lately, over all keys. */
export interface PeerHealth {
  /** True if the peer should be left alone for now. */
  skips(peerId: string): boolean;
  /** The peer did not answer, answered wrongly, or broke in mid-body. */
  failed(peerId: string): void;
  /** The peer did what it was asked to. */
  succeeded(peerId: string): void;
}

/** Each failure in a row doubles the time for which the peer is skipped, from 1 s to 1 min; a success clears it. */
export function createPeerHealth(clock: Clock): PeerHealth {
  const failures = new Map<string, { skipMs: number; untilMs: number }>();
  return {
    skips(peerId) {
      const failure = failures.get(peerId);
      return failure !== undefined && clock.nowMs() < failure.untilMs;
    },
    failed(peerId) {
      const before = failures.get(peerId);
      const nowMs = clock.nowMs();
      // Requests in parallel fail together when a node dies: that is one failure.
      if (before !== undefined && nowMs < before.untilMs) return;
      const skipMs =
        before === undefined ? PEER_SKIP_INITIAL_MS : Math.min(before.skipMs * 2, PEER_SKIP_MAX_MS);
      failures.delete(peerId);
      failures.set(peerId, { skipMs, untilMs: nowMs + skipMs });
      if (failures.size > PEER_HEALTH_ENTRIES) {
        const oldest = failures.keys().next();
        if (oldest.done !== true) failures.delete(oldest.value);
      }
    },
    succeeded(peerId) {
      failures.delete(peerId);
    },
  };
}
