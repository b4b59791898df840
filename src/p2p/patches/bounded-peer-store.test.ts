import { expect, test } from 'bun:test';
import { generateKeyPair } from '@libp2p/crypto/keys';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';
import { createKadNode } from '../kad-node.ts';
import { createTestDoor } from '../testing/start-kad-node.ts';
import { MAX_ADDRESSES_PER_PEER } from '../../dht/limits.ts';

const address = (n: number) => multiaddr(`/ip4/10.${n >> 8}.${n & 255}.1/tcp/5001`);
const addresses = (from: number, count: number) => Array.from({ length: count }, (_, n) => address(from + n));

test('boundPeerStore() keeps few addresses of a peer, the last that it claimed', async () => {
  const { libp2p } = await createKadNode(
    { privateKey: await generateKeyPair('Ed25519'), onStream() {}, door: createTestDoor() },
    { listenAddress: '127.0.0.1:0', announceAddresses: ['127.0.0.1'] },
  );
  const id = peerIdFromPrivateKey(await generateKeyPair('Ed25519'));
  const known = async () =>
    (await libp2p.peerStore.get(id)).addresses.map(({ multiaddr: each }) => each.toString());

  await libp2p.peerStore.merge(id, { multiaddrs: addresses(0, 20_000) });
  expect(await known()).toHaveLength(MAX_ADDRESSES_PER_PEER);
  await libp2p.peerStore.merge(id, { multiaddrs: [address(50_000)] });
  expect(await known()).toContain(address(50_000).toString());
  for (let n = 0; n < 5; n++) {
    await libp2p.peerStore.merge(id, { multiaddrs: addresses(60_000 + n * 10, 10) });
  }
  expect((await known()).length).toBeLessThanOrEqual(MAX_ADDRESSES_PER_PEER);
  await libp2p.peerStore.patch(id, { multiaddrs: addresses(0, 100) });
  expect(await known()).toHaveLength(MAX_ADDRESSES_PER_PEER);
});
