import { describe, expect, test } from 'bun:test';
import type { LabNode, PullOptions } from '../lab/lab-node.ts';
import {
  createArtifact,
  createImage,
  createIndex,
  HOST_PLATFORM,
  type TestImage,
} from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { contentPath, tagPath, untilFound } from '../lab/until-found.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const layers = [{ sizeBytes: 6 * MB }, { sizeBytes: 2 * MB, files: 40, compression: 'gzip' as const }];

const lab = useLab({ nodes: 3 });

/** Bytes of an image's config, layers and manifests. */
function sizeOf(image: TestImage): number {
  return image.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

/** Pulls on a node and proves that every byte of it came from neighbours. */
async function pullFromPeers(
  node: LabNode,
  image: TestImage,
  reference: string,
  options?: PullOptions,
): Promise<void> {
  const upstream = await lab().upstream.count();
  const counted = await countMirrorRequests(node.mirror);
  await node.pull(reference, options);
  await node.verify(image);
  expect(await upstream.requests()).toEqual([]);
  const { hits, misses } = await counted();
  expect(misses).toBe(0);
  // Each blob was asked for once, and the name besides.
  expect(hits).toBeGreaterThan(image.blobsFor(HOST_PLATFORM).length - 1);
  expect(await upstream.bytesOut()).toBeLessThan(0.01 * MB);
}

describe('with upstream up', () => {
  const image = createImage({ seed: 'up', layers });

  test('the first node pulls from upstream', async () => {
    await lab().upstream.push(image, 'up', 'v1');
    const upstream = await lab().upstream.count();
    await lab().node(1).pull(`${REGISTRY}/up:v1`);
    await lab().node(1).verify(image);
    const requests = await upstream.requests();
    const blobs = image.blobs.filter(({ kind }) => kind !== 'manifest');
    expect(requests.filter(({ kind }) => kind === 'blobs')).toHaveLength(blobs.length);
    expect(await upstream.bytesOut()).toBeGreaterThan(sizeOf(image));
  });

  test('the second one pulls by tag from the first, and upstream hears nothing of it', async () => {
    await untilFound(lab().node(2), image, 'up', 'v1');
    const { sentBytes } = await lab().node(1).endpoint.traffic();
    await pullFromPeers(lab().node(2), image, `${REGISTRY}/up:v1`);
    expect((await lab().node(1).endpoint.traffic()).sentBytes - sentBytes).toBeGreaterThan(sizeOf(image));
    // The long layer stayed in the kernel: from the disk of the first, and all but its start through the second.
    for (const node of [lab().node(1), lab().node(2)]) {
      const metrics = await node.mirror.metrics();
      expect(metrics.sum('spegel_kernel_transport')).toBe(1);
      expect(metrics.sum('spegel_kernel_moved_bytes_total')).toBeGreaterThan(5 * MB);
    }
  });

  test('the third one pulls by digest', async () => {
    await untilFound(lab().node(3), image, 'up');
    await pullFromPeers(lab().node(3), image, `${REGISTRY}/up@${image.root.digest}`);
  });
});

describe('with upstream gone', () => {
  const image = createImage({ seed: 'down', layers });

  test.each(['refuse', 'blackhole'] as const)('nodes pull by tag and by digest (%s)', async (outage) => {
    const { upstream, node } = lab();
    const repository = `down-${outage}`;
    await upstream.push(image, repository, 'v1');
    await node(1).pull(`${REGISTRY}/${repository}:v1`);
    await untilFound(node(2), image, repository, 'v1');
    await upstream.cut(outage);
    try {
      await pullFromPeers(node(2), image, `${REGISTRY}/${repository}:v1`);
      await pullFromPeers(node(3), image, `${REGISTRY}/${repository}@${image.root.digest}`);
    } finally {
      await upstream.restore();
      for (const node of lab().nodes) await node.removeImage(image);
    }
  });
});

describe('every kind of content', () => {
  const platforms = (seed: string) => ({
    'linux/amd64': createImage({ seed, layers: [{ sizeBytes: MB }], platform: 'linux/amd64' }),
    'linux/arm64': createImage({ seed, layers: [{ sizeBytes: MB }], platform: 'linux/arm64' }),
  });
  const cases: readonly [string, TestImage, PullOptions][] = [
    ['index', createIndex(platforms('index')), {}],
    ['artifact', createArtifact('artifact', [MB, 1]), { via: 'ctr-fetch' }],
    ['no-media-type', createImage({ seed: 'none', layers: [{ sizeBytes: MB }], withMediaType: false }), {}],
    ['tiny', createImage({ seed: 'tiny', layers: [{ sizeBytes: 1 }] }), { via: 'ctr' }],
  ];

  test.each(cases)('%s', async (repository, image, options) => {
    const { upstream, node } = lab();
    await upstream.push(image, repository, 'v1');
    await node(1).pull(`${REGISTRY}/${repository}:v1`, options);
    await node(1).verify(image);
    const held = { ...image, blobs: image.blobsFor(HOST_PLATFORM) };
    await untilFound(node(2), held, repository, 'v1');
    await upstream.cut('refuse');
    try {
      await pullFromPeers(node(2), image, `${REGISTRY}/${repository}:v1`, options);
    } finally {
      await upstream.restore();
    }
  });

  test('an image that was imported, which upstream never had', async () => {
    const image = createImage({ seed: 'imported', layers });
    await lab().node(1).importImage(image, `${REGISTRY}/imported:v1`);
    await untilFound(lab().node(2), image, 'imported', 'v1');
    await pullFromPeers(lab().node(2), image, `${REGISTRY}/imported:v1`);
  });

  test('a name with tag and digest, and a registry without a port', async () => {
    const image = createImage({ seed: 'both', layers });
    await lab().upstream.push(image, 'both', 'v1');
    await lab().node(1).pull(`registry.lab/both:v1@${image.root.digest}`);
    await untilFound(lab().node(2), image, 'both');
    await pullFromPeers(lab().node(2), image, `registry.lab/both:v1@${image.root.digest}`);
  });

  test('not the content of other containerd namespaces', async () => {
    const { node } = lab();
    const hidden = createImage({ seed: 'hidden', layers: [{ sizeBytes: MB }] });
    const shown = createImage({ seed: 'shown', layers: [{ sizeBytes: MB }] });
    await node(1).importImage(hidden, `${REGISTRY}/hidden:v1`, { namespace: 'other' });
    await node(1).importImage(shown, `${REGISTRY}/shown:v1`);
    await untilFound(node(2), shown, 'shown', 'v1');
    for (const blob of hidden.blobs) {
      const path = contentPath('hidden', blob);
      const responses = [
        await node(1).mirror.fetch(path, { method: 'HEAD' }),
        await node(2).mirror.fetch(path, { method: 'HEAD' }),
      ];
      expect(responses.map(({ status }) => status)).toEqual([404, 404]);
    }
  });

  test('not what was removed', async () => {
    const { node } = lab();
    const image = createImage({ seed: 'removed', layers: [{ sizeBytes: MB }] });
    await node(1).importImage(image, `${REGISTRY}/removed:v1`);
    await untilFound(node(2), image, 'removed', 'v1');
    await node(1).removeImage(image);
    // Manifests may be remembered, being what their digest says; layers and tags are only what nodes have.
    const layers = image.blobs
      .filter(({ kind }) => kind === 'layer')
      .map((blob) => contentPath('removed', blob));
    for (const path of [...layers, tagPath('removed', 'v1')]) {
      await waitFor(`${path} to be gone`, async () => {
        return (await node(2).mirror.fetch(path, { method: 'HEAD' })).status === 404;
      });
    }
  });
});

describe('over changes of the cluster', () => {
  test('content that comes after a restart of containerd is shared by the same mirror process', async () => {
    const { node } = lab();
    const before = createImage({ seed: 'before-restart', layers });
    const after = createImage({ seed: 'after-restart', layers });
    await node(1).importImage(before, `${REGISTRY}/before-restart:v1`);
    await untilFound(node(2), before, 'before-restart', 'v1');
    const { pid } = node(1).mirror;

    await node(1).containerd.stop();
    await waitFor('the mirror to notice', async () => {
      return (await node(1).mirror.metrics()).sum('spegel_containerd_connected') === 0;
    });
    await node(1).containerd.start();
    await waitFor('the mirror to be connected again', async () => {
      const metrics = await node(1).mirror.metrics();
      return (
        metrics.sum('spegel_containerd_connected') === 1 &&
        metrics.sum('spegel_containerd_reconnects_total') > 0
      );
    });
    await node(1).importImage(after, `${REGISTRY}/after-restart:v1`);
    await untilFound(node(2), after, 'after-restart', 'v1');

    await pullFromPeers(node(2), before, `${REGISTRY}/before-restart:v1`);
    await pullFromPeers(node(2), after, `${REGISTRY}/after-restart:v1`);
    expect(node(1).mirror.running).toBe(true);
    expect(node(1).mirror.pid).toBe(pid);
    expect(await node(1).mirror.log()).toMatch(/"level":"WARN","msg":"[^"]*containerd/);
  });

  test('a mirror that was restarted shares what its node already had', async () => {
    const { node } = lab();
    const image = createImage({ seed: 'mirror-restart', layers });
    await node(1).importImage(image, `${REGISTRY}/mirror-restart:v1`);
    await node(1).mirror.restart();
    await untilFound(node(2), image, 'mirror-restart', 'v1');
    await pullFromPeers(node(2), image, `${REGISTRY}/mirror-restart:v1`);
  });

  test('a node that joins later pulls from the others, and they from it', async () => {
    const old = createImage({ seed: 'old', layers });
    const fresh = createImage({ seed: 'fresh', layers });
    await lab().node(1).importImage(old, `${REGISTRY}/old:v1`);
    const joined = await lab().addNode();
    await untilFound(joined, old, 'old', 'v1');
    await pullFromPeers(joined, old, `${REGISTRY}/old:v1`);
    await joined.importImage(fresh, `${REGISTRY}/fresh:v1`);
    await untilFound(lab().node(3), fresh, 'fresh', 'v1');
    await pullFromPeers(lab().node(3), fresh, `${REGISTRY}/fresh:v1`);
  });
});

describe('when nobody has it', () => {
  test('upstream serves, and the mirror takes a small share of the time', async () => {
    const { upstream, node } = lab();
    const image = createImage({ seed: 'miss', layers });
    await upstream.push(image, 'miss', 'v1');
    const counted = await countMirrorRequests(node(3).mirror);
    const seconds = async () =>
      (await node(3).mirror.metrics()).sum('http_request_duration_seconds_sum', { code: '404' });
    const secondsBefore = await seconds();
    const counter = await upstream.count();
    const pullMs = await node(3).pull(`${REGISTRY}/miss:v1`);
    await node(3).verify(image);
    const mirrorMs = ((await seconds()) - secondsBefore) * 1000;
    const { hits, misses } = await counted();
    console.log(
      `miss: pull ${pullMs.toFixed(0)} ms, of which ${misses} requests to the mirror ${mirrorMs.toFixed(0)} ms`,
    );
    expect(hits).toBe(0);
    expect(misses).toBeGreaterThan(2);
    expect((await counter.requests()).filter(({ kind }) => kind === 'blobs')).toHaveLength(3);
    // The budget of a lookup is 20 ms. This is far from that, and from where a lookup waits for its peers.
    expect(mirrorMs / misses).toBeLessThan(500);
  });
});
