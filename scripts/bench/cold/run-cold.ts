import { readFile } from 'node:fs/promises';

import { createLab, type Lab } from '../../lab/lab.ts';
import type { LabNode } from '../../lab/lab-node.ts';
import { createImage, type TestImage } from '../../lab/test-image.ts';
import { untilFound } from '../../lab/until-found.ts';
import { REGISTRY } from '../../lab/upstream.ts';

/** Options of runCold. */
export interface ColdOptions {
  readonly name: string;
  readonly binary: string;
  readonly mirrorArgs: readonly string[];
  /** Nodes that pull. */
  readonly nodes: number;
  /** Nodes that have the image from the start; upstream is gone when the others pull. */
  readonly holders: number;
  readonly layers: number;
  readonly rounds: number;
  readonly upstreamMbit: number;
  readonly linkMbit: number;
  readonly sizeBytes: number;
  /** Pause between the starts of two nodes, in ms. */
  readonly apartMs: number;
  readonly containerdBinDir: string | undefined;
  readonly say: (text: string) => void;
}

/** One round. */
export interface ColdRound {
  /** From the first node's start to the last node's end, in ms. */
  readonly makespanMs: number;
  /** What left upstream, in images. */
  readonly copies: number;
  /** CPU time of all mirrors, in seconds. */
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
const PULL_TIMEOUT_MS = 300_000;
/** Each node has it once as content and, unpacked, once more; and some slack. */
const COPIES_PER_NODE = 3;

/** Starts a lab of its own and lets all its nodes pull a new image each round. */
export async function runCold(options: ColdOptions): Promise<ColdResult> {
  const { name, binary, mirrorArgs, nodes, holders, sizeBytes, upstreamMbit, linkMbit, say } = options;
  const count = nodes + holders;
  await using lab = await createLab({
    nodes: count,
    binary,
    mirrorArgs,
    link: { egressMbit: linkMbit, ingressMbit: linkMbit },
    roomBytes: sizeBytes * COPIES_PER_NODE * (count + 1),
    ...(options.containerdBinDir === undefined ? {} : { containerdBinDir: options.containerdBinDir }),
  });
  const rounds: ColdRound[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const result = await runRound(lab, options, round);
    rounds.push(result);
    say(
      `${name}, round ${round + 1}: ${(result.makespanMs / 1000).toFixed(2)} s, ${result.copies.toFixed(2)} copies, ${(result.busyShare * 100).toFixed(0)} % busy ${result.failures.join('; ')}`,
    );
  }
  const mbit = holders > 0 ? linkMbit : Math.min(upstreamMbit, linkMbit);
  const usages = await Promise.all(mirrored(lab).map(async ({ mirror }) => mirror.usage()));
  return {
    name,
    idealMs: (sizeBytes * BITS) / (mbit * 1000),
    rounds,
    peakRssBytes: Math.max(0, ...usages.map(({ peakRssBytes }) => peakRssBytes)),
  };
}

async function runRound(lab: Lab, options: ColdOptions, round: number): Promise<ColdRound> {
  const { layers: count, sizeBytes, holders, upstreamMbit, apartMs } = options;
  const repository = `cold-${round}`;
  const layers = Array.from({ length: count }, () => ({ sizeBytes: Math.floor(sizeBytes / count) }));
  const image = createImage({ seed: `cold ${round}`, layers });
  const reference = `${REGISTRY}/${repository}:v1`;
  await lab.upstream.push(image, repository, 'v1');
  const [having, pulling] = [lab.nodes.slice(0, holders), lab.nodes.slice(holders)];
  for (const node of having) await node.pull(reference, { timeoutMs: PULL_TIMEOUT_MS });
  if (holders > 0) await Promise.all(pulling.map(async (node) => untilFound(node, image, repository, 'v1')));
  if (holders > 0) await lab.upstream.cut('blackhole');
  else await lab.upstream.endpoint.shape({ egressMbit: upstreamMbit });
  const counted = await lab.upstream.count();
  const [cpu, machine] = [await cpuSeconds(lab), await readMachine()];
  const startedMs = performance.now();
  const ends = await Promise.allSettled(
    pulling.map(async (node, at) => {
      await Bun.sleep(at * apartMs);
      await node.pull(reference, { timeoutMs: PULL_TIMEOUT_MS });
    }),
  );
  const makespanMs = performance.now() - startedMs;
  const machineAfter = await readMachine();
  const copies = (await counted.bytesOut()) / sizeBytes;
  const mirrorSeconds = (await cpuSeconds(lab)) - cpu;
  const whole = pulling.filter((_, at) => ends[at]?.status === 'fulfilled');
  await settle(lab, [...having, ...whole], image, holders > 0);
  const failures = ends.flatMap((end) =>
    end.status === 'rejected' ? [String(end.reason).slice(0, 200)] : [],
  );
  const used = machineAfter.busy - machine.busy;
  return {
    makespanMs,
    copies,
    mirrorSeconds,
    busyShare: used / (machineAfter.all - machine.all),
    failures,
  };
}

/** Checks what came, and takes it away again. */
async function settle(
  lab: Lab,
  whole: readonly LabNode[],
  image: TestImage,
  isUpstreamGone: boolean,
): Promise<void> {
  if (isUpstreamGone) await lab.upstream.restore();
  await Promise.all(whole.map(async (node) => node.verify(image)));
  await Promise.all(lab.nodes.map(async (node) => node.removeImage(image)));
}

const mirrored = (lab: Lab) => lab.nodes.filter(({ hasMirror }) => hasMirror);

async function cpuSeconds(lab: Lab): Promise<number> {
  const usages = await Promise.all(mirrored(lab).map(async ({ mirror }) => mirror.usage()));
  return usages.reduce((sum, usage) => sum + usage.cpuSeconds, 0);
}

/** The machine's CPU time since its start, in ticks (proc_stat(5)). */
async function readMachine(): Promise<{ readonly busy: number; readonly all: number }> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0, steal = 0] = line
    .split(/\s+/)
    .slice(1)
    .map(Number);
  const busy = user + nice + system + irq + soft + steal;
  return { busy, all: busy + idle + wait };
}
