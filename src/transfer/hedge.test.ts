import { describe, expect, test } from 'bun:test';
import { PeerRequestError } from '../http/transport.ts';
import { silentLogger } from '../observe/log.ts';
import { createZoneOutages } from '../routing/zone-outages.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import {
  CONNECT_TIMEOUT_MS,
  HEAD_TIMEOUT_MS,
  HEDGE_COLD_MS,
  HEDGE_FLOOR_MS,
  HEDGE_SHARE,
} from './budgets.ts';
import { createHedgeBudget } from './hedge-budget.ts';
import { createPeerHealth } from './peer-health.ts';
import type { Refusal } from './peer-requests.ts';
import { createPeerScores } from './peer-scores.ts';
import { type AskedAddress, createPeerSession } from './peer-session.ts';
import { createPeerNames } from './peer-names.ts';
import { createPeerZones } from './peer-zones.ts';

/** What a peer does: it answers after so many ms, or fails then. */
interface Behaviour {
  readonly ms: number;
  readonly says?: Refusal | PeerRequestError | undefined;
  /** It takes no connection. Default: it takes it at once. */
  readonly isGone?: boolean;
}

/** A node that asks peers p1, p2, …, which are found in this order and chosen by `random`. */
function setUp(
  behaviour: (peer: string, turn: number) => Behaviour,
  {
    peers = ['p1', 'p2'],
    random = () => 0,
    zones = {},
  }: {
    readonly peers?: readonly string[];
    readonly random?: () => number;
    readonly zones?: Readonly<Record<string, string>>;
  } = {},
) {
  const clock = createVirtualClock();
  const seen = {
    asked: [] as string[],
    cancelled: [] as string[],
    discarded: [] as string[],
    winners: [] as string[],
  };
  const health = createPeerHealth(clock);
  const deps = {
    router: {
      isUnsettled: () => false,
      async *lookup() {
        for (const id of peers) yield { id, addresses: [id], zone: zones[id] };
      },
    },
    health,
    probes: { probe: () => {} },
    names: createPeerNames(),
    zones: createPeerZones(Object.keys(zones).length > 0 ? 'a' : undefined),
    outages: createZoneOutages(clock),
    scores: createPeerScores(clock),
    hedges: createHedgeBudget(),
    random,
    clock,
    observer: {
      peerAsked: () => {},
      bytesMoved: () => {},
      lookupEnded: () => {},
      hedged: (winner: string) => void seen.winners.push(winner),
    },
    logger: silentLogger,
  };
  const turns = new Map<string, number>();
  const ask = async ({
    peer: { id },
    signal,
    onReached,
  }: AskedAddress): Promise<{ id: string } | Refusal> => {
    const turn = turns.get(id) ?? 0;
    turns.set(id, turn + 1);
    seen.asked.push(id);
    const { ms, says, isGone = false } = behaviour(id, turn);
    if (!isGone) onReached();
    const limitMs = Math.min(ms, HEAD_TIMEOUT_MS);
    try {
      await clock.sleep(limitMs, signal);
    } catch {
      seen.cancelled.push(id);
      throw new PeerRequestError('CANCELLED', 'given up');
    }
    if (limitMs < ms) throw new PeerRequestError('HEAD_TIMEOUT', 'late');
    if (says instanceof PeerRequestError) throw says;
    return says ?? { id };
  };
  /** One request: which peer gave the answer, and after how long, in ms. */
  const request = async () => {
    using session = createPeerSession(deps, 'key', new AbortController().signal);
    const startedMs = clock.nowMs();
    const ends: [string | undefined, number][] = [];
    void session
      .ask(ask, { attempts: 3, waitMs: 20, discard: ({ id }) => void seen.discarded.push(id) })
      .then((accepted) => ends.push([accepted?.peer.id, clock.nowMs() - startedMs]));
    await clock.advance(0);
    for (let ms = 0; ms < 3000 && ends.length === 0; ms += 5) await clock.advance(5);
    return ends[0];
  };
  return { clock, seen, request, health, scores: deps.scores, hedges: deps.hedges };
}

describe('createPeerSession() with a peer that is late', () => {
  test('asks a second peer beside it, and ends the request to the first', async () => {
    const { request, seen } = setUp((peer) => ({ ms: peer === 'p1' ? 400 : 5 }));
    expect(await request()).toEqual(['p2', HEDGE_COLD_MS + 5]);
    expect(seen).toEqual({ asked: ['p1', 'p2'], cancelled: ['p1'], discarded: [], winners: ['second'] });
  });

  test('takes the answer of the first all the same if that is earlier', async () => {
    const { request, seen } = setUp((peer) => ({ ms: peer === 'p1' ? HEDGE_COLD_MS + 10 : 100 }));
    expect(await request()).toEqual(['p1', HEDGE_COLD_MS + 10]);
    expect(seen).toMatchObject({ cancelled: ['p2'], winners: ['first'] });
  });

  test('gives back an answer that came in the same moment', async () => {
    const { request, seen, clock } = setUp((peer) => ({ ms: peer === 'p1' ? HEDGE_COLD_MS + 10 : 10 }));
    expect((await request())?.[1]).toBe(HEDGE_COLD_MS + 10);
    await clock.advance(1);
    expect([...seen.cancelled, ...seen.discarded]).toHaveLength(1);
  });

  test.each<[string, Behaviour]>([
    ['refuses', { ms: 10, says: 'absent' }],
    ['fails', { ms: 10, says: new PeerRequestError('CONNECTION_LOST', 'lost') }],
  ])('waits for the first when the second %s', async (_, second) => {
    const { request, seen } = setUp((peer) => (peer === 'p1' ? { ms: 300 } : second));
    expect(await request()).toEqual(['p1', 300]);
    expect(seen.winners).toEqual(['first']);
  });

  test('asks further peers when both have failed', async () => {
    const failed = new PeerRequestError('CONNECT_TIMEOUT', 'gone');
    const { request, seen, health } = setUp(
      (peer) => (peer === 'p3' ? { ms: 5 } : { ms: CONNECT_TIMEOUT_MS, says: failed }),
      { peers: ['p1', 'p2', 'p3'] },
    );
    expect(await request()).toEqual(['p3', HEDGE_COLD_MS + CONNECT_TIMEOUT_MS + 5]);
    expect(seen.winners).toEqual(['none']);
    expect(health.skips({ id: 'p1', addresses: ['p1'] })).toBe(true);
  });

  test('asks no peer of another zone beside it', async () => {
    const { request, seen } = setUp((peer) => ({ ms: peer === 'p1' ? 400 : 5 }), {
      zones: { p1: 'a', p2: 'b' },
    });
    expect(await request()).toEqual(['p1', 400]);
    expect(seen.asked).toEqual(['p1']);
  });

  test('asks a peer of another zone beside two that take no connection, and then that zone first', async () => {
    const failed = new PeerRequestError('CONNECT_TIMEOUT', 'gone');
    const { request, seen, clock, scores, hedges } = setUp(
      (peer) => (peer === 'p3' ? { ms: 5 } : { ms: CONNECT_TIMEOUT_MS, says: failed, isGone: true }),
      { peers: ['p1', 'p2', 'p3'], zones: { p1: 'a', p2: 'a', p3: 'b' } },
    );
    for (let n = 0; n < 1000; n++) hedges.asked();
    for (let n = 0; n < 10; n++) scores.asked('p1').answered();
    expect(await request()).toEqual(['p3', HEDGE_COLD_MS + 5]);
    expect(seen).toMatchObject({ asked: ['p1', 'p2', 'p3'], cancelled: ['p1', 'p2'] });
    expect(await request()).toEqual(['p3', 5]);
    await clock.advance(10_000);
    expect((await request())?.[1]).toBeGreaterThan(5);
  });

  test('asks a peer of yet another zone beside one of another zone, whose zone may be cut off', async () => {
    const { request, seen } = setUp((peer) => ({ ms: peer === 'p3' ? 5 : 450 }), {
      peers: ['p1', 'p2', 'p3'],
      zones: { p1: 'b', p2: 'b', p3: 'c' },
    });
    expect((await request())?.[0]).toBe('p3');
    expect(seen.asked).toEqual(['p1', 'p3']);
  });

  test('holds the end of a request that was not waited for against the peer that was late, not as a failure', async () => {
    const { request, health, scores } = setUp((peer) => ({ ms: peer === 'p1' ? 400 : 5 }));
    await request();
    const [p1, p2] = [
      { id: 'p1', addresses: ['p1'] },
      { id: 'p2', addresses: ['p2'] },
    ];
    expect([health.skips(p1), health.goesLast(p1)]).toEqual([false, false]);
    expect(scores.isBetter(p2, p1)).toBe(true);
  });

  test('asks a second peer for no more than its share of requests, however late all are', async () => {
    const { request, seen } = setUp((_peer, turn) => ({ ms: turn % 2 === 0 ? 450 : 30 }));
    const requests = 200;
    for (let i = 0; i < requests; i++) await request();
    expect(seen.asked.length - requests).toBeLessThanOrEqual(1 + requests * HEDGE_SHARE);
    expect(seen.winners.length).toBeGreaterThan(0);
  });

  test('recovers from a start where each first connection takes 150 ms, and answers every request', async () => {
    const peers = ['p1', 'p2', 'p3', 'p4'];
    let seed = 7;
    const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
    const { request, seen, scores } = setUp((_peer, turn) => ({ ms: turn === 0 ? 150 : 10 }), {
      peers,
      random,
    });
    const took: number[] = [];
    for (let i = 0; i < 100; i++) {
      const [by, ms] = (await request()) ?? [];
      expect(by).toBeDefined();
      took.push(ms ?? Infinity);
    }
    expect(Math.max(...took)).toBeLessThanOrEqual(HEDGE_COLD_MS + 150);
    expect(new Set(took.slice(-50))).toEqual(new Set([10]));
    expect(seen.winners.length).toBeLessThanOrEqual(1 + 100 * HEDGE_SHARE);
    const best = peers.map((id) => scores.lateAfterMs({ id, addresses: [id] }));
    expect(Math.min(...best)).toBe(HEDGE_FLOOR_MS);
  });
});
