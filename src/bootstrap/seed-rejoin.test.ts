import { describe, expect, test } from 'bun:test';

import { abortable } from '../runtime/abortable.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import type { BootstrapPeer } from './bootstrapper.ts';
import { createSeedRejoin } from './seed-rejoin.ts';

const [SECOND_MS, MINUTE_MS] = [1000, 60_000];
const HUB: BootstrapPeer = { id: 'hub', multiaddrs: ['/ip4/10.0.0.1/tcp/5001'] };
const OTHER: BootstrapPeer = { multiaddrs: ['/ip4/10.0.0.2/tcp/5001', '/ip4/10.0.1.2/tcp/5001'] };

/** A rejoin that waits for as long as it may. */
function start(peers: readonly BootstrapPeer[], { peerCount = 2, random = 1 } = {}) {
  const clock = createVirtualClock();
  const connected = new Set<BootstrapPeer>();
  const searchedMs: number[] = [];
  let changed = Promise.withResolvers<void>();
  const rejoin = createSeedRejoin({
    isConnected: (peer) => connected.has(peer),
    changed: async (signal) => abortable(changed.promise, signal),
    peerCount: () => peerCount,
    async search(followed) {
      searchedMs.push(clock.nowMs());
      return followed;
    },
    clock,
    random: () => random,
  });
  rejoin.follow(peers);
  const stop = new AbortController();
  const watching = rejoin.watch(stop.signal).then(
    () => 'returned',
    (error: unknown) => error,
  );
  const set = async (peer: BootstrapPeer, isThere: boolean) => {
    if (isThere) connected.add(peer);
    else connected.delete(peer);
    changed.resolve();
    changed = Promise.withResolvers();
    // It looks a second later.
    await clock.advance(2 * SECOND_MS);
  };
  /** How many searches there were in that time. */
  const searchesIn = async (ms: number) => {
    const before = searchedMs.length;
    await clock.advance(ms);
    return searchedMs.length - before;
  };
  const end = async () => {
    const reason = new Error('The test is over');
    stop.abort(reason);
    expect(await watching).toBe(reason);
  };
  return { clock, rejoin, searchedMs, set, searchesIn, end };
}

describe('createSeedRejoin()', () => {
  test('looks for a peer that was there, seldomer and seldomer', async () => {
    const { searchedMs, searchesIn, set, end } = start([HUB, OTHER]);
    await set(HUB, true);
    await set(OTHER, true);
    await set(HUB, false);
    await searchesIn(30 * MINUTE_MS);
    const pauses = searchedMs.slice(1).map((ms, index) => ms - (searchedMs[index] ?? 0));
    // With a second before each, in which it may come back.
    expect(pauses.slice(0, 6)).toEqual([5, 9, 17, 33, 33, 33].map((s) => s * SECOND_MS));
    await end();
  });

  test('looks for no peer that never was there, is back, or is not followed any more', async () => {
    const { rejoin, searchesIn, set, end } = start([HUB, OTHER]);
    await set(HUB, true);
    expect(await searchesIn(30 * MINUTE_MS)).toBe(0);
    await set(HUB, false);
    expect(await searchesIn(MINUTE_MS)).toBeGreaterThan(0);
    await set(HUB, true);
    expect(await searchesIn(30 * MINUTE_MS)).toBe(0);
    await set(HUB, false);
    rejoin.follow([OTHER]);
    expect(await searchesIn(30 * MINUTE_MS)).toBe(0);
    rejoin.follow([HUB, OTHER]);
    expect(await searchesIn(30 * MINUTE_MS)).toBe(0);
    await end();
  });

  test('knows one without ID by its addresses', async () => {
    const { searchesIn, set, end } = start([OTHER]);
    await set(OTHER, true);
    await set(OTHER, false);
    expect(await searchesIn(MINUTE_MS)).toBeGreaterThan(0);
    await end();
  });

  test('is in no hurry with a peer that comes and goes', async () => {
    const { searchedMs, searchesIn, set, end } = start([HUB], { peerCount: 40 });
    for (let restart = 0; restart < 60; restart++) {
      await set(HUB, true);
      await set(HUB, false);
      await searchesIn(2 * MINUTE_MS);
    }
    // There would be four after each restart.
    expect(searchedMs.length).toBeLessThan(100);
    await end();
  });

  test('leaves it to few of a large cluster', async () => {
    const large = start([HUB], { peerCount: 1000, random: 0.5 });
    await large.set(HUB, true);
    await large.set(HUB, false);
    // Half of 200 s, that is: half of a thousand nodes have searched by then.
    expect(await large.searchesIn(97 * SECOND_MS)).toBe(0);
    expect(await large.searchesIn(5 * SECOND_MS)).toBe(1);
    await large.end();
    const lucky = start([HUB], { peerCount: 1000, random: 0.002 });
    await lucky.set(HUB, true);
    await lucky.set(HUB, false);
    expect(await lucky.searchesIn(SECOND_MS)).toBe(1);
    await lucky.end();
  });
});
