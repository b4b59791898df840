import { FIND_PATH, findQuery, type FindReport } from '../../../src/routing/peers-report.ts';
import { createLab, type Lab } from '../../lab/lab.ts';
import { type LabNode, NO_MIRROR } from '../../lab/lab-node.ts';
import { MIRROR_PORTS } from '../../lab/mirror.ts';
import { createImage, type TestImage } from '../../lab/test-image.ts';
import { REGISTRY } from '../../lab/upstream.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { readMachine } from '../cold/read-machine.ts';
import { type BegunFault, type FaultKind, type FaultName, faultOf } from './fault-kinds.ts';
import { pullUntilDone, type TriedPull } from './pull-until-done.ts';

/** Options of runFault. */
export interface FaultsOptions {
  readonly binary: string;
  readonly containerdBinDir: string | undefined;
  readonly rounds: number;
  readonly layers: number;
  /** Size of each image. */
  readonly sizeBytes: number;
  readonly upstreamMbit: number;
  /** Each node's link, both ways. */
  readonly linkMbit: number;
  /** Share of the image that is there when a fault in the middle begins. */
  readonly atShare: number;
  readonly say: (text: string) => void;
}

/** One round. */
export interface FaultRound {
  /** A pull by a node without a mirror, in ms. */
  readonly bareMs: number;
  /** The same with the fault; undefined: the fault does not hit it. */
  readonly bareFaulty: TriedPull | undefined;
  /** A pull through the mirror, in ms. */
  readonly healthyMs: number;
  /** The same with the fault. */
  readonly faulty: TriedPull;
  /** What left upstream during the pull with the fault, in bytes. */
  readonly upstreamBytes: number;
  /** Blobs for which the puller's mirror found that a peer gave wrong bytes. */
  readonly wrongBlobs: number;
  /** Share of the machine's CPU time that was used during the pulls, by whatever process. */
  readonly busyShare: number;
}

/** What a fault did. */
export interface FaultResult {
  readonly name: FaultName;
  readonly rounds: readonly FaultRound[];
}

/** The machines of a fault. */
interface Bed {
  readonly lab: Lab;
  readonly holders: readonly LabNode[];
  readonly puller: LabNode;
  /** Has no mirror. */
  readonly bare: LabNode;
}

/** An image that is in upstream. */
interface PushedImage {
  readonly image: TestImage;
  readonly repository: string;
  readonly reference: string;
}

/** Files of the content of a node: what a round leaves until it is removed, twice. */
const DISK_IMAGES = 3;
/** Each node has it once as content and, unpacked, once more; two images a round. */
const COPIES_PER_NODE = 4;
const MIDDLE_LOOK_MS = 5;
const FIND_TIMEOUT_MS = 1000;

/** Starts a lab of its own and does the fault in each round, to a new image. */
export async function runFault(name: FaultName, options: FaultsOptions): Promise<FaultResult> {
  const kind = faultOf(name);
  await using lab = await createLab(labOptions(kind, options));
  const bed: Bed = {
    lab,
    holders: lab.nodes.slice(0, kind.holders.length),
    puller: lab.node(kind.holders.length + 1),
    bare: lab.node(kind.holders.length + 2),
  };
  const rounds: FaultRound[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const result = await runRound(bed, kind, options, `${name}-${round}`);
    rounds.push(result);
    options.say(`${name}, round ${round + 1}: ${formatRound(result)}`);
  }
  return { name, rounds };
}

function labOptions(kind: FaultKind, options: FaultsOptions) {
  const { binary, containerdBinDir, linkMbit, sizeBytes } = options;
  const disk = kind.ownDisk === true ? { contentBytes: sizeBytes * DISK_IMAGES } : {};
  const inZone = (zone: string | undefined) => (zone === undefined ? {} : { mirrorEnv: { ZONE: zone } });
  return {
    nodes: [
      ...kind.holders.map(({ zone, hasFront = false }) => ({ ...inZone(zone), hasFront })),
      { ...inZone(kind.zone), ...disk },
      { binary: NO_MIRROR, ...disk },
    ],
    binary,
    link: { egressMbit: linkMbit, ingressMbit: linkMbit },
    roomBytes: sizeBytes * COPIES_PER_NODE * (kind.holders.length + 3),
    ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
  };
}

async function runRound(
  bed: Bed,
  kind: FaultKind,
  options: FaultsOptions,
  seed: string,
): Promise<FaultRound> {
  const { lab, puller, bare } = bed;
  await lab.upstream.endpoint.shape({});
  const [healthy, faulty] = [
    await share(bed, options, `${seed}-healthy`),
    await share(bed, options, `${seed}-faulty`),
  ];
  await lab.upstream.endpoint.shape({ egressMbit: options.upstreamMbit });
  const machine = await readMachine();
  const bareMs = await bare.pull(healthy.reference);
  const healthyMs = await puller.pull(healthy.reference);
  const bareFaulty = kind.hitsBare ? await pullWithFault(bed, kind, options, bare, faulty) : undefined;
  const wrongBefore = await readWrongBlobs(puller);
  const upstream = await lab.upstream.count();
  const pull = await pullWithFault(bed, kind, options, puller, faulty);
  const upstreamBytes = await upstream.bytesOut();
  const machineAfter = await readMachine();
  const wrongBlobs = (await readWrongBlobs(puller)) - wrongBefore;
  await puller.verify(faulty.image);
  for (const { image } of [healthy, faulty]) {
    await Promise.all(lab.nodes.map(async (node) => node.removeImage(image)));
  }
  // It remembers which peers failed, and gave wrong bytes.
  await puller.mirror.restart();
  return {
    bareMs,
    bareFaulty,
    healthyMs,
    faulty: pull,
    upstreamBytes,
    wrongBlobs,
    busyShare: (machineAfter.busy - machine.busy) / (machineAfter.all - machine.all),
  };
}

/** Pushes an image, gives it to the holders, and waits until the puller knows all of them as such. */
async function share(bed: Bed, options: FaultsOptions, repository: string): Promise<PushedImage> {
  const { lab, holders, puller } = bed;
  const sizeBytes = Math.floor(options.sizeBytes / options.layers);
  const image = createImage({
    seed: repository,
    layers: Array.from({ length: options.layers }, () => ({ sizeBytes })),
  });
  const reference = `${REGISTRY}/${repository}:v1`;
  await lab.upstream.push(image, repository, 'v1');
  for (const holder of holders) await holder.pull(reference);
  for (const key of [reference, ...image.blobs.map(({ digest }) => digest)]) {
    const url = `http://${puller.endpoint.ipv4}:${MIRROR_PORTS.metrics}${FIND_PATH}`;
    await waitFor(`${puller.name} to know all holders of ${key}`, async () => {
      const response = await lab.http.fetch(`${url}?${findQuery({ key, timeoutMs: FIND_TIMEOUT_MS })}`);
      return ((await response.json()) as FindReport).providers.length === holders.length;
    });
  }
  return { image, repository, reference };
}

async function readWrongBlobs({ mirror }: LabNode): Promise<number> {
  return (await mirror.metrics()).sum('spegel_wrong_blobs_total');
}

/** Pulls on the node, and does the fault before or in the middle. It is mended when this returns. */
async function pullWithFault(
  { lab, holders }: Bed,
  kind: FaultKind,
  options: FaultsOptions,
  node: LabNode,
  { image, reference }: PushedImage,
): Promise<TriedPull> {
  const [first] = holders;
  if (first === undefined) throw new RangeError('There is no holder');
  const site = { lab, node, holders, image };
  let fault: BegunFault | undefined;
  try {
    if (kind.at === 'before') fault = await kind.begin({ ...site, serving: first });
    let isOver = false;
    const pulling = pullUntilDone(node, reference, (count) => fault?.triesFailed?.(count)).finally(() => {
      isOver = true;
    });
    const breaking = async () => {
      const look = await untilMiddle(site, options.atShare * options.sizeBytes, () => isOver);
      fault = await kind.begin({ ...site, serving: look });
    };
    const [pull] = await Promise.all([pulling, kind.at === 'middle' ? breaking() : undefined]);
    return pull;
  } finally {
    await fault?.mend();
  }
}

/** Waits until the node has received so many bytes. Returns the holder that has sent the most since then. */
async function untilMiddle(
  { node, holders }: { readonly node: LabNode; readonly holders: readonly LabNode[] },
  bytes: number,
  isOver: () => boolean,
): Promise<LabNode> {
  const sent = async () =>
    Promise.all(
      holders.map(async (holder) => ({ holder, bytes: (await holder.endpoint.traffic()).sentBytes })),
    );
  const receivedBefore = (await node.endpoint.traffic()).receivedBytes;
  const sentBefore = await sent();
  const what = `${node.name} to be in the middle of its pull; a larger image takes longer`;
  await waitFor(
    what,
    async () => {
      if ((await node.endpoint.traffic()).receivedBytes - receivedBefore > bytes) return true;
      return isOver();
    },
    { intervalMs: MIDDLE_LOOK_MS },
  );
  if (isOver()) throw new Error(`The pull of ${node.name} ended before the fault; take a larger --size-mb`);
  const [most] = (await sent())
    .map((after, n) => ({ holder: after.holder, bytes: after.bytes - (sentBefore[n]?.bytes ?? 0) }))
    .toSorted((a, b) => b.bytes - a.bytes);
  if (most === undefined) throw new RangeError('There is no holder');
  return most.holder;
}

function formatRound({
  bareMs,
  bareFaulty,
  healthyMs,
  faulty,
  upstreamBytes,
  wrongBlobs,
  busyShare,
}: FaultRound): string {
  const seconds = (ms: number) => `${(ms / 1000).toFixed(2)} s`;
  const withFault = ({ ms, failures }: TriedPull) =>
    [seconds(ms), ...failures.map((failure) => `failed: ${failure}`)].join(', ');
  return [
    `no mirror ${seconds(bareMs)}`,
    ...(bareFaulty === undefined ? [] : [`no mirror with the fault ${withFault(bareFaulty)}`]),
    `healthy ${seconds(healthyMs)}`,
    `with the fault ${withFault(faulty)}`,
    `${(upstreamBytes / 1e6).toFixed(1)} MB from upstream`,
    `${wrongBlobs} wrong blobs`,
    `${(busyShare * 100).toFixed(0)} % busy`,
  ].join('; ');
}
