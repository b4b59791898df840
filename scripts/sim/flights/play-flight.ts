import { createRandom } from '../random.ts';
import {
  createFlightCluster,
  SLOW_FACTOR,
  type FaultKind,
  type FlightCluster,
  type FlightNode,
} from './sim-flight-cluster.ts';
import type { SlotRule } from './sim-containerd.ts';
import { createSimImage, type SimImage } from './sim-image.ts';

const MIB = 1024 * 1024;
const SECOND_MS = 1000;

/** What a fault is done to. `root`: the node that downloads from upstream; `parent`: the first that takes it from the root. */
export type FaultTarget = 'root' | 'parent' | 'tower' | 'second-tower';

/** A fault. */
export interface PlayedFault {
  readonly kind: FaultKind;
  readonly target: FaultTarget;
  /** When, as a share of the ideal time of the pull. */
  readonly atShare: number;
  /** After so long the mirror is started again, the pull taken up again, or containerd goes on. */
  readonly mendedAfterMs?: number | undefined;
}

/** What is played. Rates are in Mbit/s. */
export interface FlightPlay {
  readonly seed: number;
  readonly nodes: number;
  readonly layers: number;
  readonly imageMib: number;
  readonly upstreamMbits: number;
  readonly linkMbits: number;
  readonly connectionMbits?: number | undefined;
  readonly slotRule: SlotRule;
  /** The nodes start within so long. */
  readonly spreadMs: number;
  /** Images, each with a leader of its own; half of their layers are the same. */
  readonly images?: number | undefined;
  /** Nodes that have it all before. */
  readonly holders?: number | undefined;
  /** Nodes that do not pull. */
  readonly bystanders?: number | undefined;
  readonly unseenShare?: number | undefined;
  /** See FlightClusterOptions. */
  readonly slowMbits?: number | undefined;
  readonly faults?: readonly PlayedFault[] | undefined;
  readonly isOn?: boolean | undefined;
  /** See FlightClusterOptions. */
  readonly trace?: ((line: string) => void) | undefined;
}

/** What came of it. */
export interface FlightResult {
  /** Bytes from upstream, as a share of what is in the images. */
  readonly copies: number;
  /** Until the last node without a fault had it, as a share of the ideal. */
  readonly makespan: number;
  readonly longestHeldMs: number;
  /** Questions, reports and requests per node and content. */
  readonly messages: number;
  /** Pulls of nodes without a fault that failed, or did not end. */
  readonly failed: number;
  /** Bodies that broke. */
  readonly broken: number;
  /** Bodies of one digest that broke again between the same two nodes. */
  readonly repeated: number;
  readonly violations: readonly string[];
  readonly outcomes: Readonly<Record<string, number>>;
  readonly virtualSeconds: number;
}

/** Virtual time after which what has not ended is stuck, beyond ten times what it takes one node. */
const PATIENCE_MS = 120 * SECOND_MS;
const LOOK_EVERY_MS = 500;
/** Nodes that hang, are cancelled or were restarted should end, too. */
const BITS_PER_BYTE = 8;

/** Plays one pull of all nodes. */
export async function playFlight(play: FlightPlay): Promise<FlightResult> {
  const {
    seed,
    nodes: count,
    holders = 0,
    bystanders = 0,
    spreadMs,
    faults = [],
    upstreamMbits,
    linkMbits,
  } = play;
  const random = createRandom(seed).fork(77);
  const images = imagesOf(play);
  const cluster = createFlightCluster({ ...play, images });
  const image = images[0];
  if (image === undefined) throw new RangeError('No image');
  for (const node of cluster.nodes.slice(0, holders)) for (const each of images) cluster.fill(node, each);
  const pulling = cluster.nodes.slice(holders, count - bystanders);
  const starts = pulling.map(() => random.next() * spreadMs);
  const firstMs = Math.min(...starts);
  const pulls = new Map<FlightNode, Pull>();
  for (const [index, node] of pulling.entries()) {
    const own = images.length === 1 ? images : random.sample(images, images.length);
    const pull = createPull(cluster, node, own);
    pulls.set(node, pull);
    cluster.after((starts[index] ?? 0) - firstMs, () => pull.start());
  }
  const unique = new Map(
    images.flatMap((each) =>
      [each.manifest, ...each.contents].map(({ digest, sizeBytes }) => [digest, sizeBytes]),
    ),
  );
  const uniqueBytes = [...unique.values()].reduce((sum, bytes) => sum + bytes, 0);
  const msOf = (mbits: number) => (uniqueBytes * BITS_PER_BYTE) / (mbits * 1000);
  const lastStartMs = Math.max(...starts) - firstMs;
  const upstreamMs = holders > 0 ? 0 : msOf(Math.min(upstreamMbits, linkMbits));
  const idealMs = Math.max(upstreamMs, lastStartMs + msOf(linkMbits));
  for (const fault of faults) {
    cluster.after(idealMs * fault.atShare, () => {
      const node = targetOf(cluster, pulling, image, fault.target);
      if (node !== undefined && !node.isFaulty) befall(cluster, node, pulls.get(node), fault);
    });
  }
  // A node may have to go upstream with all of it, beside others.
  const aloneMs = msOf(Math.min(upstreamMbits, linkMbits, play.connectionMbits ?? Infinity));
  // The only node that has it may have a slow link, and is not left for upstream because of that.
  const isSlow = faults.some(({ kind }) => kind === 'slow');
  const slowMs = isSlow ? count * msOf(linkMbits / SLOW_FACTOR) : 0;
  const untilMs = 10 * Math.max(idealMs, aloneMs) + slowMs + PATIENCE_MS;
  const mustEnd = () => [...pulls].filter(([node]) => !node.isFaulty || pulls.get(node)?.isMended === true);
  do await cluster.pass(LOOK_EVERY_MS);
  while (cluster.nowMs() < untilMs && mustEnd().some(([, { endedMs }]) => endedMs === undefined));

  const { counts } = cluster;
  const healthy = [...pulls].filter(([node]) => !node.isFaulty).map(([, pull]) => pull);
  const breaks = [...counts.broken.values()];
  const messages = (counts.asks + counts.reports + counts.requests) / (pulling.length * unique.size);
  return {
    copies: counts.upstreamBytes / uniqueBytes,
    makespan: Math.max(...healthy.map(({ endedMs = Infinity }) => endedMs)) / idealMs,
    longestHeldMs: counts.longestHeldMs,
    messages,
    failed: mustEnd().filter(([, { endedMs, hasFailed }]) => endedMs === undefined || hasFailed).length,
    broken: breaks.reduce((sum, times) => sum + times, 0),
    repeated: breaks.reduce((sum, times) => sum + times - 1, 0),
    violations: counts.violations,
    outcomes: Object.fromEntries([...counts.outcomes].sort(([a], [b]) => (a < b ? -1 : 1))),
    virtualSeconds: cluster.nowMs() / SECOND_MS,
  };
}

interface Pull {
  start(): void;
  cancel(): void;
  isMended: boolean;
  readonly endedMs: number | undefined;
  readonly hasFailed: boolean;
}

function createPull(cluster: FlightCluster, { containerd }: FlightNode, images: readonly SimImage[]): Pull {
  let stop = new AbortController();
  const pull: { -readonly [Key in keyof Pull]: Pull[Key] } = {
    isMended: false,
    endedMs: undefined,
    hasFailed: false,
    start() {
      const { signal } = (stop = new AbortController());
      const all = Promise.all(images.map(async (image) => containerd.pull(image, signal)));
      all.then(
        () => (pull.endedMs = cluster.nowMs()),
        () => {
          if (signal.aborted) return;
          pull.endedMs = cluster.nowMs();
          pull.hasFailed = true;
        },
      );
    },
    cancel: () => stop.abort(new Error('Cancelled')),
  };
  return pull;
}

/** Two images have half of their layers, the first ones, in common. */
function imagesOf({ layers, imageMib, images = 1, seed }: FlightPlay): readonly SimImage[] {
  const random = createRandom(seed).fork(5);
  const weights = Array.from({ length: layers }, () => 0.2 + random.next());
  const weight = weights.reduce((sum, each) => sum + each, 0);
  return Array.from({ length: images }, (_, image) =>
    createSimImage(
      `library/image-${image}`,
      weights.map((each, layer) => ({
        name: layer < layers / 2 ? `base-${layer}` : `${image}-${layer}`,
        sizeBytes: Math.max(300 * 1024, Math.floor((each / weight) * imageMib * MIB)),
      })),
    ),
  );
}

function targetOf(
  cluster: FlightCluster,
  pulling: readonly FlightNode[],
  image: SimImage,
  target: FaultTarget,
): FlightNode | undefined {
  // Of the largest layer that is under way.
  const layers = image.contents
    .filter(({ digest }) =>
      pulling.some(({ containerd }) => containerd.store.downloads.get(digest) !== undefined),
    )
    .sort((a, b) => b.sizeBytes - a.sizeBytes);
  const digest = layers[0]?.digest;
  if (digest === undefined) return undefined;
  const [tower, second] = cluster.towersOf(digest);
  if (target === 'tower') return tower;
  if (target === 'second-tower') return second;
  const members = tower?.mirror.flights?.report(digest).flights[0]?.nodes ?? [];
  const root =
    members.find(({ role, children }) => role === 'root' && children > 0) ??
    members.find(({ role }) => role === 'root');
  const parent = members.find(({ children, role, depth }) => role === 'child' && depth === 1 && children > 0);
  const named = target === 'root' ? root?.id : parent?.id;
  return cluster.nodes.find(({ name }) => name === named);
}

function befall(cluster: FlightCluster, node: FlightNode, pull: Pull | undefined, fault: PlayedFault): void {
  cluster.fault(node, fault.kind);
  if (fault.kind === 'cancel') pull?.cancel();
  // A mirror that is dead leaves its containerd to upstream.
  if (pull !== undefined && fault.kind === 'kill') pull.isMended = true;
  if (fault.mendedAfterMs === undefined) return;
  if (pull !== undefined) pull.isMended = true;
  cluster.after(fault.mendedAfterMs, () => {
    if (fault.kind === 'cancel') pull?.start();
    else if (fault.kind === 'hang') cluster.resume(node);
    else if (fault.kind === 'kill') cluster.restart(node);
  });
}
