import { existsSync } from 'node:fs';
import { expect, test } from 'bun:test';
import { holdLayer } from '../lab/hold-layer.ts';
import { createImage } from '../lab/test-image.ts';
import { blobPath } from '../lab/verify-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { contentPath } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { useLab } from './test-lab.ts';

const KB = 1000;

const lab = useLab({ nodes: 2 });

test('each layer is found by another node while the pull still runs', async () => {
  const { upstream, node } = lab();
  const image = createImage({
    seed: 'slow',
    layers: [300 * KB, 800 * KB, 2_000 * KB, 600 * KB].map((sizeBytes) => ({ sizeBytes })),
  });
  const [last, ...others] = image.blobs.filter(({ kind }) => kind === 'layer');
  if (last === undefined) throw new Error('The image has no layers');
  expect(others).toHaveLength(3);
  await upstream.push(image, 'slow', 'v1');
  const untilFoundElsewhere = async (layer: typeof last): Promise<number> => {
    const file = blobPath(node(1).containerd, layer.digest);
    await waitFor(`${layer.digest} on disk`, () => existsSync(file), { intervalMs: 5 });
    const onDiskAtMs = performance.now();
    await waitFor(`${layer.digest} elsewhere`, async () => {
      const response = await node(2).mirror.fetch(contentPath('slow', layer), { method: 'HEAD' });
      return response.status === 200;
    });
    return performance.now() - onDiskAtMs;
  };

  await using held = await holdLayer(node(1).containerd, last.digest);
  let isOver = false;
  const pull = node(1)
    .pull(`${REGISTRY}/slow:v1`)
    .finally(() => {
      isOver = true;
    });
  const looks = async (): Promise<void> => {
    const delaysMs = await Promise.all(others.map(untilFoundElsewhere));
    expect(isOver).toBe(false);
    await held.release();
    delaysMs.push(await untilFoundElsewhere(last));
    console.log(`found after ${delaysMs.map((delayMs) => `${delayMs.toFixed(0)} ms`).join(', ')}`);
  };
  await Promise.all([pull, looks()]);
  await node(1).verify(image);
});
