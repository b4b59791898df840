import { afterEach, describe, expect, test } from 'bun:test';
import { parseDigest } from '../../src/oci/digest.ts';
import { damageBlob } from '../lab/damage-blob.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const LAYER_BYTES = 20 * MB;
/** Pulls that fail are repeated every second, as a person or kubelet would. */
const RETRY_MS = 1000;

// Another node gets what node 4 gives through a front, which can lie as no node can tell from outside.
const lab = useLab({ nodes: [{}, {}, {}, { hasFront: true }] });

const layerOf = (image: TestImage) => {
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  if (layer === undefined) throw new Error('The image has no layer');
  return parseDigest(layer.digest);
};
const imageOf = (name: string) => createImage({ seed: name, layers: [{ sizeBytes: LAYER_BYTES }] });

async function share(image: TestImage, name: string, holders: readonly LabNode[], puller: LabNode) {
  await lab().upstream.push(image, name, 'v1');
  for (const holder of holders) await holder.pull(`${REGISTRY}/${name}:v1`);
  await untilFound(puller, image, name, 'v1');
}

/** Pulls until it succeeds. Returns how many tries failed, and how long it took from the first on, in ms. */
async function pullUntilRight(node: LabNode, image: TestImage, name: string) {
  const startedMs = performance.now();
  for (let failed = 0; ; failed++) {
    try {
      await node.pull(`${REGISTRY}/${name}:v1`);
      await node.verify(image);
      return { failed, ms: performance.now() - startedMs };
    } catch (error) {
      if (failed >= 20) throw error;
      await Bun.sleep(RETRY_MS);
    }
  }
}

const metric = async ({ mirror }: LabNode, name: string, labels: Record<string, string> = {}) =>
  (await mirror.metrics()).sum(name, labels);

afterEach(() => lab().node(4).mirror.setPace(undefined));

describe('a bit of a layer flips on the disk', () => {
  test.each(['before its mirror starts', 'while its mirror runs'])(
    '%s: the only holder refuses it, and the pull goes upstream at the first try',
    async (when) => {
      const name = `flip-only-${when.split(' ')[0]}`;
      const image = imageOf(name);
      const [holder, puller, next] = [lab().node(1), lab().node(2), lab().node(3)];
      await share(image, name, [holder], puller);
      if (when.startsWith('before')) await holder.mirror.stop();
      damageBlob(holder, layerOf(image));
      if (when.startsWith('before')) {
        await holder.mirror.launch();
        await holder.mirror.ready();
        await untilFound(puller, image, name, 'v1');
      }
      const damagedBefore = await metric(holder, 'spegel_blobs_verified_total', { result: 'damaged' });
      const { failed } = await pullUntilRight(puller, image, name);
      expect(failed).toBe(0);
      expect(await metric(holder, 'spegel_damaged_blobs')).toBeGreaterThanOrEqual(1);
      expect(await metric(holder, 'spegel_blobs_verified_total', { result: 'damaged' })).toBe(
        damagedBefore + 1,
      );
      expect(await holder.mirror.log()).toContain('damaged on the disk');
      // The next node gets it from the second.
      const upstream = await lab().upstream.count();
      await untilFound(next, image, name, 'v1');
      expect((await pullUntilRight(next, image, name)).failed).toBe(0);
      expect((await upstream.requests()).filter(({ kind }) => kind === 'blobs')).toEqual([]);
    },
  );

  test('with a good holder beside it the pull never leaves the cluster', async () => {
    const name = 'flip-beside';
    const image = imageOf(name);
    const [holder, good, puller] = [lab().node(1), lab().node(2), lab().node(3)];
    await share(image, name, [holder, good], puller);
    damageBlob(holder, layerOf(image));
    const upstream = await lab().upstream.count();
    expect((await pullUntilRight(puller, image, name)).failed).toBe(0);
    expect(await upstream.requests()).toEqual([]);
  });

  test('it is served again once containerd has pulled it anew', async () => {
    const name = 'flip-healed';
    const image = imageOf(name);
    const [holder, puller] = [lab().node(1), lab().node(2)];
    await share(image, name, [holder], puller);
    damageBlob(holder, layerOf(image));
    await pullUntilRight(puller, image, name);
    await holder.removeImage(image);
    await puller.removeImage(image);
    await holder.pull(`${REGISTRY}/${name}:v1`);
    await untilFound(puller, image, name, 'v1');
    const upstream = await lab().upstream.count();
    expect((await pullUntilRight(puller, image, name)).failed).toBe(0);
    expect(await upstream.requests()).toEqual([]);
  });
});

describe('a peer gives wrong bytes that cannot be told from outside', () => {
  test('it fails a pull once, is not asked again, and the poisoned download is thrown away', async () => {
    const name = 'liar';
    const image = imageOf(name);
    const [liar, puller, next] = [lab().node(4), lab().node(2), lab().node(3)];
    await share(image, name, [liar], puller);
    liar.mirror.setPace('lie');
    const verifiedBefore = await metric(liar, 'spegel_blobs_verified_total', { result: 'right' });
    const { failed, ms } = await pullUntilRight(puller, image, name);
    console.log(`liar: ${failed} tries failed, right after ${ms.toFixed(0)} ms`);
    expect(failed).toBeGreaterThan(0);
    expect(await metric(puller, 'spegel_wrong_blobs_total')).toBe(1);
    expect(await puller.mirror.log()).toContain('gave wrong bytes of a blob');
    // It was told so, and has hashed its file, which is right.
    await waitFor(
      'the liar to hash its blob',
      async () => (await metric(liar, 'spegel_blobs_verified_total', { result: 'right' })) > verifiedBefore,
    );
    expect(await metric(liar, 'spegel_damaged_blobs')).toBe(0);

    // A second node has a second holder to ask, and is fooled once at most.
    await untilFound(next, image, name, 'v1');
    const other = await pullUntilRight(next, image, name);
    console.log(`next node: ${other.failed} tries failed, right after ${other.ms.toFixed(0)} ms`);
    await puller.removeImage(image);
    const again = await pullUntilRight(puller, image, name);
    expect(again.failed).toBe(0);
    expect(await metric(puller, 'spegel_wrong_blobs_total')).toBe(1);
  });
});
