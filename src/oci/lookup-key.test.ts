import { describe, expect, test } from 'bun:test';
import { InvalidReferenceError } from './reference.ts';
import { lookupKey } from './lookup-key.ts';

const digest = `sha256:${'a'.repeat(64)}`;

describe('lookupKey()', () => {
  test.each([
    ['nginx', 'docker.io/library/nginx:latest'],
    ['nginx:1.27', 'docker.io/library/nginx:1.27'],
    ['grafana/grafana', 'docker.io/grafana/grafana:latest'],
    ['docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['index.docker.io/nginx', 'docker.io/library/nginx:latest'],
    ['ghcr.io/a/b:1', 'ghcr.io/a/b:1'],
    ['registry.lab:5000/a', 'registry.lab:5000/a:latest'],
    ['localhost/a', 'localhost/a:latest'],
    ['[fd00::1]:5000/a/b', '[fd00::1]:5000/a/b:latest'],
    [digest, digest],
    [`nginx@${digest}`, digest],
    [`ghcr.io/a/b:1@${digest}`, digest],
  ])('lookupKey() of %p is %p', (name, key) => {
    expect(lookupKey(name)).toBe(key);
  });

  test.each([
    '',
    'Nginx',
    'a b',
    'nginx:',
    'nginx@sha256:aa',
    'ghcr.io/',
    'ghcr.io/a//b',
    'sha256:',
    'sha256:2cf2',
  ])('lookupKey() throws when the name is %p', (name) => {
    expect(() => lookupKey(name)).toThrow(InvalidReferenceError);
  });
});
