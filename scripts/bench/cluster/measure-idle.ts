// What does a node cost that nobody asks for anything?
import { readProcessUsage } from '../../lab/process-usage.ts';
import { median, quantile } from '../statistics.ts';
import type { BenchCluster } from './bench-cluster.ts';
import { spreadOf, type Spread, withCpu } from './cpu.ts';

/** Of all nodes that run. Memory in bytes. */
export interface IdleResult {
  readonly cpuSecondsPerMinute: Spread;
  readonly secondsLong: number;
  /** Before anybody asked for anything. */
  readonly memory: MemoryResult;
}

/** Memory of the nodes that run, in bytes, and what they know: median and largest. */
export interface MemoryResult {
  readonly rssBytes: { readonly median: number; readonly max: number };
  readonly anonymousBytes: { readonly median: number; readonly max: number };
  readonly connectedPeers: { readonly median: number; readonly max: number; readonly min: number };
  /** Provider records per node. */
  readonly records: { readonly median: number; readonly max: number };
}

const MINUTE_SECONDS = 60;

/** Lets the nodes alone for a while first. */
export async function measureIdle(
  cluster: BenchCluster,
  { settleSeconds, idleSeconds }: { readonly settleSeconds: number; readonly idleSeconds: number },
): Promise<IdleResult> {
  await Bun.sleep(settleSeconds * 1000);
  const { cpu } = await withCpu(cluster.live(), async () => Bun.sleep(idleSeconds * 1000));
  const secondsLong = cpu.lastedMs / 1000;
  const perMinute = [...cpu.seconds.values()].map((used) => (used * MINUTE_SECONDS) / secondsLong);
  return { cpuSecondsPerMinute: spreadOf(perMinute), secondsLong, memory: await measureMemory(cluster) };
}

/** Measures memory now. */
export async function measureMemory(cluster: BenchCluster): Promise<MemoryResult> {
  const nodes = cluster.live();
  const usages = await Promise.all(nodes.map(async ({ daemon }) => readProcessUsage(daemon.pid)));
  const states = await Promise.all(nodes.map(async ({ control }) => control.state({})));
  const both = (values: readonly number[]) => ({ median: median(values), max: quantile(values, 1) });
  return {
    rssBytes: both(usages.map(({ rssBytes }) => rssBytes)),
    anonymousBytes: both(usages.map(({ anonymousBytes }) => anonymousBytes)),
    connectedPeers: {
      ...both(states.map(({ connectedPeers }) => connectedPeers)),
      min: Math.min(...states.map(({ connectedPeers }) => connectedPeers)),
    },
    records: both(states.map(({ records }) => records)),
  };
}
