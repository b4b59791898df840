import { afterEach, expect, test } from 'bun:test';
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from '../../runtime/conditions.fixture.ts';
import { noiseHkdf } from './noise-for-bun.ts';
import { startKadNode } from '../testing/start-kad-node.ts';

const PROTOCOL = '/test/echo/1.0.0';

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

test.each([0, 32, 100])('noiseHkdf() is what the package makes of %p bytes', (length) => {
  const [key, input] = [new Uint8Array(32), new Uint8Array(length)].map((bytes) =>
    crypto.getRandomValues(bytes),
  ) as [Uint8Array, Uint8Array];
  expect(noiseHkdf(key, input)).toEqual(defaultCrypto.getHKDF(key, input));
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
