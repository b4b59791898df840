import { expect, test } from 'bun:test';

import type { LabNode } from '../lab/lab-node.ts';
import { createImage } from '../lab/test-image.ts';
import { REGISTRY } from '../lab/upstream.ts';
import { waitFor } from '../lab/wait-for.ts';
import { useLab } from './test-lab.ts';

const MB = 1e6;
const NODES = 4;
const LAYER_BYTES = 4 * MB;
/** Slow enough that the nodes meet while the image is downloaded. */
const UPSTREAM_MBIT = 40;

const lab = useLab({
  nodes: NODES,
  upstreamMbit: UPSTREAM_MBIT,
  mirrorArgs: ['--flights-enabled=true', '--log-level', 'DEBUG'],
});

/** How many requests of the node's containerd had an outcome. */
async function outcomes(node: LabNode, outcome: string): Promise<number> {
  return (await node.mirror.metrics()).sum('spegel_flight_requests_total', { outcome }) ?? 0;
}

/** The same for all nodes and several outcomes. */
async function total(...names: readonly string[]): Promise<number> {
  const counts = await Promise.all(
    lab().nodes.flatMap((node) => names.map(async (name) => outcomes(node, name))),
  );
  return counts.reduce((sum, count) => sum + count, 0);
}

/** The node that was sent upstream for the most. */
async function leader(): Promise<LabNode> {
  const counts = await Promise.all(lab().nodes.map(async (node) => outcomes(node, 'upstream')));
  const found = lab().nodes[counts.indexOf(Math.max(...counts))];
  if (found === undefined) throw new Error('There is no node');
  return found;
}

test('what all nodes want at once is downloaded from upstream once', async () => {
  const layers = Array.from({ length: 5 }, () => ({ sizeBytes: LAYER_BYTES }));
  const image = createImage({ seed: 'flights', layers });
  await lab().upstream.push(image, 'flights', 'v1');
  const grownBefore = await total('growing');
  const counted = await lab().upstream.count();
  await Promise.all(lab().nodes.map(async (node) => node.pull(`${REGISTRY}/flights:v1`)));
  const requests = await counted.requests();
  const asked = requests.filter(({ method }) => method === 'GET').map(({ reference }) => reference);
  expect(new Set(asked).size).toBe(image.blobs.length);
  // Without flights each node asks for all of it. One that finds no tower in time downloads for itself, and says so: a
  // machine as busy as this may be has such.
  const mayAsk = (await total('silent', 'late')) === 0 ? 2 : NODES;
  expect(asked.length).toBeLessThan(mayAsk * image.blobs.length);
  expect(await total('growing')).toBeGreaterThan(grownBefore);
  for (const node of lab().nodes) await node.verify(image);
});

test('when the mirror that downloads for all is killed, another node goes on', async () => {
  const image = createImage({ seed: 'orphans', layers: [{ sizeBytes: 4 * LAYER_BYTES }] });
  await lab().upstream.push(image, 'orphans', 'v1');
  const counted = await lab().upstream.count();
  const before = await Promise.all(lab().nodes.map(async (node) => outcomes(node, 'growing')));
  const pulls = lab().nodes.map(async (node) => node.pull(`${REGISTRY}/orphans:v1`));
  await waitFor('all others to follow', async () => {
    const now = await Promise.all(lab().nodes.map(async (node) => outcomes(node, 'growing')));
    return now.filter((count, at) => count > (before[at] ?? 0)).length === NODES - 1;
  });
  const killed = await leader();
  await killed.mirror.kill();
  await Promise.all(pulls);
  const layer = image.blobs.find(({ kind }) => kind === 'layer');
  const asked = (await counted.requests()).filter(({ reference }) => reference === layer?.digest);
  // The node whose mirror is dead goes on by itself, and so does one of the others, for the rest.
  expect(asked.length).toBeLessThanOrEqual(3);
  for (const node of lab().nodes) await node.verify(image);
  await killed.mirror.launch();
  await killed.mirror.ready();
});
