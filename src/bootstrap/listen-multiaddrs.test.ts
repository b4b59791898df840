import { describe, expect, test } from 'bun:test';

import { listenMultiaddrs, tcpMultiaddr } from './listen-multiaddrs.ts';

describe('listenMultiaddrs()', () => {
  const cases: [host: string | undefined, port: number, multiaddrs: string[]][] = [
    [undefined, 5001, ['/ip4/0.0.0.0/tcp/5001', '/ip6/::/tcp/5001']],
    ['1.2.3.4', 5001, ['/ip4/1.2.3.4/tcp/5001']],
    ['::1', 5001, ['/ip6/::1/tcp/5001']],
    ['::', 0, ['/ip6/::/tcp/0']],
  ];
  test.each(cases)('listens for %p, %p', (host, port, multiaddrs) => {
    expect(listenMultiaddrs({ host, port })).toEqual(multiaddrs);
  });
});

test('tcpMultiaddr() refuses what is not an IP', () => {
  expect(tcpMultiaddr('fd00::1', 5001)).toBe('/ip6/fd00::1/tcp/5001');
  expect(() => tcpMultiaddr('node-1', 5001)).toThrow('"node-1"');
});
