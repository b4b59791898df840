import { PeerRequestError, type PeerRequestErrorCode } from '../http/transport.ts';
import type { Logger } from '../observe/log.ts';
import type { Peer, Router } from '../routing/router.ts';
import type { ZoneOutages } from '../routing/zone-outages.ts';
import type { Clock } from '../runtime/clock.ts';
import { HEDGE_COLD_MS, HEDGE_FLOOR_MS, REPLACEMENT_LOOKUP_TIMEOUT_MS } from './budgets.ts';
import { type Candidates, createCandidates } from './candidates.ts';
import type { PeerHealth } from './peer-health.ts';
import { hedge } from './hedge.ts';
import type { HedgeBudget } from './hedge-budget.ts';
import type { PeerNames } from './peer-names.ts';
import type { PeerProbes } from './peer-probes.ts';
import type { PeerScores } from './peer-scores.ts';
import type { PeerZones } from './peer-zones.ts';
import { atAnyAddress, type Refusal } from './peer-requests.ts';
import type { TransferObserver } from './transfer-observer.ts';

/** What createPeerSession needs. */
export interface PeerSessionDeps {
  readonly router: Pick<Router, 'lookup' | 'isUnsettled'>;
  readonly health: PeerHealth;
  readonly probes: PeerProbes;
  readonly zones: PeerZones;
  readonly outages: ZoneOutages;
  readonly names: Pick<PeerNames, 'learn'>;
  readonly scores: PeerScores;
  readonly hedges: HedgeBudget;
  readonly clock: Clock;
  readonly observer: TransferObserver;
  readonly logger: Logger;
  /** See CandidatesDeps. */
  readonly random?: (() => number) | undefined;
}

/** A peer's answer that was accepted. */
export interface Accepted<T> {
  readonly peer: Peer;
  readonly answer: T;
}

/** Where a peer is asked, and how. */
export interface AskedAddress {
  readonly host: string;
  readonly peer: Peer;
  readonly connectTimeoutMs: number;
  /** Ends the request: the client has left, or another peer was faster. */
  readonly signal: AbortSignal;
  /** To be told when the peer has taken a connection. */
  readonly onReached: () => void;
}

/** Asking the peers that have one key, one after the other; twice only one that was late, when nobody else is left. */
export interface PeerSession extends Disposable {
  /**
   * Asks peers until one gives an answer, waiting at most waitMs for each to be found. Gives up after `attempts` that
   * answered otherwise; those that are gone do not count, as long as there is time: several nodes may have died
   * together, and the next one may have it.
   * A peer that is late has a second one asked beside it, as often as the budget for that allows, and when none of them takes a
   * connection one of another zone; the answer that comes first counts, and the signals of the others abort.
   * `ask` returns the answer or a refusal; a PeerRequestError is a failure of that peer. Undefined if nobody gave one.
   */
  ask<T extends object>(
    ask: (at: AskedAddress) => Promise<T | Refusal>,
    limits: {
      readonly attempts: number;
      readonly waitMs: number;
      /** After this time no further peer is asked. */
      readonly withinMs?: number;
      /** Gets an answer that is not needed: another peer gave one at the same time. Default: there is nothing to release. */
      readonly discard?: (answer: T) => void;
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

/** Within this time, in ms, a peer that is there has taken a connection, or has answered. */
const SILENT_MS = (3 / 4) * HEDGE_COLD_MS;
/** Why the request to a peer ends; nothing sees it. Without it each would make an error of its own. */
const LOST = new Error('Another peer was faster');

/** What a request to a node that has died ends with. */
const GONE: ReadonlySet<PeerRequestErrorCode> = new Set([
  'CONNECT_FAILED',
  'CONNECT_TIMEOUT',
  'CONNECTION_LOST',
  'HEAD_TIMEOUT',
]);

/** Starts a session: the lookup of the key begins at once. Dispose it to end that. */
export function createPeerSession(deps: PeerSessionDeps, key: string, signal: AbortSignal): PeerSession {
  const { router, health, zones, outages, scores, hedges, clock, observer, logger } = deps;
  const tried = new Set<string>();
  const refusals = new Set<Refusal>();
  /** Peers that were late with their answer: each is asked once more if nobody else is left. */
  const late = new Set<string>();
  let attempts = 0;
  let skippedBefore = 0;
  const startedMs = clock.nowMs();
  let candidates: Candidates = createCandidates(deps, key, { signal, tried });
  let lookupReported = false;

  const nextPeer = async (waitMs: number, isGone = false) => {
    // Somebody had it, or those who know that are busy: what is found late is better than nothing.
    const isPatient = isGone || router.isUnsettled();
    const peer = await candidates.next(isPatient ? Math.max(waitMs, REPLACEMENT_LOOKUP_TIMEOUT_MS) : waitMs);
    if (!lookupReported) {
      lookupReported = true;
      observer.lookupEnded(clock.nowMs() - startedMs, peer !== undefined);
    }
    return peer;
  };

  /** Asks, and measures how long the address takes to answer. */
  const timed = async <T>(host: string, ask: () => Promise<T>): Promise<T> => {
    const asking = scores.asked(host);
    try {
      const answer = await ask();
      asking.answered();
      return answer;
    } catch (error) {
      // That the client left says nothing of the peer; that another peer was faster does.
      const code = error instanceof PeerRequestError ? error.code : undefined;
      if (signal.aborted || code === 'TOO_LARGE') asking.dropped();
      else if (code === 'CANCELLED') asking.overtaken();
      else asking.failed();
      throw error;
    }
  };

  /** Asks a peer, and then others, until one has given an answer. */
  const askPeers = async <T extends object>(
    nearest: Peer,
    ask: (at: AskedAddress) => Promise<T | Refusal>,
    {
      maxAttempts,
      waitMs,
      endMs,
      discard = () => {},
    }: {
      readonly maxAttempts: number;
      readonly waitMs: number;
      readonly endMs: number;
      readonly discard: ((answer: T) => void) | undefined;
    },
  ): Promise<Accepted<T> | undefined> => {
    /** Peers asked, without those that are gone; and whether any is. */
    const made = { attempts: 0, isGone: false };
    const failed = (peer: Peer, error: PeerRequestError, startedMs: number) => {
      observer.peerAsked(error.code);
      // A manifest over the limit is the image's doing, not the peer's.
      if (error.code === 'HEAD_TIMEOUT') {
        health.failed(peer, 'late');
        if (!late.has(peer.id)) candidates.later(peer);
        late.add(peer.id);
      } else if (error.code !== 'TOO_LARGE') health.failed(peer);
      if (error.code === 'CONNECT_TIMEOUT' || error.code === 'HEAD_TIMEOUT') {
        candidates.avoidZoneOf(peer);
        outages.silent(zones.zoneOf(peer), peer.addresses[0] ?? peer.id, {
          waitedMs: clock.nowMs() - startedMs,
          mayBeBusy: error.code === 'HEAD_TIMEOUT',
        });
      }
      if (GONE.has(error.code)) {
        made.attempts--;
        made.isGone = true;
      }
      logger.debug('peer failed', { key, peer: peer.id, addresses: peer.addresses, error });
    };
    const askOne = async (peer: Peer, lost: AbortSignal, onReached: () => void) => {
      const startedMs = clock.nowMs();
      try {
        const answer = await atAnyAddress(peer, (host, connectTimeoutMs) =>
          timed(host, () => ask({ host, connectTimeoutMs, peer, signal: lost, onReached })),
        );
        outages.heard(zones.zoneOf(peer));
        if (typeof answer !== 'string') return answer;
        if (lost.aborted) return undefined;
        refusals.add(answer);
        observer.peerAsked(answer);
        if (answer === 'wrong') health.failed(peer);
        logger.debug('peer refused', { key, peer: peer.id, addresses: peer.addresses, refusal: answer });
      } catch (error) {
        if (!(error instanceof PeerRequestError)) throw error;
        // A request is also cancelled when this one peer took too long: then the next is asked.
        if (!lost.aborted) failed(peer, error, startedMs);
      }
      return undefined;
    };
    const start = (peer: Peer) => {
      tried.add(peer.id);
      attempts++;
      made.attempts++;
      const given = new AbortController();
      const reached = { isReached: false };
      const answer = askOne(peer, AbortSignal.any([signal, given.signal]), () => (reached.isReached = true));
      return { peer, startedMs: clock.nowMs(), reached, answer, giveUp: () => given.abort(LOST) };
    };
    for (
      let next: Peer | undefined = nearest;
      next !== undefined;
      next = await nextPeer(waitMs, made.isGone)
    ) {
      const peer = next;
      hedges.asked();
      const first = start(peer);
      const started = [first];
      const startBeside = (find: () => Peer | undefined) => () => {
        const other = hedges.has && made.attempts < maxAttempts ? find() : undefined;
        if (other === undefined) return undefined;
        hedges.spend();
        logger.debug('peer is late: another one is asked', { key, peer: peer.id, other: other.id });
        const attempt = start(other);
        started.push(attempt);
        return attempt;
      };
      /** A peer that takes connections is only slow: no bytes are to cross to another zone because of that. */
      const isUnreached = () => started.every(({ reached }) => !reached.isReached);
      const lateAfterMs = scores.lateAfterMs(peer);
      const beside = [
        { afterMs: lateAfterMs, start: startBeside(() => candidates.beside(peer)) },
        {
          afterMs: Math.max(HEDGE_COLD_MS - lateAfterMs, HEDGE_FLOOR_MS),
          start: startBeside(() => (isUnreached() ? candidates.elsewhere(peer) : undefined)),
        },
      ];
      const onEnd = (won: typeof first | undefined, losers: readonly (typeof first)[]) => {
        observer.hedged?.(won === undefined ? 'none' : won === first ? 'first' : 'second');
        if (won === undefined) return;
        for (const { peer: late, startedMs: askedMs, reached } of losers) {
          const waitedMs = clock.nowMs() - askedMs;
          const isSilent = !reached.isReached && waitedMs >= SILENT_MS;
          if (isSilent) outages.silent(zones.zoneOf(late), late.addresses[0] ?? late.id, { waitedMs });
        }
      };
      // Without a budget there is no timer either.
      const winner = hedges.has ? await hedge(first, { clock, next: beside, onEnd, discard }) : first;
      const answer = await winner?.answer;
      if (winner !== undefined && answer !== undefined) return { peer: winner.peer, answer };
      if (made.attempts >= maxAttempts || signal.aborted || clock.nowMs() >= endMs) return undefined;
    }
    return undefined;
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
    async ask(ask, { attempts: maxAttempts, waitMs, withinMs = Infinity, discard }) {
      const endMs = clock.nowMs() + withinMs;
      if (maxAttempts <= 0 || signal.aborted || withinMs <= 0) return undefined;
      const nearest = await nextPeer(waitMs);
      // Most that is asked for no peer has: nothing else is made for that.
      return nearest && askPeers(nearest, ask, { maxAttempts, waitMs, endMs, discard });
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
