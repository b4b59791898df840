import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { readCpuSeconds } from '../../lab/process-usage.ts';
import type { BenchCluster, BenchNode } from './bench-cluster.ts';

/** Where profiles go. */
export interface ProfileOptions {
  readonly folder: string;
  /** Part of the files' names. */
  readonly measure: string;
}

/** Profiles all nodes meanwhile, and keeps the profiles of the busiest and of the median one: open them in a browser. */
export async function profileNodes<T>(
  cluster: BenchCluster,
  { folder, measure }: ProfileOptions,
  work: () => Promise<T>,
): Promise<T> {
  mkdirSync(folder, { recursive: true });
  const nodes = cluster.live();
  const before = new Map(
    await Promise.all(
      nodes.map(async (node) => {
        await node.control.startProfile({});
        return [node, await readCpuSeconds(node.daemon.pid)] as const;
      }),
    ),
  );
  const result = await work();
  const used: { readonly node: BenchNode; readonly seconds: number }[] = [];
  for (const node of nodes.filter(({ daemon }) => daemon.running)) {
    const seconds = (await readCpuSeconds(node.daemon.pid)) - (before.get(node) ?? 0);
    used.push({ node, seconds });
  }
  used.sort((a, b) => b.seconds - a.seconds);
  const kept = new Map([
    ['busiest', used[0]],
    ['median', used[Math.floor(used.length / 2)]],
  ]);
  for (const { node } of used) {
    const kind = [...kept].find(([, each]) => each?.node === node)?.[0];
    const path = kind === undefined ? '/dev/null' : join(resolve(folder), `${measure}-${kind}.cpuprofile`);
    await node.control.stopProfile({ path });
    if (kind !== undefined) cluster.say(`${path}: ${kept.get(kind)?.seconds.toFixed(2)} CPU s`);
  }
  return result;
}
