import { readCpuSeconds } from '../../lab/process-usage.ts';
import { quantile } from '../statistics.ts';
import type { BenchNode } from './bench-cluster.ts';

/** CPU seconds that each node used while something was done. */
export interface CpuUse {
  readonly seconds: ReadonlyMap<BenchNode, number>;
  readonly lastedMs: number;
}

/** Does the work and tells what the nodes used meanwhile; they must be alive at its end. */
export async function withCpu<T>(
  nodes: readonly BenchNode[],
  work: () => Promise<T>,
): Promise<{ readonly result: T; readonly cpu: CpuUse }> {
  const read = async () => Promise.all(nodes.map(async ({ daemon }) => readCpuSeconds(daemon.pid)));
  const startedMs = performance.now();
  const before = await read();
  const result = await work();
  const after = await read();
  const seconds = new Map(nodes.map((node, index) => [node, (after[index] ?? 0) - (before[index] ?? 0)]));
  return { result, cpu: { seconds, lastedMs: performance.now() - startedMs } };
}

/** Mean and largest. */
export interface Spread {
  readonly mean: number;
  readonly max: number;
}

/** Mean and largest of the numbers; zero for none. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) return { mean: 0, max: 0 };
  return { mean: values.reduce((sum, each) => sum + each, 0) / values.length, max: quantile(values, 1) };
}
