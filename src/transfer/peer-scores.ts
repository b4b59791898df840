import type { Peer } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { lruSet } from '../runtime/lru-set.ts';
import {
  ADDRESSES_PER_PEER,
  CONNECT_TIMEOUT_MS,
  FLOOR_SAMPLE_BYTES,
  HEDGE_CEILING_MS,
  HEDGE_COLD_MS,
  HEDGE_FLOOR_MS,
  SCORE_HOSTS,
  SCORE_MEMORY_MS,
  UPLOADS_MEMORY_MS,
} from './budgets.ts';

/** A request that is under way: one of its methods is called, once. */
export interface Asking {
  /** The peer has answered, whatever it said. */
  answered(): void;
  /** The peer is not waited for any longer: an answer would have taken longer than that. */
  overtaken(): void;
  /** The request failed. */
  failed(): void;
  /** The request was ended for a reason that says nothing of the peer. */
  dropped(): void;
}

/**
 * What was measured of peers, by the address that was asked: how long they take to answer, how fast bytes come from them, and
 * how much they have to do. Failures are for PeerHealth.
 */
export interface PeerScores {
  /** A request to the address begins. */
  asked(host: string): Asking;
  /** A body from the address begins: call the result with the bytes that came, once, when it has ended. */
  takes(host: string): (movedBytes: number) => void;
  /** The address says that it sends so many bodies to other nodes just now. */
  loaded(host: string, uploads: number): void;
  /** What is known of the peer just now. */
  scoreOf(peer: Pick<Peer, 'addresses'>): PeerScore;
  /** Requests and bodies of this node that the peer has under way. */
  running(peer: Peer): number;
  /** True if the peer is likely to give a blob sooner than the other. A peer of which nothing is known is tried. */
  isBetter(peer: Peer, other: Peer): boolean;
  /** So many ms after it was asked the peer is late: nine of ten answers of it come earlier. */
  lateAfterMs(peer: Peer): number;
}

/** What was measured of a peer in the last minute, and what it said; undefined: not known. */
export interface PeerScore {
  /** What it takes to answer, in ms. */
  readonly answerMs: number | undefined;
  /** How fast bytes come from it. */
  readonly bytesPerSecond: number | undefined;
  /** Bodies that it sends to other nodes. */
  readonly uploads: number | undefined;
}

const SECOND_MS = 1000;
/** Samples from which the ninth of ten is read. */
const SAMPLES = 16;
/** Fewer of them tell nothing of it. */
const ENOUGH_SAMPLES = 4;
/** Of the highest samples so many are above nine of ten. */
const ABOVE = Math.floor(SAMPLES / 10);
/** What a sample counts in an average. */
const WEIGHT = 0.3;
/** An answer that was not waited for would have taken so many times as long: what the last wait was must not become the next. */
const CENSORED_FACTOR = 2;
/** What a peer takes to answer of which nothing is known: less than most, so that it is tried once. */
const UNKNOWN_ANSWER_MS = 1;

interface Score {
  /** Requests and bodies of this node that are under way. */
  running: number;
  /** How long answers take, in ms, and bytes per ms of bodies; undefined: not known. */
  answerMs: number | undefined;
  bytesPerMs: number | undefined;
  /** The last times to an answer. */
  readonly samples: number[];
  uploads: { readonly count: number; readonly atMs: number } | undefined;
  /** When something was measured last. */
  heardMs: number;
}

/** Has measured nothing yet. What it measures counts for a minute: links and loads change. */
export function createPeerScores(clock: Pick<Clock, 'nowMs'>): PeerScores {
  /** The host that something was measured of last comes last. */
  const scores = new Map<string, Score>();
  const isFresh = ({ heardMs, running }: Score) => running > 0 || clock.nowMs() - heardMs < SCORE_MEMORY_MS;
  const known = (host: string): Score | undefined => {
    const score = scores.get(host);
    return score !== undefined && isFresh(score) ? score : undefined;
  };
  const touch = (host: string): Score => {
    const score = known(host) ?? {
      running: 0,
      answerMs: undefined,
      bytesPerMs: undefined,
      samples: [],
      uploads: undefined,
      heardMs: clock.nowMs(),
    };
    score.heardMs = clock.nowMs();
    lruSet(scores, host, score, SCORE_HOSTS);
    return score;
  };
  const average = (before: number | undefined, sample: number) =>
    before === undefined ? sample : before + WEIGHT * (sample - before);
  const scoreOf = ({ addresses }: Pick<Peer, 'addresses'>): Score | undefined => {
    for (const host of addresses.slice(0, ADDRESSES_PER_PEER)) {
      const score = known(host);
      if (score !== undefined) return score;
    }
    return undefined;
  };
  const learn = (host: string, answerMs: number) => {
    const score = touch(host);
    score.answerMs = average(score.answerMs, answerMs);
    score.samples.push(answerMs);
    if (score.samples.length > SAMPLES) score.samples.shift();
  };
  /** Nine of ten answers come within so many ms; undefined: too few are known. */
  const ninthOfTen = ({ samples }: Score): number | undefined =>
    samples.length < ENOUGH_SAMPLES ? undefined : samples.toSorted((a, b) => b - a)[ABOVE];
  /** The slowest of all, for a peer of which nothing is known. */
  const slowest = () => {
    let most: number | undefined;
    for (const score of scores.values()) {
      const ms = isFresh(score) ? ninthOfTen(score) : undefined;
      if (ms !== undefined) most = Math.max(most ?? 0, ms);
    }
    return most;
  };
  const told = (uploads: Score['uploads']) =>
    uploads !== undefined && clock.nowMs() - uploads.atMs < UPLOADS_MEMORY_MS ? uploads.count : undefined;
  /** For how long a blob of some size would be waited for. */
  const costOf = (peer: Peer): number => {
    const score = scoreOf(peer);
    if (score === undefined) return UNKNOWN_ANSWER_MS;
    const { answerMs = UNKNOWN_ANSWER_MS, bytesPerMs, running, uploads } = score;
    // What the peer counts has this node's own among it.
    const load = Math.max(running, told(uploads) ?? 0);
    const bodyMs = bytesPerMs === undefined ? 0 : FLOOR_SAMPLE_BYTES / bytesPerMs;
    return (answerMs + bodyMs) * (1 + load);
  };
  const begin = (host: string) => {
    const score = touch(host);
    score.running++;
    const startedMs = clock.nowMs();
    return {
      tookMs: () => clock.nowMs() - startedMs,
      end: () => void score.running--,
    };
  };

  return {
    asked(host) {
      const { tookMs, end } = begin(host);
      const gaveUp = (leastMs: number) => {
        end();
        learn(host, Math.min(Math.max(CENSORED_FACTOR * tookMs(), leastMs), HEDGE_CEILING_MS));
      };
      return {
        answered() {
          end();
          learn(host, tookMs());
        },
        overtaken: () => gaveUp(0),
        // A connection that is refused at once is not a fast answer.
        failed: () => gaveUp(CONNECT_TIMEOUT_MS),
        dropped: end,
      };
    },
    takes(host) {
      const { tookMs, end } = begin(host);
      return (movedBytes) => {
        end();
        if (movedBytes < FLOOR_SAMPLE_BYTES) return;
        const score = touch(host);
        score.bytesPerMs = average(score.bytesPerMs, movedBytes / Math.max(1, tookMs()));
      };
    },
    loaded(host, uploads) {
      touch(host).uploads = { count: uploads, atMs: clock.nowMs() };
    },
    scoreOf(peer) {
      const { answerMs, bytesPerMs, uploads } = scoreOf(peer) ?? {};
      const bytesPerSecond = bytesPerMs === undefined ? undefined : bytesPerMs * SECOND_MS;
      return { answerMs, bytesPerSecond, uploads: told(uploads) };
    },
    running: (peer) => scoreOf(peer)?.running ?? 0,
    isBetter: (peer, other) => costOf(peer) < costOf(other),
    lateAfterMs(peer) {
      const score = scoreOf(peer);
      const own = score === undefined ? undefined : ninthOfTen(score);
      const ms = own ?? slowest() ?? HEDGE_COLD_MS;
      return Math.min(Math.max(ms, HEDGE_FLOOR_MS), HEDGE_CEILING_MS);
    },
  };
}
