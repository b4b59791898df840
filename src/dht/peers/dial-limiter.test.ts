import { describe, expect, test } from 'bun:test';

import { failureOf } from '../../runtime/conditions.fixture.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { CONCURRENT_DIALS } from '../limits.ts';
import { DIAL_PLACE_MS, EASY_DIAL_MS, FAILED_DIAL_REST_MAX_MS, createDialLimiter } from './dial-limiter.ts';

const peer = (number: number) => ({ id: Uint8Array.of(number >> 8, number & 255), addresses: [] });

/** A hundred peers that are dialled at once; how many dials were begun, and done, within 10 s. */
async function dialAll(dialMs: number, { isThere = true } = {}) {
  const clock = createVirtualClock();
  const stop = new AbortController();
  const connected = new Set<string>();
  const seen = { begun: 0, done: 0, failed: 0, running: 0, mostRunning: 0 };
  const dials = createDialLimiter({
    async connect({ id }) {
      seen.begun++;
      seen.running++;
      seen.mostRunning = Math.max(seen.mostRunning, seen.running);
      await clock.sleep(dialMs);
      seen.running--;
      if (!isThere) throw new Error('Connection refused');
      connected.add(id.toHex());
    },
    isConnected: ({ id }) => connected.has(id.toHex()),
    clock,
    signal: stop.signal,
    random: () => 0,
  });
  const all = Array.from({ length: 100 }, async (_, number) =>
    dials.connect(peer(number)).then(
      () => seen.done++,
      () => seen.failed++,
    ),
  );
  await clock.advance(10_000);
  return { clock, stop, dials, seen, all };
}

describe('createDialLimiter()', () => {
  test('rests for longer than in proportion after a dial to a busy peer', async () => {
    const easy = await dialAll(EASY_DIAL_MS);
    const busy = await dialAll(5 * EASY_DIAL_MS);
    expect(easy.seen.begun).toBeGreaterThanOrEqual(50);
    expect(busy.seen.begun).toBe(CONCURRENT_DIALS);
    expect([easy.seen.mostRunning, busy.seen.mostRunning]).toEqual([CONCURRENT_DIALS, CONCURRENT_DIALS]);
  });

  test('rests for less after a dial to a peer that is not there', async () => {
    const { seen } = await dialAll(5 * EASY_DIAL_MS, { isThere: false });
    expect(seen.begun).toBeGreaterThanOrEqual(
      CONCURRENT_DIALS * Math.floor(10_000 / (5 * EASY_DIAL_MS + FAILED_DIAL_REST_MAX_MS)),
    );
    expect(seen.failed).toBeGreaterThan(CONCURRENT_DIALS);
  });

  test('goes on with other peers while the peers hang that it dialled first', async () => {
    const { seen, clock } = await dialAll(1_000_000);
    expect(seen.begun).toBe(CONCURRENT_DIALS * Math.ceil(10_001 / DIAL_PLACE_MS));
    await clock.advance(DIAL_PLACE_MS);
    expect(seen.begun).toBeGreaterThan(CONCURRENT_DIALS * 3);
  });

  test('tells a waiting caller as soon as there is a connection, or none', async () => {
    const { seen } = await dialAll(5 * EASY_DIAL_MS);
    expect(seen.done).toBe(CONCURRENT_DIALS);
    const refused = createDialLimiter({
      connect: async () => {
        throw new Error('It is somebody else');
      },
      isConnected: () => false,
      clock: createVirtualClock(),
      signal: new AbortController().signal,
      random: () => 0,
    });
    expect((await failureOf(refused.connect(peer(1)))).message).toBe('It is somebody else');
  });

  test('dials no connected peer, also when the connection came while it waited', async () => {
    const { dials, seen, clock } = await dialAll(1);
    await clock.advance(10_000);
    const { begun } = seen;
    await dials.connect(peer(5));
    expect([begun, seen.begun, seen.done]).toEqual([100, 100, 100]);
  });

  test('tells a caller in the queue when the peer has come by itself, or the node stops', async () => {
    const { dials, seen, stop, all } = await dialAll(1_000_000);
    const { begun } = seen;
    const last = peer(99).id.toHex();
    dials.connected(last);
    await all[99];
    expect([seen.done, seen.begun]).toEqual([1, begun]);
    stop.abort(new Error('The router has stopped'));
    await Promise.all(all);
    expect([seen.done, seen.failed, seen.begun]).toEqual([1, 99, begun]);
    expect((await failureOf(dials.connect(peer(7)))).message).toBe('The router has stopped');
  });
});
