import { describe, expect, test } from 'bun:test';
import type { PeerState } from '../routing/router.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { createLiveFacts } from './live-facts.ts';
import type { LiveEvents, LiveTraffic } from './live-report.ts';

const peer = (id: string, zone: string | undefined, isMember = true): PeerState => {
  const addresses = [`10.0.0.${id}`];
  return { id, addresses, multiaddrs: [], zone, isMember, connected: true, state: 'connected' };
};

function setUp(peers: readonly PeerState[], { zone, readMs = 0 }: { zone?: string; readMs?: number } = {}) {
  const clock = createVirtualClock();
  const seen = { reads: 0, flights: 0 };
  const flights = {
    maxHoldMs: 1,
    downloads: [],
    flights: [],
    towers: [] as { id: string; addresses: string[] }[],
  };
  const facts = createLiveFacts({
    router: {
      self: () => ({ id: 'self', multiaddrs: [], zone }),
      ready: () => true,
      async peers() {
        seen.reads++;
        await clock.sleep(readMs);
        return peers;
      },
    },
    viewOf: () => ({
      order: 'first',
      why: undefined,
      answerMs: undefined,
      bytesPerSecond: undefined,
      uploads: undefined,
      name: undefined,
    }),
    byPeer: { of: ([address = '']) => ({ takenBytes: Number(address.split('.').at(-1)), givenBytes: 0 }) },
    byHour: { hours: () => [] },
    pulls: { running: () => [], last: () => [] },
    flights() {
      seen.flights++;
      return flights;
    },
    health: () => ({ version: '', startedAt: '', isStoreConnected: true, damagedBlobs: 0, memory: {} }),
    wallClockMs: () => 0,
    clock,
  });
  const refresh = async () => {
    const refreshing = facts.refresh();
    await clock.advance(1000);
    await refreshing;
  };
  /** The whole event of that name. */
  const read = <K extends keyof LiveEvents>(name: K) => {
    const events = facts.sources.map((source) => Buffer.from(source.since(0)?.event ?? '').toString());
    const event = events.find((each) => each.startsWith(`event: ${name}\n`)) ?? '';
    return JSON.parse(event.replace(/^.*\ndata: /, '')) as LiveEvents[K];
  };
  return { clock, seen, flights, refresh, read };
}

describe('createLiveFacts()', () => {
  test("adds up the zones, this node's own first, whatever peers say", async () => {
    const peers = [peer('1', 'b'), peer('2', 'a'), peer('4', 'b', false), peer('8', undefined)];
    const { refresh, read } = setUp(peers, { zone: 'c' });
    await refresh();
    const expected: LiveTraffic['zones'] = [
      { zone: 'c', isOwn: true, members: 0, bytes: 0 },
      { zone: 'a', isOwn: false, members: 1, bytes: 2 },
      { zone: 'b', isOwn: false, members: 1, bytes: 5 },
    ];
    expect(read('traffic').zones).toEqual(expected);
    const many = setUp(Array.from({ length: 100 }, (_, n) => peer(`${n}`, `z${n}`)));
    await many.refresh();
    expect(many.read('traffic').zones).toHaveLength(32);
  });

  test.each([
    { readMs: 0, reads: 10 },
    { readMs: 20, reads: 4 },
    { readMs: 900, reads: 1 },
  ])('reads the peers less often the longer that takes: $readMs ms', async ({ readMs, reads }) => {
    const { seen, refresh } = setUp([peer('1', undefined)], { readMs });
    for (let i = 0; i < 10; i++) await refresh();
    expect(seen.reads).toBe(reads);
  });

  test('reads large flights at each second refresh only', async () => {
    const { seen, flights, refresh } = setUp([]);
    for (let i = 0; i < 10; i++) await refresh();
    expect(seen.flights).toBe(10);
    flights.towers = Array.from({ length: 1000 }, (_, n) => ({
      id: `peer ${n}`,
      addresses: ['10.0.0.1', 'fd00::1'],
    }));
    await refresh();
    const { flights: before } = seen;
    for (let i = 0; i < 10; i++) await refresh();
    expect(seen.flights - before).toBe(5);
  });
});
