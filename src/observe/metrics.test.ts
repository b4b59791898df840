import { describe, expect, test } from 'bun:test';
import { createLabelCap, OVERFLOW_LABEL } from './label-cap.ts';
import { createMetrics } from './metrics.ts';

const setUp = () => createMetrics({ version: '1.2.3', commit: 'abc' });
const text = async (metrics: ReturnType<typeof setUp>) => (await metrics.expose()).body;

describe('createMetrics()', () => {
  test('exposes every name of the contract with Spegel, with its labels', async () => {
    const metrics = setUp();
    metrics.mirrorRequest('docker.io', 'hit');
    metrics.mirrorRequest('docker.io', 'miss');
    metrics.lookupEnded(3);
    const counts = new Map([['docker.io', 2]]);
    metrics.advertisedFrom(() => ({ imageTags: counts, imageDigests: counts, contentDigests: counts }));
    metrics.peersFrom(async () => 3);
    metrics.httpStarted('registry');
    const sample = { handler: 'mirror', method: 'GET', code: 200, durationMs: 3, sizeBytes: 500 };
    expect((await metrics.expose()).body).toContain('http_requests_inflight{handler="registry"} 1');
    expect(metrics.isServing()).toBe(true);
    metrics.httpEnded('registry', sample);
    const body = await text(metrics);
    for (const line of [
      'spegel_mirror_requests_total{registry="docker.io",cache="hit"} 1',
      'spegel_mirror_requests_total{registry="docker.io",cache="miss"} 1',
      'spegel_resolve_duration_seconds_count{router="libp2p"} 1',
      'spegel_advertised_image_tags{registry="docker.io"} 2',
      'spegel_advertised_image_digests{registry="docker.io"} 2',
      'spegel_advertised_content_digests{registry="docker.io"} 2',
      'http_request_duration_seconds_count{handler="mirror",method="GET",code="200"} 1',
      'http_response_size_bytes_sum{handler="mirror",method="GET",code="200"} 500',
      'http_requests_inflight{handler="registry"} 0',
      'spegel_router_peers 3',
      'spegel_build_info{version="1.2.3",commit="abc"} 1',
    ]) {
      expect(body.split('\n')).toContain(line);
    }
    expect(body).toMatch(/^spegel_mirror_last_success_timestamp_seconds 1\d{9}/m);
  });

  test('forgets registries that are announced no more', async () => {
    const metrics = setUp();
    const counts = (name: string) => new Map([[name, 1]]);
    let name = 'a';
    metrics.advertisedFrom(() => ({
      imageTags: counts(name),
      imageDigests: counts(name),
      contentDigests: counts(name),
    }));
    expect(await text(metrics)).toContain('registry="a"');
    name = 'b';
    expect(await text(metrics)).not.toContain('registry="a"');
  });

  test('counts requests under the name of a registry that this node has when it is asked, others as other', async () => {
    const metrics = setUp();
    const own = new Set(['docker.io']);
    metrics.registriesFrom((name) => own.has(name));
    for (const name of ['docker.io', 'new.lab', '', 'stranger.lab', 'stranger.lab']) {
      metrics.mirrorRequest(name, 'miss');
    }
    // The first pull from it has ended.
    own.add('new.lab');
    const lines = async () => (await text(metrics)).match(/^spegel_mirror_requests_total{.*$/gm)?.toSorted();
    const counted = (other: number) => [
      'spegel_mirror_requests_total{registry="",cache="miss"} 1',
      'spegel_mirror_requests_total{registry="docker.io",cache="miss"} 1',
      'spegel_mirror_requests_total{registry="new.lab",cache="miss"} 1',
      `spegel_mirror_requests_total{registry="other",cache="miss"} ${other}`,
    ];
    expect(await lines()).toEqual(counted(2));
    expect(await lines()).toEqual(counted(2));
    for (let n = 0; n < 1000; n++) metrics.mirrorRequest(`stranger-${n}.lab`, 'miss');
    expect(await lines()).toEqual(counted(1002));
  });

  test('tells of flights', async () => {
    const metrics = setUp();
    metrics.flightEnded('late', 2000);
    metrics.flightEnded('growing', undefined);
    metrics.flightBytesMoved('growing', 1000);
    metrics.flightBytesMoved('growing', 500);
    let root = 2;
    metrics.flightsFrom(() => ({ root, child: 1 }));
    const first = await text(metrics);
    for (const line of [
      'spegel_flight_requests_total{outcome="late"} 1',
      'spegel_flight_requests_total{outcome="growing"} 1',
      'spegel_flight_hold_seconds_bucket{le="1",outcome="late"} 0',
      'spegel_flight_hold_seconds_bucket{le="2.5",outcome="late"} 1',
      'spegel_flight_bytes_total{source="growing"} 1500',
      'spegel_flight_downloads{role="root"} 2',
      'spegel_flight_downloads{role="child"} 1',
    ]) {
      expect(first).toContain(`${line}\n`);
    }
    // In mid-body it is not the time to the first byte.
    expect(first).not.toContain('spegel_flight_hold_seconds_count{outcome="growing"}');
    root = 0;
    expect(await text(metrics)).toContain('spegel_flight_downloads{role="root"} 0\n');
  });

  test('tells what memory there is, and no number for what is not known', async () => {
    const metrics = setUp();
    expect(await text(metrics)).not.toMatch(/^spegel_memory_\w+ /m);
    let figures: { usedBytes: number | undefined; limitBytes: number | undefined } = {
      usedBytes: 5,
      limitBytes: 9,
    };
    metrics.memoryFrom(() => figures);
    expect(await text(metrics)).toMatch(/^spegel_memory_used_bytes 5$/m);
    expect(await text(metrics)).toMatch(/^spegel_memory_limit_bytes 9$/m);
    figures = { usedBytes: undefined, limitBytes: undefined };
    expect(await text(metrics)).not.toMatch(/^spegel_memory_\w+ /m);
  });

  test('counts a reconnection once containerd was away', async () => {
    const metrics = setUp();
    metrics.storeConnection(true);
    expect(await text(metrics)).toMatch(/^spegel_containerd_reconnects_total 0$/m);
    metrics.storeConnection(false);
    expect(await text(metrics)).toMatch(/^spegel_containerd_connected 0$/m);
    metrics.storeConnection(true);
    expect(await text(metrics)).toMatch(/^spegel_containerd_reconnects_total 1$/m);
  });
});

test('createLabelCap() keeps known values and folds the ones over the cap', () => {
  const cap = createLabelCap(2);
  expect(['a', 'b', 'c', 'a', 'd'].map(cap)).toEqual(['a', 'b', OVERFLOW_LABEL, 'a', OVERFLOW_LABEL]);
});
