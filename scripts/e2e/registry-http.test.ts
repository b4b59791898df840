import { beforeAll, describe, expect, test } from 'bun:test';
import { createImage, type TestBlob } from '../lab/test-image.ts';
import { contentPath, tagPath, untilFound } from '../lab/until-found.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const lab = useLab({ nodes: 2 });
const image = createImage({ seed: 'http', layers: [{ sizeBytes: 300_000 }] });
const manifest = blobOf('manifest');
const layer = blobOf('layer');
const bytes = layer.content();
const size = bytes.length;
const manifestPath = tagPath('http', 'v1');
const layerPath = contentPath('http', layer);

function blobOf(kind: TestBlob['kind']): TestBlob {
  const blob = image.blobs.find((candidate) => candidate.kind === kind);
  if (blob === undefined) throw new Error(`The image has no ${kind}`);
  return blob;
}

beforeAll(async () => {
  await lab().upstream.push(image, 'http', 'v1');
  await lab().node(1).pull(`${REGISTRY}/http:v1`);
  await untilFound(lab().node(2), image, 'http', 'v1');
});

/** Node 1 has the image and answers from its store; node 2 has not and answers from node 1. */
describe.each([
  ['the node that has it', 1],
  ['a node that asks it', 2],
])('%s', (_, n) => {
  const ask = async (path: string, init?: RequestInit) => lab().node(n).mirror.fetch(path, init);

  test('answers the base of the API', async () => {
    expect((await ask('/v2/')).status).toBe(200);
  });

  test.each(['GET', 'HEAD'])('%s of a tag gives the manifest', async (method) => {
    const response = await ask(manifestPath, { method });
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe(manifest.mediaType);
    expect(response.headers.get('Docker-Content-Digest')).toBe(manifest.digest);
    expect(response.headers.get('Content-Length')).toBe(String(manifest.sizeBytes));
    const body = new Uint8Array(await response.arrayBuffer());
    expect(body).toEqual(method === 'GET' ? manifest.content() : new Uint8Array());
  });

  test.each([
    [layerPath.replace('sha256:', 'sha256%3A'), layer.sizeBytes],
    [contentPath('http', manifest).replace('sha256:', 'sha256%3a'), manifest.sizeBytes],
    [tagPath('h%74tp', '%76%31'), manifest.sizeBytes],
  ])('reads %s as its decoded form', async (path, sizeBytes) => {
    const response = await ask(path);
    expect(response.status).toBe(200);
    expect((await response.arrayBuffer()).byteLength).toBe(sizeBytes);
  });

  test.each(['GET', 'HEAD'])('%s of a layer', async (method) => {
    const response = await ask(layerPath, { method });
    expect(response.status).toBe(200);
    expect(response.headers.get('Docker-Content-Digest')).toBe(layer.digest);
    expect(response.headers.get('Content-Length')).toBe(String(size));
    expect(response.headers.get('Accept-Ranges')).toBe('bytes');
    const body = new Uint8Array(await response.arrayBuffer());
    expect(Bun.hash(body)).toBe(Bun.hash(method === 'GET' ? bytes : new Uint8Array()));
  });

  const ranges: readonly [string, number, number][] = [
    ['bytes=0-0', 0, 1],
    ['bytes=100-199', 100, 200],
    ['bytes=1000-', 1000, size],
    ['bytes=0-', 0, size],
    ['bytes=-50', size - 50, size],
    [`bytes=${size - 1}-${size + 100}`, size - 1, size],
  ];
  test.each(ranges)('%s gives those bytes', async (range, start, end) => {
    const response = await ask(layerPath, { headers: { Range: range } });
    expect(response.status).toBe(206);
    expect(response.headers.get('Content-Range')).toBe(`bytes ${start}-${end - 1}/${size}`);
    expect(response.headers.get('Content-Length')).toBe(String(end - start));
    const body = new Uint8Array(await response.arrayBuffer());
    expect(Bun.hash(body)).toBe(Bun.hash(bytes.slice(start, end)));
  });

  test.each([`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, 'bytes=-0'])(
    '%s is out of bounds',
    async (range) => {
      const response = await ask(layerPath, { headers: { Range: range } });
      expect(response.status).toBe(416);
      expect(response.headers.get('Content-Range')).toBe(`bytes */${size}`);
    },
  );

  test.each(['bytes=abc', 'bytes=5-1', 'bytes=0-1,5-9', 'lines=0-1'])(
    '%s is answered in full',
    async (range) => {
      const response = await ask(layerPath, { headers: { Range: range } });
      expect(response.status).toBe(200);
      expect((await response.arrayBuffer()).byteLength).toBe(size);
    },
  );

  const absent: readonly [string, string, string][] = [
    ['a tag', tagPath('http', 'none'), 'MANIFEST_UNKNOWN'],
    ['a blob', `/v2/http/blobs/sha256:${'0'.repeat(64)}?ns=${REGISTRY}`, 'BLOB_UNKNOWN'],
  ];
  test.each(absent)('%s that nobody has is 404, fast', async (_, path, code) => {
    const startedMs = performance.now();
    const response = await ask(path);
    expect(response.status).toBe(404);
    const { errors } = (await response.json()) as { errors: { code: string }[] };
    expect(errors.map((error) => error.code)).toEqual([code]);
    expect(performance.now() - startedMs).toBeLessThan(2_000);
  });
});

test('a request of another node is served from the store only', async () => {
  const headers = { 'X-Spegel-Mirrored': 'true' };
  const counted = await countMirrorRequests(lab().node(2).mirror);
  for (const path of [manifestPath, layerPath]) {
    expect((await lab().node(1).mirror.fetch(path, { method: 'HEAD', headers })).status).toBe(200);
    expect((await lab().node(2).mirror.fetch(path, { method: 'HEAD', headers })).status).toBe(404);
  }
  expect((await counted()).hits).toBe(0);
});

test('probes and metrics answer', async () => {
  for (const path of ['/readyz', '/livez']) {
    expect((await lab().node(1).mirror.fetch(path)).status).toBe(200);
  }
  const names = new Set((await lab().node(2).mirror.metrics()).samples.map(({ name }) => name));
  expect(names).toContain('spegel_mirror_requests_total');
  expect(names).toContain('spegel_resolve_duration_seconds_count');
  expect(names).toContain('http_request_duration_seconds_count');
});
