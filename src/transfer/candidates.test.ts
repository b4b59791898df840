import { describe, expect, test } from 'bun:test';
import type { Peer, Router } from '../routing/router.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { LOOKUP_LIFETIME_MS, ZONE_HOLD_MS } from './budgets.ts';
import { createCandidates } from './candidates.ts';
import { createPeerZones } from './peer-zones.ts';
import { createSleepingClock } from '../runtime/testing/sleeping-clock.ts';

const PEER = (id: string) => ({ id, addresses: ['10.0.0.1'] });
/** All peers are as good, and the first of them is chosen. */
const noScores = { scores: { isBetter: () => false, running: () => 0 }, random: () => 0 };
const noProbes = { probes: { probe: () => {} } };
const noZones = createPeerZones(undefined);
const noOutages = { isCut: () => false };

/** Peers that are found at the given times, in ms; the lookup then goes on until it is ended. */
function setUp(
  found: Readonly<Record<string, number>>,
  skipped: readonly string[] = [],
  tried: readonly string[] = [],
  slow: readonly string[] = [],
  lasting = (ms: number) => ms,
) {
  const clock = createVirtualClock();
  const state = { ended: false };
  const router: Pick<Router, 'lookup'> = {
    async *lookup(_key, { signal }) {
      try {
        for (const [id, atMs] of Object.entries(found)) {
          await clock.sleep(atMs - clock.nowMs(), signal);
          yield PEER(id);
        }
        await clock.sleep(1_000_000, signal);
      } catch {
        // Aborted: the contract says that the iteration ends without throwing.
      } finally {
        state.ended = true;
      }
    },
  };
  const health = {
    skips: ({ id }: Peer) => skipped.includes(id),
    goesLast: ({ id }: Peer) => slow.includes(id),
    isToProbe: () => false,
  };
  const signal = new AbortController().signal;
  const own = createSleepingClock({
    nowMs: () => clock.nowMs(),
    sleep: async (ms, aborting) => clock.sleep(lasting(ms), aborting),
  });
  const candidates = createCandidates(
    { router, health, ...noProbes, zones: noZones, outages: noOutages, ...noScores, clock: own },
    'key',
    {
      signal,
      tried: new Set(tried),
    },
  );
  return { clock, candidates, state };
}

describe('createCandidates()', () => {
  test('gives a peer as soon as it is found', async () => {
    const { clock, candidates } = setUp({ a: 10, b: 15 });
    const next = candidates.next(20);
    await clock.advance(10);
    expect(await next).toEqual(PEER('a'));
    const second = candidates.next(20);
    await clock.advance(5);
    expect(await second).toEqual(PEER('b'));
  });

  test('gives none when none is found in time, and one that is found later at the next call', async () => {
    const { clock, candidates } = setUp({ a: 30 });
    const next = candidates.next(20);
    await clock.advance(20);
    expect(await next).toBeUndefined();
    const later = candidates.next(20);
    await clock.advance(10);
    expect(await later).toEqual(PEER('a'));
  });

  test('waits again when the process did not get to run, and not for ever', async () => {
    const wait = (atMs: number) => {
      // Timers of 20 ms are over after 100.
      const { clock, candidates } = setUp({ a: atMs }, [], [], [], (ms) => (ms === 20 ? 100 : ms));
      return { clock, next: candidates.next(20) };
    };
    const late = wait(110);
    await late.clock.advance(110);
    expect(await late.next).toEqual(PEER('a'));
    const never = wait(1000);
    await never.clock.advance(300);
    expect(await never.next).toBeUndefined();
  });

  test('leaves out who failed lately, and counts them, and who was tried before', async () => {
    const { clock, candidates } = setUp({ a: 1, b: 2, c: 3 }, ['a'], ['b']);
    await clock.advance(3);
    expect(await candidates.next(20)).toEqual(PEER('c'));
    expect(candidates.skipped).toBe(1);
  });

  test('gives those that were slow lately when nobody else is found in time, each once', async () => {
    const { clock, candidates } = setUp({ a: 1, b: 2, c: 30 }, [], [], ['a', 'b']);
    await clock.advance(2);
    const slow = candidates.next(20);
    await clock.advance(20);
    expect(await slow).toEqual(PEER('a'));
    const better = candidates.next(20);
    await clock.advance(8);
    expect(await better).toEqual(PEER('c'));
    const last = candidates.next(20);
    await clock.advance(20);
    expect(await last).toEqual(PEER('b'));
    const none = candidates.next(20);
    await clock.advance(20);
    expect(await none).toBeUndefined();
    candidates.later(PEER('c'));
    const again = candidates.next(20);
    await clock.advance(20);
    expect(await again).toEqual(PEER('c'));
    expect(candidates.skipped).toBe(0);
  });

  test('ends the lookup when it is disposed, and by itself after its lifetime', async () => {
    const disposed = setUp({});
    disposed.candidates[Symbol.dispose]();
    await disposed.clock.advance(0);
    expect(disposed.state.ended).toBe(true);
    const forgotten = setUp({});
    await forgotten.clock.advance(LOOKUP_LIFETIME_MS);
    expect(forgotten.state.ended).toBe(true);
  });

  test('answers at once when the lookup has ended', async () => {
    const { clock, candidates } = setUp({ a: 1 });
    await clock.advance(LOOKUP_LIFETIME_MS + 1);
    expect(await candidates.next(20)).toEqual(PEER('a'));
    expect(await candidates.next(1_000_000)).toBeUndefined();
  });

  test('finds nobody when the lookup throws', async () => {
    const router: Pick<Router, 'lookup'> = {
      // oxlint-disable-next-line require-yield -- it fails before it finds any
      async *lookup() {
        throw new Error('lookup failed');
      },
    };
    const deps = {
      router,
      health: { skips: () => false, goesLast: () => false, isToProbe: () => false },
      ...noProbes,
      zones: noZones,
      outages: noOutages,
      ...noScores,
      clock: createVirtualClock(),
    };
    const candidates = createCandidates(deps, 'key', {
      signal: new AbortController().signal,
      tried: new Set(),
    });
    expect(await candidates.next(1_000_000)).toBeUndefined();
  });
});

/** Peers of these zones that are found at the given times, in ms; the lookup ends at `endMs`. */
function findZoned(
  found: ReadonlyArray<readonly [id: string, zone: string | undefined, atMs: number]>,
  {
    knowsOwn = true,
    endMs = 1_000_000,
    cut,
  }: { readonly knowsOwn?: boolean; readonly endMs?: number; readonly cut?: string } = {},
) {
  const clock = createVirtualClock();
  const zones = createPeerZones(knowsOwn ? 'a' : undefined);
  const state = { asksOthers: false };
  const router: Pick<Router, 'lookup'> = {
    async *lookup(_key, { signal, beforeAsking }) {
      try {
        for (const [id, zone, atMs] of found) {
          if (atMs > 0 && !state.asksOthers) {
            await beforeAsking?.();
            state.asksOthers = true;
          }
          await clock.sleep(Math.max(0, atMs - clock.nowMs()), signal);
          yield { id, addresses: [id], zone };
        }
        await beforeAsking?.();
        state.asksOthers = true;
        await clock.sleep(endMs - clock.nowMs(), signal);
      } catch {
        // Aborted.
      }
    },
  };
  const candidates = createCandidates(
    {
      router,
      health: { skips: () => false, goesLast: () => false, isToProbe: () => false },
      ...noProbes,
      outages: { isCut: (zone) => zone !== undefined && zone === cut },
      zones,
      ...noScores,
      clock,
    },
    'key',
    { signal: new AbortController().signal, tried: new Set() },
  );
  /** The next peer, and when it came. */
  const next = async () => {
    const peer = candidates.next(20);
    const ends: number[] = [];
    void peer.then(() => ends.push(clock.nowMs()));
    await clock.advance(0);
    for (let ms = 0; ms < 20 && ends.length === 0; ms++) await clock.advance(1);
    return [(await peer)?.id, ends[0]];
  };
  return { candidates, next, state };
}

describe('createCandidates() with zones', () => {
  test('holds a peer of another zone back, and one that does not say where it is', async () => {
    for (const zone of ['b', undefined]) {
      const { next } = findZoned([['far', zone, 0]]);
      expect(await next()).toEqual(['far', ZONE_HOLD_MS]);
    }
  });

  test('gives a peer of its own zone that is found later before one of another zone that is found earlier', async () => {
    const { next } = findZoned([
      ['far', 'b', 0],
      ['near', 'a', ZONE_HOLD_MS - 1],
    ]);
    expect(await next()).toEqual(['near', ZONE_HOLD_MS - 1]);
    expect((await next())[0]).toBe('far');
  });

  test('gives peers of a zone that seems to be cut off last, also of its own', async () => {
    const { next, candidates } = findZoned(
      [
        ['near', 'a', 0],
        ['far', 'b', 0],
      ],
      { cut: 'a' },
    );
    expect((await next())[0]).toBe('far');
    expect(candidates.elsewhere({ id: 'x', addresses: [], zone: 'b' })).toBeUndefined();
    expect((await next())[0]).toBe('near');
  });

  test('finds a peer elsewhere for a peer that says where it is', async () => {
    const peers = [
      ['n1', 'a', 0],
      ['n2', 'a', 0],
      ['f1', 'b', 0],
    ] as const;
    const { next, candidates, state } = findZoned(peers);
    expect((await next())[0]).toMatch(/^n/);
    const zoned = (zone: string | undefined) => candidates.elsewhere({ id: 'x', addresses: [], zone });
    expect(zoned(undefined)).toBeUndefined();
    expect([zoned('a')?.id, zoned('a')]).toEqual(['f1', undefined]);
    expect(state.asksOthers).toBe(false);
  });

  test('waits no longer than the lookup lasts', async () => {
    const { next } = findZoned([['far', 'b', 1]], { endMs: 3 });
    expect(await next()).toEqual(['far', 3]);
  });

  test('holds nothing back where the own zone is not known, and between peers of the own zone', async () => {
    const without = findZoned([['far', 'b', 1]], { knowsOwn: false });
    expect(await without.next()).toEqual(['far', 1]);
    const within = findZoned([['near', 'a', 1]]);
    expect(await within.next()).toEqual(['near', 1]);
  });

  test('asks no other nodes while it knows a peer of its own zone, and does when it knows none', async () => {
    const near = findZoned([
      ['near', 'a', 0],
      ['later', 'a', 5],
    ]);
    expect(await near.next()).toEqual(['near', 0]);
    expect(near.state.asksOthers).toBe(false);
    expect(await near.next()).toEqual(['later', 5]);
    const far = findZoned([['far', 'b', 0]]);
    await far.next();
    expect(far.state.asksOthers).toBe(true);
  });

  test('gives peers of a zone where a peer could not be reached after those of others', async () => {
    const { candidates, next } = findZoned([
      ['b1', 'b', 0],
      ['b2', 'b', 0],
      ['c1', 'c', 0],
      ['a1', 'a', 0],
      ['a2', 'a', 0],
    ]);
    expect((await next())[0]).toBe('a1');
    candidates.avoidZoneOf({ id: 'a1', addresses: [], zone: 'a' });
    candidates.avoidZoneOf({ id: 'b0', addresses: [], zone: 'b' });
    expect((await next())[0]).toBe('c1');
    expect((await next())[0]).toBe('b1');
  });
});

describe('createCandidates() with a choice', () => {
  test('gives the better of two that chance takes, of those of its zone that do least for this node', async () => {
    const clock = createVirtualClock();
    const found = ['a1', 'a2', 'a3', 'b1'];
    const router: Pick<Router, 'lookup'> = {
      async *lookup() {
        for (const id of found) yield { id, addresses: [id], zone: id.slice(0, 1) };
      },
    };
    const chosen = async (numbers: readonly number[], best: string, busy: readonly string[] = []) => {
      const left = [...numbers];
      using candidates = createCandidates(
        {
          router,
          health: { skips: () => false, goesLast: () => false, isToProbe: () => false },
          ...noProbes,
          zones: createPeerZones('a'),
          outages: noOutages,
          scores: { isBetter: ({ id }) => id === best, running: ({ id }) => Number(busy.includes(id)) },
          random: () => left.shift() ?? 0,
          clock,
        },
        'key',
        { signal: new AbortController().signal, tried: new Set() },
      );
      return (await candidates.next(20))?.id;
    };
    // The second number is of the two that the first leaves.
    expect(await chosen([0, 0], 'a1')).toBe('a1');
    expect(await chosen([0, 0.9], 'a3')).toBe('a3');
    expect(await chosen([0.9, 0.9], 'a2')).toBe('a2');
    expect(await chosen([0, 0], 'a3')).toBe('a1');
    expect(await chosen([0.9, 0.9], 'b1')).toBe('a3');
    expect(await chosen([0.9, 0.9], 'a3', ['a3'])).toBe('a2');
    expect(await chosen([0, 0], 'a1', ['a1', 'a2'])).toBe('a3');
    expect(await chosen([0, 0], 'a1', ['a1', 'a2', 'a3'])).toBe('a1');
  });
});
