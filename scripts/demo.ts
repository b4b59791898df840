import { formatTable } from '../src/terminal/format-table.ts';
import { BINARY } from './lab/binary.ts';
import {
  type DemoPull,
  judgeDemo,
  megabytes,
  REGISTRY_NOISE_BYTES,
  type RegistryWas,
  seconds,
} from './lab/demo-verdict.ts';
import { createLab, type Lab } from './lab/lab.ts';
import type { LabNode } from './lab/lab-node.ts';
import { countMirrorRequests } from './lab/mirror-counts.ts';
import { createImage, type TestImage } from './lab/test-image.ts';
import { untilFound } from './lab/until-found.ts';
import { REGISTRY } from './lab/upstream.ts';

const MB = 1e6;
/** Of the registry's link, for all nodes together. Ten times less than what is common between nodes. */
const REGISTRY_MBIT = 100;
/** Of each node's link, in each direction. */
const NODE_MBIT = 1000;
const LAYERS_MB = [40, 20, 10, 5];
/** Less than this from another node is the chatter of the cluster, not content, in bytes. */
const NODE_NOISE_BYTES = 0.2 * MB;

/** A pull, and how the table tells it. */
interface ToldPull extends DemoPull {
  readonly reference: string;
  readonly from: string;
}

const startedMs = performance.now();
const say = (text: string) => {
  console.log(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s  ${text}`);
};

/** Pulls, checks every blob, and measures where the bytes came from. Throws if a blob is missing or wrong. */
async function pull(
  lab: Lab,
  {
    node,
    image,
    name,
    reference,
    registryWas,
  }: { node: LabNode; image: TestImage; name: string; reference: string; registryWas: RegistryWas },
): Promise<ToldPull> {
  const others = lab.nodes.filter((other) => other !== node);
  const sentBefore = await Promise.all(
    others.map(async ({ endpoint }) => (await endpoint.traffic()).sentBytes),
  );
  const registry = await lab.upstream.count();
  const counted = await countMirrorRequests(node.mirror);

  const ms = await node.pull(`${REGISTRY}/${reference}`).catch((error: unknown) => {
    throw new Error(`${node.name} could not pull ${name}`, { cause: error });
  });
  await node.verify(image);

  const { hits, misses } = await counted();
  const sources: string[] = [];
  for (const [n, { name, endpoint }] of others.entries()) {
    const bytes = (await endpoint.traffic()).sentBytes - (sentBefore[n] ?? 0);
    if (bytes > NODE_NOISE_BYTES) sources.push(`${name} ${megabytes(bytes)}`);
  }
  const registryBytes = await registry.bytesOut();
  const registryRequests = (await registry.requests()).length;
  if (registryBytes > REGISTRY_NOISE_BYTES) sources.push(`registry ${megabytes(registryBytes)}`);
  const short = reference.replace(/(@sha256:.{12}).*/, '$1…');
  say(`${node.name} pulled ${short} in ${seconds(ms)} from ${sources.join(' and ')}; every blob is right`);
  return {
    node: node.name,
    image: name,
    reference: short,
    from: sources.join(', '),
    registryWas,
    ms,
    blobs: image.blobs.length,
    contentBytes: image.blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    registryRequests,
    registryBytes,
    hits,
    misses,
  };
}

/** Starts everything, pulls, and removes everything again. */
async function runDemo(): Promise<ToldPull[]> {
  say(
    'starting a registry and three nodes, each a network namespace; each node has a containerd and a mirror',
  );
  await using lab = await createLab({
    nodes: 3,
    binary: BINARY,
    upstreamMbit: REGISTRY_MBIT,
    link: { egressMbit: NODE_MBIT, ingressMbit: NODE_MBIT },
  });
  for (const { name, endpoint, containerd } of lab.nodes) {
    say(`${name} is ready: ${endpoint.ipv4}, containerd ${containerd.version}`);
  }
  say(
    `the registry's link has ${REGISTRY_MBIT} Mbit/s, as a busy registry far away gives a node; each node's link has ${NODE_MBIT}`,
  );
  const [first, second, third] = [lab.node(1), lab.node(2), lab.node(3)];
  const pulls: ToldPull[] = [];
  for (const outage of [false, true]) {
    const repository = outage ? 'shop' : 'web';
    const name = `${repository}:v1`;
    const image = createImage({
      seed: repository,
      layers: LAYERS_MB.map((size) => ({ sizeBytes: size * MB, files: size })),
    });
    await lab.upstream.push(image, repository, 'v1');
    say(`${name} is in the registry, ${image.blobs.length} blobs; no node has it`);
    pulls.push(await pull(lab, { node: first, image, name, reference: name, registryWas: 'needed' }));
    await untilFound(second, image, repository, 'v1');
    if (outage) {
      await lab.upstream.cut('refuse');
      say('the registry is gone: its machine refuses connections');
    }
    const registryWas = outage ? 'gone' : 'not needed';
    for (const [node, reference] of [
      [second, name],
      [third, `${repository}@${image.root.digest}`],
    ] as const) {
      pulls.push(await pull(lab, { node, image, name, reference, registryWas }));
    }
  }
  return pulls;
}

function report(pulls: readonly ToldPull[]): boolean {
  console.log('');
  console.log(
    formatTable([
      ['NODE', 'IMAGE', 'PULLED FROM', 'TIME', 'FROM THE REGISTRY', 'THE REGISTRY WAS'],
      ...pulls.map(({ node, reference, from, ms, registryBytes, registryWas }) => [
        node,
        reference,
        from,
        seconds(ms),
        registryBytes > REGISTRY_NOISE_BYTES ? megabytes(registryBytes) : '0',
        registryWas,
      ]),
    ]),
  );
  const { findings, failures } = judgeDemo(pulls, REGISTRY_MBIT);
  for (const finding of findings) console.log(`- ${finding}`);
  if (failures.length > 0) {
    console.error('\nThe demo failed:');
    for (const failure of failures) console.error(`- ${failure}`);
    return false;
  }
  console.log(`
The seconds are those of these links and of this machine; the bytes are not.
Next: docs/QUICKSTART.md, "On a cluster", for your own nodes; \`bun scripts/lab-up.ts\` for the same lab by hand;
\`scripts/test\` for everything that is tested.`);
  return true;
}

try {
  const pulls = await runDemo();
  say('done, everything is removed again');
  if (!report(pulls)) process.exitCode = 1;
} catch (error) {
  const { message, cause } = error as Error;
  console.error(`The demo failed: ${message}${cause instanceof Error ? `: ${cause.message}` : ''}`);
  process.exitCode = 1;
}
