import { existsSync } from 'node:fs';
import { expect, test } from 'bun:test';
import { createImage } from '../lab/test-image.ts';
import { blobPath } from '../lab/verify-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { contentPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

/** Slow enough that the layers of one pull arrive far apart. */
const UPSTREAM_MBIT = 20;
const KB = 1000;
/** What is promised from the rename of a layer until another node finds it, in ms. */
const FOUND_WITHIN_MS = 1_000;

const lab = useLab({ nodes: 2, upstreamMbit: UPSTREAM_MBIT });

test('each layer is found by another node within a second, while the pull still runs', async () => {
  const { upstream, node } = lab();
  const image = createImage({
    seed: 'slow',
    layers: [300 * KB, 800 * KB, 2_000 * KB, 6_000 * KB].map((sizeBytes) => ({ sizeBytes })),
  });
  await upstream.push(image, 'slow', 'v1');

  let pulledAtMs: number | undefined;
  const pull = node(1)
    .pull(`${REGISTRY}/slow:v1`)
    .then(() => {
      pulledAtMs = performance.now();
    });
  const found = image.blobs
    .filter(({ kind }) => kind === 'layer')
    .map(async (layer) => {
      const file = blobPath(node(1).containerd, layer.digest);
      await waitFor(`${layer.digest} on disk`, () => existsSync(file), { timeoutMs: 30_000, intervalMs: 5 });
      const onDiskAtMs = performance.now();
      await waitFor(`${layer.digest} elsewhere`, async () => {
        const response = await node(2).mirror.fetch(contentPath('slow', layer), { method: 'HEAD' });
        return response.status === 200;
      });
      const foundAtMs = performance.now();
      return { onDiskAtMs, delayMs: foundAtMs - onDiskAtMs, duringPull: pulledAtMs === undefined };
    });
  const [results] = await Promise.all([Promise.all(found), pull]);
  await node(1).verify(image);

  console.log(`found after ${results.map(({ delayMs }) => `${delayMs.toFixed(0)} ms`).join(', ')}`);
  for (const { delayMs } of results) expect(delayMs).toBeLessThan(FOUND_WITHIN_MS);
  // What comes together with the last layer, whichever that is, ends the pull: it may be found before or after that.
  const lastAtMs = Math.max(...results.map(({ onDiskAtMs }) => onDiskAtMs));
  const earlier = results.filter(({ onDiskAtMs }) => onDiskAtMs < lastAtMs - FOUND_WITHIN_MS / 2);
  expect(earlier.length).toBeGreaterThanOrEqual(2);
  expect(earlier.map(({ duringPull }) => duringPull)).toEqual(earlier.map(() => true));
});
