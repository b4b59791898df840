import { describe, expect, test } from 'bun:test';
import { peerIdFromString } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { contentMultihash } from '../dht/wire/content-key.ts';
import { encodeNotice } from '../dht/wire/notice-message.ts';
import { until } from '../runtime/conditions.fixture.ts';
import { NOTICE_PROTOCOL } from './limits.ts';
import type { P2pRouter } from './p2p-router-contract.ts';
import { createStaticBootstrapper } from '../bootstrap/static-bootstrapper.ts';
import { startKadNode } from './testing/start-kad-node.ts';
import { addressOf, createTestRouters, find, stopAfterEach } from './testing/test-routers.ts';

const routers = createTestRouters();
stopAfterEach(routers);

/** Three routers that know each other, and that the second provides two keys. */
async function startThree() {
  const first = await routers.start();
  const bootstrapper = createStaticBootstrapper([addressOf(first)]);
  const [second, third] = [await routers.start(bootstrapper), await routers.start(bootstrapper)];
  const all = [first, second, third];
  await until(async () => {
    const known = await Promise.all(all.map(async (router) => router.peers()));
    return known.every((peers) => peers.filter(({ connected }) => connected).length === 2);
  });
  await second.advertise(['sha256:gone', 'sha256:kept']);
  await until(() => all.every((router) => router.stats().records === 2));
  return { first, second, third };
}

describe('createP2pRouter()', () => {
  test('withdraw() takes the records of others back', async () => {
    const { first, second, third } = await startThree();
    await second.withdraw(['sha256:gone']);
    await until(() => [first, third].every((router) => router.stats().records === 1));
    expect(await find(first, 'sha256:gone')).toEqual([]);
    expect((await find(third, 'sha256:kept')).map(({ id }) => id)).toEqual([second.self().id]);
  });

  test('tells its zone and name to the peers that it meets, and hands out what peers said of theirs', async () => {
    const first = await routers.start(undefined, { zone: 'a', nodeName: 'node-a' });
    const bootstrapper = createStaticBootstrapper([addressOf(first)]);
    const second = await routers.start(bootstrapper, { zone: 'b', nodeName: 'node-b' });
    const third = await routers.start(bootstrapper);
    const zones = async (router: P2pRouter) =>
      Object.fromEntries((await router.peers()).map(({ id, zone }) => [id, zone]));
    const [a, b, none] = [first, second, third].map((router) => router.self().id) as [string, string, string];
    await until(async () => {
      const known = await Promise.all([first, second, third].map(zones));
      return known[0]?.[b] === 'b' && known[1]?.[a] === 'a' && known[2]?.[a] === 'a' && known[2]?.[b] === 'b';
    });
    expect(await zones(first)).toEqual({ [b]: 'b', [none]: undefined });
    expect(second.self()).toMatchObject({ zone: 'b', name: 'node-b' });
    const names = (await first.peers()).map(({ id, name }) => [id, name]);
    expect(Object.fromEntries(names)).toEqual({ [b]: 'node-b', [none]: undefined });
    expect(second.flights.peerOf(peerIdFromString(a).toMultihash().bytes.toHex())?.zone).toBe('a');
    await second.advertise(['sha256:here']);
    expect(await find(first, 'sha256:here')).toMatchObject([{ id: b, zone: 'b' }]);
  });

  test('says goodbye when it stops: no peer is sent to it any more', async () => {
    const { first, second, third } = await startThree();
    await routers.stop(second);
    // Not until its connections end, and without a dial: at once.
    await until(() => [first, third].every((router) => router.stats().records === 0), 2000);
    expect(await find(first, 'sha256:kept')).toEqual([]);
    expect(first.stats().peers.dead).toBe(1);
  });

  test('takes notices for what the sender says of itself, and nonsense for nothing', async () => {
    const { first, second } = await startThree();
    await using cleanup = new AsyncDisposableStack();
    const { libp2p } = await startKadNode(cleanup);
    await libp2p.dial(multiaddr(addressOf(first)));
    const target = peerIdFromString(first.self().id);
    const forged = encodeNotice({ withdrawn: [contentMultihash('sha256:kept')], leaving: true });
    for (const bytes of [Uint8Array.of(5, 0xff, 0xff, 0xff, 0xff, 0xff), new Uint8Array(200_000), forged]) {
      const stream = await libp2p.dialProtocol(target, NOTICE_PROTOCOL);
      stream.send(bytes);
      await stream.close().catch(() => {});
    }
    // It is believed that it leaves itself.
    await until(() => libp2p.getConnections(target).length === 0);
    expect((await find(first, 'sha256:kept')).map(({ id }) => id)).toEqual([second.self().id]);
    expect(first.stats().records).toBe(2);
  });
});
