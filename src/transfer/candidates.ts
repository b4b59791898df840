import type { Peer, Router } from '../routing/router.ts';
import type { ZoneOutages } from '../routing/zone-outages.ts';
import type { Clock } from '../runtime/clock.ts';
import { createDeadline } from '../runtime/deadline.ts';
import { createWakeUp } from '../runtime/wake-up.ts';
import { LOOKUP_LIFETIME_MS, LOOKUP_LIMIT, PEERS_TO_CHOOSE_FROM, ZONE_HOLD_MS } from './budgets.ts';
import type { PeerHealth } from './peer-health.ts';
import type { PeerProbes } from './peer-probes.ts';
import type { PeerScores } from './peer-scores.ts';
import type { PeerZones } from './peer-zones.ts';

/**
 * Peers to ask for one key, each once: peers of this node's zone before others, and peers that were slow lately last.
 * Of several the better of two that chance takes.
 */
export interface Candidates extends Disposable {
  /**
   * The next peer, waiting at most timeoutMs for the lookup to find one; undefined if there is none in time. Time for
   * which this process did not get to run does not count: answers may lie there unread. A peer of another zone is held back
   * for ZONE_HOLD_MS of the lookup, because a peer of this zone may be found.
   */
  next(timeoutMs: number): Promise<Peer | undefined>;
  /** A peer that was found and is no farther away than the given one, to be asked beside it; undefined if there is none. */
  beside(peer: Peer): Peer | undefined;
  /** A peer that was found in another zone than that of the given one, which may be cut off; undefined if there is none. */
  elsewhere(peer: Peer): Peer | undefined;
  /** Puts a peer that was asked behind all others: it was slow, and there may be nobody else. */
  later(peer: Peer): void;
  /** The peer could not be reached: its zone may be cut off as a whole, and other peers of it come after peers of other zones. */
  avoidZoneOf(peer: Peer): void;
  /** How many providers were passed over because they failed lately. */
  readonly skipped: number;
}

/** A timer that is over after so many times its time was held up, and what else should have come meanwhile, too. */
const LATE_FACTOR = 2;
/** A process that hardly runs must not wait for ever. */
const MAX_LATE_WAITS = 3;

/** A peer that the lookup knows takes some of them to come. */
const GATHERING_TURNS = 50;

/** Why a lookup ends; nothing sees it. Without it each would make an error of its own. */
const ENOUGH = new Error('No more peers are needed');

/** What createCandidates needs. */
export interface CandidatesDeps {
  readonly router: Pick<Router, 'lookup'>;
  readonly health: Pick<PeerHealth, 'skips' | 'goesLast' | 'isToProbe'>;
  readonly probes: PeerProbes;
  readonly zones: Pick<PeerZones, 'isFar' | 'zoneOf'>;
  readonly outages: Pick<ZoneOutages, 'isCut'>;
  readonly scores: Pick<PeerScores, 'isBetter' | 'running'>;
  readonly clock: Clock;
  /** A number from 0 up to, not including, 1. Default Math.random. */
  readonly random?: (() => number) | undefined;
}

/** Starts looking the key up. Peers in `tried` are left out. Dispose it to end the lookup. */
export function createCandidates(
  { router, health, probes, zones, outages, scores, clock, random = Math.random }: CandidatesDeps,
  key: string,
  options: { readonly signal: AbortSignal; readonly tried: ReadonlySet<string> },
): Candidates {
  const lifetime = createDeadline(clock, LOOKUP_LIFETIME_MS, options.signal);
  const { signal } = lifetime;
  const heldUntilMs = clock.nowMs() + ZONE_HOLD_MS;
  const found: Peer[] = [];
  /** Everybody may ask the last holder at once: that it is late then does not make it useless. */
  const last: Peer[] = [];
  const avoided = new Set<string>();
  let skipped = 0;
  let exhausted = false;
  /** A peer was found, or there are no more. */
  const pulled = createWakeUp();
  /** More peers are needed than the lookup knows without asking. */
  const wanted = createWakeUp();

  const isAvoided = (peer: Peer) => {
    const zone = zones.zoneOf(peer);
    return zone !== undefined && (avoided.has(zone) || outages.isCut(zone));
  };
  /** What is asked first has the least. */
  const rankOf = (peer: Peer): number => {
    if (isAvoided(peer)) return 2;
    return zones.isFar(peer) ? 1 : 0;
  };
  const countNear = () => found.reduce((count, peer) => count + Number(rankOf(peer) === 0), 0);
  const isReady = () => exhausted || (found.length > 0 && (clock.nowMs() >= heldUntilMs || countNear() > 0));

  /** The lookup waits until more peers are wanted. */
  let isResting = false;
  const lookup = router.lookup(key, {
    signal,
    limit: LOOKUP_LIMIT + options.tried.size,
    // What it knows by itself may be enough.
    beforeAsking: async () => {
      if (countNear() === 0) return;
      isResting = true;
      await wanted.next(signal).catch(() => {});
      isResting = false;
    },
  });
  const peers = lookup[Symbol.asyncIterator]();
  let isPulling = false;
  /** Gets some more peers. Only when they are needed: the lookup asks no further than it is asked. */
  const pull = async () => {
    isPulling = true;
    try {
      do {
        const { done, value: peer } = await peers.next();
        if (done === true) {
          end();
          return;
        }
        if (options.tried.has(peer.id)) continue;
        if (health.isToProbe(peer)) probes.probe(peer);
        if (health.skips(peer, key)) skipped++;
        else if (health.goesLast(peer)) last.push(peer);
        else {
          found.push(peer);
          pulled.wake();
        }
      } while (countNear() < PEERS_TO_CHOOSE_FROM);
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

  /** Waits for a peer that may be asked now. */
  const untilReady = async (timeoutMs: number) => {
    const endMs = clock.nowMs() + timeoutMs;
    while (!isReady() && !options.signal.aborted) {
      if (!isPulling) void pull();
      const nowMs = clock.nowMs();
      if (nowMs >= endMs) return;
      const wakeMs = found.length > 0 ? Math.min(endMs, heldUntilMs) : endMs;
      await pulled.sleep(clock, wakeMs - nowMs, options.signal);
    }
  };
  /** What the lookup knows comes within this turn: it is waited for, to have a choice. */
  const gather = async () => {
    for (let turns = 0; turns < GATHERING_TURNS; turns++) {
      if (!isPulling || isResting || countNear() >= PEERS_TO_CHOOSE_FROM) return;
      await Promise.resolve();
    }
  };
  /**
   * Of the nearest peers those that do least for this node: ranges of a blob that are asked for side by side come from different
   * peers. Of these the better of two that chance takes. The best of all would be asked by all nodes at once, with what
   * they knew a moment ago.
   */
  const take = (maxRank = Infinity, isWanted: (peer: Peer) => boolean = () => true): Peer | undefined => {
    const wanted = found.filter(isWanted);
    const rank = Math.min(...wanted.map(rankOf));
    if (rank > maxRank) return undefined;
    const near = wanted.filter((peer) => rankOf(peer) === rank);
    const least = Math.min(...near.map(scores.running));
    const nearest = near.filter((peer) => scores.running(peer) === least);
    const first = Math.floor(random() * nearest.length);
    const other = Math.floor(random() * (nearest.length - 1));
    const [one, two] = [nearest[first], nearest[other >= first ? other + 1 : other]];
    const chosen = one !== undefined && two !== undefined && scores.isBetter(two, one) ? two : one;
    if (chosen !== undefined) found.splice(found.indexOf(chosen), 1);
    return chosen;
  };

  return {
    get skipped() {
      return skipped;
    },
    async next(timeoutMs) {
      if (countNear() === 0) {
        wanted.wake();
        if (!isPulling && !exhausted) void pull();
        // Peers of other zones are there, and maybe nearer ones that the lookup knows.
        if (found.length > 0) await gather();
      }
      for (let waits = 0; waits < MAX_LATE_WAITS && !isReady(); waits++) {
        const startedMs = clock.nowMs();
        await untilReady(timeoutMs);
        const isLate = clock.nowMs() - startedMs >= LATE_FACTOR * timeoutMs;
        if (options.signal.aborted || !isLate) break;
      }
      await gather();
      return take() ?? last.shift();
    },
    beside(peer) {
      const zone = zones.zoneOf(peer);
      // What makes a peer of another zone late may be its whole zone.
      const isElsewhere = (other: Peer) => zones.isFar(peer) && zones.zoneOf(other) !== zone;
      // In case that this one is late, too: the lookup may know peers elsewhere that it has not told.
      if (zone !== undefined) {
        wanted.wake();
        if (!isPulling && !exhausted) void pull();
      }
      return take(rankOf(peer), found.some(isElsewhere) ? isElsewhere : undefined);
    },
    elsewhere(peer) {
      const zone = zones.zoneOf(peer);
      return zone === undefined
        ? undefined
        : take(Infinity, (other) => (zones.zoneOf(other) ?? zone) !== zone && !isAvoided(other));
    },
    later: (peer) => void last.push(peer),
    avoidZoneOf(peer) {
      const zone = zones.zoneOf(peer);
      if (zone !== undefined) avoided.add(zone);
    },
    [Symbol.dispose]() {
      lifetime.abort(ENOUGH);
      // A lookup that nobody waits on would not see the signal.
      if (!isPulling) void peers.return?.().then(undefined, () => {});
    },
  };
}
