import { describe, expect, test } from 'bun:test';

import { parseDigest } from './digest.ts';
import { parseRoutingKey, type RoutedContent, routingKey } from './routing-key.ts';

const DIGEST = parseDigest(`sha256:${'ab'.repeat(32)}`);

describe('parseRoutingKey()', () => {
  test.each<[key: string, content: RoutedContent]>([
    [DIGEST, { digest: DIGEST }],
    ['registry.lab:5000/a/b:v1', { registry: 'registry.lab:5000', repository: 'a/b', tag: 'v1' }],
    ['[fd00::1]:5000/a:v1', { registry: '[fd00::1]:5000', repository: 'a', tag: 'v1' }],
  ])('reads %s, as routingKey() writes it', (key, content) => {
    expect(parseRoutingKey(key)).toEqual(content);
    expect(routingKey(content)).toBe(key);
  });

  test.each([
    '',
    'sha256:ab',
    'nginx:latest',
    'docker.io/library/nginx',
    `docker.io/a@${DIGEST}`,
    `docker.io/a:b@${DIGEST}`,
  ])('takes no %j', (key) => {
    expect(parseRoutingKey(key)).toBeUndefined();
  });
});
