import { describe, expect, test } from 'bun:test';
import { multiaddr } from '@multiformats/multiaddr';

import { ipOf, originOf, peerIps } from './peer-addresses.ts';

test.each([
  ['/ip4/10.0.0.1/tcp/5001', '10.0.0.1'],
  ['/ip6/::ffff:10.0.0.1/tcp/40000', '10.0.0.1'],
  ['/ip6/fd00:0:0:7::1/tcp/5001', 'fd00000000000007/64'],
  ['/ip6/fd00:0:0:7:ffff:1:2:3/tcp/9', 'fd00000000000007/64'],
  ['/ip6/fd00:0:0:8::1/tcp/5001', 'fd00000000000008/64'],
])('originOf() %s is %s', (address, origin) => {
  expect(originOf(multiaddr(address))).toBe(origin);
});

describe('peerIps()', () => {
  const cases: [string, string[], string[]][] = [
    ['both families in order', ['/ip6/fd00::1/tcp/5001', '/ip4/10.0.0.1/tcp/5001'], ['fd00::1', '10.0.0.1']],
    ['each IP once', ['/ip4/10.0.0.1/tcp/5001', '/ip4/10.0.0.1/tcp/5002'], ['10.0.0.1']],
    ['no loopback', ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1', '/ip4/127.9.9.9/tcp/1'], []],
    [
      'nothing that is not one machine',
      [
        '/ip4/0.0.0.0/tcp/1',
        '/ip6/::/tcp/1',
        '/ip4/224.0.0.1/tcp/1',
        '/ip4/255.255.255.255/tcp/1',
        '/ip6/ff02::1/tcp/1',
      ],
      [],
    ],
    ['no link-local', ['/ip4/169.254.169.254/tcp/1', '/ip6/fe80::1/tcp/1'], []],
    ['no IPv4 in IPv6', ['/ip6/::ffff:127.0.0.1/tcp/1'], []],
    ['no other transports', ['/ip4/10.0.0.1/udp/1/quic-v1', '/dns4/node/tcp/1', '/unix/x'], []],
  ];
  test.each(cases)('takes %s', (_name, addresses, expected) => {
    expect(peerIps(addresses.map((text) => multiaddr(text)))).toEqual(expected);
  });

  test('takes loopback when it is allowed', () => {
    const addresses = ['/ip4/127.0.0.1/tcp/1', '/ip6/::1/tcp/1', '/ip4/0.0.0.0/tcp/1'].map((text) =>
      multiaddr(text),
    );
    expect(peerIps(addresses, true)).toEqual(['127.0.0.1', '::1']);
  });
});

describe('ipOf()', () => {
  const id = '12D3KooWDPgHJaDd8bfqssKonURarTz9V4XGkehuc6o91EXbPe7Y';
  test.each([
    ['/ip4/10.0.0.1/tcp/5001', '10.0.0.1'],
    [`/ip6/fd00::1/tcp/5001/p2p/${id}`, 'fd00::1'],
    ['/ip4/10.0.0.1/udp/5001/quic-v1', undefined],
    ['/ip4/10.0.0.1/tcp/5001/ws', undefined],
    [`/ip4/10.0.0.1/tcp/5001/p2p/${id}/p2p-circuit`, undefined],
    ['/dns4/node/tcp/5001', undefined],
    ['/dnsaddr/example.test', undefined],
    ['/ip6zone/eth0/ip6/fe80::1/tcp/5001', undefined],
  ])('of %s is %p', (text, expected) => {
    expect(ipOf(multiaddr(text))).toBe(expected);
  });
});
