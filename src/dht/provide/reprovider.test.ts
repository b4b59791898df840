import { afterEach, describe, expect, test } from 'bun:test';

import { silentLogger } from '../../observe/log.ts';
import { type Clock, systemClock } from '../../runtime/clock.ts';
import { failureOf, until } from '../../runtime/conditions.fixture.ts';
import { abortable } from '../../runtime/abortable.ts';
import { createVirtualClock } from '../../runtime/testing/virtual-clock.ts';
import { contentMultihash, keyspacePosition } from '../wire/content-key.ts';
import { RECORDS_PER_SEND, SEND_ATTEMPTS } from './outboxes.ts';
import type { ReproviderOptions } from './reprovider-contract.ts';
import { createReprovider } from './reprovider.ts';
import { CONCURRENT_SENDS, MAX_SLOW_SENDS, SEND_SLOT_MS } from './send-slots.ts';

const disposables: AsyncDisposable[] = [];
afterEach(async () => {
  await Promise.all(disposables.splice(0).map(async (each) => each[Symbol.asyncDispose]()));
});

/** Peers that note what they are given. `broken` ones refuse, all once `hold` is over; `hung` ones say nothing. */
function start(
  peers: string[],
  options: Partial<ReproviderOptions> = {},
  { clock = systemClock, random = Math.random }: { clock?: Clock; random?: () => number } = {},
) {
  const held = new Map<string, Set<string>>();
  const own = new Set<string>();
  const state = {
    peers,
    broken: new Set<string>(),
    hung: new Set<string>(),
    hold: Promise.resolve(),
    sends: [] as [string, number][],
    /** When each own record was kept or renewed. */
    keptMs: new Map<string, number[]>(),
    gone: [] as string[],
    connected: new Set<string>(),
    positions: new Map<string, Uint8Array>(),
  };
  const name = (multihash: Uint8Array) => Buffer.from(multihash).toString('hex');
  const reprovider = createReprovider(
    {
      logger: silentLogger,
      clock,
      random,
      network: {
        closestPeers: (_position, count) => state.peers.slice(0, count),
        isAmongClosest: (peerId, _position, count) => state.peers.slice(0, count).includes(peerId),
        positionOf: (peerId) => state.positions.get(peerId),
        peerCount: () => state.peers.length,
        isConnected: (peerId) => state.connected.has(peerId),
        connect: async () => {},
        async send(peerId, multihashes, signal) {
          state.sends.push([peerId, multihashes.length]);
          await state.hold;
          if (state.hung.has(peerId)) await abortable(new Promise(() => {}), signal);
          if (state.broken.has(peerId)) throw new Error('Connection refused');
          const set = held.get(peerId) ?? new Set();
          held.set(peerId, set);
          for (const multihash of multihashes) set.add(name(multihash));
        },
        keepOwn(multihash) {
          own.add(name(multihash));
          state.keptMs.set(name(multihash), [...(state.keptMs.get(name(multihash)) ?? []), clock.nowMs()]);
        },
        dropOwn: (multihash) => own.delete(name(multihash)),
        gone: (peerId) => state.gone.push(peerId),
      },
    },
    { replication: 20, newPeerDelayMs: 1, ...options },
  );
  disposables.push(reprovider);
  const holds = (peerId: string, key: string) => held.get(peerId)?.has(name(contentMultihash(key))) === true;
  return { reprovider, state, own, holds };
}

describe('createReprovider()', () => {
  test('gives each peer all records in one go, and keeps its own', async () => {
    const { reprovider, state, own, holds } = start(['a', 'b']);
    await reprovider.provide(['x', 'y']);
    await until(() => ['a', 'b'].every((peer) => holds(peer, 'x') && holds(peer, 'y')));
    expect(state.sends).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(own.size).toBe(2);
  });

  test('keeps the keys when there is no peer, and gives them to the first that comes', async () => {
    const { reprovider, state, own, holds } = start([]);
    await reprovider.provide(['x']);
    expect(own.size).toBe(1);
    state.peers = ['a'];
    reprovider.peerJoined('a');
    await until(() => holds('a', 'x'));
  });

  test('gives a new peer of a large cluster only what belongs to it', async () => {
    const { reprovider, state, holds } = start(['b', 'a'], { replication: 1 });
    await reprovider.provide(['x']);
    const before = state.sends.length;
    reprovider.peerJoined('far');
    reprovider.peerJoined('b');
    await until(() => state.sends.length > before);
    expect(state.sends.slice(before)).toEqual([['b', 1]]);
    expect(holds('far', 'x')).toBe(false);
  });

  test('gives a peer that was only named what belongs to it, after a while and once', async () => {
    const { reprovider, state } = start(['b', 'a'], {
      replication: 1,
      namedPeerDelayMs: 1,
      newPeerDelayMs: 20,
    });
    await reprovider.provide(['x']);
    const before = state.sends.length;
    for (const peer of ['far', 'b']) reprovider.peerNamed(peer);
    await until(() => state.sends.length > before);
    reprovider.peerNamed('b');
    reprovider.peerJoined('b');
    await until(() => state.sends.length > before + 1);
    expect(state.sends.slice(before)).toEqual([
      ['b', 1],
      ['b', 1],
    ]);
  });

  test('is done when one peer has taken the records, whatever the others do', async () => {
    const { reprovider, state } = start(['broken', 'b']);
    state.broken.add('broken');
    await reprovider.provide(['x']);
    await until(() => state.gone.includes('broken'));
  });

  test('goes on trying with a connected peer, however often it fails', async () => {
    const { reprovider, state, holds } = start(['busy', 'b'], { sendRetryInitialMs: 1 });
    state.broken.add('busy');
    state.connected.add('busy');
    await reprovider.provide(['x']);
    const tries = () => state.sends.filter(([peer]) => peer === 'busy').length;
    await until(() => tries() > SEND_ATTEMPTS);
    state.broken.clear();
    await until(() => holds('busy', 'x'));
    expect(state.gone).toEqual([]);
  });

  test('does not let peers that hang keep the others waiting', async () => {
    const clock = createVirtualClock();
    const hung = Array.from({ length: CONCURRENT_SENDS }, (_, index) => `hung ${index}`);
    const { reprovider, state, holds } = start(
      [...hung, 'b'],
      { replication: 100, earlyReplicas: 100 },
      { clock },
    );
    for (const peer of hung) state.hung.add(peer);
    const provided = reprovider.provide(['x']);
    await clock.advance(SEND_SLOT_MS - 1);
    expect(state.sends.length).toBe(CONCURRENT_SENDS);
    await clock.advance(1);
    await provided;
    expect(holds('b', 'x')).toBe(true);
  });

  test('does not send to ever more peers that hang', async () => {
    const clock = createVirtualClock();
    const hung = Array.from({ length: 200 }, (_, index) => `hung ${index}`);
    const { reprovider, state } = start(hung, { replication: 200, earlyReplicas: 200 }, { clock });
    for (const peer of hung) state.hung.add(peer);
    const stop = new AbortController();
    const provided = failureOf(reprovider.provide(['x'], stop.signal));
    await clock.advance(100 * SEND_SLOT_MS);
    expect(state.sends.length).toBe(CONCURRENT_SENDS + MAX_SLOW_SENDS);
    stop.abort(new Error('Enough'));
    expect((await provided).message).toBe('Enough');
  });

  test('rejects when every peer refuses, and goes on trying', async () => {
    const { reprovider, state, holds } = start(['a']);
    state.broken.add('a');
    expect((await failureOf(reprovider.provide(['x']))).message).toContain(
      'No peer took the records of 1 keys',
    );
    state.broken.clear();
    await until(() => holds('a', 'x'));
  });

  test('splits what is too much for one stream', async () => {
    const { reprovider, state } = start(['a']);
    await reprovider.provide(Array.from({ length: RECORDS_PER_SEND + 1 }, (_, index) => `key-${index}`));
    expect(state.sends).toEqual([
      ['a', RECORDS_PER_SEND],
      ['a', 1],
    ]);
  });

  test('answers every one of several calls for the same key', async () => {
    const { reprovider } = start(['a', 'b']);
    await Promise.all(Array.from({ length: 10 }, async () => reprovider.provide(['x', 'y'])));
  });

  test('answers a caller that came while a record was refused, also when it is not provided any more', async () => {
    const { reprovider, state } = start(['a']);
    const { promise, resolve } = Promise.withResolvers<void>();
    state.hold = promise;
    state.broken.add('a');
    const first = failureOf(reprovider.provide(['x']));
    await until(() => state.sends.length === 1);
    const second = reprovider.provide(['x']);
    reprovider.stop(['x']);
    resolve();
    expect((await first).message).toContain('No peer took');
    state.broken.clear();
    await second;
  });

  test('provides again after the interval, but not what was stopped', async () => {
    const { reprovider, state, own } = start(['a'], { reprovideIntervalMs: 20 });
    await reprovider.provide(['x', 'y']);
    reprovider.stop(['y', 'never provided']);
    expect(own.size).toBe(1);
    const before = state.sends.length;
    await until(() => state.sends.length > before + 1);
    expect(state.sends.slice(before).every(([, count]) => count === 1)).toBe(true);
  });

  test('gives the closest few a new key at once, and the others what has come meanwhile in one go', async () => {
    const { reprovider, state } = start(['a', 'b', 'c'], { earlyReplicas: 2, lateReplicasDelayMs: 30 });
    await reprovider.provide(['x']);
    await reprovider.provide(['y']);
    expect(state.sends).toEqual([
      ['a', 1],
      ['b', 1],
      ['a', 1],
      ['b', 1],
    ]);
    await until(() => state.sends.length > 4);
    expect(state.sends.slice(4)).toEqual([['c', 2]]);
  });

  test('gives the records of a peer that has left to the peers that are next, and to no other', async () => {
    const { reprovider, state } = start(['a', 'b'], { replication: 2, leftPeerDelayMs: 1 });
    const position = keyspacePosition(contentMultihash('x'));
    const far = position.map((byte) => byte ^ 0xff);
    await reprovider.provide(['x']);
    const next = position.map((byte, index) => (index === 0 ? byte ^ 1 : byte));
    state.positions.set('c', next);
    state.peers = ['a', 'c'];
    const before = state.sends.length;
    reprovider.peerLeft('farther', far);
    reprovider.peerLeft('b', position);
    await until(() => state.sends.length > before);
    expect(state.sends.slice(before)).toEqual([['c', 1]]);
  });

  test('spreads what is provided again over the interval', async () => {
    const clock = createVirtualClock();
    const { reprovider, state } = start(['a'], { reprovideIntervalMs: 15_000 }, { clock, random: () => 0 });
    const keys = Array.from({ length: 4000 }, (_, index) => `key ${index}`);
    await reprovider.provide(keys);
    await clock.advance(0);
    state.sends.length = 0;
    const perSecond: number[] = [];
    for (let second = 0; second < 45; second++) {
      const before = state.sends.length;
      await clock.advance(1000);
      perSecond.push(state.sends.slice(before).reduce((sum, [, count]) => sum + count, 0));
    }
    expect(perSecond.reduce((sum, count) => sum + count)).toBe(3 * keys.length);
    // The first part is due until after the second look.
    expect(Math.max(...perSecond)).toBeLessThan(700);
    expect(perSecond.filter((count) => count < 200 || count > 400).length).toBeLessThanOrEqual(6);
  });

  test('provides few keys again in one message to each peer, each within the interval', async () => {
    const clock = createVirtualClock();
    const { reprovider, state } = start(
      ['a', 'b', 'c'],
      { reprovideIntervalMs: 15_000 },
      { clock, random: () => 0.5 },
    );
    for (let round = 0; round < 10; round++) {
      await reprovider.provide([`key ${round}`]);
      await clock.advance(50);
    }
    await clock.advance(15_000);
    const before = state.sends.length;
    await clock.advance(30_000);
    const toEach = (keys: number): [string, number][] => ['a', 'b', 'c'].map((peer) => [peer, keys]);
    expect(state.sends.slice(before)).toEqual([...toEach(10), ...toEach(10)]);
    expect(longestGapMs(state.keptMs)).toBeLessThanOrEqual(15_000);
    // Keys that come meanwhile do not make all other keys due.
    const grown = state.sends.length;
    for (let round = 10; round < 25; round++) {
      await reprovider.provide([`key ${round}`]);
      await clock.advance(1000);
    }
    const again = state.sends.slice(grown).filter(([peer, count]) => peer === 'a' && count > 1);
    expect(again).toHaveLength(1);
    expect(longestGapMs(state.keptMs)).toBeLessThanOrEqual(15_000);
  });

  test('renews each record within the interval while keys come and go', async () => {
    const clock = createVirtualClock();
    const { reprovider, state } = start(['a'], { reprovideIntervalMs: 15_000 }, { clock, random: () => 0.7 });
    const keys = Array.from({ length: 3000 }, (_, index) => `key ${index}`);
    const pass = async (seconds: number) => {
      for (let second = 0; second < seconds; second++) await clock.advance(1000);
    };
    await reprovider.provide(keys.slice(0, 100));
    await pass(20);
    await reprovider.provide(keys.slice(100));
    await pass(40);
    reprovider.stop(keys.slice(0, 2950));
    for (const key of keys.slice(0, 2950)) state.keptMs.delete(contentMultihash(key).toHex());
    await pass(40);
    expect(state.keptMs.size).toBe(50);
    expect(Math.min(...[...state.keptMs.values()].map((times) => times.length))).toBeGreaterThan(4);
    expect(longestGapMs(state.keptMs)).toBeLessThanOrEqual(15_000);
  });

  test('does not provide again at the same time as a node that started with it', async () => {
    const clock = createVirtualClock();
    const firstMs = async (random: number) => {
      const { reprovider, state } = start(
        ['a'],
        { reprovideIntervalMs: 15_000 },
        { clock, random: () => random },
      );
      await reprovider.provide(Array.from({ length: 100 }, (_, index) => `key ${index}`));
      await clock.advance(0);
      const before = state.sends.length;
      const startedMs = clock.nowMs();
      while (state.sends.length === before) await clock.advance(10);
      return clock.nowMs() - startedMs;
    };
    const [early, late] = [await firstMs(0.2), await firstMs(0.9)];
    expect(late - early).toBeGreaterThan(1000);
  });

  test('provide() ends with the reason of the signal', async () => {
    const { reprovider } = start(['a']);
    const reason = new Error('Enough');
    expect(await failureOf(reprovider.provide(['x'], AbortSignal.abort(reason)))).toBe(reason);
  });
});

/** The longest time between two of them for any key. */
function longestGapMs(keptMs: ReadonlyMap<string, readonly number[]>): number {
  const gaps = [...keptMs.values()].flatMap((times) =>
    times.slice(1).map((ms, at) => ms - (times[at] ?? ms)),
  );
  return Math.max(...gaps);
}
