import { PeerRequestError, type PeerRequestErrorCode } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { Peer, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { REPLACEMENT_LOOKUP_TIMEOUT_MS } from './budgets.ts';
import { type Candidates, createCandidates } from './candidates.ts';
import type { PeerHealth } from './peer-health.ts';
import { atAnyAddress, type Refusal } from './peer-requests.ts';
import type { TransferObserver } from './transfer-observer.ts';

/** What createPeerSession needs. */
export interface PeerSessionDeps {
  readonly router: Pick<Router, 'lookup' | 'isUnsettled'>;
  readonly health: PeerHealth;
  readonly clock: Clock;
  readonly observer: TransferObserver;
  readonly logger: Logger;
}

/** A peer's answer that was accepted. */
export interface Accepted<T> {
  readonly peer: Peer;
  readonly answer: T;
}

/** Asking the peers that have one key, one after the other; twice only one that was late, when nobody else is left. */
export interface PeerSession extends Disposable {
  /**
   * Asks peers until one gives an answer, waiting at most waitMs for each to be found. Gives up after `attempts` that
   * answered otherwise; those that are gone do not count, as long as there is time: several nodes may have died
   * together, and the next one may have it.
   * `ask` returns the answer or a refusal; a PeerRequestError is a failure of that peer. Undefined if nobody gave one.
   */
  ask<T extends object>(
    ask: (host: string, peer: Peer) => Promise<T | Refusal>,
    limits: {
      readonly attempts: number;
      readonly waitMs: number;
      /** After this time no further peer is asked. */
      readonly withinMs?: number;
    },
  ): Promise<Accepted<T> | undefined>;
  /** Looks the key up again, for peers that have come since. */
  lookAgain(): void;
  /** Aborts when the request that the session serves has ended. */
  readonly signal: AbortSignal;
  /** Peers asked so far. */
  readonly attempts: number;
  /** Providers passed over because they failed lately. */
  readonly skipped: number;
  /** The refusals so far. */
  readonly refusals: ReadonlySet<Refusal>;
}

/** What a request to a node that has died ends with. */
const GONE: ReadonlySet<PeerRequestErrorCode> = new Set([
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'CONNECTION_LOST',
  'HEAD_TIMEOUT',
]);

/** Starts a session: the lookup of the key begins at once. Dispose it to end that. */
export function createPeerSession(deps: PeerSessionDeps, key: string, signal: AbortSignal): PeerSession {
  const { router, health, clock, observer, logger } = deps;
  const tried = new Set<string>();
  const refusals = new Set<Refusal>();
  /** Peers that were late with their answer: each is asked once more if nobody else is left. */
  const late = new Set<string>();
  let attempts = 0;
  let skippedBefore = 0;
  const startedMs = clock.nowMs();
  let candidates: Candidates = createCandidates(deps, key, { signal, tried });
  let lookupReported = false;

  const nextPeer = async (waitMs: number) => {
    const peer = await candidates.next(waitMs);
    if (!lookupReported) {
      lookupReported = true;
      observer.lookupEnded(clock.nowMs() - startedMs, peer !== undefined);
    }
    return peer;
  };

  return {
    get attempts() {
      return attempts;
    },
    get skipped() {
      return skippedBefore + candidates.skipped;
    },
    refusals,
    signal,
    async ask(ask, limits) {
      const { attempts: maxAttempts, waitMs, withinMs = Number.POSITIVE_INFINITY } = limits;
      const endMs = clock.nowMs() + withinMs;
      let counted = 0;
      let isGone = false;
      while (counted < maxAttempts && !signal.aborted && clock.nowMs() < endMs) {
        // Somebody had it, or those who know that are busy: what is found late is better than nothing.
        const isPatient = isGone || router.isUnsettled();
        const peer = await nextPeer(isPatient ? Math.max(waitMs, REPLACEMENT_LOOKUP_TIMEOUT_MS) : waitMs);
        if (peer === undefined) return undefined;
        tried.add(peer.id);
        attempts++;
        counted++;
        try {
          const answer = await atAnyAddress(peer, (host) => ask(host, peer));
          if (typeof answer !== 'string') return { peer, answer };
          refusals.add(answer);
          observer.peerAsked(answer);
          if (answer === 'wrong') health.failed(peer);
          logger.debug('peer refused', { key, peer: peer.id, addresses: peer.addresses, refusal: answer });
        } catch (error) {
          if (!(error instanceof PeerRequestError)) throw error;
          // A request is also cancelled when this one peer took too long: then the next is asked.
          if (signal.aborted) return undefined;
          observer.peerAsked(error.code);
          // A manifest over the limit is the image's doing, not the peer's.
          if (error.code === 'HEAD_TIMEOUT') {
            health.failed(peer, 'late');
            if (!late.has(peer.id)) candidates.later(peer);
            late.add(peer.id);
          } else if (error.code !== 'TOO_LARGE') health.failed(peer);
          if (GONE.has(error.code)) {
            counted--;
            isGone = true;
          }
          logger.debug('peer failed', { key, peer: peer.id, addresses: peer.addresses, error });
        }
      }
      return undefined;
    },
    lookAgain() {
      skippedBefore += candidates.skipped;
      candidates[Symbol.dispose]();
      candidates = createCandidates(deps, key, { signal, tried });
    },
    [Symbol.dispose]() {
      candidates[Symbol.dispose]();
    },
  };
}
