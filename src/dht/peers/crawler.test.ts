import { describe, expect, test } from 'bun:test';

import { silentLogger } from '../../observe/log.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { keyspacePosition } from '../wire/content-key.ts';
import { CRAWL_MAX_MS, NEWCOMERS_ASKED, createCrawler } from './crawler.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import { CONCURRENT_DIALS, CONNECTION_TARGET, REPLICATION } from '../limits.ts';
import { createPeerTable } from './peer-table.ts';

const ADDRESS = Uint8Array.of(4, 10, 0, 0, 1, 6, 0x13, 0x89);
/** How long a slow answer takes. */
const SLOW_MS = 60_000;
const id = (number: number) => Uint8Array.of(1, number >> 8, number & 255);

/** Node 0 of a cluster whose other nodes all know each other. It knows the first node, or more. */
function start(
  nodes: number,
  {
    gone = new Set<number>(),
    answerMs = 0,
    slow = new Set<number>(),
    known = 1,
  }: { gone?: Set<number>; answerMs?: number; slow?: Set<number>; known?: number } = {},
) {
  const clock = createVirtualClock();
  const cluster = createPeerTable(Uint8Array.of(0));
  for (let number = 0; number < nodes; number++) {
    cluster.put(id(number), { addresses: [ADDRESS], isConnected: true });
  }
  const self = id(0);
  const peers = createPeerTable(self);
  for (let number = 1; number <= known; number++) {
    peers.put(id(number), { addresses: [ADDRESS], isConnected: true });
  }
  const state = { questions: 0, dials: [] as number[] };
  const crawler = createCrawler({
    self,
    peers,
    network: {
      async findNode({ id: [, , number = 0] }: NamedPeer, key) {
        state.questions++;
        const ms = slow.has(number) ? SLOW_MS : answerMs;
        if (ms > 0) await clock.sleep(ms);
        return cluster.closest(keyspacePosition(key), REPLICATION);
      },
      async connect({ id: bytes, addresses }) {
        const number = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
        state.dials.push(number);
        if (gone.has(number)) throw new Error('Connection refused');
        peers.put(bytes, { addresses, isConnected: true });
        crawler.wake();
      },
    },
    onNamed: ({ id: bytes, addresses }) => peers.put(bytes, { addresses }),
    onUnreachable: (name) => peers.remove(name),
    logger: silentLogger,
    clock,
  });
  const stop = new AbortController();
  const running = crawler.run(stop.signal);
  return {
    clock,
    cluster,
    peers,
    state,
    crawler,
    /** Until it knows all, and the next crawl is minutes away. */
    settle: async () => {
      await clock.advance(2 * CRAWL_MAX_MS);
      for (state.questions = 0; state.questions === 0;) await clock.advance(1000);
      await clock.advance(1000);
      state.questions = 0;
    },
    /** How many it asks within two seconds of the change. */
    questionsAfter: async (change: () => void) => {
      state.questions = 0;
      change();
      await clock.advance(2000);
      return state.questions;
    },
    end: async () => {
      stop.abort();
      await running;
    },
  };
}

describe('createCrawler()', () => {
  test.each([2, 5, 21, 60, 120])('connects to all of %p nodes, to each once', async (nodes) => {
    const { clock, peers, state, end } = start(nodes);
    await clock.advance(3000);
    expect(peers.size).toBe(nodes - 1);
    await clock.advance(30_000);
    expect(peers.connectedCount).toBe(nodes - 1);
    expect(new Set(state.dials).size).toBe(state.dials.length);
    await end();
  });

  test('asks little of a cluster that it knows', async () => {
    const { clock, state, end } = start(40);
    await clock.advance(3 * CRAWL_MAX_MS);
    state.questions = 0;
    await clock.advance(2 * CRAWL_MAX_MS);
    expect(state.questions).toBeGreaterThan(0);
    expect(state.questions).toBeLessThanOrEqual(24);
    await end();
  });

  test('stops dialling when it has connections enough', async () => {
    const { clock, peers, end } = start(400);
    await clock.advance(60_000);
    expect(peers.size).toBe(399);
    expect(peers.connectedCount).toBeGreaterThanOrEqual(CONNECTION_TARGET);
    expect(peers.connectedCount).toBeLessThan(CONNECTION_TARGET + CONCURRENT_DIALS);
    await end();
  });

  test('asks a new peer for other peers, and all others only if it names a new peer', async () => {
    const { cluster, peers, crawler, settle, questionsAfter, end } = start(40);
    await settle();
    const join = async (number: number) =>
      questionsAfter(() => {
        peers.put(id(number), { addresses: [ADDRESS], isConnected: true });
        crawler.met(id(number).toHex());
      });
    cluster.put(id(100), { addresses: [ADDRESS], isConnected: true });
    expect(await join(100)).toBe(1);
    expect(await join(100)).toBe(1);
    // A peer that is asked now names a second peer, too.
    const isNear = (number: number) => {
      cluster.put(id(number), { addresses: [ADDRESS], isConnected: true });
      return cluster.isAmongClosest(id(number).toHex(), keyspacePosition(id(0)), REPLICATION);
    };
    for (let number = 200; !isNear(number); number++) cluster.remove(id(number).toHex());
    expect(await join(101)).toBeGreaterThan(4);
    await end();
  });

  test('asks three peers that come together one by one, and all peers when more come', async () => {
    const { peers, crawler, settle, questionsAfter, end } = start(40);
    await settle();
    const come = async (from: number, to: number) =>
      questionsAfter(() => {
        for (let number = from; number < to; number++) {
          peers.put(id(number), { addresses: [ADDRESS], isConnected: true });
          crawler.met(id(number).toHex());
        }
      });
    expect(await come(100, 100 + NEWCOMERS_ASKED)).toBe(NEWCOMERS_ASKED);
    expect(await come(110, 111 + NEWCOMERS_ASKED)).toBeGreaterThan(NEWCOMERS_ASKED + 4);
    await end();
  });

  test('asks about its own position when a peer is lost', async () => {
    const { cluster, peers, crawler, settle, questionsAfter, end } = start(40);
    await settle();
    const lose = async (number: number) =>
      questionsAfter(() => {
        peers.remove(id(number).toHex());
        crawler.lost();
      });
    cluster.remove(id(7).toHex());
    expect(await lose(7)).toBe(1);
    // The peer is named, so it was not gone. A named peer is not a reason to be content.
    const near = cluster.closest(keyspacePosition(id(0)), 3)[2]?.id[2] ?? 0;
    expect(await lose(near)).toBeGreaterThan(4);
    expect(peers.get(id(near).toHex())?.isConnected).toBe(true);
    await end();
  });

  test('asks several peers about its own position, as the closest peer may know no node but this one', async () => {
    const clock = createVirtualClock();
    const self = id(0);
    const peers = createPeerTable(self);
    for (let number = 1; number <= 8; number++) {
      peers.put(id(number), { addresses: [ADDRESS], isConnected: number < 8 });
    }
    const [, second] = peers.closest(keyspacePosition(self), 2, ({ isConnected }) => isConnected);
    const crawler = createCrawler({
      self,
      peers,
      network: {
        findNode: async (peer, key) =>
          key === self && peer.id.toHex() === second?.name ? [{ id: id(100), addresses: [ADDRESS] }] : [],
        connect: async () => {},
      },
      onNamed: ({ id: bytes, addresses }) => peers.put(bytes, { addresses }),
      onUnreachable: () => {},
      logger: silentLogger,
      clock,
    });
    const stop = new AbortController();
    const running = crawler.run(stop.signal);
    await clock.advance(1000);
    expect(peers.get(id(100).toHex())).toBeDefined();
    stop.abort();
    await running;
  });

  test('goes on without peers that do not answer', async () => {
    // All of them, so that it does not matter which peer is asked.
    const slow = new Set(Array.from({ length: 39 }, (_, index) => index + 1));
    const { clock, state, end } = start(40, { slow, known: 39 });
    await clock.advance(SLOW_MS - 1000);
    // More than the questions of one crawl.
    expect(state.questions).toBeGreaterThan(8);
    await end();
  });

  test('takes what a peer says late', async () => {
    const { clock, peers, end } = start(40, { slow: new Set([1]) });
    await clock.advance(SLOW_MS - 1000);
    expect(peers.size).toBe(1);
    await clock.advance(2000);
    expect(peers.size).toBeGreaterThan(10);
    await end();
  });

  test('crawls the less the longer answers take', async () => {
    const questionsIn30Seconds = async (answerMs: number) => {
      const { clock, state, crawler, end } = start(40, { answerMs });
      for (let second = 0; second < 30; second++) {
        crawler.wake();
        await clock.advance(1000);
      }
      const { questions } = state;
      const ended = end();
      await clock.advance(answerMs);
      await ended;
      return questions;
    };
    const [quick, slow] = [await questionsIn30Seconds(5), await questionsIn30Seconds(500)];
    expect(slow).toBeLessThan(quick / 4);
    expect(slow).toBeGreaterThan(0);
  });

  test('remembers no peer that has left, however many come and go', async () => {
    const { clock, cluster, peers, crawler, end } = start(400);
    await clock.advance(60_000);
    for (let number = 400; number < 1400; number += 50) {
      const before = [...peers.all()].filter(({ isConnected }) => !isConnected).slice(0, 50);
      for (const { name } of before) {
        cluster.remove(name);
        peers.remove(name);
      }
      for (let count = 0; count < 50; count++) cluster.put(id(number + count), { addresses: [ADDRESS] });
      await clock.advance(2 * CRAWL_MAX_MS);
    }
    expect(peers.size).toBe(399);
    expect(crawler.waitingCount).toBeLessThanOrEqual(peers.size - peers.connectedCount);
    await end();
  });

  test('leaves peers alone for a while that could not be reached', async () => {
    const { clock, state, crawler, end } = start(10, { gone: new Set([4]) });
    const dials = () => state.dials.filter((number) => number === 4).length;
    for (let second = 0; second < 300; second++) {
      crawler.wake();
      await clock.advance(1000);
    }
    // After 5, 10, 20, 40, 80 s …
    expect(dials()).toBeGreaterThanOrEqual(4);
    expect(dials()).toBeLessThanOrEqual(8);
    await end();
  });
});
