import { expect, test } from 'bun:test';

import type { FlightsView } from '../../src/commands/peers-flights.ts';
import type { LoggedTransfer } from '../../src/observe/transfer-log.ts';
import type { FlightsReport } from '../../src/routing/flights-report.ts';
import { MIRROR_PORTS } from '../lab/mirror.ts';
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
  mirrorArgs: ['--log-level', 'DEBUG'],
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

/** What the node shows below /debug. */
async function debugJson<T>(node: LabNode, path: string): Promise<T> {
  const url = `http://${node.endpoint.ipv4}:${MIRROR_PORTS.metrics}/debug/${path}`;
  return (await (await lab().http.fetch(url)).json()) as T;
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
  // machine as busy as this may be has such. There, two towers may each see a first node, too.
  const mayAsk = (await total('silent', 'late')) === 0 ? 2 : NODES;
  expect(asked.length).toBeLessThanOrEqual(mayAsk * image.blobs.length);
  expect(await total('growing')).toBeGreaterThan(grownBefore);
  for (const node of lab().nodes) await node.verify(image);

  // Each node says what its part was.
  const ofLayers = new Set(image.blobs.filter(({ kind }) => kind === 'layer').map(({ digest }) => digest));
  const addresses = lab().nodes.map(({ endpoint }) => endpoint.ipv4);
  const parts: string[] = [];
  for (const node of lab().nodes) {
    const { transfers } = await debugJson<{ transfers: LoggedTransfer[] }>(node, 'transfers');
    const own = transfers.filter(
      ({ digest, forwarded }) => !forwarded && digest !== undefined && ofLayers.has(digest),
    );
    for (const { flight, outcome } of own) {
      parts.push(`${flight?.role} ${outcome}`);
      expect(flight?.heldMs).toBeGreaterThanOrEqual(0);
      if (flight?.role === 'child') expect(addresses).toContain(flight.parent?.origin ?? '');
    }
  }
  expect(parts).toContain('root missing');
  expect(parts).toContain('child served');
  const grown = lab().nodes.map(async (node) =>
    (await node.mirror.metrics()).sum('spegel_flight_bytes_total', { source: 'growing' }),
  );
  expect(Math.max(...(await Promise.all(grown)))).toBeGreaterThanOrEqual(LAYER_BYTES);
});

test('peers flights shows the tree of a layer, from any node, while it is downloaded', async () => {
  const image = createImage({ seed: 'seen', layers: [{ sizeBytes: 4 * LAYER_BYTES }] });
  const layer = image.blobs.find(({ kind }) => kind === 'layer')?.digest ?? '';
  await lab().upstream.push(image, 'seen', 'v1');
  const pulls = Promise.all(lab().nodes.map(async (node) => node.pull(`${REGISTRY}/seen:v1`)));
  const child = await waitFor('a node that takes the layer from another one', async () => {
    const reports = await Promise.all(
      lab().nodes.map(async (node) => debugJson<FlightsReport>(node, 'flights')),
    );
    const downloads = reports.flatMap((report) => report.downloads);
    return downloads.find(({ digest, role }) => digest === layer && role === 'child');
  });
  const addresses = lab().nodes.map(({ endpoint }) => endpoint.ipv4);
  expect(addresses).toContain(child.parent?.addresses[0] ?? '');
  expect(child).toMatchObject({ registry: REGISTRY, repository: 'seen' });
  const look = async (node: LabNode, name: string): Promise<FlightsView> => {
    const { exitCode, stdout, stderr } = await node.mirror.run(['peers', 'flights', name, '--json']);
    // On a machine as busy as this may be it is over by now; the tower keeps it for a minute.
    expect([0, 1], stderr).toContain(exitCode);
    return JSON.parse(stdout) as FlightsView;
  };
  const trees = await waitFor('all nodes in the tree', async () => {
    const views = await Promise.all(lab().nodes.map(async (node) => look(node, layer)));
    const seen = views.map(({ flights }) => flights[0]);
    return seen.every((tree) => tree?.nodes.length === NODES) ? seen : undefined;
  });
  // Whichever node is asked, the same tower's view is shown.
  expect(new Set(trees.map((tree) => tree?.tower.id)).size).toBe(1);
  const text = await lab().node(1).mirror.run(['peers', 'flights', layer, '--wide']);
  for (const { id } of trees[0]?.nodes ?? []) expect(text.stdout).toContain(id);
  await pulls;
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
