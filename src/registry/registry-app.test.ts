import { describe, expect, test } from 'bun:test';
import { createCanary, type Canary } from '../canary/canary.ts';
import { canaryRepository } from '../canary/canary-name.ts';
import { createTrustingVerifier } from '../integrity/testing/trusting-verifier.ts';
import type { ClientResponse } from '../http/transport.ts';
import { silentLogger } from '../observe/log.ts';
import { createPeerTraffic } from '../observe/peer-traffic.ts';
import type { EndedPull } from '../observe/pull-log.ts';
import { createTrafficLog } from '../observe/traffic-log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/media-type.ts';
import { parseReference } from '../oci/reference.ts';
import { type Clock, systemClock } from '../runtime/clock.ts';
import { createFairShares, type FairShares } from '../runtime/fair-shares.ts';
import { planMemory } from '../runtime/memory/memory-plan.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { StoreUnavailableError } from '../store/content-store.ts';
import { parseImageFilter } from '../store/image-filter.ts';
import { createSharingPolicy } from '../store/sharing-policy.ts';
import {
  createScriptedClient,
  createScriptedCluster,
  type PeerScript,
} from '../transfer/testing/scripted-cluster.ts';
import { createRegistryApp } from './registry-app.ts';
import type { Uploads } from './uploads.ts';
import { createRegistryShares, REQUEST_BYTES, type RegistryShares } from './registry-shares.ts';

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
  readonly filters?: readonly string[];
  readonly mirroredRegistries?: readonly string[];
  readonly authorization?: string;
  /** Default: those of a limit of 128 MiB. */
  readonly shares?: RegistryShares;
  /** What other machines may have. Default: no cap. */
  readonly uploads?: Pick<Uploads, 'begin'>;
  /** Default: no address is this node's own. */
  readonly isOwn?: boolean;
  /** Default: no address is another node's. */
  readonly isFavoured?: boolean;
  /** Gets the pulls that have ended. */
  readonly pulls?: EndedPull[];
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Names of the images that lead to the content. */
  readonly images?: readonly string[];
  readonly canary?: Canary;
  readonly readyNote?: string;
  /** The bytes of what the store has are in memory. */
  readonly isAtHand?: boolean;
}

function setUp(given: SetUp) {
  const { has = false, away = false, corrupt = false, peers = [], ready = true } = given;
  const { authorization, images = ['registry.lab:5000/lab/a:v1'] } = given;
  const cluster = createScriptedCluster(
    MANIFEST,
    peers,
    authorization === undefined ? {} : { authorization },
  );
  const references = images.map(parseReference);
  const mirroredRegistries =
    given.mirroredRegistries === undefined ? undefined : new Set(given.mirroredRegistries);
  const policy = createSharingPolicy(
    {
      store: { references: (digest) => (has && digest === DIGEST ? references : []) },
      clock: systemClock,
    },
    { registries: mirroredRegistries, filters: (given.filters ?? []).map(parseImageFilter) },
  );
  const metrics = createMetrics({ version: 'test', commit: 'test' });
  const missing: string[] = [];
  const traffic = { byHour: createTrafficLog(() => 0), byPeer: createPeerTraffic() };
  const guard = <T>(value: T): Promise<T> =>
    away ? Promise.reject(new StoreUnavailableError('containerd does not answer')) : Promise.resolve(value);
  const holds = (digest: Digest) => has && digest === DIGEST;
  const app = createRegistryApp(
    {
      verifier: createTrustingVerifier(),
      store: {
        registriesOf: (repository, tag) =>
          has
            ? references.flatMap((each) =>
                each.repository === repository && each.tag === tag ? each.registry : [],
              )
            : [],
        resolve: (registry, repository, tag) =>
          guard(
            has && `${registry}/${repository}:${tag}` === 'registry.lab:5000/lab/a:v1' ? DIGEST : undefined,
          ),
        stat: (digest, { bytesUpTo = 0 } = {}) =>
          guard(
            holds(digest)
              ? {
                  digest,
                  sizeBytes: MANIFEST.length,
                  path: 'file',
                  stamp: 0,
                  bytes: given.isAtHand === true && MANIFEST.length <= bytesUpTo ? MANIFEST : undefined,
                }
              : undefined,
          ),
        read: (digest) => guard(holds(digest) ? (corrupt ? encode({ layers: [] }) : MANIFEST) : undefined),
      },
      transfer: cluster.transfer,
      ready: () => ready,
      contentMissing: (key) => void missing.push(key),
      prefetch: () => {},
      metrics,
      logger: silentLogger,
      clock: given.clock ?? systemClock,
      policy,
      shares: given.shares ?? createRegistryShares(systemClock, planMemory()),
      isFavoured: () => given.isFavoured === true,
      uploads: given.uploads,
      isOwn: () => given.isOwn === true,
      canary: given.canary,
      readyNote: () => given.readyNote,
      pulls: { ended: (pull) => void given.pulls?.push(pull), runningFrom() {} },
      traffic,
    },
    { mirroredRegistries, authorization, manifestCacheBytes: 1_000_000 },
  );
  const request = async (path: string, init: RequestInit = {}) => {
    const client = createScriptedClient();
    const { status, headers, body } = await app(new Request(`http://node:5000${path}`, init), client.client);
    // As a client sees it.
    const isHead = init.method === 'HEAD';
    const response = new Response(isHead ? null : body && new Uint8Array(body), { status, headers });
    return { response, client, json: async (): Promise<unknown> => response.json() };
  };
  return {
    app,
    request,
    missing,
    traffic,
    metricsText: async () => (await metrics.expose()).body,
    ...cluster,
  };
}

const manifestUrl = (reference: string, ns = 'registry.lab:5000') =>
  `/v2/lab/a/manifests/${reference}?ns=${ns}`;
const blobUrl = (digest: string) => `/v2/lab/a/blobs/${digest}?ns=registry.lab:5000`;

describe('traffic', () => {
  const NONE = { hits: 0, misses: 0, localBytes: 0, peerBytes: 0, upstreamBytes: 0, givenBytes: 0 };
  const size = MANIFEST.length;

  test.each<[what: string, given: SetUp, headers: Record<string, string>, hour: Partial<typeof NONE>]>([
    ['what is here', { isOwn: true, has: true }, {}, { hits: 1, localBytes: size }],
    ['what a peer has', { isOwn: true, peers: [{}] }, {}, { hits: 1, peerBytes: size }],
    ['what no node has', { isOwn: true }, {}, { misses: 1 }],
    ['what another node gets', { isFavoured: true, has: true }, MIRRORED, { givenBytes: size }],
  ])('counts %s', async (_what, given, headers, hour) => {
    const { request, traffic } = setUp(given);
    await (await request(manifestUrl(DIGEST), { headers })).response.arrayBuffer();
    expect(traffic.byHour.hours()).toEqual([{ startedAtMs: 0, ...NONE, ...hour }]);
  });

  test.each<[what: string, given: SetUp, headers: Record<string, string>]>([
    ['a stranger gets', { has: true }, {}],
    ['a stranger gets that says to be a node', { has: true }, MIRRORED],
    ['another node does not get', { isFavoured: true }, MIRRORED],
  ])('does not count what %s', async (_what, given, headers) => {
    const { request, traffic } = setUp(given);
    await request(manifestUrl(DIGEST), { headers });
    expect(traffic.byHour.hours()).toEqual([]);
  });

  test('knows what was taken from which peer, and given to which', async () => {
    const taking = setUp({ isOwn: true, peers: [{}] });
    await taking.request(manifestUrl(DIGEST));
    expect(taking.traffic.byPeer.of(['10.0.0.1'])).toEqual({ takenBytes: size, givenBytes: 0 });
    const giving = setUp({ isFavoured: true, has: true });
    const { client } = await giving.request(manifestUrl(DIGEST), { headers: MIRRORED });
    const { remoteAddress } = client.client;
    expect(giving.traffic.byPeer.of([remoteAddress])).toEqual({ takenBytes: 0, givenBytes: size });
  });
});

describe('readiness', () => {
  test.each([
    [true, 200],
    [false, 500],
  ])('GET /readyz with a router that is ready=%p is %d; /livez and /v2/ are 200', async (ready, status) => {
    const { request } = setUp({ ready });
    expect((await request('/readyz')).response.status).toBe(status);
    for (const path of ['/livez', '/v2/', '/v2']) {
      for (const method of ['GET', 'HEAD']) {
        expect((await request(path, { method, headers: MIRRORED })).response.status).toBe(200);
      }
    }
  });
});

describe('the note of /readyz', () => {
  test.each([
    [true, undefined, ''],
    [true, 'a note', 'a note'],
    [false, undefined, 'the router is not ready'],
    [false, 'a note', 'the router is not ready\na note'],
  ])('of a router that is ready=%p, with the note %p: %p', async (ready, readyNote, text) => {
    const { request } = setUp(readyNote === undefined ? { ready } : { ready, readyNote });
    const { response } = await request('/readyz');
    expect([response.status, await response.text()]).toEqual([ready ? 200 : 500, text]);
  });
});

describe('the canary', () => {
  /** A canary whose containerd does what the test says while it is told to pull. */
  const canaryOf = (pull: (path: string) => Promise<void>) =>
    createCanary(
      {
        runtime: {
          pull: async (reference) => {
            const [, repository, tag] = /^[^/]+\/(.+):(.+)$/.exec(reference) ?? [];
            await pull(`/v2/${repository}/manifests/${tag}?ns=registry.lab:5000`);
          },
          remove: async () => {},
          listImages: async () => [],
          isUp: async () => true,
        },
        random: () => crypto.randomUUID().replaceAll('-', ''),
        onEnded: () => {},
        clock: systemClock,
        logger: silentLogger,
      },
      { registry: 'registry.lab:5000', architecture: 'amd64' },
    );
  const { signal } = new AbortController();

  test('is answered, and counted for itself alone', async () => {
    const pulls: EndedPull[] = [];
    const statuses: number[] = [];
    const canary = canaryOf(async (path) => {
      statuses.push((await request(path)).response.status);
      statuses.push((await request(path, { method: 'HEAD' })).response.status);
      statuses.push((await request(path, { headers: MIRRORED })).response.status);
    });
    const { request, asked, missing, metricsText } = setUp({ canary, isOwn: true, pulls, peers: [{}] });
    expect(await canary.run(signal)).toMatchObject({ outcome: 'used', requests: 2 });
    const over = `/v2/${canaryRepository('0'.repeat(32))}/manifests/v1?ns=registry.lab:5000`;
    statuses.push((await request(over)).response.status);
    expect(statuses).toEqual([200, 200, 404, 404]);
    expect([asked, missing, pulls]).toEqual([[], [], []]);
    const text = await metricsText();
    expect(text).not.toMatch(/spegel_mirror_requests_total\{|handler="(registry|mirror)"/);
    expect(text).toContain('http_requests_inflight{handler="canary"} 0\n');
  });

  test('is refused without the password, which its result says', async () => {
    const statuses: number[] = [];
    const canary = canaryOf(async (path) => {
      statuses.push((await request(path)).response.status);
      throw new Error('not found');
    });
    const { request } = setUp({ canary, authorization: 'Basic YTpi' });
    const { outcome, text } = await canary.run(signal);
    expect([statuses, outcome]).toEqual([[401], 'not-used']);
    expect(text).toContain('without the password of --basic-auth-dir');
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
          detail: { attempts: 0, skipped: 0, reason: 'no-record' },
        },
      ],
    });
    expect(missing).toEqual(['registry.lab:5000/lab/a:v1']);
    expect(await metricsText()).toContain(
      'spegel_mirror_requests_total{registry="registry.lab:5000",cache="miss"} 1',
    );
  });

  test.each<[string, SetUp, string]>([
    ['no node is known to have it', {}, 'no-record'],
    ['the peer does not have it', { peers: [{ status: 404 }] }, 'peers-refused'],
    ['the peer gives as much as it may', { peers: [{ status: 503 }] }, 'peers-busy'],
    ['a filter leaves it out', { filters: ['lab/a'] }, 'filter'],
  ])('says why in a header when %s, and in the summary of the pull', async (_what, given, reason) => {
    const pulls: EndedPull[] = [];
    const clock = createVirtualClock();
    const { request } = setUp({ ...given, isOwn: true, pulls, clock });
    for (const method of ['HEAD', 'GET']) {
      const { response } = await request(manifestUrl('v1'), { method });
      expect(response.headers.get('x-spegel-miss')).toBe(reason);
    }
    await clock.advance(20_000);
    expect(pulls).toMatchObject([
      { outcome: 'missing', misses: [{ kind: 'manifest', reference: 'v1', reason }] },
    ]);
  });

  test('tells of no pull when another machine asks', async () => {
    const pulls: EndedPull[] = [];
    const clock = createVirtualClock();
    await setUp({ pulls, clock, peers: [{}] }).request(manifestUrl('v1'));
    await setUp({ pulls, clock, peers: [{}], isOwn: true }).request(manifestUrl('v1'), { headers: MIRRORED });
    await clock.advance(20_000);
    expect(pulls).toEqual([]);
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

  describe('whose bytes are in memory', () => {
    test.each([
      [undefined, 200, [0, MANIFEST.length], null],
      ['bytes=2-5', 206, [2, 6], `bytes 2-5/${MANIFEST.length}`],
      [
        'bytes=-3',
        206,
        [MANIFEST.length - 3, MANIFEST.length],
        `bytes ${MANIFEST.length - 3}-${MANIFEST.length - 1}/${MANIFEST.length}`,
      ],
      ['bytes=5-2', 200, [0, MANIFEST.length], null],
    ] as const)(
      'are the answer itself: range %s is %d',
      async (range, status, [start, end], contentRange) => {
        const { request, traffic } = setUp({ has: true, isAtHand: true, isOwn: true });
        const { response, client } = await request(
          blobUrl(DIGEST),
          range === undefined ? {} : { headers: { range } },
        );
        expect(client.client.begun).toBe(false);
        expect(response.status).toBe(status);
        expect(response.headers.get('content-range')).toBe(contentRange);
        expect(response.headers.get('content-length')).toBe(String(end - start));
        expect(response.headers.get('docker-content-digest')).toBe(DIGEST);
        expect(new Uint8Array(await response.arrayBuffer())).toEqual(MANIFEST.subarray(start, end));
        expect(traffic.byHour.hours()).toMatchObject([{ hits: 1, localBytes: end - start }]);
      },
    );

    test('are asked for by no HEAD, and not sent for a range that is unsatisfiable', async () => {
      const { request, traffic } = setUp({ has: true, isAtHand: true, isOwn: true });
      const head = await request(blobUrl(DIGEST), { method: 'HEAD' });
      expect(head.response.headers.get('content-length')).toBe(String(MANIFEST.length));
      const beyond = await request(blobUrl(DIGEST), { headers: { range: 'bytes=9999-' } });
      expect(beyond.response.status).toBe(416);
      expect(beyond.response.headers.get('content-range')).toBe(`bytes */${MANIFEST.length}`);
      expect(traffic.byHour.hours()).toEqual([]);
    });

    test('are sent to another node with what this node says of itself', async () => {
      const { request } = setUp({ has: true, isAtHand: true });
      const { response } = await request(blobUrl(DIGEST), { headers: MIRRORED });
      expect(response.headers.get('x-spegel-node')).toBe('uploads=0');
    });
  });

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

  test.each(urls)(
    'the answer to %s says what this node tells of itself, and a client is not told',
    async (url) => {
      const { request } = setUp({ has: true });
      for (const method of ['GET', 'HEAD']) {
        const toldTo = async (headers: Record<string, string>) => {
          const { response, client } = await request(url, { method, headers });
          return client.head()?.headers['x-spegel-node'] ?? response.headers.get('x-spegel-node');
        };
        expect(await toldTo(MIRRORED)).toMatch(/^uploads=[01]$/);
        expect(await toldTo({})).toBeNull();
      }
    },
  );

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

describe('clients that know no ns', () => {
  const get = async (path: string, given: SetUp = {}) => {
    const { response } = await setUp({ has: true, ...given }).request(path);
    return { status: response.status, namespace: response.headers.get('oci-namespace') };
  };

  test('a digest needs no registry, here or at a peer', async () => {
    const answer = { status: 200, namespace: null };
    expect(await get(`/v2/lab/a/manifests/${DIGEST}`)).toEqual(answer);
    expect(await get(`/v2/lab/a/manifests/${DIGEST}`, { has: false, peers: [{}] })).toEqual(answer);
    expect(await get(`/v2/any/name/manifests/${DIGEST}`)).toEqual(answer);
  });

  test.each(['registry.lab:5000/lab/a', 'lab/a'])('a tag of %s is found', async (name) => {
    expect(await get(`/v2/${name}/manifests/v1`)).toEqual({ status: 200, namespace: 'registry.lab:5000' });
  });

  test('a tag that several registries have here is an error that names them', async () => {
    const { request } = setUp({ has: true, images: ['r1.lab/lab/a:v1', 'r2.lab/lab/a:v1'] });
    const { response, json } = await request('/v2/lab/a/manifests/v1');
    expect(response.status).toBe(404);
    expect(JSON.stringify(await json())).toContain('r1.lab, r2.lab have it');
  });

  test('a filtered registry does not count', async () => {
    const images = ['registry.lab:5000/lab/a:v1', 'secret.lab/lab/a:v1'];
    const given = { images, filters: ['^secret'] };
    expect(await get('/v2/lab/a/manifests/v1', given)).toEqual({
      status: 200,
      namespace: 'registry.lab:5000',
    });
  });

  test('a tag that is not here is asked for at the one registry that is mirrored', async () => {
    const given = { has: false, peers: [{}], mirroredRegistries: ['only.lab'] };
    expect(await get('/v2/lab/a/manifests/v1', given)).toEqual({ status: 200, namespace: 'only.lab' });
  });
});

describe('what is not shared', () => {
  const filters = ['^registry.lab:5000/lab/'];
  const urls = [manifestUrl('v1'), manifestUrl(DIGEST), blobUrl(DIGEST)];
  test.each(urls)('%s is 404, for nodes and for own clients, and no peer is asked', async (url) => {
    for (const rules of [{ filters }, { mirroredRegistries: ['other.lab'] }]) {
      const { request, asked } = setUp({ has: true, peers: [{}], ...rules });
      for (const headers of [{}, MIRRORED]) {
        for (const method of ['GET', 'HEAD']) {
          expect((await request(url, { method, headers })).response.status).toBe(404);
        }
      }
      expect(asked).toEqual([]);
    }
  });

  test('its content is not served under the name of something else', async () => {
    const { request } = setUp({ has: true, filters });
    const path = `/v2/open/blobs/${DIGEST}`;
    for (const ns of ['', '?ns=registry.lab:5000', '?ns=other.lab']) {
      expect((await request(path + ns, { headers: MIRRORED })).response.status).toBe(404);
    }
  });

  test('content that an image shares too is served', async () => {
    const images = ['registry.lab:5000/lab/a:v1', 'other.lab/open:v1'];
    const { request } = setUp({ has: true, filters, images });
    const { client } = await request(`/v2/open/blobs/${DIGEST}?ns=other.lab`, { headers: MIRRORED });
    expect(client.head()).toMatchObject({ status: 200 });
  });
});

describe('basic auth', () => {
  const authorization = `Basic ${btoa('user:secret')}`;
  const setUpAuth = () => setUp({ has: true, authorization, peers: [{}] });

  const routes: [string, number][] = [
    ['/v2', 401],
    ['/v2/', 401],
    [manifestUrl('v1'), 401],
    [manifestUrl(DIGEST), 401],
    [blobUrl(DIGEST), 401],
    ['/v2/lab/a/tags/list', 401],
    ['/v2/anything', 401],
    ['//v2', 401],
    ['//v2/', 401],
    [`//${manifestUrl('v1')}`, 401],
    ['/livez', 200],
    ['/readyz', 200],
    ['/', 404],
  ];
  test.each(routes)('a stranger gets for %s: %d', async (path, status) => {
    for (const header of [undefined, 'Basic', 'Basic !', `Basic ${btoa('user:wrong')}`, 'Bearer abc']) {
      const headers: Record<string, string> = { ...MIRRORED };
      if (header !== undefined) headers['authorization'] = header;
      const { response, client } = await setUpAuth().request(path, { headers });
      expect(response.status).toBe(status);
      expect(client.head()).toBeUndefined();
      // containerd would offer the pull secret's credentials.
      expect(response.headers.has('www-authenticate')).toBe(false);
    }
  });

  test('whoever has the credentials is served, and peers are asked with them', async () => {
    for (const given of [authorization, authorization.replace('Basic', 'basic ')]) {
      const headers = { authorization: given };
      expect((await setUpAuth().request('/v2/', { headers })).response.status).toBe(200);
      expect((await setUpAuth().request(manifestUrl('v1'), { headers })).response.status).toBe(200);
      const { request, asked } = setUp({ authorization, peers: [{}] });
      expect((await request(manifestUrl('v1'), { headers })).response.status).toBe(200);
      expect(asked).toEqual(['p1 all']);
    }
  });
});

test('a miss is remembered for the second target, and content that appears here is answered at once', async () => {
  const given = { has: false, peers: [{ status: 404 }] };
  const { request, asked } = setUp(given);
  for (let n = 0; n < 2; n++) expect((await request(blobUrl(DIGEST))).response.status).toBe(404);
  expect(asked).toHaveLength(1);
});

test('a path may begin with several slashes, as where the URL of a mirror ends in a slash', async () => {
  const { request } = setUp({ has: true });
  for (const path of ['//v2', '//v2/', `/${manifestUrl('v1')}`, `///${blobUrl(DIGEST)}`]) {
    expect((await request(path)).response.status).toBe(200);
  }
  for (const path of ['//livez', '//v2x', '//x/v2/']) {
    expect((await request(path)).response.status).toBe(404);
  }
});

describe('what is no pull request', () => {
  const cases: [string, string, number, string][] = [
    ['GET', '/', 404, 'UNSUPPORTED'],
    ['GET', '/v2/lab/a/tags/list', 404, 'UNSUPPORTED'],
    ['GET', '/v2/lab/other/manifests/v1', 404, 'NAME_UNKNOWN'],
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

describe('shares', () => {
  /** Shares of which nothing is left. */
  const none: FairShares = { enter: async () => undefined, held: 1, waiting: 0 };
  const all = createRegistryShares(systemClock, planMemory());

  test.each<[string, Partial<RegistryShares>, string, number]>([
    ['requests', { requests: none }, manifestUrl(DIGEST), 503],
    ['manifests, for one that peers have', { manifests: none }, manifestUrl(DIGEST), 503],
    ['bodies', { bodies: none }, blobUrl(DIGEST), 503],
    ['bodies, for a manifest', { bodies: none }, manifestUrl(DIGEST), 200],
    ['requests, for a probe', { requests: none }, '/readyz', 200],
  ])('without a share of %s: %#', async (_what, shares, url, status) => {
    const { request } = setUp({ peers: [{}], shares: { ...all, ...shares } });
    const { response, json } = await request(url);
    expect(response.status).toBe(status);
    if (status === 503) expect(await json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
  });

  test('a short blob of this node needs no share of the bodies', async () => {
    const { request } = setUp({ has: true, shares: { ...all, bodies: none } });
    expect((await request(blobUrl(DIGEST))).response.status).toBe(200);
  });

  test('what no node had a moment ago needs no share of the bodies, and is counted as before', async () => {
    let left = 1;
    const bodies: FairShares = {
      enter: () => (left-- > 0 ? { [Symbol.dispose]() {} } : undefined),
      held: 0,
      waiting: 0,
    } as unknown as FairShares;
    const begun: unknown[] = [];
    const uploads = {
      begin: async () => {
        begun.push(undefined);
        return { [Symbol.dispose]() {} };
      },
    };
    const { request, metricsText } = setUp({ shares: { ...all, bodies }, uploads });
    for (let n = 0; n < 3; n++) {
      const { response, json } = await request(blobUrl(DIGEST));
      expect([response.status, response.headers.get('x-spegel-miss')]).toEqual([404, 'no-record']);
      expect(await json()).toMatchObject({ errors: [{ code: 'BLOB_UNKNOWN' }] });
    }
    expect(begun).toHaveLength(1);
    expect(await metricsText()).toContain(
      'spegel_mirror_requests_total{registry="registry.lab:5000",cache="miss"} 3',
    );
  });

  test('a client that does not read a short blob gives way to a request that waits', async () => {
    const requests = createFairShares({
      clock: systemClock,
      total: REQUEST_BYTES,
      reserved: 0,
      waitMs: 10_000,
      maxWaiting: 10,
      stallMs: 1,
    });
    const { app } = setUp({ has: true, shares: { ...all, requests } });
    const brokenOff = Promise.withResolvers<void>();
    const moving = Promise.withResolvers<void>();
    const { client: reader } = createScriptedClient();
    const stalled: ClientResponse = {
      ...reader,
      stalledMs: 1000,
      async move() {
        moving.resolve();
        await brokenOff.promise;
        return { how: 'client-gone', movedBytes: 0 };
      },
      breakOff: () => brokenOff.resolve(),
    };
    const ask = async (client: ClientResponse) =>
      app(new Request(`http://node:5000${blobUrl(DIGEST)}`), client);
    const first = ask(stalled);
    await moving.promise;
    const second = await ask(createScriptedClient().client);
    expect(second.status).toBe(200);
    await first;
    expect(requests.held).toBe(0);
  });

  test.each<[string, Partial<SetUp>, string, number, number]>([
    ['a blob that a peer has', { peers: [{}] }, blobUrl(DIGEST), 503, 1],
    ['a blob that a peer has, to this node itself', { peers: [{}], isOwn: true }, blobUrl(DIGEST), 200, 0],
    ['a short blob of this node', { has: true }, blobUrl(DIGEST), 200, 0],
    ['a manifest', { peers: [{}] }, manifestUrl(DIGEST), 200, 0],
    ['a probe', {}, '/livez', 200, 0],
  ])('while no upload may begin, %s is answered as expected', async (_what, given, url, status, refused) => {
    const { request, metricsText } = setUp({ ...given, uploads: { begin: async () => undefined } });
    const { response, json } = await request(url);
    expect(response.status).toBe(status);
    if (status === 503) expect(await json()).toMatchObject({ errors: [{ code: 'UNAVAILABLE' }] });
    expect(await metricsText()).toContain(`spegel_uploads_refused_total ${refused}\n`);
  });

  test('an upload ends with its body, whatever becomes of it', async () => {
    let running = 0;
    const begin = async () => {
      running++;
      return { [Symbol.dispose]: () => void running-- };
    };
    for (const peers of [[{}], []]) {
      const { request } = setUp({ peers, uploads: { begin } });
      await request(blobUrl(DIGEST));
      expect(running).toBe(0);
    }
  });

  test('shares are given back, whatever becomes of the request', async () => {
    const shares = createRegistryShares(systemClock, planMemory());
    for (const given of [{ has: true }, { peers: [{}] }, { peers: [] }, { away: true }]) {
      const { request } = setUp({ ...given, shares });
      for (const url of [manifestUrl(DIGEST), manifestUrl('v1'), blobUrl(DIGEST)]) await request(url);
    }
    expect([shares.requests.held, shares.bodies.held, shares.manifests.held]).toEqual([0, 0, 0]);
  });
});
