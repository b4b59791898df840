import { describe, expect, test } from 'bun:test';

import { until } from '../runtime/conditions.fixture.ts';
import { loadIdentity } from './identity.ts';
import type { RouterObserver } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { addressOf, createTestRouters, find, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

describe('createP2pRouter()', () => {
  test('tells the state of a peer that comes, leaves and returns', async () => {
    const returned: string[] = [];
    const first = await routers.start(undefined, { onPeerReturned: (peerId) => returned.push(peerId) });
    const privateKey = await loadIdentity();
    const start = async () => routers.start(createStaticBootstrapper([addressOf(first)]), { privateKey });
    const second = await start();
    const { id } = second.self();
    const state = async () => (await first.peers()).find((peer) => peer.id === id);
    await until(async () => (await state())?.state === 'connected');
    expect(await state()).toMatchObject({ connected: true, isMember: true, inStateMs: expect.any(Number) });
    expect(first.stats().peers).toEqual({ connected: 1, suspect: 0, dead: 0 });
    expect(returned).toContain(id);

    await routers.stop(second);
    await until(async () => (await state())?.state === 'dead');
    expect(await state()).toMatchObject({ connected: false, inStateMs: expect.any(Number) });
    expect(first.stats().peers).toEqual({ connected: 0, suspect: 0, dead: 1 });

    returned.length = 0;
    await start();
    await until(async () => (await state())?.state === 'connected');
    expect(returned).toContain(id);
  });

  test('tells what it does', async () => {
    const told: string[] = [];
    const observer: RouterObserver = {
      bootstrapEnded: (outcome) => told.push(`bootstrap ${outcome}`),
      lookupEnded: (outcome) => told.push(`lookup ${outcome}`),
      recordsSent: (count) => told.push(`sent ${count}`),
      sweepEnded: () => {},
      walkEnded: ({ asked, found }) => told.push(`walk ${asked} ${found}`),
    };
    const first = await routers.start();
    const second = await routers.start(createStaticBootstrapper([addressOf(first)]), { observer });
    await until(() => second.ready());
    await until(() => second.stats().peers.connected === 1);
    await second.advertise(['sha256:mine']);
    await find(second, 'sha256:nobody');
    // It may bootstrap once more before it has counted the peer.
    expect([...new Set(told)]).toEqual(['bootstrap joined', 'sent 1', 'walk 1 0', 'lookup nobody']);
  });
});
