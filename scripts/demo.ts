import { formatTable } from '../src/commands/format-table.ts';
import { BINARY } from './lab/binary.ts';
import { createLab, type Lab } from './lab/lab.ts';
import type { LabNode } from './lab/lab-node.ts';
import { countMirrorRequests } from './lab/mirror-counts.ts';
import { createImage, type TestImage } from './lab/test-image.ts';
import { untilFound } from './lab/until-found.ts';
import { REGISTRY } from './lab/upstream.ts';

const MB = 1e6;
/** What upstream may send during a pull that it has no part in: address resolution and the like, in bytes. */
const UPSTREAM_NOISE_BYTES = 10_000;
/** Less than this from a neighbour is the chatter of the cluster, not content, in bytes. */
const NEIGHBOUR_NOISE_BYTES = 0.2 * MB;

/** Whether a pull may have, or could have had, anything from upstream. */
type UpstreamWas = 'needed' | 'not asked' | 'gone';

/** One pull, as it is told in the table. */
interface Pull {
  readonly node: string;
  readonly image: string;
  readonly from: string;
  readonly ms: number;
  readonly upstreamBytes: number;
  readonly upstreamWas: UpstreamWas;
}

const startedMs = performance.now();
const say = (text: string) => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s  ${text}`);
};

/** Pulls, checks every blob, and finds out where the bytes came from. Throws if that is not where they should come from. */
async function pull(
  lab: Lab,
  {
    node,
    image,
    reference,
    upstreamWas,
  }: { node: LabNode; image: TestImage; reference: string; upstreamWas: UpstreamWas },
): Promise<Pull> {
  const others = lab.nodes.filter((other) => other !== node);
  const sentBefore = await Promise.all(
    others.map(async ({ endpoint }) => (await endpoint.traffic()).sentBytes),
  );
  const upstream = await lab.upstream.count();
  const counted = await countMirrorRequests(node.mirror);

  const ms = await node.pull(reference);
  await node.verify(image);

  const { hits, misses } = await counted();
  const sources: string[] = [];
  for (const [n, { name, endpoint }] of others.entries()) {
    const bytes = (await endpoint.traffic()).sentBytes - (sentBefore[n] ?? 0);
    if (bytes > NEIGHBOUR_NOISE_BYTES) sources.push(`${name} ${megabytes(bytes)}`);
  }
  const upstreamBytes = await upstream.bytesOut();
  const requests = (await upstream.requests()).length;
  if (upstreamBytes > UPSTREAM_NOISE_BYTES) sources.push(`upstream ${megabytes(upstreamBytes)}`);
  say(
    `${node.name} pulled ${reference} in ${(ms / 1000).toFixed(2)} s from ${sources.join(' and ')}; every blob is right`,
  );
  if (upstreamWas !== 'needed') {
    expect(hits >= image.blobs.length, `${node.name}'s mirror counted ${hits} hits`);
    expect(misses === 0, `${node.name}'s mirror counted ${misses} misses`);
    expect(requests === 0, `${requests} requests reached upstream`);
    expect(upstreamBytes <= UPSTREAM_NOISE_BYTES, `upstream sent ${upstreamBytes} bytes`);
  }
  return {
    node: node.name,
    image: reference.replace(`${REGISTRY}/`, '').replace(/(@sha256:.{12}).*/, '$1…'),
    from: sources.join(', '),
    ms,
    upstreamBytes,
    upstreamWas,
  };
}

function expect(condition: boolean, otherwise: string): void {
  if (!condition) throw new Error(`That is not the main job: ${otherwise}`);
}

function megabytes(bytes: number): string {
  return `${(bytes / MB).toFixed(1)} MB`;
}

async function main(): Promise<void> {
  say('starting a registry and three nodes, each a network namespace with a containerd and a spegel');
  await using lab = await createLab({ nodes: 3, binary: BINARY });
  for (const { name, endpoint, containerd } of lab.nodes) {
    say(`${name} is ready: ${endpoint.ipv4}, containerd ${containerd.version}`);
  }
  const [first, second, third] = [lab.node(1), lab.node(2), lab.node(3)];
  const pulls: Pull[] = [];
  for (const outage of [false, true]) {
    const repository = outage ? 'shop' : 'web';
    const image = createImage({
      seed: repository,
      layers: [40, 20, 10, 5].map((size) => ({ sizeBytes: size * MB, files: size })),
    });
    await lab.upstream.push(image, repository, 'v1');
    say(`${REGISTRY}/${repository}:v1 is in the registry, ${image.blobs.length} blobs`);
    const tag = `${REGISTRY}/${repository}:v1`;
    const digest = `${REGISTRY}/${repository}@${image.root.digest}`;
    pulls.push(await pull(lab, { node: first, image, reference: tag, upstreamWas: 'needed' }));
    await untilFound(second, image, repository, 'v1');
    if (outage) {
      await lab.upstream.cut('refuse');
      say('the registry is gone');
    }
    const upstreamWas = outage ? 'gone' : 'not asked';
    for (const [node, reference] of [
      [second, tag],
      [third, digest],
    ] as const) {
      pulls.push(await pull(lab, { node, image, reference, upstreamWas }));
    }
  }
  console.log('');
  console.log(
    formatTable([
      ['NODE', 'IMAGE', 'PULLED FROM', 'TIME', 'FROM UPSTREAM', 'UPSTREAM WAS'],
      ...pulls.map(({ node, image, from, ms, upstreamBytes, upstreamWas }) => [
        node,
        image,
        from,
        `${(ms / 1000).toFixed(2)} s`,
        upstreamBytes > UPSTREAM_NOISE_BYTES ? megabytes(upstreamBytes) : '0',
        upstreamWas,
      ]),
    ]),
  );
}

try {
  await main();
  say('done, everything is removed again');
} catch (error) {
  console.error(error instanceof Error ? `The demo failed: ${error.message}` : error);
  process.exitCode = 1;
}
