import { describe, expect, test } from 'bun:test';
import type { Peer, Router } from '../routing/router.ts';
import type { Clock } from '../runtime/clock.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { LOOKUP_LIFETIME_MS } from './budgets.ts';
import { createCandidates } from './candidates.ts';

const PEER = (id: string) => ({ id, addresses: ['10.0.0.1'] });

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
  };
  const signal = new AbortController().signal;
  const own: Clock = {
    nowMs: () => clock.nowMs(),
    sleep: async (ms, aborting) => clock.sleep(lasting(ms), aborting),
  };
  const candidates = createCandidates({ router, health, clock: own }, 'key', {
    signal,
    tried: new Set(tried),
  });
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
      health: { skips: () => false, goesLast: () => false },
      clock: createVirtualClock(),
    };
    const candidates = createCandidates(deps, 'key', {
      signal: new AbortController().signal,
      tried: new Set(),
    });
    expect(await candidates.next(1_000_000)).toBeUndefined();
  });
});
