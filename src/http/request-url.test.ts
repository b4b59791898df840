import { describe, expect, test } from 'bun:test';
import { MAX_TARGET_BYTES } from './limits.ts';
import { requestUrl } from './request-url.ts';

describe('requestUrl()', () => {
  test.each([
    '/',
    '/v2/',
    '/v2/library/alpine/manifests/3.20?ns=docker.io',
    `/v2/a/b/blobs/sha256:${'0'.repeat(64)}?ns=registry.lab%3A5000`,
    '/a//b',
    '/a%2Fb',
    '/a?',
    '/a?b=../..',
    '/...',
    `/${'a'.repeat(MAX_TARGET_BYTES - 1)}`,
  ])('keeps %s as it is', (target) => {
    const result = requestUrl(target);
    expect(result).toEqual({ url: `http://node.invalid${target}` });
    const { pathname, search } = new URL('url' in result ? result.url : '');
    expect(target).toStartWith(pathname + search);
  });

  test.each([
    '',
    '*',
    'a',
    'http://other/v2/',
    '@other/v2/',
    ':80/v2/',
    '/v2/../secret',
    '/v2/%2e%2E/secret',
    '/v2/.%2e/secret',
    '/v2/./x',
    '/..',
    '/v2\\..\\x',
    '/a b',
    '/a"b',
    '/a<b>',
    '/é',
    '/a#b',
    '/#',
    '/a\tb',
    '/a\u0000',
    "/a?b='",
  ])('refuses %j with 400', (target) => {
    expect(requestUrl(target)).toMatchObject({ status: 400 });
  });

  test('refuses a target that is too long with 414', () => {
    expect(requestUrl(`/${'a'.repeat(MAX_TARGET_BYTES)}`)).toMatchObject({ status: 414 });
  });
});
