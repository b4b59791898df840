import { expect, test } from 'bun:test';
import { createImage } from '../lab/test-image.ts';
import { waitFor } from '../lab/wait-for.ts';
import { countMirrorRequests } from '../lab/mirror-counts.ts';
import { useLab } from './test-lab.ts';

/** Nothing is listed, so `_default` sends every pull to the mirror; upstream then speaks https. */
const lab = useLab({ nodes: 2, mirroredRegistries: [] });

test('a node that mirrors all registries pulls from upstream over https, the next one from it', async () => {
  const { upstream, node } = lab();
  const image = createImage({ seed: 'default', layers: [{ sizeBytes: 2e6 }] });
  await upstream.push(image, 'default', 'v1');
  await node(1).pull('registry.lab/default:v1');
  await node(1).verify(image);
  await waitFor('node 2 to find it', async () => {
    const path = '/v2/default/manifests/v1?ns=registry.lab';
    return (await node(2).mirror.fetch(path, { method: 'HEAD' })).status === 200;
  });
  await upstream.cut('refuse');
  try {
    const counted = await countMirrorRequests(node(2).mirror);
    await node(2).pull('registry.lab/default:v1');
    await node(2).verify(image);
    expect((await counted()).misses).toBe(0);
  } finally {
    await upstream.restore();
  }
});
