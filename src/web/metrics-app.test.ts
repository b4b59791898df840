import { describe, expect, test } from 'bun:test';
import type { ClientResponse } from '../http/body-mover.ts';
import { silentLogger } from '../observe/log.ts';
import { createMetrics } from '../observe/metrics.ts';
import { digestOf } from '../oci/digest.ts';
import type { Peer, Router } from '../routing/router.ts';
import { systemClock } from '../runtime/clock.ts';
import { createMetricsApp } from './metrics-app.ts';

const DIGEST = digestOf(new TextEncoder().encode('content'));
const PEER: Peer = { id: '12D3KooWpeer', addresses: ['10.0.0.2'] };
const EVIL = '<script>alert(1)</script>';

function setUp({
  debugWebEnabled = true,
  lookup,
}: { debugWebEnabled?: boolean; lookup?: Router['lookup'] } = {}) {
  const keys: string[] = [];
  const router: Router = {
    ready: () => true,
    lookup:
      lookup ??
      async function* found(key) {
        keys.push(key);
        yield PEER;
      },
    advertise: async () => {},
    withdraw: async () => {},
    peers: async () => [{ ...PEER, multiaddrs: ['/ip4/10.0.0.2/tcp/5001'], connected: true }],
    self: () => ({ id: EVIL, multiaddrs: ['/ip4/10.0.0.1/tcp/5001'] }),
  };
  const counts = new Map([[EVIL, 3]]);
  const app = createMetricsApp(
    {
      metrics: createMetrics({ version: 'test', commit: 'test' }),
      advertised: () => ({ imageTags: counts, imageDigests: counts, contentDigests: counts }),
      router,
      hasLocally: async () => true,
      clock: systemClock,
      logger: silentLogger,
    },
    { debugWebEnabled, version: '1.2.3' },
  );
  const get = async (path: string) => app(new Request(`http://node:9090${path}`), {} as ClientResponse);
  return { get, keys };
}

describe('createMetricsApp()', () => {
  test('exposes metrics, brought up to date', async () => {
    const response = await setUp().get('/metrics');
    expect(response.headers.get('content-type')).toStartWith('text/plain');
    const body = await response.text();
    expect(body).toContain('spegel_router_peers 1');
    expect(body).toContain(`spegel_advertised_image_tags{registry="${EVIL}"} 3`);
  });

  test('lists the peers', async () => {
    expect(await (await setUp().get('/debug/peers')).json()).toEqual({
      self: { id: EVIL, addresses: ['/ip4/10.0.0.1/tcp/5001'] },
      ready: true,
      peers: [{ ...PEER, multiaddrs: ['/ip4/10.0.0.2/tcp/5001'], connected: true }],
    });
  });

  test.each([DIGEST, 'registry.lab:5000/a/b:v1'])('finds who has %s', async (key) => {
    const { get, keys } = setUp();
    const response = await get(`/debug/peers/find?key=${encodeURIComponent(key)}`);
    expect(await response.json()).toMatchObject({ key, local: true, providers: [PEER] });
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

  test('has a debug page that escapes what it shows, unless it is switched off', async () => {
    const response = await setUp().get('/debug/web/');
    const page = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(page).toContain('12D3KooWpeer');
    expect(page).toContain('1.2.3');
    expect(page).not.toContain('<script');
    expect((await setUp({ debugWebEnabled: false }).get('/debug/web/')).status).toBe(404);
  });

  test.each(['/', '/debug', '/v2/', '/debug/pprof'])('has nothing at %s', async (path) => {
    expect((await setUp().get(path)).status).toBe(404);
  });
});
