import { describe, expect, test } from 'bun:test';
import { DistributionError, formatDistributionError } from './distribution-error.ts';
import { parseDistributionPath, type RoutablePath } from './distribution-path.ts';
import { routingKey } from './routing-key.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;

describe('parseDistributionPath()', () => {
  const valid: [string, string | undefined, Record<string, unknown>, string][] = [
    [
      '/v2/library/nginx/manifests/1.27',
      'docker.io',
      { kind: 'manifest', repository: 'library/nginx', registry: 'docker.io', tag: '1.27' },
      'docker.io/library/nginx:1.27',
    ],
    [
      `/v2/a/manifests/${DIGEST}`,
      'r.lab:5000',
      { kind: 'manifest', registry: 'r.lab:5000', digest: DIGEST },
      DIGEST,
    ],
    [`/v2/a/blobs/${DIGEST}`, 'r.lab', { kind: 'blob', repository: 'a', digest: DIGEST }, DIGEST],
    [`/v2/a/blobs/${DIGEST}`, undefined, { kind: 'blob', registry: undefined, digest: DIGEST }, DIGEST],
    [`/v2/a/blobs/${DIGEST}`, '', { kind: 'blob', registry: undefined }, DIGEST],
    [`/v2/manifests/blobs/blobs/${DIGEST}`, 'r.lab', { repository: 'manifests/blobs' }, DIGEST],
    [
      '/v2/a/blobs/manifests/v1',
      'r.lab',
      { kind: 'manifest', repository: 'a/blobs', tag: 'v1' },
      'r.lab/a/blobs:v1',
    ],
  ];
  const hosts: [string, string | undefined, string][] = [
    ['registry.example/lab/a', 'registry.example', 'lab/a'],
    ['registry.lab:5000/a', 'registry.lab:5000', 'a'],
    ['[fd00::1]:5000/a', '[fd00::1]:5000', 'a'],
    ['localhost/a', 'localhost', 'a'],
    ['docker.io/library/nginx', 'docker.io', 'library/nginx'],
    ['library/nginx', undefined, 'library/nginx'],
    ['nginx', undefined, 'nginx'],
    ['a.b', undefined, 'a.b'],
  ];
  test.each(hosts)('without ns, %s is of the registry %p', (path, registry, repository) => {
    expect(parseDistributionPath(`/v2/${path}/manifests/v1`, undefined)).toMatchObject({
      registry,
      repository,
    });
  });

  test('with ns, a first component that is a host belongs to the repository', () => {
    const path = parseDistributionPath('/v2/docker.io/nginx/manifests/v1', 'r.lab');
    expect(path).toMatchObject({ registry: 'r.lab', repository: 'docker.io/nginx' });
  });

  test.each(valid)('parses %s with ns %j', (pathname, ns, expected, key) => {
    const path = parseDistributionPath(pathname, ns);
    expect(path).toMatchObject(expected);
    expect(routingKey(path as RoutablePath)).toBe(key);
  });

  const invalid: [string, string | undefined, number, string][] = [
    ['/v2/', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/a', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/a/tags/list', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/a/blobs/uploads/', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/manifests/v1', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/A/manifests/v1', 'r.lab', 400, 'NAME_INVALID'],
    ['/v2/../a/manifests/v1', 'r.lab', 400, 'NAME_INVALID'],
    ['/v2/%61/manifests/v1', 'r.lab', 400, 'NAME_INVALID'],
    ['/v2//manifests/v1', 'r.lab', 404, 'UNSUPPORTED'],
    ['/v2/a/manifests/.v1', 'r.lab', 404, 'MANIFEST_UNKNOWN'],
    ['/v2/a/manifests/v1', 'r lab', 400, 'NAME_INVALID'],
    ['/v2/a/manifests/v1', 'http://r.lab', 400, 'NAME_INVALID'],
    ['/v2/a/blobs/v1', 'r.lab', 400, 'DIGEST_INVALID'],
    ['/v2/a/manifests/sha256:zz', 'r.lab', 400, 'DIGEST_INVALID'],
  ];
  test.each(invalid)('refuses %s with ns %j', (pathname, ns, status, code) => {
    let thrown: unknown;
    try {
      parseDistributionPath(pathname, ns);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(DistributionError);
    expect(thrown).toMatchObject({ status, code });
  });
});

test('formatDistributionError() writes the JSON of the spec', () => {
  const error = new DistributionError(404, 'BLOB_UNKNOWN', 'not here', { attempts: 1 });
  expect(JSON.parse(formatDistributionError(error))).toEqual({
    errors: [{ code: 'BLOB_UNKNOWN', message: 'not here', detail: { attempts: 1 } }],
  });
});
