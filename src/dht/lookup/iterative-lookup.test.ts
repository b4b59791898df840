import { describe, expect, test } from 'bun:test';

import { systemTimers } from '../../runtime/timers.ts';
import { keyspacePosition } from '../wire/content-key.ts';
import type { NamedPeer } from '../wire/dht-message.ts';
import type { ProvidersAnswer } from '../wire/get-providers-message.ts';
import { startIterativeLookup, type WalkNetwork } from './iterative-lookup.ts';

const KEY = Uint8Array.of(1, 2, 3);
const NOBODY: ProvidersAnswer = { providers: [], closer: [] };

function distanceOf({ id }: NamedPeer): Uint8Array {
  const place = keyspacePosition(KEY);
  return keyspacePosition(id).map((byte, index) => byte ^ (place[index] ?? 0));
}

/** Peers by their distance to KEY, the closest first. */
const PEERS: readonly NamedPeer[] = Array.from({ length: 60 }, (_, index) => ({
  id: Uint8Array.of(100, index),
  addresses: [],
})).sort((a, b) => Buffer.compare(distanceOf(a), distanceOf(b)));
const SELF: NamedPeer = { id: Uint8Array.of(9, 9), addresses: [] };
const rankOf = ({ id }: NamedPeer) => PEERS.findIndex((peer) => peer.id.toHex() === id.toHex());

/** Walks to the end and says which peers were asked, by rank, and what was found. */
async function walk(
  answers: (rank: number) => Promise<ProvidersAnswer> | ProvidersAnswer,
  { table = 20, skip = 0, ...network }: Partial<WalkNetwork> & { table?: number; skip?: number } = {},
) {
  const asked: number[] = [];
  const found: number[] = [];
  const startedMs = performance.now();
  const ended = Promise.withResolvers<void>();
  startIterativeLookup(
    {
      self: SELF,
      closestPeers: () => PEERS.slice(skip, skip + table),
      isSilent: () => false,
      onSlow() {},
      isFresh: () => false,
      timers: systemTimers,
      async ask(peer) {
        asked.push(rankOf(peer));
        return answers(rankOf(peer));
      },
      ...network,
    },
    KEY,
    {
      onProviders: (providers) => found.push(...providers.map(({ id }) => id[0] ?? -1)),
      onEnd: ended.resolve,
    },
  );
  await ended.promise;
  return { asked, found, ms: performance.now() - startedMs };
}

const provides = (...ids: number[]): ProvidersAnswer => ({
  providers: ids.map((id) => ({ id: Uint8Array.of(id), addresses: [] })),
  closer: [],
});
const hang = async (): Promise<ProvidersAnswer> => new Promise(() => {});
const fail = async (): Promise<ProvidersAnswer> => Promise.reject(new Error('Gone'));

describe('startIterativeLookup()', () => {
  test('ends at once when no peer is known', async () => {
    expect((await walk(() => NOBODY, { table: 0 })).asked).toEqual([]);
  });

  test('asks the closest three, and tells what each of them says', async () => {
    const { asked, found } = await walk((rank) => provides(rank + 1));
    expect(asked).toEqual([0, 1, 2]);
    expect(found).toEqual([1, 2, 3]);
  });

  test('asks the next one for each that fails', async () => {
    const { asked } = await walk((rank) => (rank < 2 ? fail() : NOBODY));
    expect(asked).toEqual([0, 1, 2, 3, 4]);
  });

  test('does not wait for a peer that hangs, and takes what it says late', async () => {
    const late = Promise.withResolvers<ProvidersAnswer>();
    const { asked, found, ms } = await walk((rank) => {
      if (rank === 1) return late.promise;
      if (rank !== 3) return NOBODY;
      late.resolve(provides(7));
      return new Promise((resolve) => setImmediate(() => resolve(NOBODY)));
    });
    expect(asked).toEqual([0, 1, 2, 3]);
    expect(found).toEqual([7]);
    expect(ms).toBeLessThan(1000);
  });

  test('does not ask silent peers, unless all are silent', async () => {
    const isSilent = (peer: NamedPeer) => rankOf(peer) < 2;
    expect((await walk(() => NOBODY, { isSilent })).asked).toEqual([2, 3, 4]);
    expect((await walk(() => NOBODY, { isSilent, table: 2 })).asked).toEqual([0, 1]);
  });

  test('asks further than the peers that are new and may lack records', async () => {
    const isFresh = (peer: NamedPeer) => [0, 2].includes(rankOf(peer));
    expect((await walk(() => NOBODY, { isFresh })).asked).toEqual([0, 1, 2, 3, 4]);
    expect((await walk(() => NOBODY, { isFresh: () => true, table: 8 })).asked).toHaveLength(8);
  });

  test('follows names of closer peers until the closest three have answered', async () => {
    const { asked, found } = await walk(
      (rank) =>
        rank < 3 ? provides(rank + 1) : { providers: [], closer: PEERS.slice(Math.max(0, rank - 12), rank) },
      { skip: 30, table: 20 },
    );
    expect(asked).toContain(0);
    expect(found.toSorted((a, b) => a - b)).toEqual([1, 2, 3]);
    expect(asked.length).toBeLessThanOrEqual(20);
    expect(new Set(asked).size).toBe(asked.length);
  });

  test('asks neither itself nor silent peers that are named, and no peer twice', async () => {
    const closer = [SELF, ...PEERS];
    const isSilent = (peer: NamedPeer) => rankOf(peer) < 30;
    const { asked } = await walk(() => ({ providers: [], closer }), { skip: 30, table: 5, isSilent });
    expect(asked).toEqual([30, 31, 32]);
  });

  test('asks at most twenty peers, however many are named', async () => {
    let last = PEERS.length;
    const { asked } = await walk(() => ({ providers: [], closer: PEERS.slice((last -= 1), last + 1) }), {
      skip: 59,
      table: 1,
    });
    expect(asked.length).toBeLessThanOrEqual(20);
  });

  test('is over when it is stopped', async () => {
    const answer = Promise.withResolvers<ProvidersAnswer>();
    const seen: unknown[] = [];
    const asked = Promise.withResolvers<void>();
    const running = startIterativeLookup(
      {
        self: SELF,
        closestPeers: () => PEERS.slice(0, 1),
        isSilent: () => false,
        onSlow() {},
        isFresh: () => false,
        timers: systemTimers,
        async ask() {
          asked.resolve();
          return answer.promise;
        },
      },
      KEY,
      { onProviders: (providers) => seen.push(providers), onEnd: () => seen.push('end') },
    );
    await asked.promise;
    running.stop();
    answer.resolve(provides(1));
    await new Promise(setImmediate);
    expect(seen).toEqual([]);
  });

  test('ends when no peer answers', async () => {
    const { asked, ms } = await walk(hang, { table: 4 });
    expect(asked).toHaveLength(4);
    expect(ms).toBeLessThan(2000);
  });
});
