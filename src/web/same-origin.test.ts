import { expect, test } from 'bun:test';
import { isSameOrigin, originOf } from './same-origin.ts';

test.each<[headers: Record<string, string>, expected: boolean]>([
  [{}, true],
  [{ origin: 'http://node:9090' }, true],
  [{ origin: 'http://node:9090', 'sec-fetch-site': 'same-origin' }, true],
  [{ 'sec-fetch-site': 'none' }, true],
  [{ origin: 'http://node' }, false],
  [{ origin: 'http://elsewhere.test:9090' }, false],
  [{ origin: 'null' }, false],
  [{ 'sec-fetch-site': 'cross-site' }, false],
  [{ 'sec-fetch-site': 'same-site' }, false],
])('isSameOrigin() of %j is %p', (given, expected) => {
  const headers = new Headers({ host: 'node:9090', ...given });
  expect(isSameOrigin(originOf((name) => headers.get(name)))).toBe(expected);
});
