import { afterAll, beforeAll, describe, expect, test } from 'bun:test';

import { until } from '../runtime/conditions.fixture.ts';
import type { Peer, Router } from './router.ts';

/** Nodes of one network under test. */
export interface RouterCluster extends AsyncDisposable {
  /** Three routers or more that know each other. */
  readonly routers: readonly Router[];
  /** Adds a node that knows of the first one. */
  join(): Promise<Router>;
}

/** Time within which a record must be found: the promise is one second, machines under test are slow. */
const FINDABLE_MS = 15_000;

/** What every router must do. */
export function describeRouter(name: string, createCluster: () => Promise<RouterCluster>): void {
  describe(name, () => {
    let cluster: RouterCluster;
    let first: Router;
    let second: Router;
    let third: Router;

    beforeAll(async () => {
      cluster = await createCluster();
      const [a, b, c] = cluster.routers;
      if (a === undefined || b === undefined || c === undefined) throw new Error('Three routers are needed');
      [first, second, third] = [a, b, c];
    });
    afterAll(async () => {
      await cluster[Symbol.asyncDispose]();
    });

    test('ready() is true when peers are known', async () => {
      await until(() => cluster.routers.every((router) => router.ready()), FINDABLE_MS);
    });

    test('lookup() finds what another node advertises', async () => {
      await first.advertise(['sha256:one', 'registry.lab:5000/app:v1']);
      for (const key of ['sha256:one', 'registry.lab:5000/app:v1']) {
        const [found] = await untilFound(second, key, 1);
        expect(found?.id).toBe(first.self().id);
        expect(found?.addresses.length).toBeGreaterThan(0);
      }
    });

    test('lookup() yields each provider once, and never this node', async () => {
      await Promise.all([first, second, third].map(async (router) => router.advertise(['sha256:all'])));
      const found = await untilFound(first, 'sha256:all', 2);
      expect(found.map(({ id }) => id).sort()).toEqual([second.self().id, third.self().id].sort());
    });

    test('lookup() stops at the limit', async () => {
      await Promise.all([second, third].map(async (router) => router.advertise(['sha256:limit'])));
      await untilFound(first, 'sha256:limit', 2);
      expect(await lookup(first, 'sha256:limit', 1)).toHaveLength(1);
      expect(await lookup(first, 'sha256:limit', 0)).toHaveLength(0);
    });

    test('lookup() ends with nobody when nobody provides the key', async () => {
      expect(await lookup(first, 'sha256:absent', 5)).toEqual([]);
    });

    test('lookup() ends without throwing when the signal aborts', async () => {
      expect(
        await Array.fromAsync(first.lookup('sha256:one', { signal: AbortSignal.abort(), limit: 5 })),
      ).toEqual([]);
      const startedMs = performance.now();
      await Array.fromAsync(first.lookup('sha256:absent', { signal: AbortSignal.timeout(1), limit: 5 }));
      expect(performance.now() - startedMs).toBeLessThan(1000);
    });

    test('lookup() survives a caller that stops in the middle', async () => {
      await untilFound(first, 'sha256:all', 2);
      for await (const peer of first.lookup('sha256:all', { signal: AbortSignal.timeout(1000), limit: 5 })) {
        expect(peer.id).not.toBe(first.self().id);
        break;
      }
      expect(await lookup(first, 'sha256:all', 1)).toHaveLength(1);
    });

    test('advertise() makes many keys findable in one call', async () => {
      const keys = Array.from({ length: 300 }, (_, index) => `sha256:many-${index}`);
      await first.advertise(keys);
      for (const key of ['sha256:many-0', 'sha256:many-150', 'sha256:many-299']) {
        const [found] = await untilFound(third, key, 1);
        expect(found?.id).toBe(first.self().id);
      }
    });

    test('advertise() takes a key twice, and none at all', async () => {
      await first.advertise(['sha256:twice']);
      await first.advertise(['sha256:twice']);
      await first.advertise([]);
      expect(await untilFound(second, 'sha256:twice', 1)).toHaveLength(1);
    });

    test('withdraw() of an unknown key is no error', async () => {
      await first.withdraw(['sha256:never-advertised']);
    });

    test('a node that joins later finds what was advertised before, and is found', async () => {
      await second.advertise(['sha256:before']);
      const late = await cluster.join();
      await until(() => late.ready(), FINDABLE_MS);
      const [found] = await untilFound(late, 'sha256:before', 1);
      expect(found?.id).toBe(second.self().id);
      await late.advertise(['sha256:late']);
      const [other] = await untilFound(second, 'sha256:late', 1);
      expect(other?.id).toBe(late.self().id);
    });

    test('peers() names the other nodes and says that they are connected', async () => {
      const ids = new Set([second.self().id, third.self().id]);
      await until(async () => {
        const states = await first.peers();
        const known = new Set(states.filter(({ connected }) => connected).map(({ id }) => id));
        return [...ids].every((id) => known.has(id)) && !known.has(first.self().id);
      }, FINDABLE_MS);
    });
  });
}

async function lookup(router: Router, key: string, limit: number): Promise<Peer[]> {
  return Array.fromAsync(router.lookup(key, { signal: AbortSignal.timeout(1000), limit }));
}

async function untilFound(router: Router, key: string, count: number): Promise<Peer[]> {
  let found: Peer[] = [];
  await until(async () => {
    found = await lookup(router, key, 20);
    return found.length >= count;
  }, FINDABLE_MS);
  return found;
}
