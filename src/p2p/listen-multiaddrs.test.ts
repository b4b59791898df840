import { describe, expect, test } from 'bun:test';

import { parseListenAddress, tcpMultiaddr } from './listen-multiaddrs.ts';

describe('parseListenAddress()', () => {
  const cases: [string, string[]][] = [
    [':5001', ['/ip4/0.0.0.0/tcp/5001', '/ip6/::/tcp/5001']],
    ['1.2.3.4:5001', ['/ip4/1.2.3.4/tcp/5001']],
    ['[::1]:5001', ['/ip6/::1/tcp/5001']],
    ['[::]:0', ['/ip6/::/tcp/0']],
  ];
  test.each(cases)('parses %s', (text, multiaddrs) => {
    expect(parseListenAddress(text).multiaddrs).toEqual(multiaddrs);
  });

  test.each([
    '',
    '5001',
    ':',
    ':x',
    ':65536',
    '1.2.3:5001',
    '1.2.3.999:5001',
    '::1:5001',
    '[::g]:1',
    'host:5001',
  ])('refuses %p', (text) => {
    expect(() => parseListenAddress(text)).toThrow(`Cannot listen on ${JSON.stringify(text)}`);
  });
});

test('tcpMultiaddr() refuses what is no IP', () => {
  expect(tcpMultiaddr('fd00::1', 5001)).toBe('/ip6/fd00::1/tcp/5001');
  expect(() => tcpMultiaddr('node-1', 5001)).toThrow('"node-1"');
});
