import { expect, test } from 'bun:test';
import type { LabNode } from '../lab/lab-node.ts';
import { createImage, type TestImage } from '../lab/test-image.ts';
import { contentPath, untilFound } from '../lab/until-found.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const layers = [{ sizeBytes: 4 * MB }, { sizeBytes: 2 * MB }, { sizeBytes: 100 }];

// The first two nodes are in zone a, the others in zone b.
const lab = useLab({
  nodes: ['a', 'a', 'b', 'b'].map((zone) => ({ mirrorEnv: { ZONE: zone } })),
});

/** Starts counting the bytes that came to a node from peers, by zone: call the result for what was added since. */
async function countZones(node: LabNode) {
  const read = async () => {
    const metrics = await node.mirror.metrics();
    const of = (zone: string) => metrics.sum('spegel_zone_bytes_total', { zone });
    return { own: of('own'), other: of('other'), unknown: of('unknown') };
  };
  const before = await read();
  return async () => {
    const { own, other, unknown } = await read();
    return { own: own - before.own, other: other - before.other, unknown: unknown - before.unknown };
  };
}

const layersOf = (image: TestImage) => image.blobs.filter(({ kind }) => kind === 'layer');
const bytesOf = (image: TestImage) => layersOf(image).reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

/** Pulls on the nodes, one after the other, the first from upstream and all others from each other. */
async function pullOn(image: TestImage, repository: string, nodes: readonly number[]) {
  const [first = 1, ...others] = nodes;
  await lab().upstream.push(image, repository, 'v1');
  await lab().node(first).pull(`${REGISTRY}/${repository}:v1`);
  for (const each of others) {
    await untilFound(lab().node(each), image, repository, 'v1');
    await lab().node(each).pull(`${REGISTRY}/${repository}:v1`);
  }
}

test('peers know where each other is', async () => {
  for (const node of lab().nodes) {
    await waitFor(`${node.name} to know the zones of all others`, async () => {
      const { stdout } = await node.mirror.run(['peers', '--json']);
      const { self, peers } = JSON.parse(stdout) as {
        readonly self: { readonly zone?: string };
        readonly peers: ReadonlyArray<{ readonly zone?: string }>;
      };
      const zones = [self, ...peers].map(({ zone }) => zone ?? '?');
      return zones.sort().join(' ') === 'a a b b';
    });
  }
});

test('no byte crosses while a node of the own zone has the image', async () => {
  const image = createImage({ seed: 'within', layers });
  await pullOn(image, 'within', [1, 2, 3]);
  const last = lab().node(4);
  await untilFound(last, image, 'within', 'v1');
  await waitFor('the third node to be known as a holder of all', async () => {
    for (const blob of image.blobs) {
      const { stdout } = await last.mirror.run(['peers', 'find', '--json', blob.digest]);
      const { providers } = JSON.parse(stdout) as { readonly providers: readonly unknown[] };
      if (providers.length < 3) return false;
    }
    return true;
  });
  const upstream = await lab().upstream.count();
  const counted = await countZones(last);
  // A client that is not the node's own takes no part in flights.
  for (const blob of layersOf(image)) {
    const response = await last.mirror.fetch(contentPath('within', blob));
    expect((await response.bytes()).length).toBe(blob.sizeBytes);
  }
  expect(await counted()).toEqual({ own: bytesOf(image), other: 0, unknown: 0 });
  await last.pull(`${REGISTRY}/within:v1`);
  await last.verify(image);
  const { own, other, unknown } = await counted();
  expect(own).toBeGreaterThanOrEqual(2 * bytesOf(image));
  expect([other, unknown]).toEqual([0, 0]);
  expect(await upstream.requests()).toEqual([]);
});

test('the first node of a zone takes an image from the other zone, not from upstream', async () => {
  const image = createImage({ seed: 'across', layers });
  await pullOn(image, 'across', [1]);
  const upstream = await lab().upstream.count();
  const [third, fourth] = [lab().node(3), lab().node(4)];
  const [byThird, byFourth] = [await countZones(third), await countZones(fourth)];
  await untilFound(third, image, 'across', 'v1');
  await Promise.all([third, fourth].map(async (node) => node.pull(`${REGISTRY}/across:v1`)));
  for (const node of [third, fourth]) await node.verify(image);
  // How much of it crosses twice depends on how busy the machine is; flight-tree.test.ts has what should.
  const crossed = (await byThird()).other + (await byFourth()).other;
  expect(crossed).toBeGreaterThanOrEqual(bytesOf(image));
  expect(await upstream.requests()).toEqual([]);
});

test('the other zone serves when the holder of the own zone is gone', async () => {
  const image = createImage({ seed: 'gone', layers });
  await pullOn(image, 'gone', [1, 2, 3]);
  const last = lab().node(4);
  await untilFound(last, image, 'gone', 'v1');
  const upstream = await lab().upstream.count();
  const counted = await countZones(last);
  await lab().node(3).mirror.kill();
  await last.pull(`${REGISTRY}/gone:v1`);
  await last.verify(image);
  const { own, other } = await counted();
  expect(other).toBeGreaterThanOrEqual(bytesOf(image));
  expect(own).toBe(0);
  expect(await upstream.requests()).toEqual([]);
});

test('a pull goes on in the other zone when the own one is cut off, and asks upstream for nothing', async () => {
  const image = createImage({ seed: 'cut', layers });
  await lab().node(3).mirror.launch();
  await pullOn(image, 'cut', [3, 1, 2]);
  const last = lab().node(4);
  await untilFound(last, image, 'cut', 'v1');
  const upstream = await lab().upstream.count();
  const counted = await countZones(last);
  await lab().node(3).endpoint.blackhole();
  await last.pull(`${REGISTRY}/cut:v1`);
  await last.verify(image);
  const { own, other } = await counted();
  expect(other).toBeGreaterThanOrEqual(bytesOf(image));
  expect(own).toBe(0);
  expect(await upstream.requests()).toEqual([]);
});
