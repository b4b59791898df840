import { afterEach, expect, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { until } from './conditions.fixture.ts';
import { loadIdentity } from './identity.ts';
import { createKadNode } from './kad-node.ts';
import { createProviderDatastore } from './provider-datastore.ts';

const PROTOCOL = '/test/echo/1.0.0';

let cleanup = new AsyncDisposableStack();
afterEach(async () => {
  await cleanup.disposeAsync();
  cleanup = new AsyncDisposableStack();
});

async function startNode() {
  const node = await createKadNode(
    { privateKey: await loadIdentity(), datastore: createProviderDatastore() },
    { listenAddress: '127.0.0.1:0', announceAddresses: ['127.0.0.1'] },
  );
  cleanup.defer(async () => node.libp2p.stop());
  await node.libp2p.start();
  return node;
}

test('noiseForBun() carries messages of every length both ways', async () => {
  const [one, other] = [await startNode(), await startNode()];
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
