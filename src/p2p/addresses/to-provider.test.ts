import { describe, expect, test } from 'bun:test';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddr } from '@multiformats/multiaddr';

import { isUnicastIp } from '../../runtime/ip-scope.ts';
import { loadIdentity } from '../identity.ts';
import { createToProvider } from './to-provider.ts';

const bytesOf = (address: string) => multiaddr(address).bytes;

describe('createToProvider()', () => {
  test('takes the addresses at which a node can be, each once, and few of them', async () => {
    const peerId = peerIdFromPrivateKey(await loadIdentity());
    const { bytes: id } = peerId.toMultihash();
    const toProvider = createToProvider(isUnicastIp);
    const absurd = [
      '/ip4/127.0.0.1/tcp/1',
      '/ip6/::1/tcp/1',
      '/ip4/169.254.169.254/tcp/80',
      '/ip4/0.0.0.0/tcp/1',
      '/ip6/ff02::1/tcp/1',
      '/dns4/example.test/tcp/1',
      '/ip4/10.0.0.9/udp/1',
      '/ip6/::ffff:10.0.0.1/tcp/1',
    ].map(bytesOf);
    expect(toProvider({ id, addresses: [...absurd, Uint8Array.of(4, 1)] })).toBeUndefined();
    const good = ['/ip4/10.0.0.3/tcp/5001', '/ip4/10.0.0.3/tcp/5002', '/ip6/fd00::1/tcp/5001'].map(bytesOf);
    expect(toProvider({ id, addresses: [...absurd, ...good] })).toEqual({
      id: peerId.toString(),
      name: id.toHex(),
      addresses: ['10.0.0.3', 'fd00::1'],
    });
    const many = Array.from({ length: 50 }, (_, index) => bytesOf(`/ip4/10.0.1.${index}/tcp/1`));
    expect(toProvider({ id, addresses: many })?.addresses).toHaveLength(4);
  });

  test.each([
    ['nothing', []],
    ['no multihash', [0]],
    ['a multihash that is cut off', [0x12, 0x20, 1]],
  ])('takes no peer whose ID is %s', (_name, id) => {
    const addresses = [bytesOf('/ip4/10.0.0.2/tcp/5001')];
    expect(createToProvider(isUnicastIp)({ id: Uint8Array.from(id), addresses })).toBeUndefined();
  });
});
