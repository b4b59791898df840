import { describe, expect, test } from 'bun:test';

import { parseIp } from '../../runtime/ip-address.ts';
import { formatPeerAddress, isLoopbackIp, isUnicastIp, parsePeerAddress } from './peer-address.ts';

const IP4 = [4, 10, 0, 0, 1, 6, 0x13, 0x89];
const IP6 = [0x29, 0xfd, ...Array.from({ length: 14 }, () => 0), 1, 6, 0x13, 0x89];

describe('parsePeerAddress()', () => {
  test.each([
    ['IPv4', IP4],
    ['IPv6', IP6],
    ['an address with a peer ID', [...IP4, 0xa5, 0x03, 1, 2]],
  ])('reads %s', (_name, bytes) => {
    const address = parsePeerAddress(Uint8Array.from(bytes));
    expect(address?.port).toBe(5001);
    expect(address?.ip.length).toBe(bytes[0] === 4 ? 4 : 16);
    const written = formatPeerAddress(address ?? { ip: new Uint8Array(4), port: 0 });
    expect([...written]).toEqual(bytes.slice(0, bytes[0] === 4 ? 8 : 20));
  });

  test.each([
    ['nothing', []],
    ['a cut one', IP4.slice(0, 7)],
    ['a cut IPv6 one', IP6.slice(0, 12)],
    ['UDP', [4, 10, 0, 0, 1, 0x91, 0x02, 0x13, 0x89]],
    ['a name', [0x36, 1, 65, 6, 0x13, 0x89]],
    ['a relay', [...IP4, 0xa2, 0x02]],
    ['a WebSocket', [...IP4, 0xdd, 0x03]],
    ['port 0', [4, 10, 0, 0, 1, 6, 0, 0]],
  ])('takes no %s', (_name, bytes) => {
    expect(parsePeerAddress(Uint8Array.from(bytes))).toBeUndefined();
  });
});

test.each([
  ['10.0.0.1', true],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['8.8.8.8', true],
  ['fd00::1', true],
  ['2001:db8::1', true],
  ['0.0.0.0', false],
  ['0.1.2.3', false],
  ['127.0.0.1', false],
  ['169.254.169.254', false],
  ['224.0.0.1', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::ffff:10.0.0.1', false],
  ['::10.0.0.1', false],
  ['64:ff9b::a00:1', false],
  ['fe80::1', false],
  ['febf::1', false],
  ['ff02::1', false],
])('isUnicastIp() of %s is %p', (text, expected) => {
  expect(isUnicastIp(parseIp(text) ?? new Uint8Array())).toBe(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::2', false],
  ['10.0.0.1', false],
])('isLoopbackIp() of %s is %p', (text, expected) => {
  expect(isLoopbackIp(parseIp(text) ?? new Uint8Array())).toBe(expected);
});
