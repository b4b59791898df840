import { describe, expect, test } from 'bun:test';

import { silentLogger } from '../../observe/log.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import {
  CONCURRENT_RECONNECTS,
  PROBE_MAX_MS,
  RECONNECT_ATTEMPTS,
  RECONNECT_INITIAL_MS,
  RECONNECT_MAX_MS,
  createReconnector,
} from './reconnector.ts';

/** Longer than all tries to reach one peer take. */
const ALL_TRIES_MS = RECONNECT_ATTEMPTS * RECONNECT_MAX_MS;

function start(dial: (peer: string) => Promise<void>) {
  const clock = createVirtualClock();
  const connected = new Set<string>();
  const seen = {
    dials: 0,
    dialledAt: [] as number[],
    unreachable: [] as string[],
    closed: [] as string[],
  };
  const reconnector = createReconnector({
    network: {
      isConnected: (peer) => connected.has(peer),
      async dial(peer, addresses) {
        seen.dials++;
        seen.dialledAt.push(addresses.length);
        await dial(peer);
        connected.add(peer);
      },
      close: (peer) => seen.closed.push(peer),
    },
    logger: silentLogger,
    clock,
    onUnreachable: (peer) => seen.unreachable.push(peer),
    random: () => 0,
  });
  return { clock, connected, reconnector, seen };
}

const refuse = async () => {
  throw new Error('Connection refused');
};

describe('createReconnector()', () => {
  test('dials a peer again that lost its connection', async () => {
    const { clock, connected, reconnector, seen } = start(async () => {});
    reconnector.disconnected('A');
    await clock.advance(ALL_TRIES_MS);
    expect(connected.has('A')).toBe(true);
    expect([seen.dials, seen.unreachable]).toEqual([1, []]);
    await reconnector[Symbol.asyncDispose]();
  });

  test('dials few at a time when all are lost together', async () => {
    let dialling = 0;
    let most = 0;
    const { clock, connected, reconnector } = start(async () => {
      most = Math.max(most, ++dialling);
      await clock.sleep(100);
      dialling--;
    });
    for (let peer = 0; peer < 100; peer++) reconnector.disconnected(String(peer));
    await clock.advance(RECONNECT_INITIAL_MS + (100 / CONCURRENT_RECONNECTS + 1) * 100);
    expect([connected.size, most]).toEqual([100, CONCURRENT_RECONNECTS]);
    await reconnector[Symbol.asyncDispose]();
  });

  test('says of a peer that cannot be dialled that it is unreachable, and stops after a while', async () => {
    const { clock, reconnector, seen } = start(refuse);
    reconnector.disconnected('A');
    await clock.advance(2 * ALL_TRIES_MS);
    expect(seen.dials).toBe(RECONNECT_ATTEMPTS);
    expect(seen.unreachable).toHaveLength(RECONNECT_ATTEMPTS);
    await reconnector[Symbol.asyncDispose]();
  });

  test('says nothing of a peer that came by itself while it was dialled where it was before', async () => {
    const { clock, connected, reconnector, seen } = start(async (peer) => {
      connected.add(peer);
      await refuse();
    });
    reconnector.disconnected('A');
    await clock.advance(ALL_TRIES_MS);
    expect([seen.dials, seen.unreachable]).toEqual([1, []]);
    connected.clear();
    reconnector.probe('B', []);
    await clock.advance(1);
    expect(seen.unreachable).toEqual([]);
    await reconnector[Symbol.asyncDispose]();
  });

  test('dials a peer that is dialled again where others say meanwhile that it is', async () => {
    const { clock, reconnector, seen } = start(refuse);
    reconnector.disconnected('A');
    await clock.advance(RECONNECT_INITIAL_MS);
    reconnector.probe('A', [Uint8Array.of(1)]);
    await clock.advance(2 * ALL_TRIES_MS);
    expect(seen.dialledAt).toEqual([0, ...Array.from({ length: RECONNECT_ATTEMPTS - 1 }, () => 1)]);
    await reconnector[Symbol.asyncDispose]();
  });

  test('stops dialling a peer that says that it leaves after its connection has ended', async () => {
    const { clock, reconnector, seen } = start(refuse);
    reconnector.disconnected('A');
    reconnector.drop('A');
    await clock.advance(2 * ALL_TRIES_MS);
    expect(seen.dials).toBe(0);
    reconnector.probe('A', []);
    reconnector.disconnected('B');
    await clock.advance(RECONNECT_INITIAL_MS);
    expect(seen.dials).toBe(2);
    await reconnector[Symbol.asyncDispose]();
  });

  test('probes a peer that is named all the time ever more rarely', async () => {
    const { clock, reconnector, seen } = start(refuse);
    for (let second = 0; second < 600; second++) {
      reconnector.probe('A', []);
      await clock.advance(1000);
    }
    const inTenMinutes = 600_000 / PROBE_MAX_MS;
    expect(seen.dials).toBeGreaterThan(inTenMinutes);
    expect(seen.dials).toBeLessThan(inTenMinutes + 10);
    await reconnector[Symbol.asyncDispose]();
  });

  test('does not dial a peer that has left, until it is probed', async () => {
    const { clock, connected, reconnector, seen } = start(async () => {});
    connected.add('A');
    reconnector.drop('A');
    expect(seen.closed).toEqual(['A']);
    connected.delete('A');
    reconnector.disconnected('A');
    await clock.advance(ALL_TRIES_MS);
    expect(seen.dials).toBe(0);
    reconnector.probe('A', []);
    await clock.advance(1);
    expect(seen.dials).toBe(1);
    await reconnector[Symbol.asyncDispose]();
  });
});
