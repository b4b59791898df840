import { describe, expect, test } from 'bun:test';

import { formatPeerAddress, parsePeerAddress } from './peer-address.ts';

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
