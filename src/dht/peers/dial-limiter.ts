import type { Clock } from '../../runtime/clock.ts';
import { abortable } from '../../runtime/abortable.ts';
import { createSemaphore } from '../../runtime/semaphore.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { CONCURRENT_DIALS } from '../limits.ts';

const SECOND_MS = 1000;
/**
 * A dial that takes longer leaves its slot to the next: peers that accept connections and hang must not block all
 * others.
 */
export const DIAL_PLACE_MS = 5 * SECOND_MS;
/**
 * Rest after a dial, in multiples of the time that it took: nodes that start together do not need all dials at once.
 */
const DIAL_REST = 2;
/** A dial that took longer met a busy node. The rest grows by the same factor, or nodes would keep each other busy. */
export const EASY_DIAL_MS = SECOND_MS / 5;
/** Longest such rest. */
const DIAL_REST_MAX_MS = 20 * SECOND_MS;
/** Longest rest after a dial that failed: a node that is not there is not busy. */
export const FAILED_DIAL_REST_MAX_MS = 2 * SECOND_MS;

/** What createDialLimiter needs. */
export interface DialLimiterDeps {
  /** Connects to the peer; rejects when it cannot be reached, or is another peer. */
  readonly connect: (peer: NamedPeer) => Promise<void>;
  readonly isConnected: (peer: NamedPeer) => boolean;
  readonly clock: Clock;
  /** Ends the rests. */
  readonly signal: AbortSignal;
  /** A number from 0 up to, not including, 1. */
  readonly random: () => number;
}

/** Connects to peers at a pace, see createDialLimiter. */
export interface DialLimiter {
  /** Resolves when there is a connection; rejects when the dial fails, or the signal aborts. */
  connect(peer: NamedPeer): Promise<void>;
  /**
   * The peer of this name is connected, whichever end dialled: calls of connect() for it need not wait for their turn.
   */
  connected(name: string): void;
}

/**
 * Connects to a few peers at a time. After each dial comes a rest that grows with the time that the dial took. A
 * handshake costs both sides tens of milliseconds of CPU, and nodes that are busy with each other's handshakes would
 * never be done.
 */
export function createDialLimiter({
  connect,
  isConnected,
  clock,
  signal,
  random,
}: DialLimiterDeps): DialLimiter {
  const slots = createSemaphore(CONCURRENT_DIALS);
  const waiting = new Map<string, Set<() => void>>();

  const dial = async (
    peer: NamedPeer,
    { resolve, reject }: Pick<PromiseWithResolvers<void>, 'resolve' | 'reject'>,
  ) => {
    if (signal.aborted) return;
    if (isConnected(peer)) {
      resolve();
      return;
    }
    const startedMs = clock.nowMs();
    const ended = new AbortController();
    let isThere = true;
    const dialled = connect(peer).then(resolve, (error: unknown) => {
      isThere = false;
      reject(error instanceof Error ? error : new Error(String(error)));
    });
    void dialled.then(() => ended.abort());
    await clock.sleep(DIAL_PLACE_MS, AbortSignal.any([signal, ended.signal])).catch(() => {});
    if (!ended.signal.aborted) return;
    const restMs = restAfter(clock.nowMs() - startedMs, isThere);
    await clock.sleep(restMs * (1 - random() / 2), signal).catch(() => {});
  };
  return {
    async connect(peer) {
      if (isConnected(peer)) return;
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const name = peer.id.toHex();
      const waiters = waiting.get(name) ?? new Set();
      waiting.set(name, waiters.add(resolve));
      void slots.use(async () => dial(peer, { resolve, reject }));
      try {
        await abortable(promise, signal);
      } finally {
        waiters.delete(resolve);
        if (waiters.size === 0 && waiting.get(name) === waiters) waiting.delete(name);
      }
    },
    connected(name) {
      for (const resolve of waiting.get(name) ?? []) resolve();
    },
  };
}

/** How long to rest after a dial that took so many ms, in ms. A node that is not there is not busy. */
function restAfter(tookMs: number, isThere: boolean): number {
  const restMs = DIAL_REST * tookMs;
  if (!isThere) return Math.min(restMs, FAILED_DIAL_REST_MAX_MS);
  return Math.min(restMs * Math.max(1, tookMs / EASY_DIAL_MS), DIAL_REST_MAX_MS);
}
