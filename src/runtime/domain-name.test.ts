import { expect, test } from 'bun:test';
import { isDomainName } from './domain-name.ts';

test.each([
  ['spegel-bootstrap.spegel.svc.cluster.local.', true],
  ['boot', true],
  ['_sip.Example.org', true],
  ['a'.repeat(63), true],
  ['', false],
  ['.', false],
  ['a..b', false],
  ['a b', false],
  ['a.b.\n', false],
  ['http://a', false],
  ['a:53', false],
  ['[::1]', false],
  ['a'.repeat(64), false],
  ['a.'.repeat(127), true],
  ['a.'.repeat(128), false],
])('isDomainName(%j) is %p', (text, expected) => {
  expect(isDomainName(text)).toBe(expected);
});
