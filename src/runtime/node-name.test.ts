import { expect, test } from 'bun:test';
import { hostname } from 'node:os';
import { hostNodeName, isNodeName } from './node-name.ts';

test.each([
  ['node-1', true],
  ['ip-10-0-0-1.eu-central-1.compute.internal', true],
  ['A', true],
  ['a'.repeat(253), true],
  ['a'.repeat(254), false],
  ['', false],
  ['-a', false],
  ['a.', false],
  ['a b', false],
  ['a_b', false],
  ['ä', false],
  ['a\n', false],
  ['<b>', false],
])('isNodeName(%p) is %p', (text, expected) => {
  expect(isNodeName(text)).toBe(expected);
});

test('hostNodeName() gives the hostname', () => {
  expect(hostNodeName()).toBe(isNodeName(hostname()) ? hostname() : undefined);
});
