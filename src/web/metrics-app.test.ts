import { describe, expect, test } from 'bun:test';
import { USED_CANARY } from '../canary/canary-result.fixture.ts';
import { CANARY_PATH, type CanaryResult } from '../canary/canary-result.ts';
import { silentLogger } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { WHY_PATH, whyQuery, type WhyQuestion, type WhyReport } from '../routing/why-report.ts';
import { createPullLog, type EndedPull, type PullDetails } from '../observe/pull-log.ts';
import { createTransferLog, type EndedTransfer } from '../observe/transfer-log.ts';
import { digestOf } from '../oci/digest.ts';
import {
  FIND_PATH,
  type FindReport,
  findQuery,
  PEERS_PATH,
  type PeersReport,
} from '../routing/peers-report.ts';
import { FLIGHTS_PATH, flightsQuery } from '../routing/flights-report.ts';
import type { Peer, Router } from '../routing/router.ts';
import { aborted } from '../runtime/abortable.ts';
import { createVirtualClock } from '../runtime/testing/virtual-clock.ts';
import { HOLDERS_PATH, type HoldersQuestion, IMAGES_PATH, imagesQuery } from './images-report.ts';
import { LIVE_PATH } from './live-report.ts';
import { createMetricsApp, type MetricsAppDeps } from './metrics-app.ts';

const DIGEST = digestOf(new TextEncoder().encode('content'));
const PEER: Peer = { id: '12D3KooWpeer', addresses: ['10.0.0.2'] };
const STATE = {
  ...PEER,
  multiaddrs: ['/ip4/10.0.0.2/tcp/5001'],
  connected: true,
  state: 'connected',
  inStateMs: 61_000,
  isMember: true,
} as const;
const EVIL = '"><script>alert(1)</script>\'&\u2028\u2029';
const TAG = { registry: 'registry.lab:5000', repository: 'a/b', tag: 'v1', digest: DIGEST };
const PULL: EndedPull = {
  image: 'registry.lab:5000/a:v1',
  digest: DIGEST,
  outcome: 'partly',
  durationMs: 2500,
  localBytes: 0,
  peerBytes: 1000,
  flightBytes: 0,
  peers: [{ address: '10.0.0.1', bytes: 1000, bytesPerSecond: 400 }],
  misses: [{ kind: 'blob', reference: DIGEST, reason: 'no-record' }],
  missCount: 1,
};
const DETAILS: PullDetails = {
  id: 1,
  upstreamBytes: 500,
  wantedBytes: 1500,
  blobs: [
    {
      kind: 'layer',
      reference: DIGEST,
      sizeBytes: 500,
      movedBytes: 0,
      state: 'missing',
      from: [],
      reason: 'no-record',
    },
  ],
  blobCount: 1,
};
const VIEW = {
  order: 'last',
  why: 'slow',
  answerMs: 1.26,
  bytesPerSecond: 1000.4,
  uploads: 3,
} as const;
const HEALTH = {
  version: '1.2.3',
  startedAt: '2026-01-01T00:00:00.000Z',
  isStoreConnected: true,
  damagedBlobs: 0,
  memory: { usedBytes: 1_500_000 },
};
const WHY: WhyReport = {
  key: DIGEST,
  isReady: true,
  isStoreConnected: true,
  filters: [],
  resolveTimeoutMs: 20,
  contents: [],
  omitted: 0,
};
const RESUMED: EndedTransfer = {
  kind: 'blob',
  registry: 'registry.lab:5000',
  repository: 'a/b',
  tag: undefined,
  digest: DIGEST,
  forwarded: false,
  sources: [
    { origin: '10.0.0.2', movedBytes: 400, ended: 'stalled' },
    { origin: '10.0.0.3', movedBytes: 834, ended: 'complete' },
  ],
  flight: {
    role: 'child',
    parent: { origin: '10.0.0.3', peer: '12D3KooWpeer' },
    heldMs: 1200,
    aside: undefined,
  },
  movedBytes: 1234,
  durationMs: 1500.4,
  outcome: 'resumed',
};

function setUp({
  debugWebEnabled = true,
  lookup,
  flights,
  why = async () => WHY,
  canary,
}: {
  debugWebEnabled?: boolean;
  lookup?: Router['lookup'];
  flights?: MetricsAppDeps['flights'];
  why?: MetricsAppDeps['why'];
  canary?: MetricsAppDeps['canary'];
} = {}) {
  const stop = new AbortController();
  const gone = new AbortController();
  const clock = createVirtualClock();
  const keys: string[] = [];
  let peersReads = 0;
  const router: Router = {
    ready: () => true,
    lookup:
      lookup ??
      async function* found(key) {
        keys.push(key);
        yield PEER;
      },
    isUnsettled: () => false,
    advertise: async () => {},
    withdraw: async () => {},
    async peers() {
      peersReads++;
      return [STATE];
    },
    self: () => ({ id: EVIL, multiaddrs: ['/ip4/10.0.0.1/tcp/5001'] }),
  };
  const counts = new Map([[EVIL, 3]]);
  const transfers = createTransferLog(() => Date.UTC(2026, 0, 2, 3, 4, 5));
  transfers.ended({
    kind: 'manifest',
    registry: undefined,
    repository: EVIL,
    tag: EVIL,
    digest: EVIL,
    forwarded: true,
    sources: [],
    flight: undefined,
    movedBytes: 0,
    durationMs: 3,
    outcome: 'missing',
  });
  transfers.ended(RESUMED);
  const pulls = createPullLog(() => Date.UTC(2026, 0, 2, 3, 4, 15));
  pulls.ended({ ...PULL, ...DETAILS }, 10_000);
  const metrics = createMetrics({ version: 'test', commit: 'test' });
  const advertised = () => ({ imageTags: counts, imageDigests: counts, contentDigests: counts });
  metrics.advertisedFrom(advertised);
  const app = createMetricsApp(
    {
      metrics,
      advertised,
      advertisedTags: () => [
        { registry: 'registry.lab:5000', repository: 'b', tag: EVIL, digest: DIGEST },
        TAG,
      ],
      metricsPort: 9091,
      transfers,
      pulls,
      why,
      router,
      flights,
      bootstrap: () => ({ kind: 'dns', outcome: 'joined', reason: undefined }),
      hasLocally: async () => true,
      canary,
      live: {
        router,
        viewOf: () => ({ ...VIEW, name: 'node-2' }),
        byPeer: { of: () => ({ takenBytes: 5, givenBytes: 7 }) },
        byHour: { hours: () => [] },
        pulls,
        health: () => HEALTH,
        wallClockMs: () => Date.UTC(2026, 0, 2),
        clock,
      },
      clock,
      logger: silentLogger,
    },
    { debugWebEnabled },
    stop.signal,
  );
  const send = async (path: string, init?: RequestInit, remoteAddress = '10.0.0.9') =>
    app(new Request(`http://node:9090${path}`, init), { remoteAddress, gone: gone.signal });
  const request = async (path: string, init?: RequestInit, remoteAddress?: string) => {
    const answer = await send(path, init, remoteAddress);
    if (answer instanceof Response) return answer;
    if ('next' in answer) throw new Error('The answer is a stream');
    const { body = null, ...head } = answer;
    return new Response(body, head);
  };
  const get = async (path: string) => request(path);
  return { get, send, request, keys, clock, stop, gone, peersReads: () => peersReads };
}

describe('/debug/canary', () => {
  const setUpCanary = (restMs = 0, isRunning = false) => {
    let last: CanaryResult | undefined;
    const canary = {
      last: () => last,
      run: async () => (last = USED_CANARY),
      isRunning: () => isRunning,
      restMs: () => restMs,
    };
    // The page is not needed for it.
    return setUp({ canary, debugWebEnabled: false });
  };
  const post = (headers: Record<string, string> = {}) => ({
    method: 'POST',
    headers: { host: 'node:9090', ...headers },
  });

  test('has the last result, and runs for a POST', async () => {
    const { get, request } = setUpCanary();
    expect(await (await get(CANARY_PATH)).json()).toEqual({ last: null });
    expect(await (await request(CANARY_PATH, post())).json()).toEqual({ last: USED_CANARY });
    expect(await (await get(CANARY_PATH)).json()).toEqual({ last: USED_CANARY });
  });

  test('has a POST wait its time, but for a run that is under way', async () => {
    const { get, request } = setUpCanary(8001);
    const early = await request(CANARY_PATH, post());
    expect([early.status, early.headers.get('retry-after')]).toEqual([429, '9']);
    expect(await (await get(CANARY_PATH)).json()).toEqual({ last: null });
    expect((await setUpCanary(8001, true).request(CANARY_PATH, post())).status).toBe(200);
  });

  test.each([
    ['http://node:9090', 200],
    ['http://node', 403],
    ['http://elsewhere.test:9090', 403],
    ['null', 403],
  ])('answers a POST of a page of %s with %d', async (origin, status) => {
    expect((await setUpCanary().request(CANARY_PATH, post({ origin }))).status).toBe(status);
  });

  test('is not there without a canary', async () => {
    const { get, request } = setUp();
    expect((await get(CANARY_PATH)).status).toBe(404);
    expect((await request(CANARY_PATH, post())).status).toBe(404);
  });
});

describe('createMetricsApp()', () => {
  test('exposes metrics, brought up to date', async () => {
    const response = await setUp().get('/metrics');
    expect(response.headers.get('content-type')).toStartWith('text/plain');
    const body = await response.text();
    const label = EVIL.replaceAll('"', String.raw`\"`);
    expect(body).toContain(`spegel_advertised_image_tags{registry="${label}"} 3`);
  });

  test('lists the peers', async () => {
    const report: PeersReport = {
      self: { id: EVIL, addresses: ['/ip4/10.0.0.1/tcp/5001'] },
      ready: true,
      bootstrap: { kind: 'dns', outcome: 'joined', reason: undefined },
      counts: { connected: 1, suspect: 0, dead: 0, known: 0, members: 1 },
      peers: [STATE],
    };
    expect(await (await setUp().get(PEERS_PATH)).json()).toEqual(report);
  });

  test.each([DIGEST, 'registry.lab:5000/a/b:v1'])('finds who has %s', async (key) => {
    const { get, keys } = setUp();
    const response = await get(`${FIND_PATH}?${findQuery({ key, timeoutMs: 1000 })}`);
    const report = (await response.json()) as FindReport;
    expect(report).toEqual({
      key,
      local: true,
      tookMs: expect.any(Number),
      providers: [{ ...PEER, tookMs: expect.any(Number) }],
    });
    expect(keys).toEqual([key]);
  });

  test.each([
    '',
    'key=',
    'key=nginx',
    'key=r.lab/a@sha256:zz',
    `key=${DIGEST}&timeout=0`,
    `key=${DIGEST}&timeout=x`,
    `key=${DIGEST}&timeout=99999`,
  ])('refuses to find %j', async (query) => {
    const { get, keys } = setUp();
    expect((await get(`/debug/peers/find?${query}`)).status).toBe(400);
    expect(keys).toEqual([]);
  });

  test('refuses more lookups at once than a few, and takes new ones when these have ended', async () => {
    const release = Promise.withResolvers<void>();
    const { get } = setUp({
      // oxlint-disable-next-line require-yield -- it finds nobody
      async *lookup() {
        await release.promise;
      },
    });
    const find = async () => (await get(`/debug/peers/find?key=${DIGEST}`)).status;
    const all = Array.from({ length: 10 }, find);
    expect(await all.at(-1)).toBe(503);
    release.resolve();
    expect((await Promise.all(all)).filter((status) => status === 200)).toHaveLength(4);
    expect(await find()).toBe(200);
  });

  test('has a page that shows what the stream tells, and leads to the pages of peers at their own port', async () => {
    const { request } = setUp({ flights: () => ({ maxHoldMs: 1, downloads: [], flights: [] }) });
    // Through a forwarded port.
    const response = await request('/debug/web/', { headers: { host: '127.0.0.1:30090' } });
    const page = await response.text();
    for (const text of [
      'spegel 1.2.3',
      'href="http://10.0.0.2:9091/debug/web/"',
      'data-port="9091"',
      'asked last: was slow a moment ago',
      '<b>a/b:v1</b>',
      '<b>a:v1</b>',
      'no node had it',
      'Nothing is streamed just now',
    ]) {
      expect(page).toContain(text);
    }
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  test('writes one page for all that ask for it at the same time', async () => {
    const { send, peersReads } = setUp();
    const asks = ['127.0.0.1:9090', '127.0.0.1:1', '[::1]:9090'].map(async (host) =>
      send('/debug/web/', { headers: { host } }),
    );
    const bodies = (await Promise.all(asks)).map((answer) => ('body' in answer ? answer.body : undefined));
    expect(bodies[0]?.constructor.name).toBe('Buffer');
    expect(new Set(bodies).size).toBe(1);
    expect(peersReads()).toBe(1);
    await send('/debug/web/');
    expect(peersReads()).toBe(2);
  });

  test('writes the pulls once for all that ask for them at the same time', async () => {
    const { send } = setUp();
    const answers = await Promise.all([send('/debug/pulls'), send('/debug/pulls')]);
    const [one, two] = answers.map((answer) => ('body' in answer ? answer.body : undefined));
    expect(one).toBeInstanceOf(Uint8Array);
    expect(two).toBe(one);
  });

  test('escapes everything on the page, and lets a browser load nothing and run its own script only', async () => {
    const response = await setUp().get('/debug/web/');
    const page = await response.text();
    expect(page).not.toContain(EVIL);
    const escaped = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&#39;&amp;\u2028\u2029';
    expect(page.split(escaped).length).toBeGreaterThan(3);
    expect(page.match(/<script/g)).toHaveLength(1);
    expect(page).not.toMatch(/\s(?:src|style|on\w+)=/);
    expect(response.headers.get('content-security-policy')).toStartWith(
      "default-src 'none'; script-src 'sha256-",
    );
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('tells the images and transfers as JSON', async () => {
    const { get } = setUp();
    expect(await (await get('/debug/images')).json()).toEqual({
      registries: [{ registry: EVIL, tags: 3, imageDigests: 3, contentDigests: 3 }],
      tags: [TAG, { ...TAG, repository: 'b', tag: EVIL }],
      tagCount: 2,
    });
    const { transfers } = (await (await get('/debug/transfers')).json()) as { transfers: object[] };
    expect(transfers[0]).toEqual({
      ...(JSON.parse(JSON.stringify(RESUMED)) as object),
      durationMs: 1500,
      startedAt: '2026-01-02T03:04:03.500Z',
    });
    expect(transfers[1]).toMatchObject({ outcome: 'missing', tag: EVIL });
  });

  test('tells the pulls as JSON', async () => {
    expect(await (await setUp().get('/debug/pulls')).json()).toEqual({
      pulls: [{ ...PULL, ...DETAILS, startedAt: '2026-01-02T03:04:02.500Z' }],
    });
  });

  test('explains, two questions at a time, what can be asked for', async () => {
    const asked: WhyQuestion[] = [];
    const end = Promise.withResolvers<void>();
    const { get } = setUp({
      async why(question) {
        asked.push(question);
        await end.promise;
        return WHY;
      },
    });
    const tag = { key: 'registry.lab:5000/a:v1' };
    const digest = { key: DIGEST, name: 'registry.lab:5000/a' };
    const answers = [get(`${WHY_PATH}?${whyQuery(tag)}`), get(`${WHY_PATH}?${whyQuery(digest)}`)];
    expect((await get(`${WHY_PATH}?${whyQuery(tag)}`)).status).toBe(503);
    end.resolve();
    for (const answer of answers) expect(await (await answer).json()).toEqual(WHY);
    expect(asked).toEqual([{ ...tag, name: undefined }, digest]);
    expect((await get(`${WHY_PATH}?${whyQuery(tag)}`)).status).toBe(200);
    for (const query of ['', 'key=nginx', `key=${DIGEST}&name=nginx`, 'key=a.b/c:v1&name=a.b/c']) {
      expect((await get(`${WHY_PATH}?${query}`)).status).toBe(400);
    }
  });

  test.each([
    {
      what: 'a form',
      type: 'application/x-www-form-urlencoded; charset=UTF-8',
      body: whyQuery({ key: DIGEST, name: 'registry.lab:5000/a' }),
    },
    {
      what: 'a form with an empty field',
      type: 'application/x-www-form-urlencoded',
      body: `key=${DIGEST}&name=`,
    },
    { what: 'JSON', type: 'application/json', body: JSON.stringify({ key: DIGEST }) },
  ])('explains what $what asks for', async ({ type, body }) => {
    const asked: WhyQuestion[] = [];
    const { request } = setUp({
      async why(question) {
        asked.push(question);
        return WHY;
      },
    });
    const post = { method: 'POST', headers: { 'content-type': type, host: 'node:9090' }, body };
    expect(await (await request(WHY_PATH, post)).json()).toEqual(WHY);
    expect(asked).toEqual([
      { key: DIGEST, name: body.includes('registry') ? 'registry.lab:5000/a' : undefined },
    ]);
    const elsewhere = { ...post, headers: { ...post.headers, origin: 'http://elsewhere.test' } };
    expect((await request(WHY_PATH, elsewhere)).status).toBe(403);
    // As an image of a page would ask.
    const image = { headers: { 'sec-fetch-site': 'cross-site' } };
    expect((await request(`${WHY_PATH}?${whyQuery({ key: DIGEST })}`, image)).status).toBe(403);
    expect(asked).toHaveLength(1);
  });

  test.each(['', 'null', '[]', '{"key":1}', `{"key":"${DIGEST}","name":[]}`, '{"key":"nginx"}'])(
    'refuses to explain %p',
    async (body) => {
      const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body };
      expect((await setUp().request(WHY_PATH, post)).status).toBe(400);
    },
  );

  test('explains to each client in a burst, then one question in 3 seconds', async () => {
    const { request, clock } = setUp();
    const path = `${WHY_PATH}?${whyQuery({ key: DIGEST })}`;
    const ask = async (address?: string) => request(path, {}, address);
    for (let i = 0; i < 10; i++) expect((await ask()).status).toBe(200);
    const late = await ask();
    expect([late.status, late.headers.get('retry-after')]).toEqual([429, '3']);
    expect((await ask('10.0.0.10')).status).toBe(200);
    await clock.advance(3000);
    expect([(await ask()).status, (await ask()).status]).toEqual([200, 429]);
  });

  test('stops explaining when the client leaves', async () => {
    const ended: string[] = [];
    const { get, gone } = setUp({
      async why(_question, signal) {
        await aborted(signal);
        ended.push('stopped');
        throw signal.reason;
      },
    });
    const answer = get(`${WHY_PATH}?${whyQuery({ key: DIGEST })}`);
    gone.abort();
    // Not an error of this node, which its log would have.
    expect((await answer).status).toBe(400);
    expect(ended).toEqual(['stopped']);
  });

  test('searches the images', async () => {
    const { get } = setUp();
    const found = await (
      await get(`${IMAGES_PATH}?${imagesQuery({ search: 'A/B', offset: 0, limit: 9 })}`)
    ).json();
    expect(found).toEqual({
      tags: [{ ...TAG, key: 'registry.lab:5000/a/b:v1' }],
      foundCount: 1,
      tagCount: 2,
      offset: 0,
    });
    expect(await (await get('/debug/images?offset=1&limit=1')).json()).toMatchObject({
      tags: [{ tag: EVIL }],
      foundCount: 2,
    });
    expect((await get('/debug/images?limit=1000')).status).toBe(400);
  });

  const askHolders = (body: HoldersQuestion, headers: Record<string, string> = {}) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json', host: 'node:9090', ...headers },
    body: JSON.stringify(body),
  });

  test('says how many nodes have each key, for one question at a time', async () => {
    const end = Promise.withResolvers<void>();
    const { request } = setUp({
      async *lookup() {
        yield PEER;
        await end.promise;
      },
    });
    const question = askHolders({ keys: [DIGEST] });
    const answer = request(HOLDERS_PATH, question);
    const other = await request(HOLDERS_PATH, question);
    expect([other.status, other.headers.get('retry-after')]).toEqual([429, '1']);
    end.resolve();
    expect(await (await answer).json()).toEqual({ holders: [{ key: DIGEST, peers: 1, isHere: true }] });
    expect((await request(HOLDERS_PATH, question)).status).toBe(200);
  });

  test('looks nothing up for what is not a question, or for a page of another origin', async () => {
    const { request, keys } = setUp();
    const { status } = await request(HOLDERS_PATH, askHolders({ keys: ['no key'] }));
    expect(status).toBe(400);
    const elsewhere = askHolders({ keys: [DIGEST] }, { origin: 'http://elsewhere.test' });
    expect((await request(HOLDERS_PATH, elsewhere)).status).toBe(403);
    expect((await request(HOLDERS_PATH)).status).toBe(404);
    expect(keys).toEqual([]);
  });

  describe('the live stream', () => {
    /** The next events of a stream by name, and the stream's headers. */
    const openStream = async ({ send, gone }: Pick<ReturnType<typeof setUp>, 'send' | 'gone'>) => {
      const answer = await send(LIVE_PATH);
      if (!('next' in answer)) throw new Error(`The answer has status ${answer.status}`);
      /** The beginning. */
      const next = async () => {
        let text = '';
        for (let i = 0; i < 6; i++) text += Buffer.from((await answer.next(gone.signal)) ?? '').toString();
        const all = [...text.matchAll(/^event: (.*?)\ndata: (.*?)\n\n/gms)];
        return Object.fromEntries(all.map(([, name, data]) => [name, JSON.parse(data ?? '') as unknown]));
      };
      return { headers: answer.headers, next };
    };

    test('tells all that the page shows', async () => {
      const { headers, next } = await openStream(setUp());
      expect(headers).toMatchObject({ 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      const { startedAtMs: _, misses, missCount, ...pull } = { ...PULL, ...DETAILS, startedAtMs: 0 };
      expect(await next()).toEqual({
        health: {
          ...HEALTH,
          self: { id: EVIL, addresses: ['/ip4/10.0.0.1/tcp/5001'] },
          isReady: true,
          peerCounts: { connected: 1, suspect: 0, dead: 0, known: 0, members: 1 },
          memory: { usedBytes: 1024 * 1024 },
        },
        traffic: { hours: [], zones: [] },
        peers: {
          isWhole: true,
          gone: [],
          peers: [
            {
              ...PEER,
              name: 'node-2',
              state: 'connected',
              stateSinceMs: Date.UTC(2026, 0, 2) - 61_000,
              isMember: true,
              answerMs: 1.3,
              bytesPerSecond: 1000,
              uploads: 3,
              takenBytes: 5,
              givenBytes: 7,
              order: 'last',
              why: 'slow',
            },
          ],
        },
        pulls: { running: [], ended: [{ ...pull, startedAt: '2026-01-02T03:04:02.500Z' }] },
        streams: {},
      });
      expect([misses.length, missCount]).toEqual([1, 1]);
    });

    test('has room for 8, refuses pages of other origins, and is not there without the page', async () => {
      const all = setUp();
      for (let i = 0; i < 8; i++) await (await openStream(all)).next();
      const { status, headers } = await all.request(LIVE_PATH);
      expect([status, headers.get('retry-after')]).toEqual([503, '5']);
      all.gone.abort();
      await (await openStream(setUp())).next();
      const elsewhere = { headers: { host: 'node:9090', origin: 'http://elsewhere.test' } };
      expect((await setUp().request(LIVE_PATH, elsewhere)).status).toBe(403);
      expect((await setUp({ debugWebEnabled: false }).request(LIVE_PATH)).status).toBe(404);
      expect((await setUp().request(LIVE_PATH, { method: 'POST' })).status).toBe(404);
    });
  });

  test('has neither page nor images nor transfers when the debug page is switched off', async () => {
    const { get } = setUp({ debugWebEnabled: false });
    for (const path of [
      '/debug/web',
      '/debug/web/',
      '/debug/images',
      '/debug/transfers',
      '/debug/pulls',
      `${WHY_PATH}?${whyQuery({ key: DIGEST })}`,
      LIVE_PATH,
      '/debug/images?search=a',
    ]) {
      expect((await get(path)).status).toBe(404);
    }
    expect((await get('/metrics')).status).toBe(200);
    // `spegel peers` asks for them.
    expect((await get('/debug/peers')).status).toBe(200);
  });

  test('tells the flights, of one digest if it is given, and has none where they are off', async () => {
    const asked: unknown[] = [];
    const report = { maxHoldMs: 1500, downloads: [], flights: [] };
    const { get } = setUp({
      flights(digest) {
        asked.push(digest);
        return report;
      },
    });
    expect(await (await get(FLIGHTS_PATH)).json()).toEqual({ self: EVIL, ...report });
    expect((await get(`${FLIGHTS_PATH}?${flightsQuery(DIGEST)}`)).status).toBe(200);
    expect(asked).toEqual([undefined, DIGEST]);
    expect((await get(`${FLIGHTS_PATH}?digest=nginx`)).status).toBe(400);
    expect((await setUp().get(FLIGHTS_PATH)).status).toBe(404);
  });

  test.each(['/', '/debug', '/v2/', '/debug/pprof'])('has nothing at %s', async (path) => {
    expect((await setUp().get(path)).status).toBe(404);
  });
});
