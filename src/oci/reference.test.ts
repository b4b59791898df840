import { describe, expect, test } from 'bun:test';
import { parseDigest } from './digest.ts';
import { InvalidReferenceError, isRegistry, parseReference, type Reference, tagKey } from './reference.ts';

const DIGEST = parseDigest(`sha256:${'ab'.repeat(32)}`);

describe('parseReference()', () => {
  const valid: [string, Reference][] = [
    ['docker.io/library/nginx:1.27', { registry: 'docker.io', repository: 'library/nginx', tag: '1.27' }],
    [
      'registry.lab:5000/a/b_c/d-e:v1.0',
      { registry: 'registry.lab:5000', repository: 'a/b_c/d-e', tag: 'v1.0' },
    ],
    ['localhost/app:latest', { registry: 'localhost', repository: 'app', tag: 'latest' }],
    ['localhost:5000/app:latest', { registry: 'localhost:5000', repository: 'app', tag: 'latest' }],
    ['10.0.0.1:5000/app:x', { registry: '10.0.0.1:5000', repository: 'app', tag: 'x' }],
    ['[fd00::1]:5000/app:x', { registry: '[fd00::1]:5000', repository: 'app', tag: 'x' }],
    ['[::1]/app:x', { registry: '[::1]', repository: 'app', tag: 'x' }],
    [`quay.io/a/b@${DIGEST}`, { registry: 'quay.io', repository: 'a/b', digest: DIGEST }],
    [`quay.io/a/b:v1@${DIGEST}`, { registry: 'quay.io', repository: 'a/b', tag: 'v1', digest: DIGEST }],
  ];
  test.each(valid)('parses %s', (name, expected) => expect(parseReference(name)).toEqual(expected));

  const invalid: [string, string][] = [
    ['', 'names no registry'],
    ['nginx:latest', 'names no registry'],
    [DIGEST, 'names no registry'],
    ['library/nginx:latest', 'no registry host'],
    ['docker.io/library/nginx', 'neither a tag nor a digest'],
    ['docker.io/Library/nginx:v1', 'repository is invalid'],
    ['docker.io//nginx:v1', 'repository is invalid'],
    ['docker.io/../etc:v1', 'repository is invalid'],
    ['docker.io/nginx:', 'tag is invalid'],
    ['docker.io/nginx:a/b', 'tag is invalid'],
    [`docker.io/nginx:${'x'.repeat(129)}`, 'tag is invalid'],
    ['docker.io/nginx@sha256:zz', 'no digest'],
    ['docker.io/nginx@', 'no digest'],
    [`docker.io/${'a'.repeat(256)}:v1`, 'repository is invalid'],
    ['-bad.io/nginx:v1', 'no registry host'],
    ['regis try.io/nginx:v1', 'no registry host'],
  ];
  test.each(invalid)('refuses %j', (name, reason) => {
    expect(() => parseReference(name)).toThrow(InvalidReferenceError);
    expect(() => parseReference(name)).toThrow(reason);
  });
});

test.each(['a', 'registry.lab:5000', '[fd00::1]:5000', '127.0.0.1'])('isRegistry() takes %s', (text) =>
  expect(isRegistry(text)).toBe(true),
);
test.each(['', 'a b', 'a/b', 'http://a', 'a:port', 'fd00::1', '-a', 'a..b', 'a:123456'])(
  'isRegistry() refuses %j',
  (text) => expect(isRegistry(text)).toBe(false),
);

test('tagKey() writes registry/repository:tag', () => {
  expect(tagKey('registry.lab:5000', 'a/b', 'v1')).toBe('registry.lab:5000/a/b:v1');
});
