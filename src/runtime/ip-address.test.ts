import { describe, expect, test } from 'bun:test';
import { canonicalIp, compareIps, isIpv4, isIpv6, parseIp } from './ip-address.ts';

const hex = (text: string) => parseIp(text)?.toHex();

describe('parseIp()', () => {
  test.each([
    ['0.0.0.0', '00000000'],
    ['10.0.0.255', '0a0000ff'],
    ['::', '00000000000000000000000000000000'],
    ['::1', '00000000000000000000000000000001'],
    ['fd00::1:2', 'fd000000000000000000000000010002'],
    ['FD00:1:2:3:4:5:6:7', 'fd000001000200030004000500060007'],
    ['fd00:0:0:1::', 'fd000000000000010000000000000000'],
    ['::ffff:1.2.3.4', '00000000000000000000ffff01020304'],
  ])('gives the bytes of %s', (text, bytes) => {
    expect(hex(text)).toBe(bytes);
    expect([isIpv4(text), isIpv6(text)]).toEqual([bytes.length === 8, bytes.length === 32]);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '1.2.3.4.5',
    '0x7f000001',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    'fe80::1%eth0',
    '[::1]',
    '::1]:80/[',
    '12345::',
    'node-1',
  ])('is undefined for %j', (text) => {
    expect(parseIp(text)).toBeUndefined();
    expect([isIpv4(text), isIpv6(text)]).toEqual([false, false]);
  });
});

test('compareIps() orders addresses as numbers, IPv4 first', () => {
  const sorted = ['10.0.0.2', '10.0.0.10', '192.168.0.1', '::1', 'fd00::9', 'fd00::10'];
  const shuffled = sorted.toReversed().map((text) => ({ text, bytes: parseIp(text) ?? new Uint8Array() }));
  shuffled.sort((a, b) => compareIps(a.bytes, b.bytes));
  expect(shuffled.map(({ text }) => text)).toEqual(sorted);
});

describe('canonicalIp()', () => {
  test.each([
    ['10.0.0.1', '10.0.0.1'],
    ['FD00:0:0:0::1', 'fd00::1'],
    ['::ffff:10.0.0.1', '10.0.0.1'],
    ['::FFFF:0a00:1', '10.0.0.1'],
    ['::ffff:10.0.0.256', undefined],
    ['::ffff:010.0.0.1', undefined],
    ['::10.0.0.1', '::a00:1'],
    ['fe80::1%eth0', undefined],
    ['[fd00::1]', undefined],
    ['10.0.0.1:5001', undefined],
  ])('spells %s as %p', (text, expected) => {
    expect(canonicalIp(text)).toBe(expected);
  });
});
