import { afterEach, describe, expect, test } from 'bun:test';
import { hasParallelRanges } from '../lab/containerd-config.ts';
import type { LabNode } from '../lab/lab-node.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const HOLDERS = 3;
/** At 80 Mbit/s three holders give one layer in two seconds. */
const HOLDER_MBIT = 80;
const LAYER_BYTES = 60 * MB;
/** What each holder gives at least, where all give the same. */
const LEAST_BYTES = LAYER_BYTES / HOLDERS / 3;

/**
 * A node for each test: a node on which pieces were in vain, because the machine was busy, remembers that. The last one gets
 * layers in ranges, where its containerd can do that.
 */
const lab = useLab({ nodes: [{}, {}, {}, {}, {}, { fetchBufferBytes: 4 * MB }] });
const holders = (): readonly LabNode[] => lab().nodes.slice(0, HOLDERS);
const puller = (): LabNode => lab().node(HOLDERS + 1);
const otherPuller = (): LabNode => lab().node(HOLDERS + 2);
const rangePuller = (): LabNode => lab().node(HOLDERS + 3);

/** Bytes that each holder has given from its own disk. */
const given = async (): Promise<number[]> =>
  Promise.all(
    holders().map(async ({ mirror }) =>
      (await mirror.metrics()).sum('spegel_served_bytes_total', { source: 'local' }),
    ),
  );
const inPieces = async (node: LabNode): Promise<number> =>
  (await node.mirror.metrics()).sum('spegel_piece_bytes_total');

/** Has an image of one large layer on the holders, and these on slow links. */
async function share(name: string, node: LabNode): Promise<{ image: TestImage; reference: string }> {
  const image = createImage({ seed: name, layers: [{ sizeBytes: LAYER_BYTES }] });
  const reference = `${REGISTRY}/${name}:v1`;
  await lab().upstream.push(image, name, 'v1');
  for (const holder of holders()) await holder.pull(reference);
  await untilFound(node, image, name, 'v1');
  for (const { endpoint } of holders()) await endpoint.shape({ egressMbit: HOLDER_MBIT });
  return { image, reference };
}

afterEach(async () => {
  for (const { endpoint, mirror } of holders()) {
    await endpoint.shape({});
    await mirror.launch();
    await mirror.ready();
  }
});

describe('one large layer that several nodes have', () => {
  test('comes from each of them, and not from upstream', async () => {
    const { image, reference } = await share('several', puller());
    const [before, upstream] = [await given(), await lab().upstream.count()];
    await puller().pull(reference);
    await puller().verify(image);
    expect(await upstream.requests()).toEqual([]);
    const parts = (await given()).map((bytes, n) => bytes - (before[n] ?? 0));
    console.log(`given by each: ${parts.map((bytes) => (bytes / MB).toFixed(1)).join(', ')} MB`);
    for (const bytes of parts) expect(bytes).toBeGreaterThan(LEAST_BYTES);
    expect(await inPieces(puller())).toBeGreaterThan(LAYER_BYTES / 2);
  });

  test('comes from the others when one of them is killed in its middle', async () => {
    const { image, reference } = await share('killed', otherPuller());
    const [before, upstream] = [await inPieces(otherPuller()), await lab().upstream.count()];
    const pulled = otherPuller().pull(reference);
    await waitFor('pieces', async () => (await inPieces(otherPuller())) > before + 5 * MB);
    await lab().node(2).mirror.kill();
    await pulled;
    await otherPuller().verify(image);
    expect(await upstream.requests()).toEqual([]);
  });

  test('comes from each of them to a client that asks for ranges side by side', async () => {
    if (!hasParallelRanges(rangePuller().containerd.version)) return;
    const { image, reference } = await share('ranges', rangePuller());
    const [before, upstream] = [await given(), await lab().upstream.count()];
    await rangePuller().pull(reference);
    await rangePuller().verify(image);
    expect(await upstream.requests()).toEqual([]);
    for (const [n, bytes] of (await given()).entries()) {
      expect(bytes - (before[n] ?? 0)).toBeGreaterThan(LEAST_BYTES);
    }
  });
});
