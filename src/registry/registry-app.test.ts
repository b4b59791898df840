import { describe, expect, test } from 'bun:test';
import { silentLogger } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { systemClock } from '../runtime/clock.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  type PeerScript,
} from '../transfer/testing/scripted-cluster.ts';
import { createRegistryApp } from './registry-app.ts';

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const MANIFEST = encode({ schemaVersion: 2, config: {}, layers: [] });
const DIGEST = digestOf(MANIFEST);
const MIRRORED = { 'x-spegel-mirrored': 'true' };

interface SetUp {
  /** The content of the store, and its tag registry.lab:5000/lab/a:v1, if it is there. */
  readonly has?: boolean;
  readonly away?: boolean;
  readonly corrupt?: boolean;
  readonly peers?: readonly PeerScript[];
  readonly ready?: boolean;
}

function setUp({ has = false, away = false, corrupt = false, peers = [], ready = true }: SetUp) {
  const cluster = createScriptedCluster(MANIFEST, peers);
  const metrics = createMetrics({ version: 'test', commit: 'test' });
  const missing: string[] = [];
  const guard = <T>(value: T): Promise<T> =>
    away ? Promise.reject(new StoreUnavailableError('containerd does not answer')) : Promise.resolve(value);
  const holds = (digest: Digest) => has && digest === DIGEST;
  const app = createRegistryApp({
    store: {
      resolve: (registry, repository, tag) =>
        guard(
          has && `${registry}/${repository}:${tag}` === 'registry.lab:5000/lab/a:v1' ? DIGEST : undefined,
        ),
      stat: (digest) =>
        guard(holds(digest) ? { digest, sizeBytes: MANIFEST.length, path: 'file' } : undefined),
      read: (digest) => guard(holds(digest) ? (corrupt ? encode({ layers: [] }) : MANIFEST) : undefined),
    },
    transfer: cluster.transfer,
    ready: () => ready,
    contentMissing: (key) => void missing.push(key),
    metrics,
    logger: silentLogger,
    clock: systemClock,
  });
  const request = async (path: string, init: RequestInit = {}) => {
    const client = createScriptedClient();
    const response = await app(new Request(`http://node:5000${path}`, init), client.client);
    return { response, client, json: async (): Promise<unknown> => response.json() };
  };
  return { request, missing, metricsText: async () => (await metrics.expose()).body, ...cluster };
}

const manifestUrl = (reference: string, ns = 'registry.lab:5000') =>
  `/v2/lab/a/manifests/${reference}?ns=${ns}`;
const blobUrl = (digest: string) => `/v2/lab/a/blobs/${digest}?ns=registry.lab:5000`;

describe('readiness', () => {
  test.each([
    [true, 200],
    [false, 500],
  ])('GET /readyz with a router that is ready=%p is %d; /livez and /v2/ are 200', async (ready, status) => {
    const { request } = setUp({ ready });
    expect((await request('/readyz')).response.status).toBe(status);
    for (const path of ['/livez', '/v2/', '/v2']) expect((await request(path)).response.status).toBe(200);
  });
});

describe('manifests', () => {
  const headers = {
    'content-type': MEDIA_TYPE.ociManifest,
    'content-length': String(MANIFEST.length),
    'docker-content-digest': DIGEST,
    'oci-namespace': 'registry.lab:5000',
  };

  test.each(['v1', DIGEST])('GET and HEAD of %s are answered from the store', async (reference) => {
    const { request, asked } = setUp({ has: true, peers: [{}] });
    for (const method of ['GET', 'HEAD']) {
      const { response } = await request(manifestUrl(reference), { method });
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toEqual({ ...headers, 'x-spegel-source': 'local' });
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(
        method === 'GET' ? MANIFEST : new Uint8Array(),
      );
    }
    expect(asked).toEqual([]);
  });

  test.each(['v1', DIGEST])(
    'GET and HEAD of %s are answered from a peer, and counted as hits',
    async (reference) => {
      const { request, metricsText } = setUp({ peers: [{}] });
      for (const method of ['HEAD', 'GET']) {
        const { response } = await request(manifestUrl(reference), { method });
        expect(response.status).toBe(200);
        expect(Object.fromEntries(response.headers)).toEqual({ ...headers, 'x-spegel-source': '10.0.0.1' });
      }
      expect(await metricsText()).toContain(
        'spegel_mirror_requests_total{registry="registry.lab:5000",cache="hit"} 2',
      );
    },
  );

  test('a GET by digest is answered with what HEAD of the tag has fetched, even if the peer is gone', async () => {
    const { request, asked, digest } = setUp({ peers: [{}] });
    await request(manifestUrl('v1'), { method: 'HEAD' });
    const { response } = await request(manifestUrl(digest));
    expect(response.status).toBe(200);
    expect(asked).toEqual(['p1 all']);
  });

  test('is 404 with the error of the spec, and a miss, when nobody has it', async () => {
    const { request, metricsText, missing } = setUp({});
    const { response, json } = await request(manifestUrl('v1'));
    expect(response.status).toBe(404);
    expect(await json()).toEqual({
      errors: [
        {
          code: 'MANIFEST_UNKNOWN',
          message: 'registry.lab:5000/lab/a:v1: no peer has it',
          detail: { attempts: 0, skipped: 0 },
        },
      ],
    });
    expect(missing).toEqual(['registry.lab:5000/lab/a:v1']);
    expect(await metricsText()).toContain(
      'spegel_mirror_requests_total{registry="registry.lab:5000",cache="miss"} 1',
    );
  });

  test('is not served when its bytes do not have its digest', async () => {
    const { request } = setUp({ has: true, corrupt: true });
    expect((await request(manifestUrl(DIGEST), { headers: MIRRORED })).response.status).toBe(404);
  });
});

describe('blobs', () => {
  test('GET is served from the store', async () => {
    const { request } = setUp({ has: true });
    const { client } = await request(blobUrl(DIGEST));
    expect(client.head()).toMatchObject({ status: 200, contentLength: MANIFEST.length });
    expect(new Uint8Array(client.body())).toEqual(MANIFEST);
  });

  test.each([true, false])(
    'HEAD with the blob in the store=%p says its size and moves nothing',
    async (has) => {
      const { request } = setUp({ has, peers: [{}] });
      const { response, client } = await request(blobUrl(DIGEST), { method: 'HEAD' });
      expect(response.status).toBe(200);
      expect(Object.fromEntries(response.headers)).toEqual({
        'content-type': MEDIA_TYPE.octetStream,
        'content-length': String(MANIFEST.length),
        'docker-content-digest': DIGEST,
        'accept-ranges': 'bytes',
        'oci-namespace': 'registry.lab:5000',
        'x-spegel-source': has ? 'local' : '10.0.0.1',
      });
      expect(client.head()).toBeUndefined();
    },
  );

  test('GET of a range that is unsatisfiable is 416 with the size', async () => {
    const { request } = setUp({ has: true });
    const { response } = await request(blobUrl(DIGEST), { headers: { range: 'bytes=9999-' } });
    expect(response.status).toBe(416);
    expect(response.headers.get('content-range')).toBe(`bytes */${MANIFEST.length}`);
  });

  test.each(['bytes=5-2', 'bytes=0-1,3-4', 'lines=1-2'])(
    'GET with the range %s is the whole body',
    async (range) => {
      const { request } = setUp({ has: true });
      const { client } = await request(blobUrl(DIGEST), { headers: { range } });
      expect(client.head()).toMatchObject({ status: 200, contentLength: MANIFEST.length });
    },
  );

  test('is 404 with the error of the spec when nobody has it', async () => {
    const { request, missing } = setUp({});
    const { response, json } = await request(blobUrl(DIGEST));
    expect(response.status).toBe(404);
    expect(await json()).toMatchObject({ errors: [{ code: 'BLOB_UNKNOWN' }] });
    expect(missing).toEqual([DIGEST]);
  });
});

describe('a request that another node forwarded', () => {
  const urls = [manifestUrl('v1'), manifestUrl(DIGEST), blobUrl(DIGEST)];
  test.each(urls)('%s is never forwarded again', async (url) => {
    for (const method of ['GET', 'HEAD']) {
      const { request, asked, metricsText } = setUp({ peers: [{}] });
      expect((await request(url, { method, headers: MIRRORED })).response.status).toBe(404);
      expect(asked).toEqual([]);
      expect(await metricsText()).not.toContain('spegel_mirror_requests_total{');
    }
  });

  test.each(urls)('%s is 503 while containerd is away, and nothing is said to be missing', async (url) => {
    const { request, missing } = setUp({ away: true });
    expect((await request(url, { headers: MIRRORED })).response.status).toBe(503);
    expect(missing).toEqual([]);
  });
});

test('while containerd is away, peers serve', async () => {
  const { request, missing } = setUp({ away: true, peers: [{}] });
  expect((await request(manifestUrl('v1'))).response.status).toBe(200);
  expect((await request(blobUrl(DIGEST))).client.head()).toMatchObject({ status: 200 });
  expect(missing).toEqual([]);
});

describe('what is no pull request', () => {
  const cases: [string, string, number, string][] = [
    ['GET', '/', 404, 'UNSUPPORTED'],
    ['GET', '/v2/lab/a/tags/list', 404, 'UNSUPPORTED'],
    ['GET', '/v2/lab/a/manifests/v1', 404, 'NAME_UNKNOWN'],
    ['GET', '/v2/LAB/manifests/v1?ns=r.lab', 400, 'NAME_INVALID'],
    ['GET', '/v2/lab/a/blobs/sha256:zz?ns=r.lab', 400, 'DIGEST_INVALID'],
    ['GET', `/v2/lab/%2e%2e/blobs/${DIGEST}`, 404, 'UNSUPPORTED'],
    ['POST', '/v2/lab/a/blobs/uploads/', 405, 'UNSUPPORTED'],
    ['PUT', manifestUrl('v1'), 405, 'UNSUPPORTED'],
    ['DELETE', manifestUrl('v1'), 405, 'UNSUPPORTED'],
  ];
  test.each(cases)('%s %s is %d', async (method, path, status, code) => {
    const { response, json } = await setUp({ has: true }).request(path, { method });
    expect(response.status).toBe(status);
    expect(await json()).toMatchObject({ errors: [{ code }] });
  });
});
