import { afterEach, expect, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../runtime/conditions.fixture.ts';
import { startKadNode } from './testing/start-kad-node.ts';

const PROTOCOL = '/test/echo/1.0.0';

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

test('noiseForBun() carries messages of every length both ways', async () => {
  const [one, other] = [await startKadNode(cleanup), await startKadNode(cleanup)];
  await other.libp2p.handle(PROTOCOL, (stream) => {
    stream.addEventListener('message', ({ data }) => void stream.send(data.slice()));
  });
  const stream = await one.libp2p.dialProtocol(
    other.announced().map((address) => multiaddr(`${address}/p2p/${other.libp2p.peerId.toString()}`)),
    PROTOCOL,
  );
  let received = 0;
  stream.addEventListener('message', ({ data }) => void (received += data.byteLength));
  let sent = 0;
  for (const length of [1, 1199, 1200, 1201, 16_384, 65_519, 65_520]) {
    stream.send(crypto.getRandomValues(new Uint8Array(length)));
    sent += length;
    await until(() => received === sent);
  }
  expect([stream.status, one.libp2p.getConnections().length]).toEqual(['open', 1]);
});
