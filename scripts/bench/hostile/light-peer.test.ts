import { expect, test } from 'bun:test';
import { until } from '../../../src/runtime/conditions.fixture.ts';
import { createTestRouters, portOf, stopAfterEach } from '../../../src/p2p/testing/test-routers.ts';
import {
  createSplitter,
  encodeAddProvider,
  encodeGetProviders,
  ipv4Multiaddr,
  multihashOf,
} from '../records/dht-messages.ts';
import { createLightIdentity } from './light-identity.ts';
import { connectLightPeer, KAD } from './light-peer.ts';
import { createNoiseKey } from './noise-session.ts';

const routers = createTestRouters();
stopAfterEach(routers);

test('connectLightPeer() makes a peer that a router knows, asks, and takes records from', async () => {
  const router = await routers.start();
  const identity = createLightIdentity();
  const peer = await connectLightPeer({
    identity,
    key: createNoiseKey(),
    host: '127.0.0.1',
    port: portOf(router),
    localAddress: '127.0.0.2',
    announced: '127.0.0.2',
  });
  const stream = await peer.open(KAD);
  const split = createSplitter();
  const answers: Uint8Array[] = [];
  stream.onData = (bytes) => answers.push(...split(bytes));
  const keys = Array.from({ length: 10_000 }, (_, n) => multihashOf(`key ${n}`));
  for (const key of keys) {
    await stream.send(encodeAddProvider(key, identity.id, ipv4Multiaddr('127.0.0.2', 5001)));
  }
  await until(() => router.stats().records === keys.length);
  await stream.send(encodeGetProviders(keys[7] ?? new Uint8Array()));
  await until(() => answers.length > 0);
  expect(Buffer.from(answers[0] ?? []).includes(identity.id)).toBe(true);
  // It is asked whether it is there, and stays.
  await until(() => peer.questions > 0);
  expect(peer.isOpen).toBe(true);
  peer.close();
  await peer.ended;
});
