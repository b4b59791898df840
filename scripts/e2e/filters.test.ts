import { existsSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'bun:test';
import { holdLayer } from '../lab/hold-layer.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY, UPSTREAM_HOST } from '../lab/upstream.ts';
import { blobPath } from '../lab/verify-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

/** The port matters: containerd's own labels drop it. */
const FILTERS = [
  '--mirrored-registries',
  `http://${REGISTRY}`,
  '--registry-filters',
  `^${REGISTRY}/secret/`,
  ':nightly$',
];
const KB = 1000;

/** Node 1 keeps things to itself; node 2 shares all, so that what it does not find is not there to be found. */
const lab = useLab({ nodes: [{ mirrorArgs: FILTERS }, {}] });

const imageOf = (seed: string) => createImage({ seed, layers: [{ sizeBytes: 100 * KB }] });
const open = imageOf('open');
const secret = imageOf('secret');
const nightly = imageOf('nightly');
const elsewhere = imageOf('elsewhere');
/** Under a name that is shared, and one that is not. */
const both = imageOf('both');

/** Image, registry, repository and tag of what node 1 must not share. */
const HIDDEN: readonly [string, TestImage, string, string, string][] = [
  ['a filtered repository', secret, REGISTRY, 'secret/app', 'v1'],
  ['a filtered tag', nightly, REGISTRY, 'lab/app', 'nightly'],
  ['a registry that is not mirrored', elsewhere, UPSTREAM_HOST, 'lab/elsewhere', 'v1'],
];

beforeAll(async () => {
  const { upstream, node } = lab();
  for (const [, image, registry, repository, tag] of HIDDEN) {
    await upstream.push(image, repository, tag);
    await node(1).pull(`${registry}/${repository}:${tag}`);
    await node(1).verify(image);
  }
  await upstream.push(both, 'secret/both', 'v1');
  await upstream.push(both, 'lab/both', 'v1');
  await upstream.push(open, 'lab/open', 'v1');
  for (const name of ['secret/both', 'lab/both', 'lab/open']) await node(1).pull(`${REGISTRY}/${name}:v1`);
  // What came last is announced: so is everything before it that ever will be.
  await untilFound(node(2), open, 'lab/open', 'v1');
  await untilFound(node(2), both, 'lab/both', 'v1');
});

async function providersOf(key: string): Promise<unknown[]> {
  const { stdout } = await lab().node(2).mirror.run(['peers', 'find', key, '--json']);
  return (JSON.parse(stdout) as { providers: unknown[] }).providers;
}

const statusOf = async (n: number, path: string, init?: RequestInit): Promise<number> => {
  const response = await lab().node(n).mirror.fetch(path, init);
  await response.body?.cancel();
  return response.status;
};

describe.each(HIDDEN)('%s', (_, image, registry, repository, tag) => {
  const digests = image.blobs.map(({ digest }) => digest);

  test('is announced to nobody', async () => {
    for (const key of [`${registry}/${repository}:${tag}`, ...digests]) {
      expect({ key, providers: await providersOf(key) }).toEqual({ key, providers: [] });
    }
  });

  const ways: readonly [string, string][] = [
    [repository, `?ns=${registry}`],
    [repository, ''],
    [`${registry}/${repository}`, ''],
    // Asking for it as another image's does not help.
    ['lab/open', `?ns=${REGISTRY}`],
    ['lab/open', ''],
  ];
  test.each(ways)('is not served below /v2/%s%s', async (name, query) => {
    const paths = image.blobs.flatMap(({ kind, digest }) => [
      `/v2/${name}/blobs/${digest}${query}`,
      ...(kind === 'manifest' ? [`/v2/${name}/manifests/${digest}${query}`] : []),
    ]);
    if (name !== 'lab/open') paths.push(`/v2/${name}/manifests/${tag}${query}`);
    for (const path of paths) {
      for (const method of ['GET', 'HEAD']) {
        for (const headers of [{}, { 'X-Spegel-Mirrored': 'true' }]) {
          const status = await statusOf(1, path, { method, headers });
          expect({ path, method, headers, status }).toEqual({ path, method, headers, status: 404 });
        }
      }
    }
  });

  test('is not found by a node that looks for it', async () => {
    const counted = await countMirrorRequests(lab().node(2).mirror);
    for (const blob of image.blobs) {
      expect(await statusOf(2, contentPath(repository, blob).replace(REGISTRY, registry))).toBe(404);
    }
    expect(await counted()).toEqual({ hits: 0, misses: image.blobs.length });
  });
});

test('what no filter matches is pulled from the node, and what only one of its names hides', async () => {
  const { upstream, node } = lab();
  const counted = await countMirrorRequests(node(2).mirror);
  const asked = await upstream.count();
  for (const [image, repository] of [
    [open, 'lab/open'],
    [both, 'lab/both'],
  ] as const) {
    await node(2).pull(`${REGISTRY}/${repository}:v1`);
    await node(2).verify(image);
  }
  expect(await asked.requests()).toEqual([]);
  const { hits, misses } = await counted();
  expect(hits).toBeGreaterThanOrEqual(open.blobs.length + both.blobs.length);
  expect(misses).toBe(0);
  expect(await statusOf(1, `/v2/secret/both/manifests/v1?ns=${REGISTRY}`)).toBe(404);
});

test('the metrics count what is shared and nothing else', async () => {
  const metrics = await lab().node(1).mirror.metrics();
  const shared = [...open.blobs, ...both.blobs];
  expect(metrics.sum('spegel_advertised_image_tags', { registry: REGISTRY })).toBe(2);
  expect(metrics.sum('spegel_advertised_image_tags')).toBe(2);
  expect(metrics.sum('spegel_advertised_content_digests')).toBe(shared.length);
});

describe('while the pull still runs', () => {
  test.each([
    ['secret/slow', 404],
    ['lab/slow', 200],
  ])('a layer of %s that is there already is answered with %d', async (repository, expected) => {
    const { upstream, node } = lab();
    const image = createImage({
      seed: repository,
      layers: [{ sizeBytes: 100 * KB }, { sizeBytes: 200 * KB }, { sizeBytes: 300 * KB }],
    });
    const [missing, ...there] = image.blobs.filter(({ kind }) => kind === 'layer');
    if (missing === undefined) throw new Error('The image has no layers');
    expect(there).toHaveLength(2);
    await upstream.push(image, repository, 'v1');
    await using held = await holdLayer(node(1).containerd, missing.digest);
    let isOver = false;
    const pull = node(1)
      .pull(`${REGISTRY}/${repository}:v1`)
      .finally(() => {
        isOver = true;
      });
    const looks = async (): Promise<void> => {
      for (const layer of there) {
        await waitFor('the layer on disk', () => existsSync(blobPath(node(1).containerd, layer.digest)));
      }
      // What is announced after the layers: once it is found, so would they be.
      const later = imageOf(`after-${repository}`);
      await node(1).importImage(later, `${REGISTRY}/lab/after:v1`);
      await untilFound(node(2), later, 'lab/after', 'v1');
      for (const layer of there) {
        const path = contentPath(repository, layer);
        if (expected === 200) await untilFound(node(2), { ...image, blobs: [layer] }, repository);
        else expect(await providersOf(layer.digest)).toEqual([]);
        expect(await statusOf(1, path, { headers: { 'X-Spegel-Mirrored': 'true' } })).toBe(expected);
        expect(await statusOf(1, path.replace(/\?.*/, ''))).toBe(expected);
      }
      expect(isOver).toBe(false);
      await held.release();
    };
    await Promise.all([pull, looks()]);
    await node(1).verify(image);
    for (const { digest } of image.blobs) {
      if (expected === 404) expect(await providersOf(digest)).toEqual([]);
    }
  });
});
