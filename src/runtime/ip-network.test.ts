import { describe, expect, test } from 'bun:test';

import { parseIp } from './ip-address.ts';
import { parseIpNetwork } from './ip-network.ts';

function contains(network: string, address: string): boolean {
  const bytes = parseIp(address);
  if (bytes === undefined) throw new Error(`${address} is no address`);
  return parseIpNetwork(network).contains(bytes);
}

describe('parseIpNetwork()', () => {
  test.each<[network: string, address: string, isIn: boolean]>([
    ['10.0.0.0/8', '10.255.0.1', true],
    ['10.0.0.0/8', '11.0.0.1', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.0.0.0/9', '10.127.0.1', true],
    ['10.0.0.0/9', '10.128.0.1', false],
    ['10.0.0.8/29', '10.0.0.15', true],
    ['10.0.0.8/29', '10.0.0.16', false],
    ['0.0.0.0/0', '192.0.2.1', true],
    ['0.0.0.0/0', 'fd00::1', false],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['10.0.0.1/32', '10.0.0.1', true],
    ['fd00::/64', 'fd00::1', true],
    ['fd00::/64', 'fd00:0:0:1::1', false],
    ['fd00::/7', 'fc00::1', true],
    ['fd00::/8', 'fc00::1', false],
    ['::/0', 'fd00::1', true],
    ['::/0', '10.0.0.1', false],
    ['fd00::1', 'fd00::1', true],
    ['fd00::1/128', 'fd00::2', false],
  ])('%s holds %s: %p', (network, address, isIn) => {
    expect(contains(network, address)).toBe(isIn);
  });

  test.each([
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    '10.0.0.0/',
    '10.0.0.0/08',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::/129',
    '010.0.0.0/8',
    'fe80::1%eth0/64',
    'example.com/8',
    '10.0.0.0/1e1',
  ])('throws TypeError that quotes %j', (text) => {
    expect(() => parseIpNetwork(text)).toThrow(TypeError);
    expect(() => parseIpNetwork(text)).toThrow(JSON.stringify(text));
  });
});
