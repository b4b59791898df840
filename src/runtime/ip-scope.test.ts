import { expect, test } from 'bun:test';

import { parseIp } from './ip-address.ts';
import { isLoopbackIp, isUnicastIp } from './ip-scope.ts';

test.each([
  ['10.0.0.1', true],
  ['192.168.1.1', true],
  ['100.64.0.1', true],
  ['8.8.8.8', true],
  // Reserved, and what some clouds give to pods.
  ['240.0.0.1', true],
  ['fd00::1', true],
  ['2001:db8::1', true],
  ['fec0::1', true],
  ['0.0.0.0', false],
  ['0.1.2.3', false],
  ['127.0.0.1', false],
  ['169.254.169.254', false],
  ['224.0.0.1', false],
  ['239.255.255.250', false],
  ['255.255.255.255', false],
  ['::', false],
  ['::1', false],
  ['::ffff:10.0.0.1', false],
  ['::10.0.0.1', false],
  ['::ffff:0:a00:1', false],
  ['64:ff9b::a00:1', false],
  ['64:ff9b:1::a00:1', false],
  ['fe80::1', false],
  ['febf::1', false],
  ['ff02::1', false],
  ['', false],
])('isUnicastIp() of %s is %p', (text, expected) => {
  expect(isUnicastIp(parseIp(text) ?? new Uint8Array())).toBe(expected);
});

test.each([
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['::2', false],
  ['::', false],
  ['10.0.0.1', false],
  ['', false],
])('isLoopbackIp() of %s is %p', (text, expected) => {
  expect(isLoopbackIp(parseIp(text) ?? new Uint8Array())).toBe(expected);
});
