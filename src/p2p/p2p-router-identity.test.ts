import { describe, expect, test } from 'bun:test';

import type { BootstrapPeer } from '../bootstrap/bootstrapper.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { loadIdentity } from './identity.ts';
import { everybody } from '../membership/membership.ts';
import type { P2pRouter } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { addressOf, createTestRouters, find, portOf, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

async function connectedIds(router: P2pRouter): Promise<string[]> {
  return (await router.peers()).filter(({ connected }) => connected).map(({ id }) => id);
}

describe('createP2pRouter()', () => {
  test('is found at its new address after a restart elsewhere', async () => {
    const privateKey = await loadIdentity();
    const hub = await routers.start();
    const toHub = createStaticBootstrapper([addressOf(hub)]);
    const third = await routers.start(toHub);
    const before = await routers.start(toHub, { privateKey });
    await before.advertise(['sha256:moved']);
    await until(async () => (await find(third, 'sha256:moved')).length === 1);
    await routers.stop(before);
    const after = await routers.start(toHub, {
      privateKey,
      announceAddresses: ['127.0.0.9'],
      listenAddress: '127.0.0.9:0',
    });
    await after.advertise(['sha256:moved']);
    for (const router of [hub, third]) {
      await until(async () => {
        const found = await find(router, 'sha256:moved');
        return found.length === 1 && found[0]?.addresses.join() === '127.0.0.9';
      });
    }
    expect(portOf(after)).not.toBe(portOf(before));
    await until(async () => (await connectedIds(third)).includes(after.self().id));
  });

  test('is reached at its new address by a peer that holds it for dead, without a word to that peer', async () => {
    const privateKey = await loadIdentity();
    const hub = await routers.start();
    const toHub = createStaticBootstrapper([addressOf(hub)]);
    const third = await routers.start(toHub, {
      listenAddress: '127.0.0.3:0',
      announceAddresses: ['127.0.0.3'],
    });
    const before = await routers.start(toHub, { privateKey });
    await until(async () => (await connectedIds(third)).length === 2);
    await routers.stop(before);
    await until(() => third.stats().peers.dead === 1);
    const after = await routers.start(toHub, {
      privateKey,
      announceAddresses: ['127.0.0.9'],
      listenAddress: '127.0.0.9:0',
      // As in a cluster in which no node is connected to all: it never dials the third.
      membership: { ...everybody, knock: async (ip) => ip !== '127.0.0.3' },
    });
    await after.advertise(['sha256:back']);
    // It is named as a provider, which makes the third try.
    await until(async () => (await find(third, 'sha256:back')).length === 1);
    expect(await connectedIds(third)).toContain(after.self().id);
    expect((await find(third, 'sha256:back'))[0]?.addresses).toEqual(['127.0.0.9']);
  });

  test('is found at its new address when that changes while it runs', async () => {
    const hub = await routers.start();
    const toHub = createStaticBootstrapper([addressOf(hub)]);
    const third = await routers.start(toHub);
    const mover = await routers.start(toHub, { listenAddress: ':0' });
    await mover.advertise(['sha256:moved']);
    const foundAt = async (router: P2pRouter) =>
      (await find(router, 'sha256:moved')).map(({ addresses }) => addresses.join()).join();
    for (const router of [hub, third]) await until(async () => (await foundAt(router)) === '127.0.0.1');
    mover.announce(['127.0.0.9']);
    for (const router of [hub, third]) await until(async () => (await foundAt(router)) === '127.0.0.9');
    // One more address is told with the next record, and ends no connection.
    mover.announce(['127.0.0.9', '127.0.0.8']);
    await mover.advertise(['sha256:another']);
    await until(async () => (await foundAt(third)) === '127.0.0.9,127.0.0.8');
    expect(mover.self().multiaddrs).toHaveLength(2);
    expect(() => mover.announce(['nowhere'])).toThrow(RangeError);
  });

  test('comes together again when all routers restart at once', async () => {
    const keys = await Promise.all(Array.from({ length: 4 }, async () => loadIdentity()));
    let named: BootstrapPeer[] = [];
    const bootstrapper = { kind: 'test', peers: async () => named };
    const startAll = async (ports: readonly number[]) => {
      const started = await Promise.all(
        keys.map(async (privateKey, index) =>
          routers.start(bootstrapper, { privateKey, listenAddress: `127.0.0.1:${ports[index] ?? 0}` }),
        ),
      );
      named = started.slice(0, 3).map((router) => ({ multiaddrs: router.self().multiaddrs, rank: 0 }));
      await until(async () =>
        (await Promise.all(started.map(connectedIds))).every(({ length }) => length === 3),
      );
      return started;
    };
    const first = await startAll([]);
    const [ids, ports] = [first.map((router) => router.self().id), first.map(portOf)];
    await routers.stopAll();
    const second = await startAll(ports);
    expect(second.map((router) => router.self().id)).toEqual(ids);
    await second[3]?.advertise(['sha256:again']);
    await until(async () => (await find(second[0] as P2pRouter, 'sha256:again')).length === 1);
  });

  test.each([{ withId: true }, { withId: false }])(
    'goes on without the bootstrap peer, and takes it back (ID known: $withId)',
    async ({ withId }) => {
      const privateKey = await loadIdentity();
      const hub = await routers.start(undefined, {
        privateKey,
        listenAddress: '127.0.0.9:0',
        announceAddresses: ['127.0.0.9'],
      });
      const { id, multiaddrs } = hub.self();
      const toHub = { kind: 'test', peers: async () => [{ multiaddrs, ...(withId ? { id } : {}) }] };
      const [first, second] = [await routers.start(toHub), await routers.start(toHub)];
      await until(async () => (await connectedIds(first)).length === 2);
      await routers.stop(hub);
      // The hub may be the only peer that had to take the record; the next peer gets it as soon as it is known.
      await first.advertise(['sha256:without']).catch(() => {});
      await until(async () => (await find(second, 'sha256:without')).length === 1);
      // It dials no peer by itself.
      const again = await routers.start(undefined, {
        privateKey,
        listenAddress: `127.0.0.9:${portOf(hub)}`,
        announceAddresses: ['127.0.0.9'],
      });
      await until(async () => (await connectedIds(again)).length === 2);
      await until(async () => (await find(again, 'sha256:without')).length === 1);
    },
  );

  test.each([{ withId: true }, { withId: false }])(
    'says so, and works on, when another router has its identity (ID known: $withId)',
    async ({ withId }) => {
      const privateKey = await loadIdentity();
      const log: string[] = [];
      const hub = await routers.start();
      const duplicate = await routers.start(createStaticBootstrapper([addressOf(hub)]), { privateKey });
      await until(async () => (await connectedIds(duplicate)).length === 1);
      const peers = [
        { multiaddrs: duplicate.self().multiaddrs, ...(withId ? { id: duplicate.self().id } : {}) },
        { multiaddrs: hub.self().multiaddrs },
      ];
      const router = await routers.start({ kind: 'test', peers: async () => peers }, { privateKey, log });
      await until(async () => (await connectedIds(router)).length === 1);
      await until(() => log.some((line) => line.includes('remove private.key')));
      expect(log.filter((line) => line.includes('remove private.key'))).toHaveLength(1);
      expect(log.join('')).toContain(`/tcp/${portOf(duplicate)}"`);
      await hub.advertise(['sha256:of-hub']);
      for (const each of [duplicate, router]) {
        await until(async () => (await find(each, 'sha256:of-hub')).length === 1);
      }
      await router.advertise(['sha256:of-router']);
      await until(async () => (await find(hub, 'sha256:of-router')).length === 1);
    },
  );
});
