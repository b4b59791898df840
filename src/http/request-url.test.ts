import { describe, expect, test } from 'bun:test';
import { MAX_TARGET_BYTES, requestUrl } from './request-url.ts';

const DIGEST = `sha256:${'0f'.repeat(32)}`;
const options = { scheme: 'http' } as const;

describe('requestUrl()', () => {
  test.each([
    '/',
    '/v2/',
    '/v2/library/alpine/manifests/3.20?ns=docker.io',
    `/v2/a/b/blobs/${DIGEST}?ns=registry.lab%3A5000`,
    '/a//b',
    '/a?',
    '/a?b=../..',
    '/a?b=%2525',
    '/...',
    '/%C3%A9%20%3F%23',
    '/a:b@c',
    `/${'a'.repeat(MAX_TARGET_BYTES - 1)}`,
  ])('keeps %s as it is', (target) => {
    const result = requestUrl(target, options);
    expect(result).toEqual({ url: `http://node.invalid${target}` });
    const { pathname, search } = new URL('url' in result ? result.url : '');
    expect(target).toStartWith(pathname + search);
  });

  test('gives no URL that parsing would change', () => {
    const parts = ['/', '.', 'a', ':', '~', '-', '%2e', '%3A', '%', '?', '&', '=', '@', '\\'];
    let [targets, taken] = [['/'], 0];
    for (let length = 0; length < 4; length++) {
      targets = targets.flatMap((target) => parts.map((part) => target + part));
      for (const target of targets) {
        const result = requestUrl(target, options);
        if (!('url' in result)) continue;
        taken++;
        if (URL.parse(result.url)?.href !== result.url) throw new Error(`${target} became ${result.url}`);
      }
    }
    expect(taken).toBeGreaterThan(10_000);
  });

  test.each([
    [`/v2/a/blobs/sha256%3A${'0f'.repeat(32)}`, `/v2/a/blobs/${DIGEST}`],
    [`/v2/a/manifests/sha256%3a${'0f'.repeat(32)}?ns=a%3A1`, `/v2/a/manifests/${DIGEST}?ns=a%3A1`],
    ['/v2/lab%2Fapp%2fcore/manifests/v1', '/v2/lab/app/core/manifests/v1'],
    ['/%76%32/%61/manifests/%76%31%2E%32', '/v2/a/manifests/v1.2'],
    ['/a%7Eb%5Fc%2Dd%40e', '/a~b_c-d@e'],
    ['/v2/a%20b%2Fc', '/v2/a%20b/c'],
    ['http://node.lab:5000/v2/', '/v2/'],
    ['HTTP://Node.Lab:5000/v2/a/manifests/v1?ns=b', '/v2/a/manifests/v1?ns=b'],
    ['http://node.lab:5000/v2/lab%2Fa/manifests/v1', '/v2/lab/a/manifests/v1'],
    ['http://node.lab:5000', '/'],
    ['http://node.lab:5000?ns=b', '/?ns=b'],
  ])('reads %s as %s', (target, path) => {
    expect(requestUrl(target, options)).toEqual({ url: `http://node.invalid${path}` });
  });

  test.each([
    ['http://10.0.0.1/v2/', 'http'],
    ['http://10.0.0.1:80/v2/', 'http'],
    ['https://10.0.0.1:443/v2/', 'https'],
    ['http://10.0.0.1:/v2/', 'http'],
    ['http://[fd00::A]:5000/v2/', 'http'],
    ['http://registry_mirror:5000/v2/', 'http'],
  ] as const)('takes %s over %s', (target, scheme) => {
    expect(requestUrl(target, { scheme })).toEqual({ url: 'http://node.invalid/v2/' });
  });

  test.each([
    '',
    '*',
    'a',
    '@other/v2/',
    ':80/v2/',
    '/v2/../secret',
    '/v2/%2e%2E/secret',
    '/v2/.%2e/secret',
    '/v2/a%2F..%2F..%2Fsecret',
    '/v2/a%2f%2e%2e%2fsecret',
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
    'http:///v2/',
    'http:node.lab:5000/v2/',
    'node.lab:5000/v2/',
    'http://node.lab:5000#/v2/',
    'http://node.lab:5000/v2/#a',
    'http://node.lab:5000/../v2/',
    'http://node.lab:5000/v2/%2e%2e/',
    'http://node.lab:5000\\v2/',
  ])('refuses %j with 400', (target) => {
    expect(requestUrl(target, options)).toMatchObject({ status: 400 });
  });

  test.each([
    ['/v2/a/blobs/sha256%253A00', 'percent-encoding'],
    ['/v2/%252e%252e/secret', 'percent-encoding'],
    ['/v2/a%00b', 'percent-encoding'],
    ['/v2/a%0d%0ab', 'percent-encoding'],
    ['/v2/a%7fb', 'percent-encoding'],
    ['/v2/a%5C..%5Cb', 'percent-encoding'],
    ['/v2/a%', 'percent-encoding'],
    ['/v2/a%2', 'percent-encoding'],
    ['/v2/a%zzb', 'percent-encoding'],
    ['/v2/a%+1b', 'percent-encoding'],
    ['http://node.lab:5000/v2/a%00', 'percent-encoding'],
    ['https://node.lab:5000/v2/', 'not a URL of http'],
    ['ftp://node.lab:5000/v2/', 'not a URL of http'],
    ['file:///v2/', 'not a URL of http'],
    ['http://user@node.lab:5000/v2/', 'names a user'],
    ['http://user:word@node.lab:5000/v2/', 'names a user'],
    ['http://node.lab:5000@other/v2/', 'names a user'],
    ['http://node.lab:5000.other/v2/', 'no valid host'],
    ['http://node.lab:99999/v2/', 'no valid host'],
    ['http://[fd00::/v2/', 'no valid host'],
  ])('refuses %s with 400 and says %j', (target, message) => {
    expect(requestUrl(target, options)).toMatchObject({
      status: 400,
      message: expect.stringContaining(message),
    });
  });

  test('refuses a target that is too long with 414', () => {
    expect(requestUrl(`/${'a'.repeat(MAX_TARGET_BYTES)}`, options)).toMatchObject({ status: 414 });
  });
});
