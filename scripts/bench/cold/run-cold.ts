import { createLab, type Lab, type LabOptions } from '../../lab/lab.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import type { TestImage } from '../../lab/test-image.ts';
import { untilFound } from '../../lab/until-found.ts';
import { PRIVATE_CREDENTIALS, PRIVATE_REGISTRY, REGISTRY } from '../../lab/upstream.ts';
import { type Content, createColdImages, distinctBytes, largestLayer } from './cold-images.ts';
import { type ColdPull, type ColdPullOptions, startColdPull } from './cold-pull.ts';
import { faultOf, type FaultName, type FaultSite, findFaulty, findTower, readLongestHold } from './faults.ts';
import { readMachine } from './read-machine.ts';

/** Options of runCold. */
export interface ColdOptions {
  readonly name: string;
  readonly binary: string;
  readonly mirrorArgs: readonly string[];
  /** Nodes that pull. */
  readonly nodes: number;
  /** Nodes that have the image from the start; upstream is gone when the others pull. */
  readonly holders: number;
  /** Layers of each image. */
  readonly layers: number;
  /** Images that all nodes want; a node begins with the one or the other. */
  readonly images: number;
  readonly content: Content;
  readonly rounds: number;
  readonly upstreamMbit: number;
  readonly linkMbit: number;
  /** Size of each image. */
  readonly sizeBytes: number;
  /** Pause between the starts of two nodes, in ms. */
  readonly apartMs: number;
  /** Size of the Range requests in which containerd gets layers; undefined: one request a layer. */
  readonly fetchBufferBytes: number | undefined;
  /** Upstream asks for credentials, and every second node has none. */
  readonly isPrivate: boolean;
  readonly fault: ColdFault | undefined;
  readonly containerdBinDir: string | undefined;
  readonly say: (text: string) => void;
}

/** What goes wrong in each round. */
export interface ColdFault {
  readonly name: FaultName;
  /** When, as a share of the ideal time. */
  readonly atShare: number;
  /** How long the node stays away, in ms; undefined: what the fault has. */
  readonly awayMs: number | undefined;
}

/** One round. */
export interface ColdRound {
  /** From the first node's start to the last node's end, in ms; without the node that had a fault. */
  readonly makespanMs: number;
  /** What left upstream, in images, each layer counted once. */
  readonly copies: number;
  /** The longest that a request waited for a flight without a byte, in ms; without the node that had a fault. */
  readonly longestHoldMs: number;
  /** The same pull by a node that is alone, in ms; undefined: not measured. */
  readonly aloneMs: number | undefined;
  /** Pulls that failed and were begun anew, of nodes without credentials. */
  readonly retried: number;
  /** CPU time of all mirrors, in seconds; without the node that had a fault. */
  readonly mirrorSeconds: number;
  /** Share of the machine's CPU time that was used, by whatever process. */
  readonly busyShare: number;
  readonly failures: readonly string[];
}

/** What one contender did. */
export interface ColdResult {
  readonly name: string;
  readonly idealMs: number;
  readonly rounds: readonly ColdRound[];
  /** The most that a mirror had, since its start, in bytes. */
  readonly peakRssBytes: number;
}

const BITS = 8;
/** Each node has it once as content and, unpacked, once more; and some slack. */
const COPIES_PER_NODE = 3;
/** The nodes without credentials begin this long before the others, in ms, so that a node without is the first to ask. */
const HEAD_START_MS = 100;

/** Starts a lab of its own, for each round with a fault another, and lets all its nodes pull new images each round. */
export async function runCold(options: ColdOptions): Promise<ColdResult> {
  const { rounds: count, fault } = options;
  const rounds: ColdRound[] = [];
  const peaks = [0];
  const perLab = fault === undefined ? count : 1;
  for (let first = 0; first < count; first += perLab) {
    await using lab = await createLab(labOptions(options));
    for (let round = first; round < first + perLab; round++) {
      const result = await runRound(lab, options, round);
      rounds.push(result);
      options.say(`${options.name}, round ${round + 1}: ${formatRound(result)}`);
    }
    const usages = await Promise.all(running(lab).map(async ({ mirror }) => mirror.usage()));
    peaks.push(...usages.map(({ peakRssBytes }) => peakRssBytes));
  }
  return { name: options.name, idealMs: idealMs(options), rounds, peakRssBytes: Math.max(...peaks) };
}

function formatRound({ makespanMs, copies, longestHoldMs, busyShare, failures }: ColdRound): string {
  return `${(makespanMs / 1000).toFixed(2)} s, ${copies.toFixed(2)} copies, held ${(longestHoldMs / 1000).toFixed(1)} s, ${(busyShare * 100).toFixed(0)} % busy ${failures.join('; ')}`;
}

function labOptions(options: ColdOptions): LabOptions {
  const { binary, mirrorArgs, linkMbit, containerdBinDir, isPrivate, fetchBufferBytes } = options;
  const nodes = options.nodes + options.holders;
  return {
    nodes,
    binary,
    mirrorArgs,
    link: { egressMbit: linkMbit, ingressMbit: linkMbit },
    roomBytes: options.sizeBytes * options.images * COPIES_PER_NODE * (nodes + 1),
    fetchBufferBytes,
    hasPrivateRegistry: isPrivate,
    mirroredRegistries: [`http://${registryOf(options)}`],
    ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
  };
}

const registryOf = ({ isPrivate }: ColdOptions) => (isPrivate ? PRIVATE_REGISTRY : REGISTRY);

/** The same for all rounds, but for some bytes. */
function idealMs(options: ColdOptions): number {
  const { holders, linkMbit, upstreamMbit } = options;
  const mbit = holders > 0 ? linkMbit : Math.min(upstreamMbit, linkMbit);
  return (distinctBytes(createColdImages({ ...options, seed: 'ideal' })) * BITS) / (mbit * 1000);
}

/** The images of a round, in upstream, with the references that pull them. */
async function pushImages(lab: Lab, options: ColdOptions, seed: string) {
  const images = createColdImages({ ...options, seed });
  const repositories = images.map((_, n) => `${seed}-${n}`);
  for (const [n, image] of images.entries()) await lab.upstream.push(image, repositories[n] ?? '', 'v1');
  // By a tag a node without credentials fails before it asks the mirror for anything.
  const version = (image: TestImage) => (options.isPrivate ? `@${image.root.digest}` : ':v1');
  const references = images.map(
    (image, n) => `${registryOf(options)}/${repositories[n] ?? ''}${version(image)}`,
  );
  return { images, repositories, references };
}

async function runRound(lab: Lab, options: ColdOptions, round: number): Promise<ColdRound> {
  const { holders, upstreamMbit, fault } = options;
  const { images, repositories, references } = await pushImages(lab, options, `cold-${round}`);
  const [having, others] = [lab.nodes.slice(0, holders), lab.nodes.slice(holders)];
  const ideal = idealMs(options);
  const layer = largestLayer(images).digest;
  for (const node of having) await startColdPull(node, { ...pullOptions(options, 1), references }).ended();
  if (holders > 0) {
    for (const [n, image] of images.entries()) {
      await Promise.all(others.map(async (node) => untilFound(node, image, repositories[n] ?? '', 'v1')));
    }
    await lab.upstream.cut('blackhole');
  } else await lab.upstream.endpoint.shape({ egressMbit: upstreamMbit });
  const aloneMs =
    options.content === 'realistic' && holders === 0 ? await pullAlone(lab, options, round) : undefined;

  const tower =
    fault !== undefined && faultOf(fault.name).of === 'tower' ? await findTower(lab, layer) : undefined;
  const pulling = others.filter((node) => node !== tower);
  const counted = await lab.upstream.count();
  const [cpuBefore, machine] = [await readCpu(lab), await readMachine()];
  const startedMs = performance.now();
  const pulls = pulling.map((node, at) =>
    startColdPull(node, {
      ...pullOptions(options, at),
      references: references.map((_, n) => references[(at + n) % references.length] ?? ''),
    }),
  );
  const atMs = startedMs + (fault?.atShare ?? 0) * ideal;
  const faulty =
    fault === undefined ? undefined : await beginFault(lab, options, { pulls, tower, layer, atMs });
  try {
    const healthy = pulls.filter(({ node }) => node !== faulty?.site.node);
    const ends = await Promise.all(healthy.map(async (pull) => pull.ended()));
    const makespanMs = Math.max(...ends.map(({ endedMs }) => endedMs)) - startedMs;
    const machineAfter = await readMachine();
    await faulty?.begun;
    const faultyEnd = faulty?.goesOn === true ? await faulty.pull?.ended() : undefined;
    const copies = (await counted.bytesOut()) / distinctBytes(images);
    const cpuAfter = await readCpu(lab);
    const holds = healthy
      .filter(({ node }) => node.hasMirror)
      .map(async ({ node }) => readLongestHold(lab, node, repositories));
    const longestHoldMs = Math.max(0, ...(await Promise.all(holds)));
    await faulty?.mend();
    if (holders > 0) await lab.upstream.restore();
    const whole = healthy.filter((_, at) => ends[at]?.failure === undefined).map(({ node }) => node);
    await settle(lab, [...having, ...whole], images);
    return {
      makespanMs,
      copies,
      longestHoldMs,
      aloneMs,
      retried: pulls.reduce((sum, { retried }) => sum + retried, 0),
      mirrorSeconds: healthy.reduce(
        (sum, { node: { name } }) => sum + (cpuAfter.get(name) ?? 0) - (cpuBefore.get(name) ?? 0),
        0,
      ),
      busyShare: (machineAfter.busy - machine.busy) / (machineAfter.all - machine.all),
      failures: [...ends, ...(faultyEnd === undefined ? [] : [faultyEnd])].flatMap(
        ({ failure }) => failure ?? [],
      ),
    };
  } finally {
    await faulty?.mend();
  }
}

/** What the nodes have different from each other. */
function pullOptions({ apartMs, isPrivate }: ColdOptions, at: number): Omit<ColdPullOptions, 'references'> {
  const hasCredentials = isPrivate && at % 2 === 1;
  return {
    delayMs: at * apartMs + (hasCredentials ? HEAD_START_MS : 0),
    pull: { credentials: hasCredentials ? PRIVATE_CREDENTIALS : undefined },
    retries: isPrivate && !hasCredentials,
  };
}

/** The time that a node takes that nobody helps or hinders, for images of the same kind. */
async function pullAlone(lab: Lab, options: ColdOptions, round: number): Promise<number> {
  const { images, references } = await pushImages(lab, options, `alone-${round}`);
  const [node] = lab.nodes;
  if (node === undefined) throw new RangeError('There is no node');
  const startedMs = performance.now();
  const { endedMs, failure } = await startColdPull(node, {
    ...pullOptions({ ...options, apartMs: 0 }, 1),
    references,
  }).ended();
  if (failure !== undefined) throw new Error(`The pull of a node that is alone failed: ${failure}`);
  await settle(lab, [node], images);
  return endedMs - startedMs;
}

interface FaultTarget {
  readonly pulls: readonly ColdPull[];
  readonly tower: LabNode | undefined;
  readonly layer: string;
  /** When, by performance.now(). */
  readonly atMs: number;
}

/** Does the fault at its time. What it returns can be mended more than once. */
async function beginFault(lab: Lab, options: ColdOptions, { pulls, tower, layer, atMs }: FaultTarget) {
  const { fault, linkMbit, say } = options;
  if (fault === undefined) throw new TypeError('There is no fault to begin');
  const kind = faultOf(fault.name);
  await Bun.sleep(Math.max(0, atMs - performance.now()));
  const of = kind.of === 'tower' ? 'root' : kind.of;
  const node =
    tower ??
    (await findFaulty(
      lab,
      pulls.map((pull) => pull.node),
      of,
      layer,
    ));
  const pull = pulls.find((one) => one.node === node);
  const site: FaultSite = {
    node,
    pull: pull ?? { cancel: () => {}, again: () => {} },
    linkMbit,
    awayMs: fault.awayMs ?? kind.awayMs,
  };
  say(`${fault.name} of ${node.name}, which is the ${kind.of}`);
  const begun = kind.begin(site);
  let mended: Promise<void> | undefined;
  const mend = async (): Promise<void> => {
    await begun;
    if (!kind.goesOn) pull?.cancel();
    await kind.mend(site);
    await pull?.ended();
  };
  return {
    site,
    pull,
    begun,
    goesOn: kind.goesOn,
    mend: async () => (mended ??= mend()),
  };
}

/** Checks what came, and takes it away again. */
async function settle(lab: Lab, whole: readonly LabNode[], images: readonly TestImage[]): Promise<void> {
  for (const image of images) {
    await Promise.all(whole.map(async (node) => node.verify(image)));
    await Promise.all(lab.nodes.map(async (node) => node.removeImage(image)));
  }
}

const running = (lab: Lab) => lab.nodes.filter((node) => node.hasMirror && node.mirror.running);

/** CPU time of each mirror that runs, in seconds, by the name of its node. */
async function readCpu(lab: Lab): Promise<ReadonlyMap<string, number>> {
  const usages = running(lab).map(
    async ({ name, mirror }) => [name, (await mirror.usage()).cpuSeconds] as const,
  );
  return new Map(await Promise.all(usages));
}
