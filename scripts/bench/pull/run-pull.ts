import { createLab } from '../../lab/lab.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import { createImage, type TestBlob, type TestImage } from '../../lab/test-image.ts';
import { contentPath } from '../../lab/until-found.ts';
import { REGISTRY } from '../../lab/upstream.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { readMachine } from '../cold/read-machine.ts';
import { watchMemory } from '../memory.ts';

/** Options of runPull. */
export interface PullBenchOptions {
  readonly name: string;
  readonly binary: string;
  readonly containerdBinDir: string | undefined;
  readonly nodes: number;
  readonly images: number;
  /** Of each image. */
  readonly layers: number;
  readonly layerBytes: number;
  /** How many layers are looked for on the other nodes. */
  readonly asked: number;
  /** Told what happens. */
  readonly say: (text: string) => void;
}

/** What one node's pull cost its mirror. */
export interface PullBenchResult {
  readonly name: string;
  readonly pullMs: number;
  /** Of the mirror of the node that pulls: until the pull's end, and from then on until it is quiet. */
  readonly pullCpuSeconds: number;
  readonly restCpuSeconds: number;
  /** Of each other mirror, on average. */
  readonly otherCpuSeconds: number;
  /** Of the mirror of the node that pulls: the most during the pull, and what is left when it is quiet. */
  readonly peakAnonymousBytes: number;
  readonly anonymousBytes: number;
  /** For each layer that was looked for: when another node found it, after the pull's end. */
  readonly foundAfterMs: readonly number[];
  /** Share of the machine's time that was in use during the pull. */
  readonly busyShare: number;
}

const REPOSITORY = 'many';
/** Nodes that have just met are quiet after so long, and a mirror whose pull is over, in ms. */
const SETTLE_MS = 8_000;
const PULL_TIMEOUT_MS = 300_000;
/** Pause before another node is asked, in ms. */
const ASK_AGAIN_MS = 20;
/** What a node takes for a layer: as content, and as much again for what surrounds it. */
const ROOM_PER_LAYER_BYTES = 16_384;

/** One node of a new cluster pulls images of many layers, one after the other, that no node has. */
export async function runPull(options: PullBenchOptions): Promise<PullBenchResult> {
  const { name, binary, containerdBinDir, nodes, images: count, layers, layerBytes, say } = options;
  await using lab = await createLab({
    nodes,
    binary,
    // As users run it: the lab's own level writes a line for each message.
    mirrorArgs: ['--log-level', 'INFO'],
    roomBytes: count * layers * (layerBytes + ROOM_PER_LAYER_BYTES) * 2,
    ...(containerdBinDir === undefined ? {} : { containerdBinDir }),
  });
  const images = Array.from({ length: count }, (_, n) =>
    createImage({
      seed: `${REPOSITORY}-${n}`,
      layers: Array.from({ length: layers }, () => ({ sizeBytes: layerBytes })),
    }),
  );
  for (const [n, image] of images.entries()) await lab.upstream.push(image, REPOSITORY, `v${n}`);
  await Bun.sleep(SETTLE_MS);

  const [puller, ...others] = lab.nodes;
  if (puller === undefined) throw new RangeError('A pull needs a node');
  const machineBefore = await readMachine();
  const before = await Promise.all(lab.nodes.map(cpuSeconds));
  const { result: pullMs, anonymousBytes: peakAnonymousBytes } = await watchMemory([puller], async () => {
    let ms = 0;
    for (const n of images.keys()) {
      ms += await puller.pull(`${REGISTRY}/${REPOSITORY}:v${n}`, {
        via: 'ctr-fetch',
        timeoutMs: PULL_TIMEOUT_MS,
      });
    }
    return ms;
  });
  const pulledMs = performance.now();
  const pullCpuSeconds = (await cpuSeconds(puller)) - (before[0] ?? 0);
  const machineAfter = await readMachine();
  const foundAfterMs = await untilFoundElsewhere(others, everyNth(images, options.asked), pulledMs);
  await Bun.sleep(SETTLE_MS);
  for (const image of images) await puller.verify(image);

  const used = await Promise.all(
    lab.nodes.map(async (node, n) => (await cpuSeconds(node)) - (before[n] ?? 0)),
  );
  const { anonymousBytes } = await puller.mirror.usage();
  const result: PullBenchResult = {
    name,
    pullMs,
    pullCpuSeconds,
    restCpuSeconds: (used[0] ?? 0) - pullCpuSeconds,
    otherCpuSeconds: used.slice(1).reduce((sum, seconds) => sum + seconds, 0) / Math.max(1, others.length),
    peakAnonymousBytes,
    anonymousBytes,
    foundAfterMs,
    busyShare: (machineAfter.busy - machineBefore.busy) / (machineAfter.all - machineBefore.all),
  };
  say(`${name}: pulled in ${(pullMs / 1000).toFixed(1)} s, ${pullCpuSeconds.toFixed(2)} CPU s`);
  return result;
}

async function cpuSeconds({ mirror }: LabNode): Promise<number> {
  return (await mirror.usage()).cpuSeconds;
}

function everyNth(images: readonly TestImage[], count: number): readonly TestBlob[] {
  const layers = images.flatMap(({ blobs }) => blobs.filter(({ kind }) => kind === 'layer'));
  const step = Math.max(1, Math.floor(layers.length / Math.max(1, count)));
  return layers.filter((_, n) => n % step === 0).slice(0, count);
}

/** Asks one node after the other: a node that did not find a layer may remember that for a while. */
async function untilFoundElsewhere(
  nodes: readonly LabNode[],
  blobs: readonly TestBlob[],
  sinceMs: number,
): Promise<readonly number[]> {
  if (nodes.length === 0) return [];
  return Promise.all(
    blobs.map(async (blob, n) => {
      let turn = n;
      const ask = async () => {
        const node = nodes[turn++ % nodes.length];
        const response = await node?.mirror.fetch(contentPath(REPOSITORY, blob), { method: 'HEAD' });
        return response?.status === 200;
      };
      await waitFor(`${blob.digest} elsewhere`, ask, { intervalMs: ASK_AGAIN_MS });
      return performance.now() - sinceMs;
    }),
  );
}
